"""Midline shift from three points: how far the septum lies from the line between the falx's ends, and on which side."""

from __future__ import annotations

import numpy as np

from ..core.errors import GeometryError
from ..core.geometry import SliceGrid, unit
from ..core.midline import MidlinePoints, MidlineShift, Point

# Below this the shift reads 0.0 mm, and has no side.
SIDED_FROM_MM = 0.05
# A septum that lies farther than this above or below the line was placed on another slice (ours: half a slice of 5 mm,
# the usual thickness of head CT).
SAME_HEIGHT_MM = 2.5
# Ends of the falx that are closer than this are a double click, or a slice far from the foramina of Monro (ours: less
# than half the length of a newborn's brain).
SHORTEST_LINE_MM = 40.0
# A line that is turned by more than this against the patient's sagittal plane is no midline (ours; heads lie turned by
# less, and from half a right angle on left and right would change their meaning).
MOST_TURNED_DEG = 45.0


def measure_midline_shift(points: MidlinePoints, grid: SliceGrid) -> MidlineShift:
    """The perpendicular distance of the septum from the ideal midline.

    It is measured across the plane that holds the line and stands upright on the series' axial planes, so that it is
    the distance in the slice when all points lie in one (acquired or reformatted, tilted or oblique), and says nothing
    of heights when they do not.

    Args:
        points: as the reader placed them.
        grid: of the series on which they were placed, of any orientation.

    Raises:
        GeometryError: the points are no midline: too close, across the head, or the septum beyond the line's ends.
    """
    front, back, septum = (
        np.asarray(point) for point in (points.anterior_lps_mm, points.posterior_lps_mm, points.septum_lps_mm)
    )
    along = _direction(back - front)
    left = _leftward(along, grid)
    reach = float((septum - front) @ along)
    if not 0 < reach < float(np.linalg.norm(back - front)):
        raise _misplaced("The septum's point lies beyond the ends of the falx.")
    leftward_mm = float((septum - front) @ left)
    height_mm = abs(float((septum - front) @ np.cross(along, left)))
    return MidlineShift(
        points=points,
        shift_mm=abs(leftward_mm),
        side=None if abs(leftward_mm) < SIDED_FROM_MM else "left" if leftward_mm > 0 else "right",
        foot_lps_mm=_plain(septum - leftward_mm * left),
        key_slice=_slice_of(np.stack([front, back, septum]), grid),
        caveat=_caveat(height_mm),
    )


def measurable_midline_shift(points: MidlinePoints | None, grid: SliceGrid) -> MidlineShift | None:
    """The same where there are points that make a midline, else None: what is kept beside the points themselves."""
    try:
        return None if points is None else measure_midline_shift(points, grid)
    except GeometryError:  # said where the points are placed
        return None


def _direction(run: np.ndarray) -> np.ndarray:
    """(3,) unit vector of the line."""
    if np.linalg.norm(run) < SHORTEST_LINE_MM:
        raise _misplaced(f"The ends of the falx are less than {SHORTEST_LINE_MM:.0f} mm apart.")
    return unit(run)


def _leftward(along: np.ndarray, grid: SliceGrid) -> np.ndarray:
    """(3,) unit vector across the line within the axial planes, towards the patient's left."""
    axes = (grid.direction_i, grid.direction_j, grid.normal)
    upright = max(axes, key=lambda axis: abs(axis[2]))  # of a sagittal series its rows or columns
    across = np.cross(upright, along)
    if np.linalg.norm(across) < np.cos(np.radians(MOST_TURNED_DEG)):
        raise _misplaced("The line between the falx's ends runs from head to foot.")
    across = unit(across)
    if abs(across[0]) < np.cos(np.radians(MOST_TURNED_DEG)):
        raise _misplaced("The line between the falx's ends runs across the head.")
    return across if across[0] > 0 else -across


def _slice_of(points_lps_mm: np.ndarray, grid: SliceGrid) -> int | None:
    """The slice nearest to all of the points."""
    nearest = {int(k) for k in np.rint(grid.lps_to_voxel(points_lps_mm)[:, 2])}
    k = nearest.pop()
    return k if not nearest and 0 <= k < grid.shape_kji[0] else None


def _caveat(height_mm: float) -> str:
    if height_mm <= SAME_HEIGHT_MM:
        return ""
    return f"The septum's point lies {height_mm:.1f} mm above or below the line: place all three on one slice."


def _misplaced(what: str) -> GeometryError:
    return GeometryError(
        f"Midline shift cannot be measured: {what[0].lower()}{what[1:]}",
        next_step="Drag the points to the falx in front, the falx behind, and the septum, on one axial slice.",
    )


def _plain(point: np.ndarray) -> Point:
    x, y, z = point.tolist()
    return x, y, z
