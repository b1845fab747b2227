"""The chart under the overview: score and mL of every slice, as plain geometry for an SVG."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.codes import ANY
from ..core.findings import ExamResult, Reading
from .pictures import css_color
from .shown_masks import shown_label, shown_masks

# Chart units, which the page scales (ours).
WIDTH, SCORE_HEIGHT, VOLUME_HEIGHT = 1000.0, 70.0, 70.0


@dataclass(frozen=True)
class Bar:
    """One type's mL in one slice: a rectangle, its colour, and what it says when pointed at."""

    x: float
    y: float
    width: float
    height: float
    color: str
    title: str


@dataclass(frozen=True)
class SliceChart:
    """Score line and volume bars over the slices.

    Args:
        score_points: "x,y x,y ..." of the score of each slice, 1 at the top; "" without scores.
        bars: mL of each type in each slice, stacked; their baseline is the bottom.
        largest_ml: what the tallest bar stands for; 0 without a mask.
        ticks: (x, slice number from 1).
        summary: the chart in one sentence, for who cannot see it.
    """

    score_points: str
    bars: tuple[Bar, ...]
    largest_ml: float
    ticks: tuple[tuple[float, int], ...]
    summary: str


def slice_chart(result: ExamResult, reading: Reading) -> SliceChart:
    """The chart of a reading."""
    count = result.grid.shape_kji[0]
    centers = (np.arange(count) + 0.5) * WIDTH / count
    scores = slice_scores(reading)
    bars, largest_ml = _bars(result, reading)
    every = next(step for step in (1, 2, 5, 10, 20, 50, 100, 1000) if count / step <= 25)
    numbers = [1, *(number for number in range(every, count + 1, every) if number - 1 > every / 2)]
    ticks = tuple((float(centers[number - 1]), number) for number in numbers)
    points = " ".join(f"{x:.1f},{SCORE_HEIGHT * (1 - s):.1f}" for x, s in zip(centers, scores, strict=False))
    return SliceChart(points, bars, largest_ml, ticks, _summary(scores, largest_ml))


def slice_scores(reading: Reading) -> np.ndarray:
    """(K,) score of each slice of any hemorrhage, or of the highest finding, 0-1; empty without scores of slices."""
    if ANY in reading.slice_probability:
        return np.asarray(reading.slice_probability[ANY], float)
    scores = [np.asarray(score, float) for score in reading.slice_probability.values() if len(score)]
    return np.max(scores, axis=0) if scores else np.zeros(0)


def _bars(result: ExamResult, reading: Reading) -> tuple[tuple[Bar, ...], float]:
    label_kji, masks = shown_label(reading), shown_masks(reading)
    volumes = [np.count_nonzero(label_kji == m.value, axis=(1, 2)) * result.grid.voxel_volumes_ml for m in masks]
    if not volumes:
        return (), 0.0
    largest_ml = float(np.sum(volumes, axis=0).max())
    step = WIDTH / result.grid.shape_kji[0]
    base = np.zeros(result.grid.shape_kji[0])
    bars = []
    for mask, volume_ml in zip(masks, volumes, strict=True):
        for k in np.flatnonzero(volume_ml):
            height = VOLUME_HEIGHT * float(volume_ml[k]) / largest_ml
            top = VOLUME_HEIGHT - float(base[k]) - height
            title = f"Slice {k + 1}: {mask.name}, {volume_ml[k]:.2f} mL"
            bars.append(Bar((k + 0.1) * step, top, 0.8 * step, height, css_color(mask.entry.color_rgb), title))
            base[k] += height
    return tuple(bars), largest_ml


def _summary(scores: np.ndarray, largest_ml: float) -> str:
    parts = []
    if len(scores):
        parts.append(f"highest score {scores.max():.2f} in slice {int(scores.argmax()) + 1}")
    if largest_ml:
        parts.append(f"at most {largest_ml:.2f} mL in one slice")
    return ("Score and volume of each slice: " + ", ".join(parts) + ".") if parts else "No scores of single slices."
