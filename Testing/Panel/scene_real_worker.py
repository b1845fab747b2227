"""The real panel with the real worker and the model that ships: a simulated bleeding goes all the way."""

from __future__ import annotations

import json
import time
import unittest
from pathlib import Path

import numpy as np
import qt
import slicer

from NeuroTriageLib.core.resources import models_folder
from NeuroTriagePanel.result_nodes import add_ct_node
from slicer_host.application import load_module

ROOT = Path(__file__).resolve().parents[2]
RUN_TIMEOUT_S = 500


def test_a_volume_in_the_scene_comes_back_with_findings_of_the_model_that_ships():
    packs = sorted(models_folder().glob("kuo2019*/pack.json"))
    if not packs:
        raise unittest.SkipTest("no model ships yet")
    from NeuroTriageLib.simulation.head_ct import simulate_head_ct
    from NeuroTriageLib.simulation.phantom import phantom_anatomy
    from NeuroTriageLib.simulation.settings import HeadCtSettings

    thick = HeadCtSettings(parts=("IPH",), slice_spacings_mm=(6.0,), mixed_stack_probability=0.0)
    node = add_ct_node(simulate_head_ct(phantom_anatomy(), 3, thick).volume)
    widget, _ = load_module(ROOT / "NeuroTriage" / "NeuroTriage.py")
    widget.ui.inputSelector.setCurrentNode(node)
    widget.ui.runButton.click()
    end = time.monotonic() + RUN_TIMEOUT_S
    while widget.panel.run.state.busy and time.monotonic() < end:
        qt.QApplication.processEvents()
        time.sleep(0.01)
    assert widget.panel.review is not None, widget.ui.statusLabel.text
    assert widget.ui.findingsTable.rowCount == 6
    table = widget.panel.review.nodes.table
    assert json.loads(packs[0].read_text())["name"] in table.GetAttribute("NeuroTriage.models")
    heat = slicer.util.arrayFromVolume(widget.panel.review.nodes.heatmaps[0])
    assert heat.shape == slicer.util.arrayFromVolume(node).shape and np.isfinite(heat).all()
    widget.cleanup()
