"""Pictures for the README, the tutorial and the extension catalog, made by one session on the host.

    python Testing/Panel/make_screenshots.py EXAM [--screenshots Resources/Screenshots] [--tutorial docs/pictures]

EXAM is an exchange folder with a result of the sample study (core/exchange.py save_exam, core/exam_bundle.py
write_bundle); it is replayed through the real panel.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "NeuroTriage"), str(ROOT / "Testing" / "Host"), str(Path(__file__).parent)]
REPLAY_S = 4.0
# Clicked by eye on the sample: falx in front, falx behind, septum between the frontal horns.
MIDLINE_IJK = ((262, 120, 20), (243, 422, 20), (250, 228, 20))


def make(exam: Path, screenshots: Path, tutorial: Path) -> None:
    """Play the session, with pictures at each step, then those of the panel before, during and after a run."""
    import slicer

    from NeuroTriageLib.core.exchange import load_volume
    from NeuroTriagePanel.result_nodes import add_ct_node
    from NeuroTriagePanel.worker_client import WorkerCommand
    from panel_on_host import panel
    from slicer_host.views import SliceView
    from tutorial_session import VIEW_PX, Session, play

    view = SliceView("Red", VIEW_PX)
    widget = panel(grid_name="")
    run = widget.panel.run
    run.worker.stop()
    replay = (str(Path(__file__).with_name("replay_worker.py")), str(exam), str(REPLAY_S))
    run.worker.command = WorkerCommand(sys.executable, replay, str(ROOT))
    run.describe()
    widget.ui.inputSelector.setCurrentNode(add_ct_node(load_volume(exam), "Head CT"))
    with tempfile.TemporaryDirectory() as folder:
        play(Session(widget, view, tutorial, Path(folder, "reviews"), MIDLINE_IJK))
        slicer.mrmlScene.Clear(False)
        widget.ui.storePath.currentPath = ""  # the model's answer, not the version that was saved
        _panel_pictures(widget, view, load_volume(exam), screenshots)
    shrink(tutorial, "tutorial_*.png")
    for pattern in ("panel_*.png", "scene_slice_overlay.png"):
        shrink(screenshots, pattern)


def shrink(folder: Path, pattern: str) -> None:
    """Pictures with a palette: a CT beside a panel has few colours, and a repository keeps every version for ever."""
    from PIL import Image

    for path in sorted(folder.glob(pattern)):
        with Image.open(path) as picture:
            small = picture.convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT, kmeans=1, dither=0)
        small.save(path, optimize=True)


def _panel_pictures(widget, view, volume, out: Path) -> None:
    """The panel before, during and after a run; the slice with outline, and with the heatmap."""
    import qt

    from NeuroTriagePanel.result_nodes import add_ct_node
    from panel_on_host import root_widget, run_to_end, settle, wait_until
    from slicer_host.views import save_widget
    from tutorial_session import PANEL_PX, SECTIONS, Session, side_by_side

    session = Session(widget, view, out, out, MIDLINE_IJK)
    for section in SECTIONS:
        getattr(widget.ui, f"{section}Section").collapsed = section not in ("study", "run", "findings")
    widget.ui.inputSelector.setCurrentNode(add_ct_node(volume, "Head CT"))
    settle(widget)
    save_widget(root_widget(), out / "panel_before.png", PANEL_PX)
    widget.ui.runButton.click()
    wait_until(lambda: widget.panel.run.state.share_done > 0.6 or not widget.panel.run.state.busy)
    save_widget(root_widget(), out / "panel_during.png", PANEL_PX)
    wait_until(lambda: not widget.panel.run.state.busy)
    run_to_end(widget)
    view.fit()
    session.look(session.largest())
    save_widget(root_widget(), out / "panel_after.png", PANEL_PX)
    with tempfile.TemporaryDirectory() as folder:
        outline, heat = Path(folder, "outline.png"), Path(folder, "heat.png")
        view.save(outline)
        widget.ui.heatmapSelector.currentIndex = 1
        widget.panel.view.toggle_mask()
        qt.QApplication.processEvents()
        view.save(heat)
        side_by_side(outline, heat).save(str(out / "scene_slice_overlay.png"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("exam", type=Path)
    parser.add_argument("--screenshots", type=Path, default=ROOT / "Resources" / "Screenshots")
    parser.add_argument("--tutorial", type=Path, default=ROOT / "docs" / "pictures")
    options = parser.parse_args()
    from slicer_host import application

    with tempfile.TemporaryDirectory() as folder:
        application.start(Path(folder))
        make(options.exam.resolve(), options.screenshots, options.tutorial)


if __name__ == "__main__":
    from slicer_host.application import run_and_leave

    run_and_leave(main)
