"""Pictures of the section Improve for the tutorial, with the figures of a run of Testing/Benchmarks/local_loop.py.

    python Testing/Panel/make_improvement_pictures.py OUT [--pictures docs/pictures]

OUT is the output folder of that program.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "NeuroTriage"), str(ROOT / "Testing" / "Host"), str(Path(__file__).parent)]
REPLAY_S = 6.0
NEUTRAL = {"improveImagesPath": "~/Exams", "improveMapsPath": "~/HeadLabelMaps"}  # no folder of this computer


def make(out: Path, pictures: Path) -> None:
    """Start, half-way, compared, accepted."""
    import slicer

    from make_screenshots import shrink
    from NeuroTriagePanel.worker_client import WorkerCommand
    from panel_on_host import reviewed, root_widget, settle, wait_until
    from slicer_host.views import save_widget
    from tutorial_session import PANEL_PX, SECTIONS

    widget = reviewed()
    ui, improve = widget.ui, widget.panel.improve
    with tempfile.TemporaryDirectory() as folder:
        ui.storePath.currentPath = str(Path(folder, "reviews"))
        ui.readerEdit.text = "AB"
        ui.readerEdit.editingFinished.emit()
        ui.approveButton.click()
        improve.process.stop()
        script = (str(Path(__file__).with_name("replay_improver.py")), str(out), str(REPLAY_S))
        improve.process.command = WorkerCommand(sys.executable, script, str(ROOT))

        def picture(name: str) -> None:
            for section in SECTIONS:
                getattr(ui, f"{section}Section").collapsed = section != "improve"
            settle(widget)
            save_widget(root_widget(), pictures / f"improve_{name}.png", PANEL_PX)

        for name, path in NEUTRAL.items():
            getattr(ui, name).currentPath = path
        ui.improveSection.collapsed = False
        improve.ask_status()
        wait_until(lambda: "Signed exams" in ui.improveLabel.text)
        ui.improveStartButton.click()
        wait_until(lambda: ui.improveProgressBar.value > 600)
        picture("1_learning")
        wait_until(lambda: bool(improve.compared))
        picture("2_comparison")
        slicer.util.confirmYesNoDisplay = lambda *arguments, **options: True  # also against the advice
        ui.improveAcceptButton.click()
        wait_until(lambda: ui.improveBackButton.enabled)
        picture("3_accepted")
        ui.improveBackButton.click()
        wait_until(lambda: not ui.improveBackButton.enabled)
        ui.storePath.currentPath = ""
    shrink(pictures, "improve_*.png")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--pictures", type=Path, default=ROOT / "docs" / "pictures")
    options = parser.parse_args()
    from slicer_host import application

    with tempfile.TemporaryDirectory() as folder:
        application.start(Path(folder))
        make(options.out.resolve(), options.pictures)


if __name__ == "__main__":
    from slicer_host.application import run_and_leave

    run_and_leave(main)
