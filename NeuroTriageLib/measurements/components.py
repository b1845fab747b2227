"""Connected parts of a mask: voxels that touch by a face, an edge or a corner (26-connectivity)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.geometry import SliceGrid
from .bounding_box import Box, bounding_box


@dataclass(frozen=True, eq=False)
class Components:
    """The parts of one mask, the largest in mL first.

    Args:
        shape_kji: shape of the mask.
        box: the smallest box (k, j, i) that holds it; None for an empty mask. A whole label map of a thin-slice
            series for every type would take gigabytes.
        part_in_box: int32, 0 outside the mask, n in the n-th part.
        volumes_ml: (number of parts,) mL of each part, falling.
    """

    shape_kji: tuple[int, ...]
    box: Box | None
    part_in_box: np.ndarray
    volumes_ml: np.ndarray

    @property
    def count(self) -> int:
        """Number of parts."""
        return len(self.volumes_ml)

    @property
    def largest_kji(self) -> np.ndarray:
        """(K, J, I) bool, the largest part; empty when there is none."""
        largest = np.zeros(self.shape_kji, bool)
        if self.box is not None:
            largest[self.box] = self.part_in_box == 1
        return largest


def prepare() -> None:
    """Load what find_components needs; the first time that takes a tenth of a second, which an interface feels."""
    import SimpleITK  # noqa: F401  (here and not above: the panel imports this module, and opens faster without it)


def find_components(mask_kji: np.ndarray, grid: SliceGrid) -> Components:
    """Split a boolean mask (K, J, I) into its 26-connected parts.

    Neighbouring slices are neighbours whatever the distance between them: a lesion that crosses a gap in the stack
    stays one part.
    """
    import SimpleITK as sitk

    box = bounding_box(mask_kji)
    if box is None:
        return Components(mask_kji.shape, None, np.zeros((0, 0, 0), np.int32), np.zeros(0))
    cropped = sitk.GetImageFromArray(np.ascontiguousarray(mask_kji[box]).astype(np.uint8))
    labels = sitk.GetArrayFromImage(sitk.ConnectedComponent(cropped, True))  # True: 26 neighbours
    volumes = np.zeros(int(labels.max()) + 1)
    for k, voxel_ml in enumerate(grid.voxel_volumes_ml[box[0]]):
        volumes += np.bincount(labels[k].ravel(), minlength=len(volumes)) * voxel_ml
    order = np.argsort(-volumes[1:], kind="stable") + 1
    rank = np.zeros(len(volumes), np.int32)
    rank[order] = np.arange(1, len(volumes))
    return Components(mask_kji.shape, box, rank[labels], volumes[order])
