"""The static field's error against the known field of a ball, and in a head."""

import torch

from NeuroTriageLib.simulation.mr.static_field import dipole_field, static_field


def test_an_air_filled_ball_has_the_field_of_a_dipole_outside_itself():
    size, radius = 64, 6.0
    axis = torch.arange(size) - size / 2.0
    z, y, x = torch.meshgrid(axis, axis, axis, indexing="ij")
    ball = ((z * z + y * y + x * x).sqrt() <= radius).float()
    field = dipole_field(ball, [1.0, 1.0, 1.0])
    volume = float(ball.sum()) * 3.0 / (4.0 * torch.pi)  # the radius cubed of the ball as it is in voxels
    middle = size // 2
    for distance in (12, 16):
        along, aside = float(field[middle + distance, middle, middle]), float(field[middle, middle + distance, middle])
        assert abs(along - 2.0 / 3.0 * volume / distance**3) < 0.01
        assert abs(aside + 1.0 / 3.0 * volume / distance**3) < 0.01


def test_in_a_head_the_field_errs_most_next_to_air_and_is_shimmed_in_the_brain(anatomy):
    field = static_field(anatomy)[0, 0]
    index = [torch.linspace(0, n - 1, m).round().long() for n, m in zip(anatomy.shape_kji, field.shape, strict=True)]
    depth = torch.from_numpy(anatomy.depth)[index[0]][:, index[1]][:, :, index[2]].float() * 0.25
    deep, low = field[depth > 15.0], field[(depth > 0) & (depth < 6.0)]
    assert abs(float(field[depth > 0].mean())) < 0.5
    assert float(low.std()) > 1.5 * float(deep.std())
