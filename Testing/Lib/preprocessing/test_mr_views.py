"""A study as the networks see it: every contrast at the same place, in any geometry and unit."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from NeuroTriageLib.core.errors import InputError
from NeuroTriageLib.core.geometry import SliceGrid
from NeuroTriageLib.core.mr_images import MrImage
from NeuroTriageLib.core.volume import Volume
from NeuroTriageLib.preprocessing.mr_views import STEPS, ScaledImage, make_view, network_input, scale_image
from NeuroTriageLib.systems.nael2021_config import NETWORKS
from Testing.Lib.mr_phantom import head
from Testing.Lib.tiny_nael2021 import CONFIG, image, sagittal_image, study

SPOT_LPS = np.array([60.0, 150.0, 90.0])


def marked(grid: SliceGrid) -> ScaledImage:
    """A blurred spot at SPOT_LPS, drawn on a grid by its geometry."""
    k, j, i = np.indices(grid.shape_kji)
    places = grid.voxel_to_lps(np.stack([i, j, k], axis=-1))
    distance2 = ((places - SPOT_LPS) ** 2).sum(-1)
    return ScaledImage(np.exp(-distance2 / (2 * 12.0**2)).astype(np.float32), grid)


def peak_lps(array: np.ndarray, grid: SliceGrid) -> np.ndarray:
    k, j, i = np.unravel_index(int(array.argmax()), array.shape)
    return grid.voxel_to_lps(np.array([i, j, k]))


def test_a_place_is_the_same_in_axial_and_sagittal_channels_and_in_the_patient():
    axial, sagittal = image("ADC").volume.grid, sagittal_image("T1_sagittal").volume.grid
    view = make_view({"ADC": marked(axial), "T1_sagittal": marked(sagittal)}, "ADC", CONFIG)
    assert np.linalg.norm(peak_lps(view.axial["ADC"], view.grid) - SPOT_LPS) < 8.0
    d, h, w = CONFIG.shape_dhw
    z, y, x = np.unravel_index(view.axial["ADC"].argmax(), (d, h, w))
    xs, zs, ys = np.unravel_index(view.sagittal["T1_sagittal"].argmax(), (d, h, h))
    assert abs(xs * (w // d) - x) <= 3 and abs(zs - z * (h // d)) <= 3 and abs(ys - y) <= 2


@pytest.mark.parametrize("name", ["flipped", "oblique", "sagittal"])
def test_a_reference_in_any_orientation_gives_the_same_places(name):
    plain = image("FLAIR").volume.grid
    turn = np.eye(3)
    if name == "flipped":
        turn = np.diag([-1.0, 1.0, -1.0])
    elif name == "oblique":
        c, s = np.cos(np.radians(15)), np.sin(np.radians(15))
        turn = np.array([[1.0, 0, 0], [0, c, -s], [0, s, c]])
    center = plain.voxel_to_lps((np.array(plain.shape_kji[::-1]) - 1) / 2)
    affine = plain.affine_ijk_to_lps.copy()
    affine[:3, :3] = turn @ affine[:3, :3]
    affine[:3, 3] = center + turn @ (plain.origins_lps_mm[0] - center)
    other = SliceGrid.from_affine(plain.shape_kji, affine)
    if name == "sagittal":
        other = sagittal_image("T1").volume.grid
    view = make_view({"FLAIR": marked(other), "T1": marked(plain)}, "FLAIR", CONFIG)
    for contrast in ("FLAIR", "T1"):
        assert np.linalg.norm(peak_lps(view.axial[contrast], view.grid) - SPOT_LPS) < 9.0
    assert abs(view.grid.normal[2]) > 0.9 and view.grid.shape_kji == CONFIG.shape_dhw


@pytest.mark.parametrize("unit", [1e-6, 1e-3, 1.0])
def test_adc_in_each_unit_gives_the_same_intensities(unit):
    volume = image("ADC").volume
    other = dataclasses.replace(volume, array_kji=volume.array_kji * np.float32(1e-3 / unit))
    expected = scale_image(image("ADC"), "brain_median").array_kji
    assert np.allclose(scale_image(MrImage("ADC", other, unit), "brain_median").array_kji, expected, atol=1e-4)


def test_an_adc_map_of_unknown_unit_is_refused():
    with pytest.raises(InputError, match="unit"):
        scale_image(MrImage("ADC", image("ADC").volume, None), "brain_median")


def test_min_max_maps_the_lowest_value_to_0_and_the_highest_to_1():
    volume = image("T1").volume
    other = dataclasses.replace(volume, array_kji=volume.array_kji * 3 - 17)
    found = scale_image(MrImage("T1", other), "min_max").array_kji
    assert float(found.min()) == 0.0 and float(found.max()) == 1.0
    with pytest.raises(InputError):
        scale_image(MrImage("T1", Volume(np.ones_like(volume.array_kji), volume.grid, "MR")), "min_max")


def test_a_network_gets_its_contrasts_in_order_and_zeros_for_absent_ones():
    scaled = {name: scale_image(item, "brain_median") for name, item in study().items() if name != "T2"}
    view = make_view(scaled, "ADC", CONFIG)
    network = NETWORKS["abnormal"]
    seen = network_input(view, network, CONFIG)
    assert seen.axial.shape == (7, *CONFIG.shape_dhw) and seen.sagittal.shape == (2, 16, 32, 32)
    assert dict(zip(network.axial, seen.axial_present, strict=True))["T2"] == np.False_
    assert not seen.axial[network.axial.index("T2")].any()
    at = network.axial.index("ADC")
    assert np.array_equal(seen.axial[at], view.axial["ADC"] / np.float32(STEPS))
    assert network_input(view, NETWORKS["mass_effect"], CONFIG).sagittal.shape[0] == 0


def test_a_series_of_another_place_is_left_out():
    far = image("T1").volume
    affine = far.grid.affine_ijk_to_lps.copy()
    affine[:3, 3] += 500.0
    moved = ScaledImage(head("T1") / 300, SliceGrid.from_affine(far.grid.shape_kji, affine))
    view = make_view({"FLAIR": marked(far.grid), "T1": moved}, "FLAIR", CONFIG)
    assert view.contrasts == ("FLAIR",)
