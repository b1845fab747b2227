"""Draws the slice stack of one exam and the pose of the head in it: tilt, spacing, field of view, coverage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.geometry import SliceGrid
from .anatomy import Anatomy
from .settings import HeadCtSettings

OML_DEG = -15.0
"""Usual angle of head CT's planes to the label maps' (about AC-PC) axial plane, front up (ours, by eye)."""


@dataclass(frozen=True, eq=False)
class Pose:
    """How the head lies in the scanner: map voxel (i, j, k) = center_ijk + matrix @ (LPS mm).

    The brain's centre lies near the isocentre; the matrix holds rotation, scale and mirroring.
    """

    center_ijk: np.ndarray
    matrix: np.ndarray

    def to_map(self, points_lps_mm: np.ndarray) -> np.ndarray:
        """Continuous map voxels (..., 3) i, j, k of LPS points (..., 3)."""
        return self.center_ijk + points_lps_mm @ self.matrix.T

    def to_lps(self, points_ijk: np.ndarray) -> np.ndarray:
        """LPS points (..., 3) of map voxels (..., 3) i, j, k."""
        return (points_ijk - self.center_ijk) @ np.linalg.inv(self.matrix).T


@dataclass(frozen=True, eq=False)
class Stack:
    """The slices.

    Args:
        grid: where they lie.
        thicknesses_mm: (K,) full width at half maximum of each slice's profile.
        tilt_deg: gantry tilt.
        flank: share of the thickness over which the profile's edges rise and fall; 0 is a box (sequential scans).
        moves_lps_mm: (K, 3) how far the head lies from its place when each slice is scanned.
        motion_mm: how far it moves at most while a slice is scanned; 0 when it lies still.
    """

    grid: SliceGrid
    thicknesses_mm: np.ndarray
    tilt_deg: float
    flank: float
    moves_lps_mm: np.ndarray
    motion_mm: float

    def holds(self, place_lps_mm: list[float] | None) -> bool:
        """True for what lies all over the head (None), and for a place between the lowest and the highest slice."""
        if place_lps_mm is None:
            return True
        k = float(self.grid.lps_to_voxel(np.array([place_lps_mm]))[0, 2])
        return bool(-0.7 <= k <= self.grid.shape_kji[0] - 0.3)


def draw_tilt(rng: np.random.Generator, settings: HeadCtSettings) -> float:
    """Gantry tilt in degrees, 0 for the exams without."""
    return float(rng.uniform(*settings.tilt_deg)) if rng.random() < settings.tilt_probability else 0.0


def draw_pose(anatomy: Anatomy, tilt_deg: float, rng: np.random.Generator, settings: HeadCtSettings) -> Pose:
    """Rotation, anisotropic scale, mirroring and off-centre position of the head."""
    pitch, yaw, roll = (rng.normal(0.0, sd) for sd in (settings.pitch_deg, settings.yaw_deg, settings.roll_deg))
    # The gantry is tilted to bring the planes near the orbitomeatal line: the planes lie OML_DEG off the label maps'
    # axial plane, give or take pitch_deg, whatever the tilt.
    turned = rotation(0, pitch + OML_DEG + tilt_deg) @ rotation(2, yaw) @ rotation(1, roll)
    turned = turned @ _extra_rotation(rng, settings)
    scale = rng.uniform(*settings.scale, 3)
    mirror = np.array([rng.choice([-1.0, 1.0]), 1.0, 1.0])
    matrix = np.diag(mirror / scale) @ turned
    off_center = np.array([rng.normal(0.0, settings.off_center_mm), rng.normal(10.0, settings.off_center_mm), 0.0])
    center = anatomy.brain_center_kji[::-1] - matrix @ off_center
    return Pose(center_ijk=center, matrix=matrix)


def _extra_rotation(rng: np.random.Generator, settings: HeadCtSettings) -> np.ndarray:
    """A rotation of the asked size about a random axis (Rodrigues' formula)."""
    angle = np.radians(rng.uniform(*settings.extra_rotation_deg))
    axis = rng.standard_normal(3)
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * cross @ cross


def rotation(axis: int, degrees: float) -> np.ndarray:
    """(3, 3) rotation about x, y or z (0, 1, 2) of LPS."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    a, b = ((1, 2), (2, 0), (0, 1))[axis]
    out = np.eye(3)
    out[a, a] = out[b, b] = c
    out[a, b], out[b, a] = -s, s
    return out


def draw_stack(
    anatomy: Anatomy, pose: Pose, tilt_deg: float, rng: np.random.Generator, settings: HeadCtSettings
) -> Stack:
    """Slices from below the brain to above it. With tilt, the planes are tilted and the table moves along z only."""
    cosine, sine = np.cos(np.radians(tilt_deg)), np.sin(np.radians(tilt_deg))
    direction_j = np.array([0.0, cosine, -sine])
    normal = np.array([0.0, sine, cosine])
    brain = pose.to_lps(anatomy.points["space"][:, ::-1].astype(np.float64))
    heights = brain @ normal  # of the plane through each point, measured across the planes
    start = float(heights.min()) - rng.uniform(*settings.coverage_below_mm)
    end = float(heights.max()) + rng.uniform(*settings.coverage_above_mm)
    heights, thicknesses = _draw_heights(start, end, rng, settings)
    pixel = _pixel_mm(brain, rng, settings)
    half = pixel * (settings.matrix - 1) / 2.0
    origin = np.array([-half, 0.0, 0.0]) - half * direction_j
    # The plane at height h crosses the table's axis (x = y = 0) at z = h / cos(tilt).
    origins = origin + heights[:, None] / cosine * np.array([0.0, 0.0, 1.0])
    grid = SliceGrid(
        shape_kji=(len(heights), settings.matrix, settings.matrix),
        origins_lps_mm=np.round(origins, 4),
        direction_i=np.array([1.0, 0.0, 0.0]),
        direction_j=direction_j,
        spacing_i_mm=pixel,
        spacing_j_mm=pixel,
        slice_thickness_mm=float(np.median(thicknesses)),
    )
    # A helical slice's profile falls off over about half of its width (ours); a sequential one is a box.
    flank = float(rng.uniform(0.3, 0.8)) if rng.random() < settings.helical_probability else 0.0
    motion = float(rng.uniform(*settings.motion_mm)) if rng.random() < settings.motion_probability else 0.0
    return Stack(grid, thicknesses, tilt_deg, flank, _draw_moves(len(heights), motion, rng), motion)


def _draw_moves(count: int, motion_mm: float, rng: np.random.Generator) -> np.ndarray:
    """(K, 3) the head's place slice by slice: it jumps now and then and stays."""
    moves = np.zeros((count, 3))
    for _ in range(int(rng.integers(1, 5)) if motion_mm > 0 else 0):
        moves[int(rng.integers(0, count)) :] += rng.normal(0.0, 0.4 * motion_mm, 3)
    return moves


def _pixel_mm(brain_lps_mm: np.ndarray, rng: np.random.Generator, settings: HeadCtSettings) -> float:
    """Pixel size for a drawn field of view that the skull mostly fits into, rounded as scanners write it."""
    needed = 2.0 * float(np.abs(brain_lps_mm[:, :2]).max()) + 16.0
    field_of_view = float(rng.uniform(*settings.field_of_view_mm))
    if rng.random() >= settings.cut_off_probability:
        field_of_view = max(field_of_view, min(needed, settings.field_of_view_mm[1]))
    return round(field_of_view / settings.matrix, 6)


def _draw_heights(
    start: float, end: float, rng: np.random.Generator, settings: HeadCtSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Plane positions from start to end and slice thicknesses."""
    spacing = float(rng.choice(settings.slice_spacings_mm))
    upper = spacing
    change = end
    if rng.random() < settings.mixed_stack_probability:
        spacing, upper = sorted((spacing, float(rng.choice(settings.slice_spacings_mm))))
        change = start + float(rng.uniform(0.25, 0.5)) * (end - start)
    filled = float(rng.uniform(0.6, 1.0)) if rng.random() < settings.gap_probability else 1.0
    if rng.random() < settings.overlap_probability and spacing <= 5.0:
        filled = float(rng.uniform(1.1, 2.0))
    heights, thicknesses = [start], [spacing]
    while heights[-1] < end - 0.5 * upper:
        thickness = spacing if heights[-1] < change else upper
        # Where thin slices meet thick ones, the planes are half of each apart.
        heights.append(heights[-1] + (thicknesses[-1] + thickness) / 2.0)
        thicknesses.append(thickness)
    return np.array(heights), np.array(thicknesses) * filled
