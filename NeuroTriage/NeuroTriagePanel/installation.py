"""What is missing comes on the user's click only: packages from the internet or a folder of wheels, packs from disk."""

from __future__ import annotations

import importlib.util

import qt
import slicer
from slicer.i18n import tr as _

# Sizes of PyTorch 2's wheels with what they bring along, on the download pages of November 2026, rounded up (MB).
TORCH_CPU_MB, TORCH_CUDA_MB = 250, 3500


class Installation:
    """Asks, installs, and says what was done; nothing here runs by itself.

    Args:
        requirements_path: requirements.txt with what the worker needs beyond Slicer's own packages.
    """

    def __init__(self, requirements_path: str) -> None:
        self._requirements_path = requirements_path

    def size_text(self) -> str:
        """What will be downloaded, said before the click."""
        return _(
            "Installing downloads PyTorch: about {0} MB for the CPU, up to {1:.1f} GB with CUDA for an NVIDIA GPU."
            " Without internet, install from a folder of wheels. Then run again."
        ).format(TORCH_CPU_MB, TORCH_CUDA_MB / 1000)

    def install(self) -> str:
        """Get what is missing from the internet. Raises when the user declines or pip fails.

        The PyTorch extension, where it is installed, picks the CUDA build that fits the driver.
        """
        requirements = slicer.packaging.load_requirements(self._requirements_path)
        if importlib.util.find_spec("PyTorchUtils") is not None and not slicer.app.testingEnabled():
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
