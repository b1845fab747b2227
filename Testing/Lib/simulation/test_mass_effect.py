"""Deformation and its inverse, and the midline shift whose value is known."""

import numpy as np
import pytest
import torch

from NeuroTriageLib.simulation.canvas import SHIFT_RAMP_MM, HeadCanvas, Shift, Swelling
from NeuroTriageLib.simulation.mass_effect import deform, midline_shift
from NeuroTriageLib.simulation.settings import HeadCtSettings
from NeuroTriageLib.simulation.stack import draw_pose, draw_stack


def _canvas(anatomy):
    return HeadCanvas(anatomy, 1, torch.device("cpu"))


def _measured(anatomy, shifts=()):
    canvas = HeadCanvas(anatomy, 1, torch.device("cpu"))
    canvas.shifts += list(shifts)
    settings = HeadCtSettings(scale=(1.0, 1.0), pitch_deg=0.0, yaw_deg=4.0, roll_deg=4.0, matrix=64)
    pose = draw_pose(anatomy, 10.0, canvas.rng, settings)
    stack = draw_stack(anatomy, pose, 10.0, canvas.rng, settings)
    return midline_shift(canvas, deform(canvas, 0.0), pose, stack), pose


def test_a_swelling_carries_its_surface_from_the_old_radius_to_the_new_one(anatomy):
    canvas = _canvas(anatomy)
    center = anatomy.brain_center_kji
    canvas.swellings.append(Swelling(center, 10.0, 14.0))
    axis = np.array([0.0, 0.0, 1.0])
    moved = deform(canvas, 0.0).moved(np.array([center + 10.0 * axis, center + 25.0 * axis]))
    assert np.linalg.norm(moved[0] - center) == pytest.approx(14.0, abs=0.8)
    assert 25.2 < np.linalg.norm(moved[1] - center) < 28.0


def test_a_moved_point_is_fetched_from_where_it_was(anatomy):
    canvas = _canvas(anatomy)
    canvas.swellings.append(Swelling(anatomy.brain_center_kji + np.array([5.0, 8.0, 20.0]), 8.0, 11.0))
    deformation = deform(canvas, 2.0)
    start = anatomy.brain_center_kji + np.array([[4.0, 9.0, 33.0], [10.0, -5.0, 3.0], [0.0, 20.0, -22.0]])
    moved = deformation.moved(start)
    size = np.array(anatomy.shape_kji[::-1]) - 1.0
    place = torch.from_numpy((moved[:, ::-1] / size * 2.0 - 1.0).astype(np.float32))[None, :, None, None]
    fetched = torch.nn.functional.grid_sample(deformation.total, place, align_corners=True)[0, :, :, 0, 0].T
    back = ((place[0, :, 0, 0] + fetched).numpy() + 1.0) / 2.0 * size
    assert back[:, ::-1] == pytest.approx(start, abs=0.1)


def test_a_symmetric_head_has_no_midline_shift(anatomy):
    assert _measured(anatomy)[0]["midline_shift_mm"] < 0.8


@pytest.mark.parametrize(("direction", "amount"), [(-1.0, 3.0), (1.0, 6.0)])
def test_the_midline_shift_is_what_the_shift_moved_the_septum_in_a_turned_and_tilted_head(anatomy, direction, amount):
    push = Shift(anatomy.brain_center_kji, np.array([0.0, 0.0, direction]), amount, 1000.0)
    shift, pose = _measured(anatomy, [push])
    # The phantom is so small that its middle lies less than the 30 mm deep at which a shift is whole.
    deepest = float(anatomy.depth.max()) * 0.25 / SHIFT_RAMP_MM
    assert 0.6 * amount * deepest < shift["midline_shift_mm"] <= amount
    assert abs(shift["midline_shift_by_masses_mm"]) == pytest.approx(shift["midline_shift_mm"], abs=0.8)
    ends = pose.to_lps(np.array([[0.0, 0.0, 0.0], [direction, 0.0, 0.0]]))
    assert shift["midline_shift_side"] == ("left" if ends[1, 0] > ends[0, 0] else "right")
    # The place lies in the head's middle, moved by the shift.
    at_map = pose.to_map(np.array(shift["midline_shift_at_lps_mm"]))
    assert at_map[0] - anatomy.brain_center_kji[2] == pytest.approx(direction * amount, abs=2.5)


def test_wider_ventricles_grow_and_leave_the_inner_table(anatomy):
    canvas = _canvas(anatomy)
    canvas.ventricle_mm = 4.0
    deformation = deform(canvas, 0.0)
    wall = np.argwhere((anatomy.ventricle_distance > 4) & (anatomy.ventricle_distance < 8) & (anatomy.side == 1))
    high = wall[wall[:, 0] > np.quantile(wall[:, 0], 0.9)][:50].astype(float)
    moved = deformation.moved(high)
    assert np.linalg.norm(moved - high, axis=1).mean() > 1.0
    table = anatomy.points["table"][:50].astype(float)
    assert np.linalg.norm(deformation.moved(table) - table, axis=1).max() < 1.0
