"""A known movement of the head between two contrasts is measured and told; a still head is not."""

from __future__ import annotations

import numpy as np
import pytest

from NeuroTriageLib.core.errors import GeometryError
from NeuroTriageLib.core.geometry import SliceGrid
from NeuroTriageLib.preprocessing.mr_movement import Movement, measure_movement
from Testing.Lib.mr_phantom import SHAPE, VOXEL_MM, head


def placed(shift_mm=(0.0, 0.0, 0.0), turn_deg: float = 0.0) -> SliceGrid:
    """The phantom's grid, moved as if the head had moved under a fixed scanner: turned around z, then shifted."""
    size = np.array(SHAPE[::-1]) * np.array(VOXEL_MM[::-1])
    c, s = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn * np.array(VOXEL_MM[::-1])
    affine[:3, 3] = turn @ (-size / 2) + np.array(shift_mm)
    return SliceGrid.from_affine(SHAPE, affine)


@pytest.mark.parametrize(
    ("shift_mm", "turn_deg"),
    [((0.0, 0.0, 0.0), 0.0), ((6.0, -4.0, 0.0), 0.0), ((0.0, 0.0, 8.0), 0.0), ((2.0, 3.0, 0.0), 6.0)],
)
def test_a_known_movement_is_found_between_two_contrasts(shift_mm, turn_deg):
    found = measure_movement(head("FLAIR"), placed(), head("T1"), placed(shift_mm, turn_deg))
    assert np.linalg.norm(np.array(found.shift_lps_mm) - shift_mm) < 1.5
    assert found.rotation_deg == pytest.approx(turn_deg, abs=2.0)


def test_only_a_movement_that_matters_is_told_with_both_names():
    assert Movement((1.0, 1.0, 0.0), 0.5).flag("T2", "FLAIR") is None
    flag = Movement((4.0, 0.0, 3.0), 3.0).flag("T2", "FLAIR")
    assert flag is not None and flag.code == "movement" and flag.value == pytest.approx(5.9, abs=0.5)
    assert "T2" in flag.message and "FLAIR" in flag.message and "not registered" in flag.message


def test_a_rotation_alone_displaces_the_heads_surface():
    assert Movement((0.0, 0.0, 0.0), 5.0).displacement_mm == pytest.approx(75 * np.radians(5) * np.pi / 4, rel=0.01)


def test_series_of_different_places_are_refused():
    with pytest.raises(GeometryError):
        measure_movement(head("FLAIR"), placed(), head("T1"), placed((400.0, 0.0, 0.0)))
