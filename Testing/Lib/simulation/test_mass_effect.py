"""Deformation and its inverse."""

import numpy as np
import pytest
import torch

from NeuroTriageLib.simulation.canvas import HeadCanvas
from NeuroTriageLib.simulation.head_grid import Swelling
from NeuroTriageLib.simulation.mass_effect import deform


def _canvas(anatomy):
    return HeadCanvas(anatomy, 1, torch.device("cpu"))


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
