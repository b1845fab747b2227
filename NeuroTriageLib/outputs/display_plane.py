"""How a slice is shown: radiological orientation, whatever the source's, in millimetres on the page."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.geometry import SliceGrid

_LETTERS = (("R", "L"), ("A", "P"), ("I", "S"))  # towards minus and plus of each LPS axis
# LPS axis and sign that point right and down on the page, by the axis that the slices' normal follows most.
_PAGE_AXES = {
    0: ((1, 1.0), (2, -1.0)),  # sagittal: posterior right, inferior down
    1: ((0, 1.0), (2, -1.0)),  # coronal: the patient's left right, inferior down
    2: ((0, 1.0), (1, 1.0)),  # axial: the patient's left right, posterior down
}


@dataclass(frozen=True)
class Letters:
    """Patient directions at the four sides of a picture."""

    left: str
    right: str
    top: str
    bottom: str


@dataclass(frozen=True)
class DisplayPlane:
    """The flips and the transposition that bring a slice (J, I) onto the page.

    Args:
        transposed: rows and columns change places, first.
        flip_x, flip_y: then left and right, top and bottom.
        shape_yx: rows and columns on the page.
        spacing_x_mm, spacing_y_mm: pixel size on the page.
        letters: patient directions at its sides.
    """

    transposed: bool
    flip_x: bool
    flip_y: bool
    shape_yx: tuple[int, int]
    spacing_x_mm: float
    spacing_y_mm: float
    letters: Letters

    @classmethod
    def of(cls, grid: SliceGrid) -> DisplayPlane:
        """The plane in which the slices of a grid are shown."""
        (right_axis, right_sign), (down_axis, down_sign) = _PAGE_AXES[int(np.abs(grid.normal).argmax())]
        transposed = bool(abs(grid.direction_j[right_axis]) > abs(grid.direction_i[right_axis]))
        x, y = (grid.direction_j, grid.direction_i) if transposed else (grid.direction_i, grid.direction_j)
        flip_x, flip_y = bool(x[right_axis] * right_sign < 0), bool(y[down_axis] * down_sign < 0)
        rows, columns = grid.shape_kji[1:]
        right, down = (-x if flip_x else x), (-y if flip_y else y)
        spacing = (grid.spacing_j_mm, grid.spacing_i_mm) if transposed else (grid.spacing_i_mm, grid.spacing_j_mm)
        return cls(
            transposed=transposed,
            flip_x=flip_x,
            flip_y=flip_y,
            shape_yx=(columns, rows) if transposed else (rows, columns),
            spacing_x_mm=spacing[0],
            spacing_y_mm=spacing[1],
            letters=Letters(left=_letter(-right), right=_letter(right), top=_letter(-down), bottom=_letter(down)),
        )

    @property
    def size_mm(self) -> tuple[float, float]:
        """Width and height of a slice on the page in mm."""
        return self.shape_yx[1] * self.spacing_x_mm, self.shape_yx[0] * self.spacing_y_mm

    def show(self, slice_ji: np.ndarray) -> np.ndarray:
        """A slice (J, I) as it lies on the page (rows, columns)."""
        page = slice_ji.T if self.transposed else slice_ji
        return page[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]

    def point_mm(self, i: float, j: float) -> tuple[float, float]:
        """Page position (x, y) in mm from the upper left corner of a continuous voxel index."""
        x, y = (j, i) if self.transposed else (i, j)
        x = self.shape_yx[1] - 1 - x if self.flip_x else x
        y = self.shape_yx[0] - 1 - y if self.flip_y else y
        return (x + 0.5) * self.spacing_x_mm, (y + 0.5) * self.spacing_y_mm


def _letter(direction_lps: np.ndarray) -> str:
    axis = int(np.abs(direction_lps).argmax())
    return _LETTERS[axis][int(direction_lps[axis] > 0)]
