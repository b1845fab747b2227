"""One reader's session from loading an exam to reopening the scene, with a picture at each step."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import qt
import slicer

from NeuroTriageLib.measurements.components import find_components
from NeuroTriageLib.review.case_list import CaseEntry
from NeuroTriagePanel.midline_nodes import part
from NeuroTriagePanel.slice_views import key_point_ras, look_along_slices, show_in_slice_views
from NeuroTriagePanel.volume_geometry import flip_lps_ras
from panel_on_host import count, root_widget, run_to_end, select, settle, table_texts
from slicer_host.views import SliceView, save_widget
from strokes import stroke

PANEL_PX, VIEW_PX = 480, (560, 560)
# Share of pixels that may differ between a view and the same view after the scene was opened again (ours: the edges of
# letters and lines).
SAME_PICTURE = 0.002
NEUTRAL_FOLDER = "~/Reviews"  # pictures name no folder of the computer on which they were made
SECTIONS = ("study", "run", "findings", "view", "edit", "measure", "sign", "cases", "improve", "node", "report")


@dataclass
class Session:
    """A reader at the panel.

    Args:
        widget: the module's widget, with the CT in the scene.
        view: a slice view.
        out: folder for the pictures.
        reviews: folder for the versions.
        midline_ijk: (3, 3) where the reader clicks for midline shift: falx in front, falx behind, septum.
        prefix: how the pictures' names begin.
    """

    widget: object
    view: SliceView
    out: Path
    reviews: Path
    midline_ijk: tuple[tuple[float, float, float], ...] = ()
    prefix: str = "tutorial"

    def picture(self, number: int, name: str, *sections: str) -> None:
        """The slice view on the left, the panel with these sections open on the right."""
        for section in SECTIONS:
            getattr(self.widget.ui, f"{section}Section").collapsed = section not in sections
        settle(self.widget)
        _write_path(self.widget.ui.storePath, NEUTRAL_FOLDER)
        panel_path, view_path = self.out / "panel.png", self.out / "view.png"
        save_widget(root_widget(), panel_path, PANEL_PX)
        self.view.save(view_path)
        side_by_side(view_path, panel_path).save(str(self.out / f"{self.prefix}_{number}_{name}.png"))
        _write_path(self.widget.ui.storePath, self.widget.panel.store.folder)
        panel_path.unlink()
        view_path.unlink()

    def look(self, code: str) -> None:
        """Click a finding; the view lies in its slice."""
        select(self.widget, code)
        review = self.widget.panel.review
        finding = next(item for item in review.findings() if item.code == code)
        point = key_point_ras(review.result, finding, review.label_kji)
        if point is not None:
            look_along_slices(self.view.node, review.result.grid, point)

    def largest(self) -> str:
        """The type with most mL."""
        volumes = {code: ml for code, ml in self.widget.panel.review.volumes_ml().items() if code != "any"}
        return max(volumes, key=volumes.get)


def play(session: Session) -> None:
    """Every step; asserts that each did what it should."""
    ui = session.widget.ui
    show_in_slice_views(session.widget._parameterNode.inputVolume)
    session.view.fit()
    session.picture(1, "study", "study", "run")
    ui.storePath.currentPath = str(session.reviews)
    review = run_to_end(session.widget)
    code = session.largest()
    session.look(code)
    assert "Hemorrhage found" in ui.statusLabel.text
    session.picture(2, "findings", "run", "findings")
    ui.heatmapSelector.currentIndex = 1
    session.picture(3, "heatmap", "findings", "view")
    ui.heatmapSelector.currentIndex = 0
    before = review.volumes_ml()[code]
    ui.pixelSlider.value = 100 * review.reading.voxel_probabilities.floor
    assert review.volumes_ml()[code] > before
    session.picture(4, "threshold", "findings")
    ui.resetThresholdsButton.click()
    _edit(session, code, before)
    _sign(session, code)
    _reopen(session)


def _edit(session: Session, code: str, before: float) -> None:
    """Paint and erase through the editor; the measurements follow."""
    ui, review = session.widget.ui, session.widget.panel.review
    ui.editButton.click()
    settle(session.widget)
    brush = _disc(find_components(review.label_kji == _value(code), review.result.grid).largest_kji)
    stroke(ui.segmentEditor, brush)
    settle(session.widget)
    painted = review.volumes_ml()[code]
    assert painted > before
    lowest = np.argwhere(brush.any(axis=(0, 2))).max()
    erased = brush & (review.model_label == 0)
    erased[:, : lowest - 2] = False  # the rim of what was painted goes again
    stroke(ui.segmentEditor, erased, erase=True)
    settle(session.widget)
    assert review.volumes_ml()[code] < painted
    session.picture(5, "edit", "findings", "edit")
    assert abs(session.widget.panel.measure.measured[code].volume_ml - review.volumes_ml()[code]) < 1e-9
    session.picture(6, "measure", "measure")
    _measure_midline(session)
    session.look(code)


def _measure_midline(session: Session) -> None:
    """Three clicks in one slice."""
    ui, review = session.widget.ui, session.widget.panel.review
    grid = review.result.grid
    ui.midlinePlaceButton.click()
    assert "falx, front" in ui.midlineLabel.text
    for number, place in enumerate(grid.voxel_to_lps(np.array(session.midline_ijk))):
        part(review.nodes.midline, "points").SetNthControlPointPositionWorld(number, *flip_lps_ras(place))
    qt.QApplication.processEvents()
    assert "(placed by the reader)" in ui.midlineLabel.text
    assert review.midline_shift().key_slice == session.midline_ijk[0][2]
    septum_ras = flip_lps_ras(review.state.midline.septum_lps_mm)
    look_along_slices(session.view.node, grid, septum_ras)
    session.picture(6, "midline", "measure")


def _sign(session: Session, code: str) -> None:
    """Save, approve, go to the next case, copy the report."""
    ui, cases = session.widget.ui, session.widget.panel.cases
    cases.show_cases((CaseEntry("1", "Head CT 1"), CaseEntry("2", "Head CT 2"), CaseEntry("3", "Head CT 3")))
    cases.current_key = session.widget.panel.review.state.case_key = "1"
    ui.readerEdit.text = "AB"
    ui.confidenceSelector.currentIndex = 5
    ui.commentEdit.plainText = "Posterior edge corrected."
    ui.approveButton.click()
    assert "Version 1 approved." in ui.signLabel.text
    session.picture(7, "sign_off", "sign", "cases")
    assert [row[1] for row in table_texts(ui.caseTable)] == ["approved", "to do", "to do"]
    ui.copyReportButton.click()
    assert "edited by reader" in qt.QApplication.clipboard().text()
    assert "Midline shift: " in qt.QApplication.clipboard().text()
    session.picture(8, "report", "report")


def _reopen(session: Session) -> None:
    """Save the scene, close it, open it: all is there."""
    widget, path = session.widget, session.out / "session.mrb"
    label, rows = widget.panel.review.label_kji, table_texts(widget.ui.findingsTable)
    lines, midline = count("vtkMRMLMarkupsLineNode"), widget.ui.midlineLabel.text
    widget.ui.segmentEditor.setActiveEffectByName("")
    session.look(session.largest())
    session.view.save(session.out / "before.png")
    assert slicer.mrmlScene.WriteToMRB(str(path))
    slicer.mrmlScene.Clear(False)
    qt.QApplication.processEvents()
    assert widget.panel.review is None
    assert slicer.mrmlScene.ReadFromMRB(str(path), True)
    settle(widget)
    path.unlink()
    assert np.array_equal(widget.panel.review.label_kji, label)
    assert widget.ui.midlineLabel.text == midline and "mm to the" in midline
    assert table_texts(widget.ui.findingsTable) == rows and count("vtkMRMLMarkupsLineNode") == lines
    session.look(session.largest())
    session.view.save(session.out / "after.png")
    assert colourful_pixels(session.out / "before.png") > 1000, "no mask is shown"
    assert share_that_differs(session.out / "before.png", session.out / "after.png") < SAME_PICTURE
    for name in ("before.png", "after.png"):
        (session.out / name).unlink()
    session.picture(9, "reopened", "run", "findings")


def colourful_pixels(path: Path) -> int:
    """Number of pixels that are not grey: masks, lines, heat."""
    pixels = _rgb(path)
    return int((pixels.max(-1) - pixels.min(-1) > 30).sum())


def share_that_differs(one: Path, other: Path) -> float:
    """Share of the pixels of two pictures of one size that look different."""
    return float((np.abs(_rgb(one) - _rgb(other)).max(-1) > 30).mean())


def _rgb(path: Path) -> np.ndarray:
    """(rows, columns, 3) int."""
    image = qt.QImage(str(path)).convertToFormat(qt.QImage.Format_RGB888)
    rows, columns = image.height(), image.width()
    stored = np.frombuffer(image.constBits(), np.uint8).reshape(rows, image.bytesPerLine())
    return stored[:, : 3 * columns].reshape(rows, columns, 3).astype(int)


def _write_path(line, path: str) -> None:
    """Another text in a ctkPathLineEdit that nobody hears of."""
    blocked = line.blockSignals(True)
    line.currentPath = path
    line.blockSignals(blocked)


def side_by_side(left_path: Path, right_path: Path):
    """Both pictures at the top with a narrow gap; what is free below them goes on in the colour of their edge."""
    left, right = qt.QImage(str(left_path)), qt.QImage(str(right_path))
    width, height = (lambda image: image.width()), (lambda image: image.height())
    canvas = qt.QImage(width(left) + width(right) + 6, max(height(left), height(right)), qt.QImage.Format_RGB32)
    canvas.fill(left.pixelColor(0, height(left) - 1))
    painter = qt.QPainter(canvas)
    painter.fillRect(width(left), 0, canvas.width(), canvas.height(), right.pixelColor(0, height(right) - 1))
    painter.drawImage(0, 0, left)
    painter.drawImage(width(left) + 6, 0, right)
    painter.end()
    return canvas


def _disc(mask_kji: np.ndarray) -> np.ndarray:
    """A round brush at the edge of a mask, on its largest slice."""
    k = int(np.argmax(mask_kji.sum(axis=(1, 2))))
    inside = np.argwhere(mask_kji[k])
    j, i = inside[np.argmax(inside[:, 0])]
    rows, columns = np.ogrid[: mask_kji.shape[1], : mask_kji.shape[2]]
    radius = max(4, round(np.sqrt(len(inside)) / 3))
    brush = np.zeros_like(mask_kji)
    brush[k] = (rows - j) ** 2 + (columns - i) ** 2 <= radius**2
    return brush


def _value(code: str) -> int:
    from NeuroTriageLib.review.labels import SEGMENT_VALUES

    return SEGMENT_VALUES[code]
