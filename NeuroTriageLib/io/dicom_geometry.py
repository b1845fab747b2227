"""DICOM slices in their order along the patient, and the SliceGrid that says where each of their voxels lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.errors import GeometryError
from ..core.findings import QualityFlag
from ..core.geometry import SliceGrid
from ..core.study import Instance
from .dicom_series import SAME_DIRECTION_DEG, SAME_POSITION_MM, slice_directions, slice_position

PERPENDICULAR = 1e-3
"""Largest cosine between row and column direction that still counts as a right angle (as in core.geometry)."""


@dataclass(frozen=True)
class Stack:
    """Slices sorted so that k grows towards the positive end of the LPS axis that their normal is nearest to.

    For axial slices k grows from inferior to superior, for coronal from anterior to posterior, for sagittal from
    right to left.
    """

    instances: tuple[Instance, ...]
    grid: SliceGrid
    flags: tuple[QualityFlag, ...] = ()


def stack_slices(instances: Sequence[Instance]) -> Stack:
    """Sort slices along their normal and place each one.

    Raises:
        GeometryError: directions or positions are missing, slices are not parallel or not of one matrix, two slices
            lie at the same place.
    """
    headers = [item.header for item in instances]
    shape_ji, spacing_ji = _one_matrix(headers)
    directions = _parallel_directions(headers)
    normal = np.cross(*directions)
    if normal[np.argmax(np.abs(normal))] < 0:
        normal = -normal
    origins, flags = _origins(headers, directions, normal, shape_ji, spacing_ji)
    order = np.argsort(origins @ normal, kind="stable")
    heights = (origins @ normal)[order]
    if len(order) > 1 and np.diff(heights).min() <= SAME_POSITION_MM:
        raise GeometryError("Two slices of the stack lie at the same place.", next_step="Choose another series.")
    grid = SliceGrid(
        shape_kji=(len(order), *shape_ji),
        origins_lps_mm=origins[order],
        direction_i=directions[0],
        direction_j=directions[1],
        spacing_i_mm=spacing_ji[1],
        spacing_j_mm=spacing_ji[0],
        slice_thickness_mm=_thickness(headers, heights),
    )
    return Stack(tuple(instances[index] for index in order), grid, flags)


def _one_matrix(headers: list[dict[str, Any]]) -> tuple[tuple[int, int], tuple[float, float]]:
    """((rows, columns), (spacing between rows, between columns)) shared by all slices."""
    matrices = {(header.get("Rows"), header.get("Columns")) for header in headers}
    rows, columns = next(iter(matrices))
    if len(matrices) > 1 or not (isinstance(rows, int) and isinstance(columns, int) and min(rows, columns) > 0):
        raise GeometryError("The images do not have one number of rows and columns.")
    spacings = [header.get("PixelSpacing") for header in headers]
    first = spacings[0]
    if not (isinstance(first, list) and len(first) == 2 and all(isinstance(v, float | int) and v > 0 for v in first)):
        raise GeometryError("The pixel spacing is missing or not positive.", next_step="Choose another series.")
    if any(other is None or not np.allclose(other, first, rtol=1e-4) for other in spacings):
        raise GeometryError("The pixel spacing differs between the slices.")
    return (rows, columns), (float(first[0]), float(first[1]))


def _parallel_directions(headers: list[dict[str, Any]]) -> np.ndarray:
    """(2, 3) mean row and column direction."""
    pairs = [slice_directions(header) for header in headers]
    known = np.array([pair for pair in pairs if pair is not None])
    if len(known) < len(headers):
        raise GeometryError(
            "The image orientation is missing.",
            next_step="Export the series again with its geometry, or choose another.",
        )
    if ((known * known[0]).sum(2) < np.cos(np.radians(SAME_DIRECTION_DEG))).any():
        raise GeometryError("The slices are not parallel to each other.", next_step="Choose an axial series.")
    mean = known.mean(0)
    mean /= np.linalg.norm(mean, axis=1, keepdims=True)
    if abs(mean[0] @ mean[1]) > PERPENDICULAR:
        raise GeometryError("The image's row and column directions are not perpendicular.")
    return mean


def _origins(
    headers: list[dict[str, Any]],
    directions: np.ndarray,
    normal: np.ndarray,
    shape_ji: tuple[int, int],
    spacing_ji: tuple[float, float],
) -> tuple[np.ndarray, tuple[QualityFlag, ...]]:
    """(K, 3) centre of the first voxel of each slice; from SliceLocation, and flagged, when no position is known."""
    positions = [slice_position(header) for header in headers]
    if all(place is not None for place in positions):
        return np.array(positions), ()
    locations = [header.get("SliceLocation") for header in headers]
    if any(place is not None for place in positions) or not all(isinstance(v, float | int) for v in locations):
        raise GeometryError(
            "The position of some or all slices is missing.", next_step="Export the series again with its geometry."
        )
    to_centre = directions[0] * spacing_ji[1] * (shape_ji[1] - 1) / 2
    to_centre = to_centre + directions[1] * spacing_ji[0] * (shape_ji[0] - 1) / 2
    message = (
        "The image positions are missing: slices were placed by their slice location, centred on the scanner's axis."
    )
    origins = np.outer(np.array(locations, dtype=float), normal) - to_centre
    return origins, (QualityFlag("position_from_slice_location", message),)


def _thickness(headers: list[dict[str, Any]], heights: np.ndarray) -> float:
    """Median of SliceThickness, else the median distance between slices, else 1 mm for a single slice."""
    known = [float(h["SliceThickness"]) for h in headers if isinstance(h.get("SliceThickness"), float | int)]
    known = [value for value in known if value > 0]
    if known:
        return float(np.median(known))
    return float(np.median(np.diff(heights))) if len(heights) > 1 else 1.0
