"""Painted shapes of known place and size arrive on every series' slices, wherever the patient moved."""

import numpy as np
import pytest
import torch

from NeuroTriageLib.simulation.mass_effect import deform
from NeuroTriageLib.simulation.mr.acquisition import Scene, SeriesSampler, rest_volume_ml
from NeuroTriageLib.simulation.mr.canvas import MrCanvas
from NeuroTriageLib.simulation.mr.image_formation import ImageFormer
from NeuroTriageLib.simulation.mr.prescription import draw_series, draw_study
from NeuroTriageLib.simulation.mr.settings import BrainMrSettings
from NeuroTriageLib.simulation.mr.static_field import static_field

RADIUS_MM = 9.0
MOVING = BrainMrSettings(
    matrix=96, movement_probability=1.0, scale=(1.0, 1.0), motion_probability=0.0, partial_probability=0.0
)


def _scene(anatomy, seed):
    study = draw_study(anatomy, np.random.default_rng([seed, 5]), MOVING)
    canvas = MrCanvas(anatomy, seed, torch.device("cpu"), study.field_tesla)
    center = anatomy.brain_center_kji + np.array([3.0, 6.0, 8.0])
    box = canvas.box(center, RADIUS_MM + 3.0)
    k, j, i = canvas.offsets(box, center)
    canvas.mark("acute_infarct", box, (0.5 + RADIUS_MM - (k * k + j * j + i * i).sqrt()).clamp(0, 1))
    scene = Scene(canvas.shape, deform(canvas, 0.0), static_field(anatomy), study.field_tesla)
    return study, canvas, scene, center


@pytest.mark.parametrize("role", ["FLAIR", "T1_sagittal", "T2"])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_ball_lies_where_the_heads_pose_and_the_patients_movement_put_it(anatomy, role, seed):
    study, canvas, scene, center = _scene(anatomy, seed)
    plan = draw_series(role, anatomy, study, seed, MOVING)
    share = SeriesSampler(scene, plan, 0.0).shares([canvas.masks["acute_infarct"]])[0].numpy()
    grid = plan.stack.grid
    true_ml = 4.0 / 3.0 * np.pi * RADIUS_MM**3 / 1000.0
    assert float((share.sum((1, 2)) * grid.voxel_volumes_ml).sum()) == pytest.approx(true_ml, rel=0.1)
    at = np.argwhere(share > 0)
    weights = share[share > 0]
    found = (grid.voxel_to_lps(at[:, ::-1].astype(float)) * weights[:, None]).sum(0) / weights.sum()
    rest = study.pose.to_lps(center[::-1])
    expected = plan.movement_lps[:3, :3] @ rest + plan.movement_lps[:3, 3]
    assert found == pytest.approx(expected, abs=0.4)
    assert rest_volume_ml(canvas.masks["acute_infarct"], scene, study.pose) == pytest.approx(true_ml, rel=0.05)


def test_an_image_without_noise_keeps_the_signal_of_an_even_object(anatomy):
    study, canvas, scene, _ = _scene(anatomy, 1)
    plan = draw_series("T2", anatomy, study, 1, MOVING)
    sampler = SeriesSampler(scene, plan, 0.0)
    sampled = sampler.image([torch.ones(canvas.shape)])[0]
    former = ImageFormer(plan, 1.0)
    former.noise = 0.0
    image = former.corrected(former.magnitude(sampled), sampler.coil())
    assert image.shape == plan.stack.grid.shape_kji
    middle = image[len(image) // 2, 36:60, 36:60]
    assert float(middle.mean()) == pytest.approx(1.0, rel=0.35)  # what is left of the coil, and faint ghosts
    assert float(middle.std()) < 0.12


def test_noise_of_an_empty_image_is_rayleigh_distributed(anatomy):
    study = _scene(anatomy, 1)[0]
    plan = draw_series("T2", anatomy, study, 1, MOVING)
    former = ImageFormer(plan, 1.0)
    empty = torch.zeros((4, *plan.acquired))
    image = former.magnitude(empty)
    full = plan.filter_strength == 0.0 and plan.acquired == plan.stack.grid.shape_kji[1:]
    expected = former.noise * np.sqrt(np.pi / 2.0)
    assert float(image.mean()) <= expected * 1.03
    assert float(image.mean()) > 0.5 * expected or full
    assert float(image.std() / image.mean()) == pytest.approx(np.sqrt(4.0 / np.pi - 1.0), rel=0.05)


def test_echo_planar_images_are_distorted_along_the_phase_axis_only(anatomy):
    study, _, scene, _ = _scene(anatomy, 2)
    plan = draw_series("TRACE", anatomy, study, 2, MOVING)
    sampler = SeriesSampler(scene, plan, 0.0)
    lps = sampler._points(len(plan.stack.grid.origins_lps_mm) // 4, np.zeros(1), (95.0, 95.0))
    source, squeeze = sampler._undistorted(lps)
    moved = source - lps
    along = moved @ plan.stack.grid.direction_j
    assert np.abs(along).max() > 0.2
    assert np.abs(moved - along[..., None] * plan.stack.grid.direction_j).max() < 1e-6
    assert squeeze.min() >= 0.1
