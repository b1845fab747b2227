"""SliceGrid: where every voxel of a stack of slices lies in the patient, also when tilted or unevenly spaced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .errors import GeometryError

# Slices whose position differs from a regular grid by less than this are regular (DICOM positions are often
# rounded to 0.001-0.1 mm by the scanner; ours).
REGULAR_TOLERANCE_MM = 0.05


def unit(vector: Sequence[float] | np.ndarray) -> np.ndarray:
    """The vector scaled to length 1. Raises GeometryError for a zero or non-finite vector."""
    vector = np.asarray(vector, dtype=np.float64)
    length = np.linalg.norm(vector)
    if not np.isfinite(length) or length < 1e-9:
        raise GeometryError("A direction in the image's geometry has no length.")
    return vector / length


@dataclass(frozen=True, eq=False)
class SliceGrid:
    """Voxel centres of a stack of parallel slices, in LPS millimetres.

    Each slice has its own origin, so gantry tilt (a sheared stack), uneven spacing and gaps are kept as they are.

    Args:
        shape_kji: number of slices, rows and columns.
        origins_lps_mm: (K, 3) centre of voxel (i=0, j=0) of each slice.
        direction_i: (3,) unit vector along which i (the column index) grows.
        direction_j: (3,) unit vector along which j (the row index) grows, orthogonal to direction_i.
        spacing_i_mm, spacing_j_mm: pixel spacing.
        slice_thickness_mm: nominal thickness of the reconstructed slice (not the distance between slices).
    """

    shape_kji: tuple[int, int, int]
    origins_lps_mm: np.ndarray
    direction_i: np.ndarray
    direction_j: np.ndarray
    spacing_i_mm: float
    spacing_j_mm: float
    slice_thickness_mm: float

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "shape_kji", tuple(int(n) for n in self.shape_kji))
        put(self, "origins_lps_mm", np.asarray(self.origins_lps_mm, dtype=np.float64).reshape(-1, 3))
        put(self, "direction_i", unit(self.direction_i))
        put(self, "direction_j", unit(self.direction_j))
        if min(self.shape_kji) < 1 or len(self.origins_lps_mm) != self.shape_kji[0]:
            raise GeometryError("The number of slice positions differs from the number of slices.")
        if abs(float(self.direction_i @ self.direction_j)) > 1e-3:
            raise GeometryError("The image's row and column directions are not perpendicular.")
        if not (self.spacing_i_mm > 0 and self.spacing_j_mm > 0 and self.slice_thickness_mm > 0):
            raise GeometryError("The pixel spacing or slice thickness is not positive.")
        if not np.isfinite(self.origins_lps_mm).all():
            raise GeometryError("A slice position is not a number.")
        steps = np.diff(self.origins_lps_mm @ self.normal)
        if len(steps) and not ((steps > 1e-4).all() or (steps < -1e-4).all()):
            raise GeometryError("The slices are not in order along the stack.")

    @classmethod
    def from_affine(
        cls, shape_kji: tuple[int, int, int], affine_ijk_to_lps: np.ndarray, slice_thickness_mm: float | None = None
    ) -> SliceGrid:
        """A regular grid from a 4x4 that maps (i, j, k, 1) to LPS millimetres; the k column may be sheared."""
        affine = np.asarray(affine_ijk_to_lps, dtype=np.float64)
        lengths = np.linalg.norm(affine[:3, :3], axis=0)
        k = np.arange(shape_kji[0])[:, None]
        return cls(
            shape_kji=shape_kji,
            origins_lps_mm=affine[:3, 3] + k * affine[:3, 2],
            direction_i=affine[:3, 0],
            direction_j=affine[:3, 1],
            spacing_i_mm=float(lengths[0]),
            spacing_j_mm=float(lengths[1]),
            slice_thickness_mm=float(slice_thickness_mm or lengths[2]),
        )

    @cached_property
    def normal(self) -> np.ndarray:
        """(3,) unit normal of the slices, direction_i x direction_j."""
        return np.cross(self.direction_i, self.direction_j)

    @cached_property
    def slice_positions_mm(self) -> np.ndarray:
        """(K,) position of each slice along the stacking direction, growing with k, from 0 at k = 0."""
        positions = (self.origins_lps_mm - self.origins_lps_mm[0]) @ self.normal
        return positions if positions[-1] >= 0 else -positions

    @cached_property
    def slice_spacings_mm(self) -> np.ndarray:
        """(K - 1,) distance between the planes of neighbouring slices."""
        return np.diff(self.slice_positions_mm)

    @cached_property
    def slice_extents_mm(self) -> np.ndarray:
        """(K,) millimetres across the planes that each slice stands for: to half-way to both neighbours.

        The first and last slices reach as far outwards as inwards; a single slice stands for its own thickness.
        """
        if self.shape_kji[0] == 1:
            return np.array([self.slice_thickness_mm])
        half = self.slice_spacings_mm / 2
        return np.concatenate([half[:1], half]) + np.concatenate([half, half[-1:]])

    @cached_property
    def voxel_volumes_ml(self) -> np.ndarray:
        """(K,) volume in mL of one voxel of each slice (pixel area x slice extent)."""
        return self.spacing_i_mm * self.spacing_j_mm * self.slice_extents_mm / 1000.0

    @cached_property
    def affine_ijk_to_lps(self) -> np.ndarray:
        """(4, 4) the regular grid, sheared if tilted, that fits the slices best; exact when is_regular."""
        affine = np.eye(4)
        affine[:3, 0] = self.direction_i * self.spacing_i_mm
        affine[:3, 1] = self.direction_j * self.spacing_j_mm
        count = self.shape_kji[0]
        if count == 1:
            affine[:3, 2] = self.normal * self.slice_thickness_mm
            affine[:3, 3] = self.origins_lps_mm[0]
            return affine
        k = np.arange(count) - (count - 1) / 2
        affine[:3, 2] = (k[:, None] * self.origins_lps_mm).sum(0) / (k @ k)
        affine[:3, 3] = self.origins_lps_mm.mean(0) - affine[:3, 2] * (count - 1) / 2
        return affine

    @cached_property
    def is_regular(self) -> bool:
        """True when one 4x4 (sheared or not) places every slice."""
        k = np.arange(self.shape_kji[0])[:, None]
        fitted = self.affine_ijk_to_lps[:3, 3] + k * self.affine_ijk_to_lps[:3, 2]
        return bool(np.abs(fitted - self.origins_lps_mm).max() <= REGULAR_TOLERANCE_MM)

    @cached_property
    def tilt_deg(self) -> float:
        """Angle in degrees between the stacking direction and the slices' normal (gantry tilt); 0 for one slice."""
        run = self.origins_lps_mm[-1] - self.origins_lps_mm[0]
        length = np.linalg.norm(run)
        if length < 1e-6:
            return 0.0
        return float(np.degrees(np.arccos(np.clip(abs(run @ self.normal) / length, 0.0, 1.0))))

    def voxel_to_lps(self, index_ijk: np.ndarray) -> np.ndarray:
        """LPS millimetres (..., 3) of continuous indices (..., 3) in the order i, j, k.

        Between slices the origin is interpolated linearly; outside the stack it is extrapolated.
        """
        index = np.asarray(index_ijk, dtype=np.float64)
        origin = self._origin_at(index[..., 2])
        in_plane = (
            index[..., 0:1] * self.spacing_i_mm * self.direction_i
            + index[..., 1:2] * self.spacing_j_mm * self.direction_j
        )
        return origin + in_plane

    def lps_to_voxel(self, point_lps_mm: np.ndarray) -> np.ndarray:
        """Continuous indices (..., 3) in the order i, j, k of LPS points (..., 3); the inverse of voxel_to_lps."""
        point = np.asarray(point_lps_mm, dtype=np.float64)
        height = (point - self.origins_lps_mm[0]) @ self.normal
        if self.shape_kji[0] == 1:
            k = height / self.slice_thickness_mm
        else:
            if self.origins_lps_mm[-1] @ self.normal < self.origins_lps_mm[0] @ self.normal:
                height = -height
            k = _interpolate_extrapolate(height, self.slice_positions_mm, np.arange(self.shape_kji[0], dtype=float))
        offset = point - self._origin_at(k)
        i = offset @ self.direction_i / self.spacing_i_mm
        j = offset @ self.direction_j / self.spacing_j_mm
        return np.stack([i, j, k], axis=-1)

    def _origin_at(self, k: np.ndarray) -> np.ndarray:
        if self.shape_kji[0] == 1:
            return self.origins_lps_mm[0] + np.asarray(k)[..., None] * self.normal * self.slice_thickness_mm
        index = np.arange(self.shape_kji[0], dtype=float)
        columns = [_interpolate_extrapolate(k, index, self.origins_lps_mm[:, axis]) for axis in range(3)]
        return np.stack(columns, axis=-1)

    def same_as(self, other: SliceGrid, tolerance_mm: float = 1e-3) -> bool:
        """True when both grids put every voxel at the same place (to tolerance_mm)."""
        if self.shape_kji != other.shape_kji:
            return False
        k_last, j_last, i_last = (n - 1 for n in self.shape_kji)
        corners = np.array([[i, j, k] for i in (0, i_last) for j in (0, j_last) for k in range(k_last + 1)])
        return bool(np.abs(self.voxel_to_lps(corners) - other.voxel_to_lps(corners)).max() <= tolerance_mm)

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON, from which from_json makes the same grid."""
        return {
            "frame": "LPS",
            "shape_kji": list(self.shape_kji),
            "origins_lps_mm": self.origins_lps_mm.tolist(),
            "direction_i": self.direction_i.tolist(),
            "direction_j": self.direction_j.tolist(),
            "spacing_i_mm": float(self.spacing_i_mm),
            "spacing_j_mm": float(self.spacing_j_mm),
            "slice_thickness_mm": float(self.slice_thickness_mm),
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> SliceGrid:
        """The inverse of to_json. Raises GeometryError when a value is missing or another frame is named."""
        if values.get("frame") != "LPS":
            raise GeometryError("The geometry's frame is not LPS.")
        try:
            return cls(**{key: value for key, value in values.items() if key != "frame"})
        except TypeError as error:
            raise GeometryError(f"The geometry is incomplete: {error}.") from error


def _interpolate_extrapolate(x: np.ndarray, xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
    """Piecewise linear ys(x) with the first and last pieces prolonged outwards; xs must grow."""
    x = np.asarray(x, dtype=np.float64)
    piece = np.clip(np.searchsorted(xs, x, side="right") - 1, 0, len(xs) - 2)
    share = (x - xs[piece]) / (xs[piece + 1] - xs[piece])
    return ys[piece] + share * (ys[piece + 1] - ys[piece])
