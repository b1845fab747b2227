"""Pictures of a brain MRI's review, made by one session on the host with the real worker.

Findings that the pack has no network for are clicked, but get no picture.

    python Testing/Panel/make_mr_screenshots.py STUDY [--model PACK] [--out docs/pictures]

STUDY is a folder with DICOM or named NIfTI files, PACK a nael2021 model pack (the one that ships when none is named).
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from make_screenshots import ROOT, shrink  # also puts the host's folders on the path

RUN_S = 900


def play_mr(widget, view, study: Path, out: Path) -> None:
    """Look at the study, read it, look at each finding, edit, sign, save the scene and open it again."""
    import slicer

    from panel_on_host import settle, wait_until
    from tutorial_session import Session

    session = Session(widget, view, out, out, prefix="mr")
    ui = widget.ui
    widget.panel.study.inspect([str(study)])
    wait_until(lambda: ui.readStudyButton.visible or "Looking" not in ui.studyLabel.text, RUN_S)
    assert ui.readStudyButton.visible, ui.studyLabel.text
    session.picture(1, "study", "study")
    ui.readStudyButton.click()
    wait_until(lambda: not widget.panel.run.state.busy, RUN_S)
    settle(widget)
    assert widget.panel.review is not None, ui.statusLabel.text
    view.fit()
    codes = widget.panel.findings.table._codes
    _look(session, codes[0])
    session.picture(2, "findings", "run", "findings")
    ui.heatmapSelector.currentIndex = min(1, ui.heatmapSelector.count - 1)
    session.picture(3, "heatmap", "findings", "view")
    ui.heatmapSelector.currentIndex = 0
    number = 3
    for code in codes[1:]:
        _look(session, code)
        shown = {item.code: item for item in widget.panel.review.findings()}
        assert code in shown, "shown on the wrong series"
        if shown[code].status != "could_not_look":
            number += 1
            session.picture(number, code, "findings")
    label = widget.panel.review.label_kji
    with tempfile.TemporaryDirectory() as folder:
        assert slicer.mrmlScene.WriteToMRB(str(Path(folder, "mr.mrb")))
        slicer.mrmlScene.Clear(False)
        assert slicer.mrmlScene.ReadFromMRB(str(Path(folder, "mr.mrb")), True)
    settle(widget)
    assert (widget.panel.review.label_kji == label).all() and set(widget.panel.findings.table._codes) == set(codes)
    session.picture(number + 1, "reopened", "findings")


def _look(session, code: str) -> None:
    """Click a finding, which may be shown on another series, and lay the view into its slice."""
    from NeuroTriagePanel.slice_views import first_key_point_ras, key_point_ras, look_along_slices
    from panel_on_host import select, settle

    select(session.widget, code)
    settle(session.widget)
    review = session.widget.panel.review
    finding = next((item for item in review.findings() if item.code == code), None)
    point = None if finding is None else key_point_ras(review.result, finding, review.label_kji)
    look_along_slices(
        session.view.node, review.result.grid, first_key_point_ras(review.result) if point is None else point
    )


def make(study: Path, model: Path | None, out: Path) -> None:
    from NeuroTriagePanel.worker_client import WorkerCommand
    from panel_on_host import panel
    from slicer_host.views import SliceView
    from tutorial_session import VIEW_PX

    view, widget = SliceView("Red", VIEW_PX), panel(grid_name="")
    run = widget.panel.run
    run.worker.stop()
    run.worker.command, run._pack = WorkerCommand.default(), str(model) if model else None
    play_mr(widget, view, study, out)
    shrink(out, "mr_*.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures")
    options = parser.parse_args()
    from slicer_host import application

    with tempfile.TemporaryDirectory() as folder:
        application.start(Path(folder))
        options.out.mkdir(parents=True, exist_ok=True)
        make(options.study.resolve(), options.model and options.model.resolve(), options.out)


if __name__ == "__main__":
    from slicer_host.application import run_and_leave

    run_and_leave(main)
