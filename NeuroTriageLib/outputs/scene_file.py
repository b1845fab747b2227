"""scene.mrb: a Slicer scene of the exam, written by the panel's own code in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from ..core.errors import OutputError
from ..core.exchange import save_exam
from ..core.findings import ExamResult

# A 300-slice exam takes under a minute on two cores; beyond this something hangs (ours).
TIMEOUT_S = 600

# System libraries that slicer-core may ask for, with the Debian package that holds each.
DEBIAN_PACKAGE_OF_LIBRARY = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libGLX.so.0": "libglx0",
    "libOpenGL.so.0": "libopengl0",
    "libOSMesa.so.8": "libosmesa6",
    "libX11.so.6": "libx11-6",
    "libXext.so.6": "libxext6",
    "libXt.so.6": "libxt6",
    "libXrender.so.1": "libxrender1",
    "libxcb.so.1": "libxcb1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libSM.so.6": "libsm6",
    "libICE.so.6": "libice6",
    "libgomp.so.1": "libgomp1",
    "libstdc++.so.6": "libstdc++6",
    "libz.so.1": "zlib1g",
}


def write_scene(result: ExamResult, path: Path) -> None:
    """Write the exam as a Slicer scene (.mrb) at path; an existing file is replaced only by a complete new one.

    Raises OutputError when slicer-core or a system library is missing (named with how to install it) or writing fails.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise OutputError("The folder for the Slicer scene does not exist.", where=path.name)
    with tempfile.TemporaryDirectory(prefix="neurotriage-scene-") as work:
        exchange_folder, scene = Path(work, "exam"), Path(work, "scene.mrb")
        save_exam(result, exchange_folder)
        _run_writer(exchange_folder, scene)
        try:
            part = path.with_name(f".{path.name}.part")
            part.write_bytes(scene.read_bytes())
            part.replace(path)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise OutputError(f"The Slicer scene could not be written: {error.strerror}.", where=path.name) from error


def _run_writer(exchange_folder: Path, scene: Path) -> None:
    command = [sys.executable, "-m", "NeuroTriagePanel.write_scene", str(exchange_folder), str(scene)]
    try:
        run = subprocess.run(
            command, env=_environment(), capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S
        )
    except subprocess.TimeoutExpired as error:
        raise OutputError(
            f"Writing the Slicer scene took longer than {TIMEOUT_S} s and was stopped.", where=scene.name
        ) from error
    if run.returncode != 0 or not scene.exists():
        raise _explained(run.stderr, run.returncode)


def _environment() -> dict[str, str]:
    """The caller's environment in which the library and the panel's package can be imported."""
    library_root = Path(__file__).resolve().parents[2]
    roots = [str(library_root)]
    if importlib.util.find_spec("NeuroTriagePanel") is None:  # in the source tree it lies beside the Slicer module
        panel_root = library_root / "NeuroTriage"
        if not (panel_root / "NeuroTriagePanel").is_dir():
            raise OutputError("The package NeuroTriagePanel, which writes Slicer scenes, is not installed.")
        roots.append(str(panel_root))
    else:
        roots.extend(entry for entry in sys.path if entry and Path(entry, "NeuroTriagePanel").is_dir())
    environment = dict(os.environ)
    inherited = environment.get("PYTHONPATH")
    environment["PYTHONPATH"] = os.pathsep.join(roots + ([inherited] if inherited else []))
    return environment


def _explained(stderr: str, returncode: int) -> OutputError:
    """The writer's failure in words a user can act on."""
    library = re.search(r"(lib[\w.+-]+\.so[\w.]*): cannot open shared object file", stderr)
    if library:
        return missing_library(library[1])
    try:
        said = json.loads(stderr.strip().splitlines()[-1])
    except (ValueError, IndexError):
        return OutputError(
            f"The Slicer scene could not be written: its process ended with code {returncode}.",
            where="scene.mrb",
            next_step="The other outputs are complete; write them without the scene.",
        )
    if said["where"] == "import":
        return OutputError(
            f"Slicer scenes need slicer-core, which is not installed ({said['what']}).",
            where="scene.mrb",
            next_step="Install it with: pip install 'neurotriage[scene]'",
        )
    return OutputError(said["what"], where=said["where"], next_step=said["next_step"])


def missing_library(library: str) -> OutputError:
    """The error for a system library that is not there, with the Debian package that holds it."""
    package = DEBIAN_PACKAGE_OF_LIBRARY.get(library)
    install = f"On Debian or Ubuntu: apt-get install {package}" if package else "Install the package that holds it."
    return OutputError(f"Slicer scenes need the system library {library}.", where="scene.mrb", next_step=install)
