"""Painted shapes of known place and size arrive on the slices where geometry says."""

import numpy as np
import pytest
import torch

from NeuroTriageLib.simulation.acquisition import acquire
from NeuroTriageLib.simulation.canvas import HeadCanvas
from NeuroTriageLib.simulation.head_grid import Swelling
from NeuroTriageLib.simulation.settings import HeadCtSettings
from NeuroTriageLib.simulation.stack import draw_pose, draw_stack

STRAIGHT = {"scale": (1.0, 1.0), "mixed_stack_probability": 0.0, "gap_probability": 0.0, "matrix": 200}


def _ball(canvas, center, radius):
    """Paint a ball of blood with an exact, antialiased edge; return its volume in mL."""
    box = canvas.box(center, radius + 3)
    k, j, i = canvas.offsets(box, center)
    fraction = (0.5 + radius - (k * k + j * j + i * i).sqrt()).clamp(0, 1)
    canvas.paint_blood("IPH", box, fraction, 60.0)
    return 4.0 / 3.0 * np.pi * radius**3 / 1000.0


def _acquired_ball(anatomy, tilt, spacing, radius=12.0, warp=0.0):
    canvas = HeadCanvas(anatomy, 1, torch.device("cpu"))
    settings = HeadCtSettings(slice_spacings_mm=(spacing,), **STRAIGHT)
    center = anatomy.brain_center_kji
    volume = _ball(canvas, center, radius)
    pose = draw_pose(anatomy, tilt, canvas.rng, settings)
    stack = draw_stack(anatomy, pose, tilt, canvas.rng, settings)
    return volume, pose.to_lps(center[::-1]), stack, acquire(canvas, pose, stack, warp)


@pytest.mark.parametrize(("tilt", "spacing"), [(0.0, 2.0), (20.0, 5.0), (-15.0, 3.0)])
def test_a_ball_keeps_its_volume_and_place_on_tilted_and_thick_slices(anatomy, tilt, spacing):
    volume, center, stack, acquired = _acquired_ball(anatomy, tilt, spacing)
    share = acquired.blood["IPH"].numpy()
    voxel_ml = stack.grid.voxel_volumes_ml[:, None, None]
    assert float((share * voxel_ml).sum()) == pytest.approx(volume, rel=0.03)
    index = np.argwhere(share > 0.01)
    weights = share[tuple(index.T)]
    middle = stack.grid.voxel_to_lps(index[:, ::-1].astype(float))
    assert np.average(middle, axis=0, weights=weights) == pytest.approx(center, abs=0.4)


def test_a_slice_is_the_mean_over_its_thickness(anatomy):
    _, _, _, acquired = _acquired_ball(anatomy, 0.0, 8.0, radius=6.0)
    share = acquired.blood["IPH"]
    # A ball of 12 mm across cannot fill both 8 mm slices that it lies in.
    assert float(share.amax()) <= 1.0 + 1e-5
    assert float((share.amax((1, 2)) > 0.05).sum()) in (2.0, 3.0)


def test_swelling_grows_the_lesion_up_to_the_drawn_factor_and_leaves_the_skull(anatomy):
    def volume(swollen):
        canvas = HeadCanvas(anatomy, 1, torch.device("cpu"))
        settings = HeadCtSettings(slice_spacings_mm=(2.0,), **STRAIGHT)
        center = anatomy.brain_center_kji
        canvas.hu[torch.from_numpy(anatomy.depth == 0)] = 1000.0
        _ball(canvas, center, 8.0)
        if swollen:
            canvas.swellings.append(Swelling(center, 8.0, 10.0))
        pose = draw_pose(anatomy, 0.0, canvas.rng, settings)
        stack = draw_stack(anatomy, pose, 0.0, canvas.rng, settings)
        acquired = acquire(canvas, pose, stack, 0.0)
        blood = (acquired.blood["IPH"].numpy() * stack.grid.voxel_volumes_ml[:, None, None]).sum()
        return float(blood), float((acquired.hu > 500).float().mean())

    (plain, bone), (grown, bone_after) = volume(False), volume(True)
    assert 1.3 < grown / plain < (10.0 / 8.0) ** 3 * 1.05
    assert bone_after == pytest.approx(bone, rel=0.01)
