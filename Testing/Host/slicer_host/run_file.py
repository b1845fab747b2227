"""``python -m slicer_host.run_file FILE RESULTS.json``: run the tests of one file in a scene of their own.

Every function test_* is called with an emptied scene; a parameter named tmp_path gets an empty folder. RESULTS holds
{name: "" or traceback} and is written after each test, so that a crash says which one it was.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import sys
import tempfile
import traceback
import unittest
from pathlib import Path

from . import application, pythonqt

SKIPPED = "skipped: "
"""Begins the outcome of a test that raised unittest.SkipTest."""


def run_file(path: Path, results_path: Path) -> None:
    """Run each test of the file and note how it went."""
    import slicer

    module = _load(path)
    results: dict[str, str] = {}
    for name, test in inspect.getmembers(module, inspect.isfunction):
        if name.startswith("test_"):
            results[name] = "The process crashed in this test."
            results_path.write_text(json.dumps(results))
            slicer.mrmlScene.Clear(False)
            results[name] = _run(test)
            results_path.write_text(json.dumps(results))


def _load(path: Path):
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _run(test) -> str:
    """Empty when the test passed, else its traceback; an exception in a slot fails the test too."""
    pythonqt.slot_errors.clear()
    arguments = {}
    try:
        with tempfile.TemporaryDirectory() as folder:
            if "tmp_path" in inspect.signature(test).parameters:
                arguments["tmp_path"] = Path(folder)
            test(**arguments)
    except unittest.SkipTest as reason:
        return f"{SKIPPED}{reason}"
    except Exception:
        return traceback.format_exc()
    return "\n".join("".join(traceback.format_exception(error)) for error in pythonqt.slot_errors)


def main() -> None:
    """The command line: a file of tests, and where the results go."""
    with tempfile.TemporaryDirectory() as temporary:
        application.start(Path(temporary))
        run_file(Path(sys.argv[1]), Path(sys.argv[2]))


if __name__ == "__main__":
    application.run_and_leave(main)
