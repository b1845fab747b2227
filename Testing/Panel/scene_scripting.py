"""The examples of docs/scripting.md are run as they stand."""

from __future__ import annotations

import re

import slicer

from NeuroTriageLib.core.resources import sample_data_folder
from NeuroTriagePanel.worker_client import WorkerCommand
from panel_on_host import ROOT, fake_worker, panel


def test_every_example_of_the_scripting_document_runs(tmp_path):
    panel(grid_name="")
    text = (ROOT / "docs" / "scripting.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len(blocks) == 7
    names = {
        "study_path": str(sample_data_folder() / "HeadCtSample" / "dicom"),
        "review_folder": str(tmp_path / "reviews"),
    }
    exec(blocks[0], names)
    # The worker of the tests answers for exams of one size.
    import made_exams
    from NeuroTriagePanel.result_nodes import add_ct_node

    real, WorkerCommand.default = WorkerCommand.default, classmethod(lambda cls: fake_worker("good"))
    try:
        names["ct"] = add_ct_node(made_exams.volume(made_exams.GRIDS["tilted"]))
        for block in blocks[1:]:
            exec(block, names)
    finally:
        WorkerCommand.default = real
    shift = names["version"].midline
    assert (round(shift.shift_mm, 3), shift.side, shift.flagged) == (6.2, "left", True)
    assert names["version"].number == 1 and names["review"].state.decisions == {"IPH": "accept"}
    assert slicer.mrmlScene.IsNodePresent(names["segmentation"])
