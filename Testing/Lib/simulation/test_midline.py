"""The midline shift whose value is known."""

import numpy as np
import pytest
import torch

from NeuroTriageLib.simulation.canvas import HeadCanvas
from NeuroTriageLib.simulation.head_grid import SHIFT_RAMP_MM, Shift
from NeuroTriageLib.simulation.mass_effect import deform
from NeuroTriageLib.simulation.midline import midline_shift
from NeuroTriageLib.simulation.settings import HeadCtSettings
from NeuroTriageLib.simulation.stack import draw_pose, draw_stack


def _measured(anatomy, shifts=()):
    canvas = HeadCanvas(anatomy, 1, torch.device("cpu"))
    canvas.shifts += list(shifts)
    settings = HeadCtSettings(scale=(1.0, 1.0), pitch_deg=0.0, yaw_deg=4.0, roll_deg=4.0, matrix=64)
    pose = draw_pose(anatomy, 10.0, canvas.rng, settings)
    stack = draw_stack(anatomy, pose, 10.0, canvas.rng, settings)
    return midline_shift(anatomy, deform(canvas, 0.0), pose, stack), pose


def test_a_symmetric_head_has_no_midline_shift(anatomy):
    assert _measured(anatomy)[0]["midline_shift_mm"] < 0.8


@pytest.mark.parametrize(("direction", "amount"), [(-1.0, 3.0), (1.0, 6.0)])
def test_the_midline_shift_is_what_the_shift_moved_the_septum_in_a_turned_and_tilted_head(anatomy, direction, amount):
    push = Shift(anatomy.brain_center_kji, np.array([0.0, 0.0, direction]), amount, 1000.0)
    shift, pose = _measured(anatomy, [push])
    # The phantom is so small that its middle lies less than the 30 mm deep at which a shift is whole.
    deepest = float(anatomy.depth.max()) * 0.25 / SHIFT_RAMP_MM
    assert 0.6 * amount * deepest < shift["midline_shift_mm"] <= amount
    assert abs(shift["midline_shift_by_masses_mm"]) == pytest.approx(shift["midline_shift_mm"], abs=0.4)
    ends = pose.to_lps(np.array([[0.0, 0.0, 0.0], [direction, 0.0, 0.0]]))
    assert shift["midline_shift_side"] == ("left" if ends[1, 0] > ends[0, 0] else "right")
    # The place lies in the head's middle, moved by the shift.
    at_map = pose.to_map(np.array(shift["midline_shift_at_lps_mm"]))
    assert at_map[0] - anatomy.brain_center_kji[2] == pytest.approx(direction * amount, abs=2.5)


def test_the_plane_of_the_falx_stays_where_the_skull_is(anatomy):
    push = Shift(anatomy.brain_center_kji, np.array([0.0, 0.0, 1.0]), 6.0, 1000.0)
    (still, _), (pushed, _) = _measured(anatomy), _measured(anatomy, [push])
    planes = [shift["midline_plane"] for shift in (still, pushed)]
    assert planes[0]["normal_lps"] == pytest.approx(planes[1]["normal_lps"], abs=1e-4)
    offset = np.subtract(planes[1]["point_lps_mm"], planes[0]["point_lps_mm"])
    assert abs(offset @ planes[0]["normal_lps"]) < 0.02


def test_the_shift_is_the_distance_of_its_place_from_the_plane(anatomy):
    push = Shift(anatomy.brain_center_kji, np.array([0.0, 0.0, -1.0]), 5.0, 1000.0)
    shift, _ = _measured(anatomy, [push])
    plane = shift["midline_plane"]
    away = np.subtract(shift["midline_shift_at_lps_mm"], plane["point_lps_mm"]) @ plane["normal_lps"]
    assert plane["normal_lps"][0] > 0
    assert abs(away) == pytest.approx(shift["midline_shift_mm"], abs=0.03)
    assert shift["midline_shift_side"] == ("left" if away > 0 else "right")
