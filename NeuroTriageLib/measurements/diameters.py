"""Largest diameter of a mask in one slice, and the largest one perpendicular to it, measured on its outline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Positions along A at which B is looked for, per pixel: its error is below 1/16 pixel (ours).
SAMPLES_PER_PIXEL = 16


@dataclass(frozen=True, eq=False)
class Diameters:
    """Two perpendicular diameters of one slice's mask.

    Args:
        a_mm, b_mm: lengths; B is the longest line perpendicular to A with both ends on the outline.
        a_ends_ij, b_ends_ij: (2, 2) end points as continuous pixel indices (i, j).
        solidity: area of the mask / area of its convex hull, 0-1; low for branched, lobed or curved shapes.
    """

    a_mm: float
    b_mm: float
    a_ends_ij: np.ndarray
    b_ends_ij: np.ndarray
    solidity: float


def perpendicular_diameters(mask_ji: np.ndarray, spacing_i_mm: float, spacing_j_mm: float) -> Diameters:
    """Measure a non-empty boolean mask (J, I) of one slice.

    A pixel is a rectangle, not a point: the outline runs along the pixels' edges, so that a single pixel has its
    diagonal as A. A is exact (all pairs of corners of the convex hull).
    """
    spacing = np.array([spacing_i_mm, spacing_j_mm])
    hull_mm = convex_hull(_extreme_corners(mask_ji) * spacing)
    separation = np.linalg.norm(hull_mm[:, None] - hull_mm[None], axis=-1)
    first, second = np.unravel_index(np.argmax(separation), separation.shape)
    a_ends_mm = hull_mm[[first, second]]
    b_ends_mm = _longest_across(_outline_edges(mask_ji) * spacing, a_ends_mm, float(spacing.min()))
    return Diameters(
        a_mm=float(separation[first, second]),
        b_mm=float(np.linalg.norm(b_ends_mm[1] - b_ends_mm[0])),
        a_ends_ij=a_ends_mm / spacing,
        b_ends_ij=b_ends_mm / spacing,
        solidity=float(np.count_nonzero(mask_ji) * spacing.prod() / _polygon_area(hull_mm)),
    )


def convex_hull(points: np.ndarray) -> np.ndarray:
    """Corners (M, 2) of the convex hull of points (N, 2), in order around it (Andrew's monotone chain)."""
    ordered = np.unique(points, axis=0).tolist()

    def chain(sequence: list[list[float]]) -> list[list[float]]:
        corners: list[list[float]] = []
        for x, y in sequence:
            while len(corners) > 1:
                (x0, y0), (x1, y1) = corners[-2:]
                if (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) > 0:
                    break
                corners.pop()
            corners.append([x, y])
        return corners[:-1]

    return np.array(chain(ordered) + chain(ordered[::-1]))


def _extreme_corners(mask_ji: np.ndarray) -> np.ndarray:
    """(N, 2) the outermost pixel corners (i, j) of each row: among them are all corners of the convex hull."""
    rows = np.flatnonzero(mask_ji.any(axis=1))
    left = mask_ji[rows].argmax(axis=1) - 0.5
    right = mask_ji.shape[1] - 0.5 - mask_ji[rows, ::-1].argmax(axis=1)
    return np.concatenate([np.stack([side, rows + shift], -1) for side in (left, right) for shift in (-0.5, 0.5)])


def _outline_edges(mask_ji: np.ndarray) -> np.ndarray:
    """(N, 2, 2) the pixel edges between mask and background: start and end as (i, j)."""
    padded = np.pad(mask_ji, 1)
    j, i = np.nonzero(padded[:, 1:] != padded[:, :-1])  # upright edges, right of padded pixel (j, i)
    upright = np.stack([np.stack([i - 0.5, j - 1.5], -1), np.stack([i - 0.5, j - 0.5], -1)], axis=1)
    j, i = np.nonzero(padded[1:] != padded[:-1])  # level edges, below padded pixel (j, i)
    level = np.stack([np.stack([i - 1.5, j - 0.5], -1), np.stack([i - 0.5, j - 0.5], -1)], axis=1)
    return np.concatenate([upright, level])


def _longest_across(edges_mm: np.ndarray, a_ends_mm: np.ndarray, pixel_mm: float) -> np.ndarray:
    """(2, 2) ends in mm of the longest line perpendicular to A between two points of the outline.

    Args:
        edges_mm: (N, 2, 2) outline.
        a_ends_mm: (2, 2) ends of A.
        pixel_mm: the smaller pixel spacing.
    """
    origin = a_ends_mm[0]
    length = float(np.linalg.norm(a_ends_mm[1] - origin))
    along = (a_ends_mm[1] - origin) / length
    across = np.array([-along[1], along[0]])
    t, s = (edges_mm - origin) @ along, (edges_mm - origin) @ across  # (N, 2) each
    step = pixel_mm / SAMPLES_PER_PIXEL
    count = max(int(np.ceil(length / step)), 1)
    step = length / count  # sample n lies at (n + 1/2) x step
    swap = t[:, 0] > t[:, 1]
    t[swap], s[swap] = t[swap, ::-1], s[swap, ::-1]
    first = np.ceil(t[:, 0] / step - 0.5).astype(int)
    most = int(np.ceil((t[:, 1] - t[:, 0]).max() / step)) + 1
    sample = first[:, None] + np.arange(most)  # (N, most) samples that an edge may reach
    position = (sample + 0.5) * step
    hit = (position <= t[:, 1:]) & (sample >= 0) & (sample < count)
    slope = np.where(t[:, 1] > t[:, 0], (s[:, 1] - s[:, 0]) / np.maximum(t[:, 1] - t[:, 0], 1e-12), 0.0)
    value = s[:, :1] + slope[:, None] * (position - t[:, :1])
    low, high = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(low, sample[hit], value[hit])
    np.maximum.at(high, sample[hit], value[hit])
    best = int(np.argmax(np.where(np.isfinite(low), high - low, -1.0)))
    foot = origin + (best + 0.5) * step * along
    return np.stack([foot + low[best] * across, foot + high[best] * across])


def _polygon_area(corners: np.ndarray) -> float:
    x, y = corners.T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)
