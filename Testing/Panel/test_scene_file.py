"""Writing scene.mrb where something is missing: one clear message, nothing half-written."""

from __future__ import annotations

from pathlib import Path

import pytest

import made_exams
from NeuroTriageLib.core.errors import OutputError
from NeuroTriageLib.outputs import scene_file


def fake_slicer(folder: Path, first_line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package slicer that is found before the real one and fails as the real one would."""
    (folder / "slicer").mkdir()
    (folder / "slicer" / "__init__.py").write_text(first_line)
    monkeypatch.setenv("PYTHONPATH", str(folder))


def refusal(folder: Path) -> OutputError:
    with pytest.raises(OutputError) as refused:
        scene_file.write_scene(made_exams.exam(made_exams.GRIDS["regular"]), folder / "scene.mrb")
    assert not list(folder.glob("*.mrb*"))
    assert "Traceback" not in refused.value.message()
    return refused.value


def test_without_slicer_core_the_pip_extra_is_named(tmp_path, monkeypatch):
    fake_slicer(tmp_path, "raise ModuleNotFoundError(\"No module named 'slicer'\")", monkeypatch)
    assert "pip install 'neurotriage[scene]'" in refusal(tmp_path).next_step


@pytest.mark.parametrize(
    ("library", "package"), [("libEGL.so.1", "libegl1"), ("libGL.so.1", "libgl1"), ("libX11.so.6", "libx11-6")]
)
def test_without_a_system_library_its_debian_package_is_named(tmp_path, monkeypatch, library, package):
    said = f"{library}: cannot open shared object file: No such file or directory"
    fake_slicer(tmp_path, f"raise ImportError({said!r})", monkeypatch)
    error = refusal(tmp_path)
    assert library in error.what and error.next_step.endswith(f"apt-get install {package}")


def test_a_crash_of_the_writer_is_an_error_and_leaves_nothing(tmp_path, monkeypatch):
    fake_slicer(tmp_path, "import os; os.abort()", monkeypatch)
    assert "code" in refusal(tmp_path).what


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(OutputError):
        scene_file.write_scene(made_exams.exam(made_exams.GRIDS["regular"]), tmp_path / "absent" / "scene.mrb")
