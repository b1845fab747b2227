"""What a caller fixes stays fixed: spacing, field of view, rotation, motion, the slices' profile."""

import dataclasses

import numpy as np
import pytest

from NeuroTriageLib.core.errors import ConfigError
from NeuroTriageLib.simulation.settings import WIDER_SETTINGS, HeadCtSettings
from NeuroTriageLib.simulation.slice_sampling import sub_planes
from NeuroTriageLib.simulation.stack import draw_pose, draw_stack

FIXED = {"mixed_stack_probability": 0.0, "gap_probability": 0.0, "overlap_probability": 0.0, "cut_off_probability": 1.0}


def _drawn(anatomy, seed=1, **changes):
    settings = HeadCtSettings(**(FIXED | changes))
    rng = np.random.default_rng(seed)
    pose = draw_pose(anatomy, 0.0, rng, settings)
    return pose, draw_stack(anatomy, pose, 0.0, rng, settings)


@pytest.mark.parametrize("spacing", [0.6, 2.5, 10.0])
def test_a_fixed_spacing_gives_slices_of_that_thickness_and_distance(anatomy, spacing):
    _, stack = _drawn(anatomy, slice_spacings_mm=(spacing,))
    assert stack.thicknesses_mm == pytest.approx(spacing)
    assert stack.grid.slice_spacings_mm == pytest.approx(spacing, abs=1e-3)


@pytest.mark.parametrize("field", [180.0, 280.0])
def test_a_fixed_field_of_view_sets_the_pixel(anatomy, field):
    _, stack = _drawn(anatomy, field_of_view_mm=(field, field))
    assert stack.grid.spacing_i_mm * 256 == pytest.approx(field, abs=1e-3)


def test_the_field_of_view_is_widened_to_hold_the_skull_unless_it_may_be_cut_off(anatomy):
    narrow = {"field_of_view_mm": (60.0, 200.0), "cut_off_probability": 0.0}
    pose, stack = _drawn(anatomy, **narrow)
    brain = pose.to_lps(anatomy.points["space"][:, ::-1].astype(float))
    half = stack.grid.spacing_i_mm * 256 / 2
    assert np.abs(brain[:, :2]).max() < half


def test_an_extra_rotation_has_the_asked_size(anatomy):
    still = {"pitch_deg": 0.0, "yaw_deg": 0.0, "roll_deg": 0.0, "scale": (1.0, 1.0), "off_center_mm": 0.0}
    plain = _drawn(anatomy, **still)[0].matrix
    turned = _drawn(anatomy, **still, extra_rotation_deg=(25.0, 25.0))[0].matrix
    relative = np.linalg.inv(plain) @ turned
    if np.linalg.det(relative) < 0:  # the other mirroring was drawn
        relative = np.linalg.inv(plain) @ np.diag([-1.0, 1.0, 1.0]) @ turned
    assert np.degrees(np.arccos((np.trace(relative) - 1.0) / 2.0)) == pytest.approx(25.0, abs=0.01)


def test_the_head_moves_only_when_motion_is_drawn(anatomy):
    _, still = _drawn(anatomy, motion_probability=0.0)
    _, moving = _drawn(anatomy, motion_probability=1.0, motion_mm=(3.0, 3.0))
    assert still.motion_mm == 0.0
    assert not still.moves_lps_mm.any()
    assert moving.motion_mm == 3.0
    assert moving.moves_lps_mm.any()


@pytest.mark.parametrize("flank", [0.0, 0.6])
def test_a_slice_profile_has_its_thickness_as_full_width_at_half_maximum(anatomy, flank):
    _, stack = _drawn(anatomy, slice_spacings_mm=(8.0,))
    stack = dataclasses.replace(stack, flank=flank)
    offsets, weights = sub_planes(stack)[0]
    assert weights.sum() == pytest.approx(1.0)
    assert weights @ offsets == pytest.approx(0.0, abs=1e-9)
    step = offsets[1] - offsets[0]
    assert (weights >= 0.5 * weights.max()).sum() * step == pytest.approx(8.0, abs=step)
    assert (weights.min() < 0.4 * weights.max()) == (flank > 0)


def test_the_wider_settings_hold_training_s_ranges():
    usual = HeadCtSettings()
    for field in dataclasses.fields(HeadCtSettings):
        ours, wide = getattr(usual, field.name), getattr(WIDER_SETTINGS, field.name)
        if field.type == "Range":
            assert wide[0] <= ours[0], field.name
            assert wide[1] >= ours[1], field.name
        elif field.name.endswith("_deg") or field.name == "off_center_mm":
            assert wide >= ours, field.name
    assert min(WIDER_SETTINGS.slice_spacings_mm) == 0.6
    assert max(WIDER_SETTINGS.slice_spacings_mm) == 10.0
    assert WIDER_SETTINGS.field_of_view_mm == (180.0, 280.0)


def test_a_range_that_starts_with_its_larger_end_is_refused():
    with pytest.raises(ConfigError):
        HeadCtSettings(noise_hu=(5.0, 2.0))
    with pytest.raises(ConfigError):
        HeadCtSettings(metal_probability=1.2)
    with pytest.raises(ConfigError):
        HeadCtSettings(padding_hu=())
