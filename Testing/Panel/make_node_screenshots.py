"""A picture of the node's worklist in the panel, with an exam of it open for review.

    python Testing/Panel/make_node_screenshots.py RESULT [--out docs/pictures]

RESULT is a result folder of the sample study with DICOM objects and what a review needs
(service/review_files.py write_review_files).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "NeuroTriage"), str(ROOT / "Testing" / "Host"), str(Path(__file__).parent)]


def make(result: Path, out: Path) -> None:
    """Serve the node of the documentation, open its first exam."""
    import slicer

    from panel_on_host import panel, settle, wait_until
    from slicer_host.views import SliceView
    from tutorial_session import VIEW_PX, Session

    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(Path(__file__).with_name("served_node.py")), folder, str(result)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        view, widget = SliceView("Red", VIEW_PX), panel(grid_name="")
        settings = slicer.app.userSettings()
        settings.setValue("NeuroTriage/NodeUrl", process.stdout.readline().strip())
        settings.setValue("NeuroTriage/NodeToken", "token-of-a-reader")
        section = widget.panel.node
        section.ask()
        wait_until(lambda: section.exams)
        widget.ui.nodeTable.setCurrentCell(0, 0)
        section.open_selected()
        wait_until(lambda: not section.busy, 120)
        assert widget.panel.review is not None, widget.ui.nodeLabel.text
        settle(widget)
        view.fit()
        session = Session(widget, view, out, Path(folder, "reviews"), prefix="worklist")
        session.look("IPH")
        session.picture(1, "panel", "node", "findings")
        section.close()
        process.stdin.close()
        process.wait(20)


def main() -> None:
    """Make it and shrink it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=Path)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures")
    options = parser.parse_args()
    from slicer_host import application

    with tempfile.TemporaryDirectory() as folder:
        application.start(Path(folder))
        make(options.result, options.out)
    from make_screenshots import shrink

    shrink(options.out, "worklist_1_panel.png")


if __name__ == "__main__":
    from slicer_host.application import run_and_leave

    run_and_leave(main)
