"""Collects scene_*.py: tests that run inside a Slicer-like process of their own, one process per file."""

from __future__ import annotations

import ast
import functools
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 600
sys.path.append(str(Path(__file__).parent))  # made_exams.py, also for tests that pytest imports itself


def is_scene_file(path: Path) -> bool:
    return path.suffix == ".py" and path.name.startswith("scene_")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if is_scene_file(file_path) and not parent.session.isinitpath(file_path):
        return SceneFile.from_parent(parent, path=file_path)
    return None


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A file named on pytest's command line comes by here, whatever it is called."""
    return SceneFile.from_parent(parent, path=module_path) if is_scene_file(module_path) else None


class SceneFile(pytest.File):
    """A file whose tests import slicer, so it is read, not imported, here; SLOW = True marks all of them."""

    def collect(self):
        statements = ast.parse(self.path.read_text(encoding="utf-8")).body
        slow = any(isinstance(s, ast.Assign) and ast.unparse(s) == "SLOW = True" for s in statements)
        for statement in statements:
            if isinstance(statement, ast.FunctionDef) and statement.name.startswith("test_"):
                test = SceneTest.from_parent(self, name=statement.name)
                if slow:
                    test.add_marker(pytest.mark.slow)
                yield test


class SceneTest(pytest.Item):
    """One test of a scene file; the first one to run runs the whole file."""

    def runtest(self) -> None:
        missing = [name for name in ("slicer", "PySide6") if importlib.util.find_spec(name) is None]
        if missing:
            pytest.skip(f"needs {' and '.join(missing)}: pip install 'neurotriage[scene,test]'")
        results, log = run_scene_file(self.path)
        outcome = results.get(self.name, "The process ended before this test ran.")
        if outcome.startswith("skipped: "):
            pytest.skip(outcome.removeprefix("skipped: "))
        if outcome:
            raise SceneTestFailed(f"{outcome}\n{log[-3000:]}" if "Traceback" not in outcome else outcome)

    def repr_failure(self, excinfo, style=None):
        return str(excinfo.value) if isinstance(excinfo.value, SceneTestFailed) else super().repr_failure(excinfo)

    def reportinfo(self):
        return self.path, None, f"{self.path.stem}::{self.name}"


class SceneTestFailed(Exception):
    """Carries the other process's traceback."""


@functools.cache
def run_scene_file(path: Path) -> tuple[dict[str, str], str]:
    """Run a file's tests; ({name: "" or traceback}, what the process said)."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder, "results.json")
        run = subprocess.run(
            [sys.executable, "-m", "slicer_host.run_file", str(path), str(results)],
            env=scene_environment() | {"XDG_DATA_HOME": str(Path(folder, "data"))},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
        )
        return (json.loads(results.read_text()) if results.exists() else {}), run.stdout + run.stderr


def scene_environment() -> dict[str, str]:
    """The environment in which the host, the panel and the library can be imported."""
    roots = [ROOT, ROOT / "NeuroTriage", ROOT / "Testing" / "Host"]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, roots)), "OMP_NUM_THREADS": "1"}
