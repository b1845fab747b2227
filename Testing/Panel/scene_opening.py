"""What opening the panel for the first time costs, and what it must not load."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import qt

from slicer_host.application import load_module

ROOT = Path(__file__).resolve().parents[2]
OPENING_S = 0.5
# What is heavy, or not there before the user has installed it.
NOT_LOADED = {"torch", "SimpleITK", "pydicom", "highdicom", "scipy", "pandas", "matplotlib", "PIL"}


def test_the_panel_opens_in_half_a_second_of_processor_time_and_loads_no_heavy_package():
    before = time.thread_time()  # the clock on the wall is that of whatever else runs on the machine
    widget, panel = load_module(ROOT / "NeuroTriage" / "NeuroTriage.py")
    panel.show()
    qt.QApplication.processEvents()
    spent = time.thread_time() - before
    assert widget.panel is not None and widget.ui.runButton.visible
    assert not NOT_LOADED & {name.split(".")[0] for name in sys.modules}
    assert spent < OPENING_S, spent
    widget.cleanup()
