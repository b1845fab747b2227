"""Pictures of slices for the report: image in the brain window, outlines as vectors, heatmap as a transparent layer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..core.findings import ExamResult, Reading
from ..core.inner_head import FOREGROUND, inner_head
from ..core.midline import Point
from ..core.volume import Volume
from .display_plane import DisplayPlane
from .heatmap import percent
from .png import grey_png, palette_png
from .shown_masks import ShownMask, shown_label, shown_masks

# Brain window in HU, as on the workstation.
WINDOW_WIDTH_HU, WINDOW_LEVEL_HU = 80.0, 40.0
# Percent and RGB of the heat colours, the same as in the Slicer scene (ours).
HEAT_STOPS_PERCENT = (0.0, 25.0, 50.0, 75.0, 100.0)
HEAT_STOPS_RGB = ((0.20, 0.00, 0.10), (0.62, 0.04, 0.10), (0.93, 0.31, 0.04), (1.00, 0.66, 0.10), (1.00, 0.97, 0.70))
HEAT_FROM_PERCENT = 5  # below this nothing is painted (ours)
HEAT_OPACITY = (0.30, 0.65)  # at HEAT_FROM_PERCENT and at 100 % (ours: the image stays visible through it)
# What counts as head when the empty margin is cut off: above -300 HU in at least 1 % of a line (ours). The margin has
# room for the side letters.
HEAD_ABOVE_HU, HEAD_SHARE, MARGIN_MM = -300.0, 0.01, 11.0
MR_BRIGHTEST_PERCENTILE, MR_HEADROOM = 99.0, 1.1  # of the inner head's values: what is shown white (ours)
IDEAL_MIDLINE, SHIFT = "M", "S"  # letters at the lines of midline shift
THUMBNAIL_PIXELS = 128  # rows or columns of an overview picture at most (ours)


@dataclass(frozen=True)
class Window:
    """Grey values: what is black and what is white, and above which value there is head; words for the reader."""

    low: float
    high: float
    head_above: float
    words: str

    @classmethod
    def of(cls, volume: Volume) -> Window:
        """The brain window of a CT; of an MR image one from zero to the brightest tissue inside the head."""
        if volume.modality != "MR":
            low = WINDOW_LEVEL_HU - WINDOW_WIDTH_HU / 2
            words = f"Brain window, width {WINDOW_WIDTH_HU:.0f}, level {WINDOW_LEVEL_HU:.0f} HU."
            return cls(low, low + WINDOW_WIDTH_HU, HEAD_ABOVE_HU, words)
        values = inner_head(volume.array_kji, volume.grid)
        positive = volume.array_kji[volume.array_kji > 0]
        values = values if values.size else positive
        high = MR_HEADROOM * float(np.percentile(values, MR_BRIGHTEST_PERCENTILE)) if values.size else 1.0
        above = FOREGROUND * float(np.percentile(positive, 99)) if positive.size else 0.0
        return cls(0.0, high, above, f"Grey values from 0 to {high:.4g}.")


@dataclass(frozen=True)
class Outline:
    """The outline of one mask in one slice: an SVG path in page millimetres, its name and colour."""

    path: str
    name: str
    color: str


@dataclass(frozen=True)
class Picture:
    """One slice as it is shown.

    Args:
        k: slice index.
        image: data URI of the image in the brain window.
        size_mm: width and height of the image on the page.
        heat: data URI of the heat layer, "" where there is no heat.
        outlines: of the masks in this slice.
        lines: of ABC/2 and midline shift (letter, x1, y1, x2, y2) in page millimetres.
    """

    k: int
    image: str
    size_mm: tuple[float, float]
    heat: str
    outlines: tuple[Outline, ...]
    lines: tuple[tuple[str, float, float, float, float], ...] = ()


class PictureMaker:
    """Makes the pictures of one exam, all with the same cut and scale."""

    def __init__(self, result: ExamResult, reading: Reading | None) -> None:
        self.result, self.reading = result, reading
        self.plane = DisplayPlane.of(result.grid)
        self.window = Window.of(result.volume)
        self.masks: tuple[ShownMask, ...] = shown_masks(reading) if reading is not None else ()
        self.label_kji = shown_label(reading) if reading is not None else np.zeros(result.grid.shape_kji, np.uint8)

    @cached_property
    def view_box_mm(self) -> tuple[float, float, float, float]:
        """x, y, width, height in page millimetres of the part of the page that holds the head."""
        k_step = max(self.result.grid.shape_kji[0] // 24, 1)
        inside = self.result.volume.array_kji[::k_step] > self.window.head_above
        pages = np.stack([self.plane.show(slice_ji) for slice_ji in inside])
        (x0, x1), (y0, y1) = (
            _span(pages.mean(axis=axis).max(axis=0), spacing, MARGIN_MM)
            for axis, spacing in ((1, self.plane.spacing_x_mm), (2, self.plane.spacing_y_mm))
        )
        return x0, y0, x1 - x0, y1 - y0

    def picture(self, k: int) -> Picture:
        """The picture of slice k in full resolution, with the lines of what was measured in it."""
        image = grey_png(self.page(k))
        return Picture(k, image, self.plane.size_mm, self._heat(k), self._outlines(k), self.lines(k))

    def thumbnail(self, k: int) -> Picture:
        """A small picture of slice k for the overview."""
        page = self.page(k).astype(np.float32)
        step = max(int(np.ceil(max(page.shape) / THUMBNAIL_PIXELS)), 1)
        rows, columns = (n // step * step for n in page.shape)
        blocks = page[:rows, :columns].reshape(rows // step, step, columns // step, step)
        size_mm = columns * self.plane.spacing_x_mm, rows * self.plane.spacing_y_mm
        image = grey_png(np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8))
        return Picture(k, image, size_mm, "", self._outlines(k))

    def page(self, k: int) -> np.ndarray:
        """(rows, columns) uint8 of slice k on the page, in its window."""
        low, high = self.window.low, self.window.high
        values = (self.result.volume.array_kji[k].astype(np.float32) - low) / (high - low)
        return self.plane.show(np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8))

    def heat_page(self, k: int) -> np.ndarray:
        """(rows, columns) uint8 of slice k on the page: whole percents of probability, 0 without a reading."""
        if self.reading is None:
            return np.zeros(self.plane.shape_yx, np.uint8)
        return percent(self.plane.show(self.reading.heatmap_kji[k]))

    def label_page(self, k: int) -> np.ndarray:
        """(rows, columns) uint8 of slice k on the page: the values of masks."""
        return self.plane.show(self.label_kji[k])

    def lines(self, k: int) -> tuple[tuple[str, float, float, float, float], ...]:
        """The lines of ABC/2 and midline shift measured in slice k: letter, x1, y1, x2, y2 in page millimetres."""
        ends = [
            line
            for item in self.result.abc2
            if item.key_slice == k
            for line in (("A", item.a_ends_lps_mm), ("B", item.b_ends_lps_mm))
        ]
        shift = self.result.midline
        if shift is not None and shift.key_slice == k:
            ends.append((IDEAL_MIDLINE, (shift.points.anterior_lps_mm, shift.points.posterior_lps_mm)))
            ends.append((SHIFT, (shift.foot_lps_mm, shift.points.septum_lps_mm)))
        return tuple(self._on_page(letter, points) for letter, points in ends)

    def _heat(self, k: int) -> str:
        heat = self.heat_page(k)
        return palette_png(heat, heat_palette()) if (heat >= HEAT_FROM_PERCENT).any() else ""

    def _outlines(self, k: int) -> tuple[Outline, ...]:
        page = self.label_page(k)
        spacing = self.plane.spacing_x_mm, self.plane.spacing_y_mm
        return tuple(
            Outline(outline_path(page == mask.value, *spacing), mask.name, css_color(mask.entry.color_rgb))
            for mask in self.masks
            if (page == mask.value).any()
        )

    def _on_page(self, letter: str, ends_lps_mm: tuple[Point, Point]) -> tuple[str, float, float, float, float]:
        indices = self.result.grid.lps_to_voxel(np.array(ends_lps_mm))
        (x1, y1), (x2, y2) = (self.plane.point_mm(float(i), float(j)) for i, j, _ in indices)
        return letter, x1, y1, x2, y2


def heat_palette() -> np.ndarray:
    """(101, 4) uint8 RGBA of 0 to 100 percent."""
    percents = np.arange(101)
    rgb = [np.interp(percents, HEAT_STOPS_PERCENT, [stop[axis] for stop in HEAT_STOPS_RGB]) for axis in range(3)]
    opacity = np.where(percents < HEAT_FROM_PERCENT, 0, np.interp(percents, (HEAT_FROM_PERCENT, 100), HEAT_OPACITY))
    return np.rint(np.stack([*rgb, opacity], axis=-1) * 255).astype(np.uint8)


def css_color(color_rgb: tuple[float, float, float]) -> str:
    """A colour 0-1 as #rrggbb."""
    return "#" + "".join(f"{round(part * 255):02x}" for part in color_rgb)


