"""Where the frames of a SEG or parametric map lie, and which model made them."""

from __future__ import annotations

from typing import Any

from highdicom import AlgorithmIdentificationSequence, PixelMeasuresSequence, PlaneOrientationSequence
from highdicom.content import PlanePositionSequence
from highdicom.enum import CoordinateSystemNames

from ...core.findings import Reading
from ...core.geometry import REGULAR_TOLERANCE_MM, SliceGrid
from .concepts import ARTIFICIAL_INTELLIGENCE
from .source_slices import decimal

_PATIENT = CoordinateSystemNames.PATIENT


def frame_geometry(grid: SliceGrid) -> dict[str, Any]:
    """highdicom's keyword arguments that put frame k on slice k, whatever the tilt and the distances."""
    directions = [float(decimal(v)) for v in (*grid.direction_i, *grid.direction_j)]
    spacing = float(decimal(grid.spacing_j_mm)), float(decimal(grid.spacing_i_mm))
    even = float(decimal(float(grid.slice_spacings_mm.mean()))) if is_evenly_spaced(grid) else None
    return {
        "pixel_measures": PixelMeasuresSequence(spacing, float(decimal(grid.slice_thickness_mm)), even),
        "plane_orientation": PlaneOrientationSequence(_PATIENT, directions),
        "plane_positions": [
            PlanePositionSequence(_PATIENT, [float(decimal(v)) for v in origin]) for origin in grid.origins_lps_mm
        ],
    }


def is_evenly_spaced(grid: SliceGrid) -> bool:
    """True when one distance between planes holds for the whole stack, so that frames may be left out."""
    spacings = grid.slice_spacings_mm
    return len(spacings) > 0 and float(spacings.max() - spacings.min()) <= REGULAR_TOLERANCE_MM


def algorithm_sequence(reading: Reading, code: str = "") -> AlgorithmIdentificationSequence:
    """The model behind a segment or map: name, version, SHA-256 of its weights, and the finding's threshold."""
    parameters = {"weights SHA-256": reading.model.sha256}
    if code in reading.threshold:
        parameters["threshold"] = f"{reading.threshold[code]:.6g}"
    return AlgorithmIdentificationSequence(
        name=reading.model.name[:64],
        family=ARTIFICIAL_INTELLIGENCE,
        version=reading.model.version[:64],
        source="NeuroTriage",
        parameters=parameters,
    )
