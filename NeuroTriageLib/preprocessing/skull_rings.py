"""The skull as a ring in each slice, found along rays from its middle: enough to tell a head from anything else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.volume import Volume

# Limits, all ours, between what a real head (closed 0.85-1, radius 57-94 mm, soft share 0.45-0.95) and a real neck
# and chest (closed 0.3-0.9, soft share 0.1-0.6 at radii under 50 mm) show.
BONE_HU = 250
SOFT_TISSUE_HU = (-10, 90)
HEAD_CLOSED = 0.85
HEAD_RADIUS_MM = (45.0, 115.0)
HEAD_SOFT_SHARE = 0.45

_PIXEL_MM = 2.0  # the size at which rays are followed
_SLICE_MM = 2.5  # denser slices are skipped
_RAYS = 72
_RADII_MM = (4.0, 130.0)
_SKULL_FROM_MM = 25.0  # bone nearer to the middle than this is no skull


@dataclass(frozen=True, eq=False)
class SkullRings:
    """One entry per looked-at slice.

    Args:
        slices: (N,) index k of each.
        centre_ji: (N, 2) middle of the bone, in voxels of the volume.
        closed: (N,) share of rays that meet bone.
        radius_mm: (N,) median distance of the outermost bone; 0 without bone.
        soft_share: (N,) share of the area within 85 % of that distance that is soft tissue.
    """

    slices: np.ndarray
    centre_ji: np.ndarray
    closed: np.ndarray
    radius_mm: np.ndarray
    soft_share: np.ndarray

    @property
    def head_like(self) -> np.ndarray:
        """(N,) bool: a closed ring of a head's size around soft tissue."""
        low, high = HEAD_RADIUS_MM
        return (
            (self.closed >= HEAD_CLOSED)
            & (self.radius_mm >= low)
            & (self.radius_mm <= high)
            & (self.soft_share >= HEAD_SOFT_SHARE)
        )

    @property
    def soft_radius_mm(self) -> np.ndarray:
        """(N,) radius of the disc with the area of the soft tissue inside the ring."""
        return self.radius_mm * np.sqrt(self.soft_share)


def find_skull_rings(volume: Volume) -> SkullRings:
    """Look at slices about 2.5 mm apart, the first and last always."""
    spacings = volume.grid.slice_spacings_mm
    step = max(1, int(_SLICE_MM / float(np.median(spacings)))) if len(spacings) else 1
    last = volume.grid.shape_kji[0] - 1
    slices = np.unique([*range(0, last, step), last])
    rows = [_ring(volume, int(k)) for k in slices]
    centre, closed, radius, soft = zip(*rows, strict=True)
    return SkullRings(slices, np.array(centre), np.array(closed), np.array(radius), np.array(soft))


def _ring(volume: Volume, k: int) -> tuple[tuple[float, float], float, float, float]:
    """(centre (j, i), closed, radius in mm, soft share) of one slice."""
    grid = volume.grid
    step_j, step_i = (max(1, round(_PIXEL_MM / mm)) for mm in (grid.spacing_j_mm, grid.spacing_i_mm))
    plane = volume.array_kji[k]
    rows, columns = plane.shape[0] // step_j, plane.shape[1] // step_i
    blocks = plane[: rows * step_j, : columns * step_i].reshape(rows, step_j, columns, step_i)
    bone = blocks.max(axis=(1, 3)) > BONE_HU  # thin bone survives a maximum, not a mean
    middle = blocks[:, step_j // 2, :, step_i // 2]
    where = np.argwhere(bone)
    if len(where) < 20:
        return (plane.shape[0] / 2, plane.shape[1] / 2), 0.0, 0.0, 0.0
    centre = np.median(where, axis=0)
    pixel_mm = np.array([grid.spacing_j_mm * step_j, grid.spacing_i_mm * step_i])
    radii = np.arange(*_RADII_MM, pixel_mm.min())
    j, i, inside = _rays(centre, pixel_mm, radii, bone.shape)
    hit = bone[j, i] & inside
    outermost = np.where(hit.any(1), radii[hit.shape[1] - 1 - np.argmax(hit[:, ::-1], axis=1)], 0.0)
    weight = np.where((radii < 0.85 * outermost[:, None]) & inside, radii, 0.0)
    values = middle[j, i]
    soft = (values > SOFT_TISSUE_HU[0]) & (values < SOFT_TISSUE_HU[1])
    return (
        tuple((centre + 0.5) * (step_j, step_i)),
        float(hit[:, radii > _SKULL_FROM_MM].any(1).mean()),
        float(np.median(outermost)),
        float((soft * weight).sum() / max(weight.sum(), 1e-9)),
    )


def _rays(
    centre: np.ndarray, pixel_mm: np.ndarray, radii: np.ndarray, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(rays, radii) pixel rows, columns (kept within the image) and whether they were inside it."""
    angle = np.linspace(0, 2 * np.pi, _RAYS, endpoint=False)[:, None]
    j = np.rint(centre[0] + np.sin(angle) * radii / pixel_mm[0]).astype(int)
    i = np.rint(centre[1] + np.cos(angle) * radii / pixel_mm[1]).astype(int)
    inside = (j >= 0) & (j < shape[0]) & (i >= 0) & (i < shape[1])
    return j.clip(0, shape[0] - 1), i.clip(0, shape[1] - 1), inside
