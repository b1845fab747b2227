"""A whole session on the host: load, run, look, threshold, edit, measure, sign, next, report, save, close, reopen."""

from __future__ import annotations

import qt

from panel_on_host import panel
from slicer_host.views import SliceView
from tutorial_session import VIEW_PX, Session, play

MIDLINE_IJK = ((24, -10, 5), (24, 75, 5), (30, 30, 5))  # 60 mm along the rows, the septum 3 mm to the left


def test_a_session_from_the_first_click_to_the_reopened_scene_with_pictures(tmp_path):
    view = SliceView("Red", VIEW_PX)
    play(Session(panel(), view, tmp_path, tmp_path / "reviews", MIDLINE_IJK))
    pictures = sorted(tmp_path.glob("tutorial_*.png"))
    assert len(pictures) == 10
    for path in pictures:
        image = qt.QImage(str(path))
        colours = {image.pixel(x, y) for x in range(0, 560, 7) for y in range(0, 560, 7)}
        assert len(colours) > 20, f"{path.name} shows nothing"
