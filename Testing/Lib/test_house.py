"""The house's rules that a machine can read: who imports whom, first lines, sizes, declared dependencies."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "NeuroTriageLib"
MODULE_FOLDER = ROOT / "NeuroTriage"
HOST_MODULES = {"slicer", "qt", "ctk", "vtk", "vtkmodules", "slicer_core", "PySide6"}

# A room is a folder of NeuroTriageLib or a file at its top; "config" are the settings files systems/*_config.py,
# which know nobody but core. Each room may import itself and what stands here.
ALLOWED_ROOMS: dict[str, set[str]] = {
    "core": set(),
    "config": {"core"},
    "io": {"core"},
    "series_selection": {"core", "io"},
    "preprocessing": {"core", "config"},
    "measurements": {"core"},
    "evaluation": {"core", "io", "measurements", "datasets", "review"},
    "outputs": {"core"},
    "review": {"core", "measurements", "outputs"},
    "datasets": {"core", "io", "series_selection", "review", "outputs"},
    "simulation": {"core"},
    "networks": set(),
    "inference": {"core", "config", "networks", "preprocessing"},
    "systems": {"core", "config", "io", "networks", "preprocessing", "inference"},
    "training": {"core", "config", "io", "networks", "preprocessing", "simulation", "datasets", "review"},
    "model_registry": {"core", "io", "review"},
    "catalog": {"core", "config", "io", "systems", "inference", "model_registry"},
    "model_comparison": {
        *("core", "io", "catalog", "model_registry", "measurements", "datasets", "evaluation", "simulation"),
        "training",  # what its simulated exams are drawn from
    },
    "pipeline": {"core", "io", "series_selection", "preprocessing", "measurements", "mr_pipeline"},
    "mr_pipeline": {"core", "series_selection", "preprocessing", "measurements"},
    "triage_options": {"core", "io", "series_selection", "catalog", "pipeline", "outputs"},
    "batch": {"core", "io", "series_selection", "catalog", "triage_options", "pipeline", "outputs", "review"},
    "terminal": set(),
    "cli": {
        "terminal",
        *("core", "io", "series_selection", "catalog", "triage_options", "pipeline", "outputs", "simulation"),
        *("training", "evaluation", "datasets", "batch", "service", "model_comparison", "experiments"),
    },
    "experiments": {
        *("core", "config", "io", "catalog", "datasets", "simulation", "measurements", "training", "evaluation"),
    },
    "node_client": {"core", "study_files"},
    "study_files": {"core", "io", "series_selection"},
    "worker": {"core", "catalog", "pipeline", "mr_pipeline", "outputs", "study_files"},
    "service": {
        *("core", "io", "series_selection", "preprocessing", "catalog", "triage_options", "pipeline", "outputs"),
        "review",  # its durable files
    },
    "improvement": {
        *("core", "io", "worker", "catalog", "model_registry", "model_comparison", "training", "datasets"),
        "simulation",
    },
}

# Third-party packages that a room may import; those of every room come first.
EVERYWHERE = {"numpy"}
ALLOWED_PACKAGES: dict[str, set[str]] = {
    "io": {"SimpleITK", "pydicom", "safetensors", "gdcm"},
    "datasets": {"h5py", "pydicom"},
    "preprocessing": {"SimpleITK", "torch"},
    "measurements": {"SimpleITK"},
    "evaluation": {"SimpleITK", "matplotlib"},
    "experiments": {"jinja2"},
    "outputs": {"SimpleITK", "jinja2", "pydicom", "highdicom", "PIL", "reportlab"},
    "simulation": {"SimpleITK", "pydicom", "torch"},
    "networks": {"torch"},
    "inference": {"torch"},
    "systems": {"torch"},
    "training": {"torch", "matplotlib"},
    "service": {
        "torch",
        "pydicom",
        "pynetdicom",
        "pydantic",
        "filelock",
        "fastapi",
        "uvicorn",
        "starlette",
        "anyio",
        "prometheus_client",
        "python_multipart",
        "jinja2",
        "PIL",
    },
    "batch": {"torch", "ray", "dicomweb_client", "requests", "retrying"},
}

# Rooms whose modules may import torch when they are imported. Everything else must work, and start fast, without it.
TORCH_MODULES = re.compile(
    r"NeuroTriageLib\.(networks|inference|training|simulation|model_comparison\.(?!command$)|systems(?!\.\w+_config$)"
    r"|experiments(?!\.(command|protocol)$)|preprocessing\.network_grid)\b"
)
# Rooms that the panel may import: nothing else is loaded by them than numpy (and SimpleITK when parts are counted).
PANEL_ROOMS = {"core", "measurements", "review"}
PANEL_PACKAGES = {"numpy", "slicer", "qt", "ctk", "vtk", "vtkmodules"}
PANEL_PACKAGES |= {"DICOMLib", "SampleData", "PyTorchUtils"}  # modules of Slicer and of an extension, imported on use

# What a package is called when it is imported, where that differs from its name in pyproject.toml.
IMPORT_NAMES = {
    "dicomweb-client": "dicomweb_client",
    "pyjpegls": "jpeg_ls",
    "pylibjpeg-openjpeg": "openjpeg",
    "pylibjpeg-rle": "rle",
    "python-gdcm": "gdcm",
    "pillow": "PIL",
    "prometheus-client": "prometheus_client",
    "python-multipart": "python_multipart",
}
# pydicom loads these by itself.
DECODERS = {"pyjpegls", "pylibjpeg", "pylibjpeg-openjpeg", "pylibjpeg-rle", "python-gdcm"}


@dataclass(frozen=True)
class Import:
    """One imported module, as an absolute dotted name, and where the import stands."""

    module: str
    path: Path
    line: int
    lazy: bool

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line} imports {self.module}"


def python_files(*folders: Path) -> list[Path]:
    """All Python files below the folders, in a stable order."""
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def module_name(path: Path) -> str:
    """Dotted name of a file below the repository or the Slicer module's folder."""
    base = MODULE_FOLDER if path.is_relative_to(MODULE_FOLDER) else ROOT
    parts = path.relative_to(base).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> Iterator[Import]:
    """Every import statement of a file, inside functions too."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]
    lazy = {id(node) for function in functions for node in ast.walk(function)}
    package = module_name(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(tree):
        for name in _imported_names(node, package):
            yield Import(name, path, getattr(node, "lineno", 0), id(node) in lazy)


def _imported_names(node: ast.AST, package: list[str]) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = package[: len(package) - node.level + 1] if node.level else []
    origin = ".".join(base + ([node.module] if node.module else []))
    is_package = (ROOT / Path(*origin.split("."))).is_dir()
    return [f"{origin}.{alias.name}" for alias in node.names] if is_package else [origin]


def room_of(module: str) -> str:
    """The room of a module of NeuroTriageLib; "" for the package itself (its version)."""
    parts = module.split(".")[1:]
    if not parts:
        return ""
    if parts[0] == "systems" and len(parts) > 1 and parts[1].endswith("_config"):
        return "config"
    return parts[0]


def third_party(imports: Iterator[Import]) -> list[Import]:
    """Imports that come neither from the standard library nor from this repository."""
    ours = {"NeuroTriageLib", "NeuroTriagePanel"}
    return [i for i in imports if i.module.split(".")[0] not in sys.stdlib_module_names | ours | {"__future__"}]


def test_every_room_imports_only_the_rooms_that_it_may():
    wrong = []
    for path in python_files(LIBRARY):
        room = room_of(module_name(path))
        for item in imports_of(path):
            if not item.module.startswith("NeuroTriageLib"):
                continue
            target = room_of(item.module)
            if target in ("", room, "__version__"):
                continue
            if target not in ALLOWED_ROOMS.get(room, set()):
                wrong.append(f"{item} (room {room!r} may not import {target!r})")
    assert not wrong, "\n".join(wrong)


def test_every_room_is_in_the_table_of_arrows():
    rooms = {room_of(module_name(path)) for path in python_files(LIBRARY)} - {""}
    assert rooms <= ALLOWED_ROOMS.keys()


def test_inference_and_training_never_meet():
    assert "training" not in _reachable("inference") | _reachable("systems") | _reachable("worker")
    assert not _reachable("training") & {"inference", "systems", "catalog", "pipeline"}


def _reachable(room: str) -> set[str]:
    reached: set[str] = set()
    waiting = [room]
    while waiting:
        for target in ALLOWED_ROOMS[waiting.pop()] - reached:
            reached.add(target)
            waiting.append(target)
    return reached


def test_the_library_never_imports_slicer_qt_or_vtk():
    wrong = [str(i) for p in python_files(LIBRARY) for i in imports_of(p) if i.module.split(".")[0] in HOST_MODULES]
    assert not wrong, "\n".join(wrong)


def test_third_party_packages_stay_in_their_rooms():
    wrong = []
    for path in python_files(LIBRARY):
        room = room_of(module_name(path))
        allowed = EVERYWHERE | ALLOWED_PACKAGES.get(room, set())
        wrong += [str(i) for i in third_party(imports_of(path)) if i.module.split(".")[0] not in allowed]
    assert not wrong, "\n".join(wrong)


def test_the_panel_knows_only_the_light_rooms_numpy_and_slicer():
    wrong = []
    for path in python_files(MODULE_FOLDER):
        for item in imports_of(path):
            top = item.module.split(".")[0]
            if top == "NeuroTriageLib":
                if room_of(item.module) not in PANEL_ROOMS | {"", "__version__"}:
                    wrong.append(str(item))
            elif top not in sys.stdlib_module_names | PANEL_PACKAGES | {"NeuroTriagePanel"}:
                wrong.append(str(item))
    assert not wrong, "\n".join(wrong)


def test_the_slicer_module_file_imports_no_third_party_package_at_its_top():
    path = MODULE_FOLDER / "NeuroTriage.py"
    allowed = {"slicer", "qt", "ctk", "vtk"}
    wrong = [str(i) for i in third_party(imports_of(path)) if not i.lazy and i.module.split(".")[0] not in allowed]
    assert not wrong, "\n".join(wrong)


def test_importing_the_library_outside_the_torch_rooms_never_imports_torch():
    modules = [module_name(path) for path in python_files(LIBRARY)]
    modules = [name for name in modules if not TORCH_MODULES.match(name) and not name.endswith("__main__")]
    assert {"NeuroTriageLib.cli", "NeuroTriageLib.catalog", "NeuroTriageLib.pipeline"} <= set(modules)
    script = (
        "import importlib, sys\n"
        f"for name in {modules!r}:\n"
        "    importlib.import_module(name)\n"
        "    heavy = {'torch', 'scipy', 'matplotlib', 'slicer', 'vtk'} & set(sys.modules)\n"
        "    assert not heavy, f'{name} imports {heavy}'\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_rooms_of_the_panel_load_nothing_but_numpy():
    modules = [module_name(p) for p in python_files(LIBRARY) if room_of(module_name(p)) in PANEL_ROOMS]
    script = (
        "import importlib, sys\n"
        "import numpy\n"
        "before = set(sys.modules)\n"
        f"for name in {modules!r}:\n"
        "    importlib.import_module(name)\n"
        "tops = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "heavy = tops - set(sys.stdlib_module_names) - {'NeuroTriageLib', 'numpy'}\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("folder", ["NeuroTriageLib", "NeuroTriage", "Testing", "scripts"])
def test_every_python_file_says_on_its_first_line_why_it_exists(folder):
    wrong = []
    for path in python_files(ROOT / folder):
        lines = path.read_text(encoding="utf-8").splitlines()
        first = next((line for line in lines if line and not line.startswith("#!")), "")
        if not re.match(r'r?"""\S', first):
            wrong.append(str(path.relative_to(ROOT)))
    assert not wrong, wrong


