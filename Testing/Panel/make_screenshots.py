"""Pictures for the README and the extension catalog: the panel before, during and after a run, and the slice view.

    python Testing/Panel/make_screenshots.py INPUT [--out Resources/Screenshots]

INPUT is a study on disk (for instance the sample in Resources/SampleData): its head CT goes through the real panel and
the real worker. Or it is an exchange folder with a result (NeuroTriageLib.core.exchange.save_exam), which is replayed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "NeuroTriage"), str(ROOT / "Testing" / "Host")]
PANEL_PX = (480, 660)
SLICE_PX = (560, 560)
REPLAY_S = 4.0


def make(path: Path, out: Path) -> None:
    """Run the exam through the panel and save the four pictures."""
    import qt
    import slicer

    from NeuroTriagePanel.result_nodes import add_ct_node
    from NeuroTriagePanel.slice_views import look_along_slices
    from NeuroTriagePanel.worker_client import WorkerCommand
    from slicer_host.application import load_module
    from slicer_host.views import SliceView, save_widget

    replayed = (path / "exam.json").is_file()
    volume = read_replayed(path) if replayed else read_study(path)
    view = SliceView("Red", SLICE_PX)
    node = add_ct_node(volume, "Head CT")
    widget, panel = load_module(ROOT / "NeuroTriage" / "NeuroTriage.py")
    widget.ui.inputSelector.setCurrentNode(node)
    if replayed:
        replay = (str(Path(__file__).with_name("replay_worker.py")), str(path), str(REPLAY_S))
        widget.panel._worker.command = WorkerCommand(sys.executable, replay, str(ROOT))

    def wait_until(condition, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(widget.ui.statusLabel.text)
            qt.QApplication.processEvents()
            time.sleep(0.005)

    save_widget(panel, out / "panel_before.png", *PANEL_PX)
    widget.ui.runButton.click()
    wait_until(lambda: widget.panel.state.share_done > 0.6 or not widget.panel.state.busy, 300)
    save_widget(panel, out / "panel_during.png", *PANEL_PX)
    wait_until(lambda: not widget.panel.state.busy, 300)
    if widget.panel._nodes is None:
        raise RuntimeError(widget.ui.statusLabel.text)
    save_widget(panel, out / "panel_after.png", *PANEL_PX)

    point = next((point for point in widget.panel._key_points if point is not None), None)
    view.fit()
    if point is not None:
        look_along_slices(view.node, volume.grid, point)
    with tempfile.TemporaryDirectory() as folder:
        view.save(Path(folder, "overlay.png"))
        widget.ui.heatmapCheckBox.checked = True
        slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSegmentationNode").SetDisplayVisibility(False)
        view.save(Path(folder, "heat.png"))
        left, right = (qt.QImage(str(Path(folder, name))) for name in ("overlay.png", "heat.png"))
        side_by_side(qt, left, right).save(str(out / "scene_slice_overlay.png"))
    widget.cleanup()


def read_replayed(folder: Path):
    """The volume of an exchange folder."""
    from NeuroTriageLib.core.exchange import load_exam

    return load_exam(folder).volume


def read_study(path: Path):
    """The head CT of a study on disk."""
    from NeuroTriageLib.io.inputs import open_input, read_volume
    from NeuroTriageLib.series_selection import select_head_ct

    with open_input(path) as studies:
        selection = select_head_ct(studies[0])
        return read_volume(selection.series)[0]


def side_by_side(qt, left, right):
    """Both pictures with a narrow gap between them."""
    gap = 6
    both = qt.QImage(left.width() + gap + right.width(), left.height(), qt.QImage.Format_RGB32)
    both.fill(qt.QColor(40, 40, 40))
    painter = qt.QPainter(both)
    painter.drawImage(0, 0, left)
    painter.drawImage(left.width() + gap, 0, right)
    painter.end()
    return both


def main() -> None:
    """Parse the command line and make the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", type=Path)
    parser.add_argument("--out", type=Path, default=ROOT / "Resources" / "Screenshots")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)

    from slicer_host import application

    with tempfile.TemporaryDirectory() as folder:
        application.start(Path(folder))
        make(arguments.input.resolve(), arguments.out)


if __name__ == "__main__":
    code = 0
    try:
        main()
    except SystemExit as error:
        code = int(error.code or 0)
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
