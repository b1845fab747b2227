"""Nael 2021 on a phantom head with random weights: what must be true whatever the weights are."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from NeuroTriageLib.core.errors import ModelError
from NeuroTriageLib.core.geometry import SliceGrid
from NeuroTriageLib.core.mr_images import CONTRASTS, MrImage
from NeuroTriageLib.core.study_reading import StudyReading
from NeuroTriageLib.core.volume import Volume
from NeuroTriageLib.inference.device import choose_device
from NeuroTriageLib.inference.nael2021_predictor import NetworkAnswer
from NeuroTriageLib.io.model_packs import load_model_pack
from NeuroTriageLib.preprocessing.mr_grid import resample
from NeuroTriageLib.preprocessing.mr_views import NetworkInput, axial_grid, make_view, network_input, scale_image
from NeuroTriageLib.review.labels import finding_codes, segment_codes
from NeuroTriageLib.review.thresholds import label_at
from NeuroTriageLib.systems.nael2021 import Nael2021System
from Testing.Lib import tiny_nael2021
from Testing.Lib.tiny_nael2021 import CONFIG, study

REQUIRED = ("FLAIR", "ADC", "TRACE")
FOUND = dict.fromkeys(CONFIG.codes, 0.0)
NOT_FOUND = dict.fromkeys(CONFIG.codes, 1.0)


@pytest.fixture(scope="module")
def system(tmp_path_factory) -> Nael2021System:
    return load(tmp_path_factory.mktemp("packs"))


def load(folder, **changes) -> Nael2021System:
    pack = tiny_nael2021.save(folder / "tiny", **changes)
    return Nael2021System.from_pack(load_model_pack(pack), choose_device("cpu"))


def probabilities(answer: StudyReading) -> dict[str, float]:
    return {code: p for reading in answer.readings.values() for code, p in reading.probability.items()}


def test_every_finding_is_answered_on_the_voxels_of_the_series_it_is_shown_on(system):
    images = study()
    answer = system.read_study(images)
    assert answer.unseen == {} and set(answer.readings) == {"FLAIR", "TRACE"}
    assert answer.readings["FLAIR"].codes == ("abnormal", "acute_hemorrhage", "mass_effect")
    assert answer.readings["TRACE"].codes == ("acute_infarct",)
    for contrast, reading in answer.readings.items():
        shape = images[contrast].volume.grid.shape_kji
        assert reading.label_kji.shape == reading.heatmap_kji.shape == shape
        assert {heat.shape for heat in reading.heatmaps_kji.values()} == {shape}
        assert all(len(score) == shape[0] for score in reading.slice_probability.values())
        assert reading.heatmap_kji.min() >= 0 and reading.heatmap_kji.max() <= 1
    assert "abnormal" in answer.readings["TRACE"].heatmaps_kji  # its heatmap comes on each shown contrast


@pytest.mark.parametrize(
    ("there", "seen"),
    [
        (REQUIRED, set(CONFIG.codes)),
        (("ADC", "TRACE", "T1"), {"acute_infarct"}),
        (("FLAIR", "T1", "T2", "T1post_sagittal"), {"mass_effect", "abnormal"}),
        (("FLAIR", "TRACE"), {"mass_effect", "abnormal"}),
        (("T1", "T2", "SWI"), set()),
    ],
)
def test_a_finding_whose_required_contrast_is_missing_could_not_be_looked_at(tmp_path, there, seen):
    answer = load(tmp_path, operating_points=FOUND).read_study(study(there))  # abnormality is asserted from FLAIR alone
    assert set(probabilities(answer)) == seen
    assert set(answer.unseen) == set(CONFIG.codes) - seen
    assert all(reason.endswith(".") for reason in answer.unseen.values())


def test_the_reason_names_the_contrast_that_is_missing_or_unusable(system):
    images = study(("FLAIR", "ADC"))
    images["ADC"] = dataclasses.replace(images["ADC"], mm2_per_s=None)
    answer = system.read_study(images)
    assert answer.unseen["acute_infarct"] == (
        "The study holds no trace-weighted images, and its ADC images cannot be used."
    )
    assert [flag.code for flag in answer.flags] == ["contrast_unusable", "required_contrast_missing"]


def test_contrasts_that_are_there_are_not_called_unusable_where_the_reference_is_missing(system):
    answer = system.read_study(study(("ADC", "TRACE")))
    assert answer.unseen["acute_hemorrhage"] == "The study holds no FLAIR images."


@pytest.mark.parametrize("there", [("FLAIR", "T1", "T2"), ("FLAIR", "ADC", "T1_sagittal"), ("FLAIR",)])
def test_an_abnormality_may_be_found_without_diffusion_but_not_excluded(tmp_path, there):
    images = study(there)
    found = load(tmp_path / "low", operating_points=FOUND).read_study(images)
    assert "abnormal" in found.readings["FLAIR"].codes and "abnormal" not in found.unseen
    assert "required_contrast_missing" in [flag.code for flag in found.flags]
    assert set(found.asserted) == {"abnormal"} and found.asserted["abnormal"].startswith("Found without")
    assert set(found.heatmaps_kji) == set(there) - {"FLAIR"}
    unsure = load(tmp_path / "high", operating_points=NOT_FOUND).read_study(images)
    assert "abnormal" not in probabilities(unsure) and unsure.unseen["abnormal"].endswith("does not exclude it.")
    assert "required_contrast_missing" not in [flag.code for flag in unsure.flags]


def test_the_order_of_the_series_changes_nothing(system):
    images = study()
    shuffled = dict(reversed(images.items()))
    assert probabilities(system.read_study(images)) == probabilities(system.read_study(shuffled))


def test_adc_in_each_unit_gives_the_same_findings(system):
    images = study(REQUIRED)
    expected = probabilities(system.read_study(images))
    volume = images["ADC"].volume
    for unit in (1e-6, 1.0):
        other = dataclasses.replace(volume, array_kji=volume.array_kji * np.float32(1e-3 / unit))
        found = probabilities(system.read_study(images | {"ADC": MrImage("ADC", other, unit)}))
        assert found == pytest.approx(expected, abs=1e-5)


def test_flipped_stacks_of_the_same_head_give_the_same_findings(system):
    def flipped(image: MrImage) -> MrImage:
        volume = image.volume
        grid = volume.grid
        last = np.array(grid.shape_kji[::-1]) - 1.0
        affine = grid.affine_ijk_to_lps.copy()
        affine[:3, 3] = grid.voxel_to_lps(last)
        affine[:3, :3] *= -1
        turned = np.ascontiguousarray(volume.array_kji[::-1, ::-1, ::-1])
        return dataclasses.replace(image, volume=Volume(turned, SliceGrid.from_affine(grid.shape_kji, affine), "MR"))

    images = study(REQUIRED)
    one, other = system.read_study(images), system.read_study({n: flipped(i) for n, i in images.items()})
    assert probabilities(other) == pytest.approx(probabilities(one), abs=2e-3)
    heat = other.readings["FLAIR"].heatmap_kji[::-1, ::-1, ::-1].astype(float)
    assert np.abs(heat - one.readings["FLAIR"].heatmap_kji.astype(float)).max() < 0.02


def test_a_place_that_the_localization_marks_is_marked_on_the_oblique_series_at_the_same_place(system, monkeypatch):
    images = study(REQUIRED)
    plain = images["FLAIR"].volume.grid
    c, s = np.cos(np.radians(12)), np.sin(np.radians(12))
    affine = plain.affine_ijk_to_lps.copy()
    affine[:3, :3] = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]]) @ affine[:3, :3]
    oblique = SliceGrid.from_affine(plain.shape_kji, affine)
    volume = Volume(images["FLAIR"].volume.array_kji, oblique, "MR")
    images["FLAIR"] = dataclasses.replace(images["FLAIR"], volume=volume)
    spot = np.array([8, 18, 14])  # (d, h, w) on the network's grid

    def predict(code, seen):
        maps = np.full((3 if code == "abnormal" else 1, *CONFIG.shape_dhw), 0.01, np.float32)
        maps[:, *(slice(n - 1, n + 2) for n in spot)] = 0.9
        return NetworkAnswer(0.9, maps, np.zeros(CONFIG.shape_dhw, np.float32))

    monkeypatch.setattr(system._predictor, "predict", predict)
    answer = system.read_study(images).readings["FLAIR"]
    wanted = axial_grid(oblique, CONFIG).voxel_to_lps(spot[::-1].astype(float))
    value = answer.codes.index("acute_hemorrhage") + 1
    k, j, i = (axis.mean() for axis in np.nonzero(answer.label_kji == value))
    assert np.linalg.norm(oblique.voxel_to_lps(np.array([i, j, k])) - wanted) < 5.0


def everywhere(code: str, seen: NetworkInput) -> NetworkAnswer:
    """A network that draws its finding on every voxel."""
    maps = 3 if code == "abnormal" else 1
    return NetworkAnswer(
        0.9, np.full((maps, *CONFIG.shape_dhw), 0.9, np.float32), np.ones(CONFIG.shape_dhw, np.float32)
    )


def test_nothing_is_found_outside_the_head_whatever_the_network_draws(system, monkeypatch):
    monkeypatch.setattr(system._predictor, "predict", everywhere)
    images = study(REQUIRED)
    answer = system.read_study(images)
    k, j, i = (np.linspace(-1, 1, n) for n in images["FLAIR"].volume.grid.shape_kji)
    radius2 = k[:, None, None] ** 2 + j[:, None] ** 2 + i**2
    for reading in answer.readings.values():
        assert reading.label_kji.any() and not reading.label_kji[radius2 > 1.4**2].any()
        for heat in reading.heatmaps_kji.values():
            assert heat[radius2 < 0.7**2].min() > 0.8 and heat[radius2 > 1.4**2].max() == 0


def test_the_abnormalitys_heatmap_comes_on_every_contrast_that_was_looked_at(system, monkeypatch):
    spot = np.array([8, 18, 14])

    def predict(code, seen):
        answer = everywhere(code, seen)
        heat = np.zeros(CONFIG.shape_dhw, np.float32)
        heat[tuple(slice(n - 1, n + 2) for n in spot)] = 1.0
        return dataclasses.replace(answer, heat_dhw=heat)

    monkeypatch.setattr(system._predictor, "predict", predict)
    images = study()
    answer = system.read_study(images)
    maps = answer.heatmaps_kji | {name: reading.heatmaps_kji["abnormal"] for name, reading in answer.readings.items()}
    assert set(maps) == set(images) and not set(answer.heatmaps_kji) & set(answer.readings)
    wanted = axial_grid(images["ADC"].volume.grid, CONFIG).voxel_to_lps(spot[::-1].astype(float))
    for name, heat in maps.items():
        grid = images[name].volume.grid
        k, j, i = (np.average(axis, weights=heat.astype(float)) for axis in np.indices(heat.shape))
        assert np.linalg.norm(grid.voxel_to_lps(np.array([i, j, k])) - wanted) < 5.0
    assert system.read_study(study(("ADC", "TRACE"))).heatmaps_kji == {}  # nobody looked for an abnormality


def test_every_subset_of_the_optional_contrasts_is_answered_and_read(system):
    images = study()
    scaled = {name: scale_image(image, CONFIG.scaling) for name, image in images.items()}
    views = {reference: make_view(scaled, reference, CONFIG) for reference in ("ADC", "FLAIR")}
    for network in CONFIG.networks:
        view, scores = views[network.reference], set()
        for number in range(2 ** len(network.optional)):
            there = {*network.required, *(c for n, c in enumerate(network.optional) if number >> n & 1)}
            some = dataclasses.replace(
                view,
                axial={name: array for name, array in view.axial.items() if name in there},
                sagittal={name: array for name, array in view.sagittal.items() if name in there},
            )
            answer = system._predictor.predict(network.code, network_input(some, network, CONFIG))
            assert 0.0 < answer.score < 1.0 and np.isfinite(answer.maps_mdhw).all()
            scores.add(answer.score)
        assert len(scores) == 2 ** len(network.optional)  # each contrast has its say


@pytest.mark.parametrize("missing", [name for name in CONTRASTS if name not in REQUIRED])
def test_a_missing_contrast_changes_no_answer_of_a_network_that_does_not_read_it(system, missing):
    whole, less = (probabilities(system.read_study(study(c))) for c in (CONTRASTS, tuple(set(CONTRASTS) - {missing})))
    readers = {network.code for network in CONFIG.networks if missing in network.optional}
    assert readers and {code for code in whole if whole[code] != less[code]} == readers


def test_a_contrast_on_a_grid_of_its_own_gives_the_same_findings(system):
    """TRACE and T1 in finer slices that are turned by 10 degrees: the same head, other voxels."""
    images = study((*REQUIRED, "T1"))
    plain = images["TRACE"].volume.grid
    c, s = np.cos(np.radians(10)), np.sin(np.radians(10))
    affine = plain.affine_ijk_to_lps.copy()
    center = plain.voxel_to_lps((np.array(plain.shape_kji[::-1]) - 1) / 2)
    affine[:3, :3] = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]]) @ affine[:3, :3] * (0.5, 0.5, 1.0)
    shape = (plain.shape_kji[0], 2 * plain.shape_kji[1], 2 * plain.shape_kji[2])
    affine[:3, 3] = center - affine[:3, :3] @ ((np.array(shape[::-1]) - 1) / 2)
    turned = SliceGrid.from_affine(shape, affine)
    other = dict(images)
    for name in ("TRACE", "T1"):
        array = resample(images[name].volume.array_kji, plain, turned).array_kji
        other[name] = dataclasses.replace(images[name], volume=Volume(array, turned, "MR"))
    expected, found = (system.read_study(each) for each in (images, other))
    assert probabilities(found) == pytest.approx(probabilities(expected), abs=0.02)
    assert found.readings["TRACE"].heatmap_kji.shape == shape


def test_a_moved_threshold_gives_the_mask_that_the_system_would_have_drawn(tmp_path):
    config = dataclasses.replace(CONFIG, pixel_threshold=dict.fromkeys(CONFIG.pixel_threshold, 0.01))
    drawn, empty = (
        load(tmp_path / str(n), config=config, operating_points=points).read_study(study(REQUIRED)).readings["FLAIR"]
        for n, points in enumerate((FOUND, NOT_FOUND))
    )
    assert label_at(drawn).any() and not label_at(empty).any()
    assert np.array_equal(label_at(empty, FOUND), label_at(drawn))
    assert not label_at(drawn, NOT_FOUND).any()
    only = label_at(empty, {"mass_effect": 0.0})
    assert segment_codes(only) == finding_codes(only) == ("mass_effect",)
    assert label_at(empty, FOUND, pixel_threshold=0.02).sum() < label_at(empty, FOUND).sum()


def test_only_findings_above_their_threshold_have_a_mask(tmp_path):
    for points, status in ((FOUND, True), (NOT_FOUND, False)):
        threshold = dict.fromkeys(CONFIG.pixel_threshold, 1e-4)
        config = dataclasses.replace(CONFIG, pixel_threshold=threshold)
        answer = load(tmp_path / str(status), config=config, operating_points=points).read_study(study(REQUIRED))
        for reading in answer.readings.values():
            assert reading.label_kji.any() == status
            assert all(reading.is_present(code) == status for code in reading.codes)


def test_a_pack_may_hold_some_of_the_networks(tmp_path):
    config = dataclasses.replace(CONFIG, codes=("acute_infarct",))
    system = load(tmp_path, config=config)
    answer = system.read_study(study())
    assert set(answer.readings) == {"TRACE"}
    assert set(answer.unseen) == set(CONFIG.codes) - {"acute_infarct"}
    assert all("no network" in reason for reason in answer.unseen.values())


def test_weights_of_other_networks_are_refused(tmp_path):
    pack = tiny_nael2021.save(tmp_path / "tiny")
    wrong = dataclasses.replace(CONFIG, width=0.5)
    damaged = load_model_pack(pack)
    manifest = dataclasses.replace(damaged.manifest, config=wrong.to_json())
    with pytest.raises(ModelError, match="do not fit"):
        Nael2021System.from_pack(dataclasses.replace(damaged, manifest=manifest), choose_device("cpu"))


def test_reading_leaves_no_gradients_behind(system):
    system.read_study(study(REQUIRED))
    assert all(p.grad is None for n in system._predictor._networks.values() for p in n.parameters())
    assert torch.is_grad_enabled()