def test_no_python_file_is_longer_than_400_lines():
    lengths = {p.relative_to(ROOT): len(p.read_text(encoding="utf-8").splitlines()) for p in _all_files()}
    assert not {path: length for path, length in lengths.items() if length > 400}


def test_no_file_is_a_drawer_for_everything():
    names = re.compile(r"(utils?|helpers?|misc|common|manager)$")
    assert not [path for path in _all_files() if names.search(path.stem)]


def test_the_base_dependencies_are_what_the_library_imports():
    imported = {i.module.split(".")[0] for p in python_files(LIBRARY) for i in third_party(imports_of(p))}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    base = {_requirement_name(line) for line in project["dependencies"]}
    keys = ("train", "dicom", "service", "cluster", "dicomweb")
    extras = {_requirement_name(line) for key in keys for line in project["optional-dependencies"][key]}
    assert imported - {_import_name(name) for name in base | extras} == set()
    assert {_import_name(name) for name in base - DECODERS} - imported == set()


def test_the_installed_packages_are_all_packages_of_the_tree():
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    found = {module_name(path) for path in python_files(LIBRARY) if path.name == "__init__.py"}
    panel = {module_name(p) for p in python_files(MODULE_FOLDER / "NeuroTriagePanel") if p.name == "__init__.py"}
    assert set(setup["packages"]) == found | panel | {"NeuroTriageLib.Resources"}


def _all_files() -> list[Path]:
    return python_files(LIBRARY, MODULE_FOLDER, ROOT / "Testing", ROOT / "scripts")


def _requirement_name(line: str) -> str:
    return re.split(r"[<>=!\[;\s]", line, maxsplit=1)[0]


def _import_name(name: str) -> str:
    return IMPORT_NAMES.get(name, name)
