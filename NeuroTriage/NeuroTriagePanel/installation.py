"""What is missing comes on the user's click only: packages from the internet or a folder of wheels, packs from disk."""

from __future__ import annotations

import importlib.util
import sys

import qt
import slicer
from slicer.i18n import tr as _

# What pip said that it downloads (torch 2.15, November 2026): 127 MB on Windows, 139 MB on macOS; on Linux 539 MB and
# CUDA libraries, of which cuDNN, cuBLAS, NCCL, cuSOLVER, cuFFT and cuSPARSE alone are 1.8 GB. Rounded up, in GB; with a
# CUDA build that the PyTorch extension picks it is on every system what it is on Linux (not measured).
CPU_GB, CUDA_GB = 0.2, 3.5


class Installation:
    """Asks, installs, and says what was done; nothing here runs by itself.

    Args:
        requirements_path: requirements.txt with what the worker needs beyond Slicer's own packages.
    """

    def __init__(self, requirements_path: str) -> None:
        self._requirements_path = requirements_path

    def size_text(self) -> str:
        """What will be downloaded, said before the click."""
        if _has_pytorch_extension():
            size = _("about {0} GB for the CPU, up to {1} GB with CUDA for an NVIDIA GPU").format(CPU_GB, CUDA_GB)
        elif sys.platform == "linux":
            size = _(
                "up to {0} GB, because the build for Linux brings CUDA along (with Slicer's extension PyTorch installed"
                " about {1} GB where there is no NVIDIA GPU)"
            ).format(CUDA_GB, CPU_GB)
        else:
            size = _("about {0} GB, for the CPU (Slicer's extension PyTorch gets the one for a GPU)").format(CPU_GB)
        return _(
            "Installing downloads PyTorch: {0}. Without internet, install from a folder of wheels. Then run again."
        ).format(size)

    def install(self) -> str:
        """Get what is missing from the internet. Raises when the user declines or pip fails.

        The PyTorch extension, where it is installed, picks the CUDA build that fits the driver.
        """
        requirements = slicer.packaging.load_requirements(self._requirements_path)
        if _has_pytorch_extension() and not slicer.app.testingEnabled():
            import PyTorchUtils

            if PyTorchUtils.PyTorchUtilsLogic().installTorch(askConfirmation=True) is None:
                raise RuntimeError(_("PyTorch was not installed."))
        slicer.packaging.pip_ensure(requirements, requester="NeuroTriage")
        return _("The packages are installed. Run again.")

    def install_wheels(self) -> str:
        """Get what is missing from a folder of wheels, without internet; "" when the user chose no folder."""
        folder = qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), _("Folder with wheels"))
        if not folder:
            return ""
        requirements = [str(item) for item in slicer.packaging.load_requirements(self._requirements_path)]
        slicer.packaging.pip_install(["--no-index", "--find-links", folder, *requirements], requester="NeuroTriage")
        return _("The packages were installed from {0}. Run again.").format(folder)

    def choose_pack(self) -> str | None:
        """Path of a model pack that the user chose: a zip, or the folder of its pack.json; None when cancelled."""
        path = qt.QFileDialog.getOpenFileName(
            slicer.util.mainWindow(), _("Model pack"), "", _("Model packs (pack.json *.zip)")
        )
        if not path:
            return None
        return path.removesuffix("/pack.json")


def _has_pytorch_extension() -> bool:
    return importlib.util.find_spec("PyTorchUtils") is not None
