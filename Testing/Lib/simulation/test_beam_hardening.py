"""Projection and back-projection of known shapes, and what a polychromatic beam does to them."""

import numpy as np
import pytest
import torch

from NeuroTriageLib.simulation.beam_hardening import GRID, Beam, beam_artefacts
from NeuroTriageLib.simulation.projections import projector

CPU = torch.device("cpu")
WHOLE = Beam(hardening=1.0, metal=1.0, scatter=0.0, noise_hu=0.0)


def _grid(size):
    axis = torch.arange(size) - (size - 1) / 2.0
    return axis[:, None], axis[None, :]


def _head(petrous=False, metal=False):
    """(1, GRID, GRID) HU of an ellipse with a skull, 2 mm pixels."""
    y, x = _grid(GRID)
    radius = ((x / 36.0) ** 2 + (y / 44.0) ** 2).sqrt()
    hu = torch.full((GRID, GRID), -1000.0)
    hu[radius < 1.0] = 1200.0
    hu[radius < 0.92] = 35.0
    if petrous:
        hu[((x.abs() - 20.0) / 9.0) ** 2 + (y / 5.0) ** 2 < 1.0] = 1500.0
    if metal:
        hu[((x - 10.0) ** 2 + y**2).sqrt() < 2.5] = 12000.0
    return hu[None]


def _artefacts(hu, beam=WHOLE):
    return beam_artefacts(hu, 2.0, beam, torch.Generator().manual_seed(1))


def _inside(share=0.7):
    y, x = _grid(GRID)
    return (((x / 36.0) ** 2 + (y / 44.0) ** 2).sqrt() < share)[None]


def test_a_ray_through_a_disc_has_the_length_of_its_chord():
    y, x = _grid(64)
    disc = ((x * x + y * y).sqrt() < 20.0).float()[None]
    rays = projector(64, 24, CPU)
    sinogram = rays.project(disc).reshape(24, rays.detectors)
    offset = torch.arange(rays.detectors) - (rays.detectors - 1) / 2.0
    chord = 2.0 * (400.0 - offset**2).clamp(min=0.0).sqrt()
    assert (sinogram - chord).abs().mean() < 0.6
    assert sinogram.sum(1) == pytest.approx(float(disc.sum()), rel=1e-4)


def test_a_disc_comes_back_from_its_projections():
    y, x = _grid(GRID)
    radius = (x * x + (y / 1.3) ** 2).sqrt()
    disc = (radius < 25.0).float()[None]
    rays = projector(GRID, 72, CPU)
    back = rays.reconstruct(rays.project(disc))[0]
    assert back[radius < 20.0].mean() == pytest.approx(1.0, abs=0.03)
    assert back[(radius > 30.0) & (radius < 40.0)].abs().mean() < 0.06


def test_a_corrected_beam_adds_nothing():
    added = _artefacts(_head(petrous=True), Beam(0.0, 0.0, 0.0, 0.0)).added_hu
    assert added.abs().max() < 1e-3


def test_dense_bones_make_a_dark_band_between_them_and_not_above_it():
    y, x = _grid(GRID)
    added = _artefacts(_head(petrous=True)).added_hu - _artefacts(_head()).added_hu
    between = ((x.abs() < 8.0) & (y.abs() < 3.0))[None]
    above = ((x.abs() < 8.0) & (y + 28.0).abs().lt(4.0))[None]
    assert added[between].mean() < -15.0
    assert added[above].mean() > added[between].mean() + 15.0


def test_a_plain_skull_makes_the_middle_of_the_head_darker_than_its_edge():
    added = _artefacts(_head()).added_hu
    edge = _inside(0.86) & ~_inside(0.78)
    assert 1.0 < float(added[edge].mean() - added[_inside(0.4)].mean()) < 25.0


def test_metal_is_noticed_and_makes_streaks_all_over_the_slice():
    plain, metal = _artefacts(_head()), _artefacts(_head(metal=True))
    assert not plain.has_metal
    assert metal.has_metal
    assert metal.added_hu[_inside()].std() > 3.0 * plain.added_hu[_inside()].std()


def test_noise_is_strongest_where_the_rays_pass_most_bone():
    y, x = _grid(GRID)
    gain = _artefacts(_head(petrous=True)).noise_gain[0]
    between = (x.abs() < 8.0) & (y.abs() < 3.0)
    air = (y * 0 + x.abs() > 44.0) & (y.abs() > 44.0)
    assert gain[between].mean() > 1.1
    assert gain[air].mean() < 0.8


def test_starved_rays_make_streaks_that_grow_with_the_noise():
    quiet = _artefacts(_head(petrous=True)).added_hu
    noisy = _artefacts(_head(petrous=True), Beam(1.0, 1.0, 0.0, 6.0)).added_hu
    assert (noisy - quiet)[_inside()].std() > 0.3
    assert np.isfinite(noisy.numpy()).all()
