"""``Slicer --testing --python-script run_scene.py SCENE``: run the tests of one scene_*.py inside Slicer.

Every function test_* is called with an emptied scene; a parameter named tmp_path gets an empty folder. An exception in
a slot fails the test that it belongs to. Slicer's exit code says whether all passed.
"""

from __future__ import annotations

import functools
import importlib.util
import inspect
import sys
import tempfile
import unittest
from pathlib import Path

import slicer

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def suite_of(path: Path) -> unittest.TestSuite:
    """The tests of a file."""
    sys.path[:0] = [str(HERE), str(path.parent), str(ROOT)]
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tests = [item for item in inspect.getmembers(module, inspect.isfunction) if item[0].startswith("test_")]
    cases = (unittest.FunctionTestCase(functools.partial(run, test), description=name) for name, test in tests)
    return unittest.TestSuite(cases)


def run(test) -> None:
    """One test in an empty scene; errors that Python tells nobody but sys.excepthook are its errors."""
    slicer.mrmlScene.Clear(False)
    errors: list[BaseException] = []
    before, sys.excepthook = sys.excepthook, lambda kind, error, trace: errors.append(error)
    try:
        with tempfile.TemporaryDirectory() as folder:
            wanted = inspect.signature(test).parameters
            test(**({"tmp_path": Path(folder)} if "tmp_path" in wanted else {}))
    finally:
        sys.excepthook = before
    if errors:
        raise ExceptionGroup("in slots", errors) if all(isinstance(e, Exception) for e in errors) else errors[0]


def main() -> None:
    scene = Path(sys.argv[-1])
    result = unittest.TextTestRunner(verbosity=2).run(suite_of(scene if scene.is_absolute() else ROOT / scene))
    slicer.util.exit(slicer.util.EXIT_SUCCESS if result.wasSuccessful() else slicer.util.EXIT_FAILURE)


if __name__ == "__main__":
    main()
