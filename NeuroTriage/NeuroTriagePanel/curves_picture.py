"""The curves of a training as a small picture: loss on the left, Dice and AUC of the validation on the right."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import qt
from slicer.i18n import tr as _

from .theme import color

_SIZE_PX = (400, 110)
_GAP_PX, _TOP_PX, _BOTTOM_PX = 16, 16, 6
_RATIO = 2  # also sharp on screens with small pixels
_AVERAGED = 0.08  # share of the losses that each shown value is the mean of: single steps jump (ours)

Line = tuple[str, Sequence[tuple[float, float]], str]
"""Name, points (step, value), role of its colour."""


def curves_picture(widget, losses: Sequence[Sequence[float]], validations: Sequence[Sequence[float | None]]):
    """A pixmap. Args: losses: (step, loss); validations: (step, Dice, AUC), None where it cannot be known."""
    pixmap = qt.QPixmap(_SIZE_PX[0] * _RATIO, _SIZE_PX[1] * _RATIO)
    pixmap.setDevicePixelRatio(_RATIO)
    pixmap.fill(qt.QColor(0, 0, 0, 0))
    painter = qt.QPainter(pixmap)
    painter.setRenderHint(qt.QPainter.Antialiasing)
    width = (_SIZE_PX[0] - _GAP_PX) // 2
    loss = smoothed([(float(step), float(value)) for step, value in losses])
    _panel(painter, widget, 0, width, [(_("training loss"), loss, "calm_bar")], None)
    scores: list[Line] = [
        (name, [(float(row[0]), float(row[n])) for row in validations if row[n] is not None], role)
        for n, name, role in ((1, "Dice", "bar"), (2, "AUC", "calm_bar"))
    ]
    _panel(painter, widget, width + _GAP_PX, width, scores, (0.0, 1.0))
    painter.end()
    return pixmap


def smoothed(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Each value as the mean of its neighbours."""
    reach = round(_AVERAGED * len(points) / 2)
    out = []
    for n, (step, _value) in enumerate(points):
        near = [value for _step, value in points[max(0, n - reach) : n + reach + 1]]
        out.append((step, sum(near) / len(near)))
    return out


def _panel(painter, widget, left: int, width: int, lines: Sequence[Line], limits: tuple[float, float] | None) -> None:
    """One chart with its title and the last value of each line."""
    top, height = _TOP_PX, _SIZE_PX[1] - _TOP_PX - _BOTTOM_PX
    painter.fillRect(left, top + height, width, 1, color(widget, "track"))
    points = [point for _name, each, _role in lines for point in each]
    told_at = left
    for name, each, role in lines:
        painter.setPen(color(widget, role))
        told = f"{name} {each[-1][1]:.3f}" if each else name
        painter.drawText(told_at, _TOP_PX - 5, told)
        told_at += width // max(1, len(lines))
        if len(each) > 1:
            _polyline(painter, each, _Frame.around(points, limits, (left, top, width, height)))
        elif each:
            x, y = _Frame.around(points, limits, (left, top, width, height)).place(each[0])
            painter.drawEllipse(qt.QPointF(x, y), 2, 2)


class _Frame:
    """Where values lie in a rectangle (left, top, width, height in pixels)."""

    def __init__(self, steps: tuple[float, float], values: tuple[float, float], box: tuple[int, int, int, int]) -> None:
        self.steps, self.values, self.box = steps, values, box

    @classmethod
    def around(cls, points, limits, box) -> _Frame:
        steps, values = zip(*points, strict=True)
        return cls((min(steps), max(steps)), limits or (min(values), max(values)), box)

    def place(self, point: tuple[float, float]) -> tuple[float, float]:
        left, top, width, height = self.box
        x = (point[0] - self.steps[0]) / max(self.steps[1] - self.steps[0], 1e-9)
        y = (point[1] - self.values[0]) / max(self.values[1] - self.values[0], 1e-9)
        return left + x * width, top + (1.0 - y) * height


def _polyline(painter, points, frame: _Frame) -> None:
    places = [frame.place(point) for point in points]
    for (x0, y0), (x1, y1) in itertools.pairwise(places):
        painter.drawLine(qt.QPointF(x0, y0), qt.QPointF(x1, y1))
