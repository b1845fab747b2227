"""Where patches lie on an exam: one regular lattice of windows, for validation and for both ways of inference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MARGIN = 8
"""Pixels kept around the brain, one cell of the network's output (not stated; ours)."""


@dataclass(frozen=True)
class WindowLattice:
    """Overlapping square windows that exactly tile a box; the box may reach beyond the image, which is zero there.

    Args:
        top, left: row and column of the box's first pixel, may be negative.
        size: rows and columns of a window.
        stride: step between neighbouring windows.
        count_j, count_i: number of windows along rows and columns.
    """

    top: int
    left: int
    size: int
    stride: int
    count_j: int
    count_i: int

    @property
    def height(self) -> int:
        """Rows of the box."""
        return self.size + (self.count_j - 1) * self.stride

    @property
    def width(self) -> int:
        """Columns of the box."""
        return self.size + (self.count_i - 1) * self.stride

    def cut(self, image_shw: np.ndarray) -> np.ndarray:
        """(..., H, W) -> (..., height, width), zero beyond the image."""
        out = np.zeros((*image_shw.shape[:-2], self.height, self.width), dtype=image_shw.dtype)
        (image_j, box_j), (image_i, box_i) = self._overlaps(image_shw.shape[-2:])
        out[..., box_j, box_i] = image_shw[..., image_j, image_i]
        return out

    def paste(self, box_shw: np.ndarray, image_shw: np.ndarray) -> None:
        """Write (..., height, width) into its place in (..., H, W); what lies beyond the image is dropped."""
        (image_j, box_j), (image_i, box_i) = self._overlaps(image_shw.shape[-2:])
        image_shw[..., image_j, image_i] = box_shw[..., box_j, box_i]

    def windows(self, box_shw: np.ndarray) -> np.ndarray:
        """A view of the box, (..., height, width) -> (..., count_j, count_i, size, size)."""
        view = np.lib.stride_tricks.sliding_window_view(box_shw, (self.size, self.size), axis=(-2, -1))
        return view[..., :: self.stride, :: self.stride, :, :]

    def _overlaps(self, shape_hw: tuple[int, ...]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """(in the image, in the box) for rows and for columns."""
        first, second = (
            (slice(max(start, 0), min(start + length, size)), slice(max(-start, 0), min(size - start, length)))
            for start, length, size in zip((self.top, self.left), (self.height, self.width), shape_hw, strict=True)
        )
        return first, second


def lattice_over(brain_shw: np.ndarray, size: int, stride: int) -> WindowLattice:
    """The smallest lattice, centred, that covers the brain of all slabs and a margin; (S, H, W) bool with a True."""
    starts_and_counts = []
    for axes in ((0, 2), (0, 1)):
        used = np.flatnonzero(brain_shw.any(axis=axes))
        first, length = int(used[0]) - MARGIN, int(used[-1] - used[0]) + 1 + 2 * MARGIN
        steps = max(0, -(-(length - size) // stride))
        starts_and_counts.append((first - (size + steps * stride - length) // 2, steps + 1))
    (top, count_j), (left, count_i) = starts_and_counts
    return WindowLattice(top, left, size, stride, count_j, count_i)