def outline_path(mask_yx: np.ndarray, spacing_x_mm: float, spacing_y_mm: float) -> str:
    """SVG path along the pixel edges between mask and background, in mm from the upper left corner.

    Edges in one line are joined to one stroke.
    """
    padded = np.pad(mask_yx, 1).astype(np.int8)
    strokes = []
    for y, start, end in _runs(padded[1:, 1:-1] != padded[:-1, 1:-1]):
        strokes.append(f"M{start * spacing_x_mm:.2f} {y * spacing_y_mm:.2f}H{end * spacing_x_mm:.2f}")
    for x, start, end in _runs((padded[1:-1, 1:] != padded[1:-1, :-1]).T):
        strokes.append(f"M{x * spacing_x_mm:.2f} {start * spacing_y_mm:.2f}V{end * spacing_y_mm:.2f}")
    return "".join(strokes)


def _runs(lines: np.ndarray) -> list[tuple[int, int, int]]:
    """(line, start, end) of every run of True along the lines of a boolean array."""
    steps = np.diff(np.pad(lines, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    starts, ends = np.argwhere(steps == 1), np.argwhere(steps == -1)
    return [(int(line), int(start), int(end)) for (line, start), (_, end) in zip(starts, ends, strict=True)]


def _span(share: np.ndarray, spacing_mm: float, margin_mm: float) -> tuple[float, float]:
    """Start and end in mm of the lines that hold head, with a margin; the whole picture when none does."""
    lines = np.flatnonzero(share >= HEAD_SHARE)
    first, last = (int(lines[0]), int(lines[-1]) + 1) if len(lines) else (0, len(share))
    return max(first * spacing_mm - margin_mm, 0.0), min(last * spacing_mm + margin_mm, len(share) * spacing_mm)
