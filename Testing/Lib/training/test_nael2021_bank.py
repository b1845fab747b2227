"""Prepared MRI studies: what is stored is what inference sees, contours where the findings lie, balanced draws."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from NeuroTriageLib.core.codes import MR_CODES
from NeuroTriageLib.core.errors import InputError
from NeuroTriageLib.preprocessing.mr_views import axial_grid, make_view, network_input, scale_image
from NeuroTriageLib.systems.nael2021_config import NETWORKS
from NeuroTriageLib.training.nael2021_augmentation import augmented
from NeuroTriageLib.training.nael2021_bank import BankStudy, StudyEntry, simulated_images
from NeuroTriageLib.training.nael2021_losses import lfe_loss, study_loss
from NeuroTriageLib.training.nael2021_recipe import MrAugmentation
from NeuroTriageLib.training.nael2021_sampler import StudySampler, batch_of, crops_of
from Testing.Lib.training.mr_bank import SPOT, TINY, loaded, made_study, with_contrasts, write_bank

ALL = MR_CODES[1:]


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bank")
    write_bank(folder, 4)
    return loaded(folder / "train")


def test_training_sees_the_tensors_that_inference_sees(tmp_path):
    made = made_study(ALL)
    BankStudy.of(made, TINY).save(tmp_path / "study.npz")
    stored = BankStudy.load(tmp_path / "study.npz")
    scaled = {name: scale_image(image, TINY.scaling) for name, image in simulated_images(made).items()}
    for network in NETWORKS.values():
        seen = network_input(make_view(scaled, network.reference, TINY), network, TINY)
        batch = batch_of([stored], network, TINY)
        for name in ("axial", "axial_present", "sagittal", "sagittal_present"):
            assert np.array_equal(getattr(batch, name)[0].numpy(), getattr(seen, name)), (network.code, name)
        assert int(batch.label[0]) == 1


def test_the_share_of_a_finding_lies_where_the_series_shows_it_and_keeps_its_volume():
    made = made_study(ALL)
    network = NETWORKS["acute_infarct"]
    study = BankStudy.of(made, TINY)
    share, grid = study.share(network)[0], study.views["ADC"].grid
    source = made.series["ADC"].volume.grid
    spot = np.zeros(source.shape_kji)
    spot[SPOT] = 1
    volumes = [float((a.sum((1, 2)) * g.voxel_volumes_ml).sum()) for a, g in ((share, grid), (spot, source))]
    assert volumes[0] == pytest.approx(volumes[1], rel=0.25)
    centers = []
    for array, own in ((share, grid), (spot, source)):
        k, j, i = (np.average(axis, weights=array[array > 0]) for axis in np.nonzero(array))
        centers.append(own.voxel_to_lps(np.array([i, j, k])))
    assert np.linalg.norm(centers[0] - centers[1]) < 5.0
    assert study.share(NETWORKS["abnormal"]).shape == (1, *TINY.shape_dhw)


def test_where_a_reference_is_missing_another_contrast_lends_its_grid():
    made = made_study(("acute_infarct",))
    series = {name: made.series[name] for name in ("T1", "T2")}
    study = BankStudy.of(dataclasses.replace(made, series=series), TINY)
    assert set(study.views["ADC"].axial) == {"T1", "T2"}
    assert study.views["ADC"].grid.to_json() == axial_grid(series["T1"].volume.grid, TINY).to_json()
    assert study.share(NETWORKS["acute_infarct"]).max() > 0.9
    with pytest.raises(InputError, match="no contrast that is read in axial slices"):
        BankStudy.of(dataclasses.replace(made, series={}), TINY)


def test_an_entry_knows_labels_and_contrasts_without_the_images(bank):
    first, second = bank.exams[:2]
    assert not any(first.present.values()) and all(second.present.values())
    assert "T1post_sagittal" in first.contrasts["ADC"]
    assert first.fits(NETWORKS["abnormal"]) and not with_contrasts(first, "TRACE").fits(NETWORKS["abnormal"])
    assert isinstance(first, StudyEntry)


def test_draws_are_balanced_and_optional_contrasts_go_missing_at_random(bank):
    rng = np.random.default_rng(0)
    sampler = StudySampler(bank, TINY, positive_share=0.5, keep_optional=0.5)
    batches = [sampler.draw("acute_hemorrhage", 4, rng) for _ in range(12)]
    labels = torch.cat([batch.label for batch in batches]).float()
    present = torch.cat([batch.axial_present for batch in batches]).float().mean(0)
    assert 0.3 < float(labels.mean()) < 0.7
    names = NETWORKS["acute_hemorrhage"].axial
    for name, share in zip(names, present.tolist(), strict=True):
        assert share == 1.0 if name in NETWORKS["acute_hemorrhage"].required else 0.2 < share < 0.8


def test_diffusion_goes_missing_for_the_network_that_can_assert_without_it_alone(bank):
    rng = np.random.default_rng(0)
    sampler = StudySampler(bank, TINY, positive_share=0.5, keep_optional=1.0, keep_required=0.5)
    for code, least in (("abnormal", {"FLAIR"}), ("acute_hemorrhage", {"FLAIR", "ADC", "TRACE"})):
        network = NETWORKS[code]
        seen = torch.cat([sampler.draw(code, 4, rng).axial_present for _ in range(8)]).float().mean(0)
        share = dict(zip(network.axial, seen.tolist(), strict=True))
        assert all(share[name] == 1.0 for name in least)
        assert all(0.2 < share[name] < 0.8 for name in set(network.required) - least)


def test_half_of_the_crops_of_a_study_with_a_finding_are_sure_to_hold_some_of_it(bank):
    rng = np.random.default_rng(0)
    sampler = StudySampler(bank, TINY, positive_share=1.0, keep_optional=1.0)
    crops = [crops_of(sampler.draw("acute_infarct", 2, rng), (4, 12, 16), 3, rng) for _ in range(12)]
    assert crops[0].axial.shape == (6, crops[0].axial.shape[1], 4, 12, 16)
    assert len(crops[0].label) == len(crops[0].axial_present) == 6
    held = torch.cat([batch.share.amax(dim=(1, 2, 3, 4)) > 0 for batch in crops]).float().mean()
    assert 0.5 < float(held) < 1.0


def test_crops_take_images_and_truth_from_one_place(bank):
    study = StudySampler(bank, TINY, 1.0, 1.0).draw("acute_infarct", 1, np.random.default_rng(1))
    place = torch.arange(float(study.share[0, 0].numel())).reshape(study.share.shape[2:])
    marked = dataclasses.replace(
        study, axial=place.expand_as(study.axial).clone(), share=place.expand_as(study.share).clone()
    )
    crops = crops_of(marked, (4, 12, 16), 5, np.random.default_rng(2))
    assert torch.equal(crops.axial[:, 0], crops.share[:, 0]) and len(crops.axial[:, 0, 0, 0, 0].unique()) > 1
    whole = crops_of(marked, (999, 999, 999), 1, np.random.default_rng(2))
    assert torch.equal(whole.axial, marked.axial), "a crop is never larger than the study"


def test_a_bank_that_cannot_teach_a_network_says_so(bank):
    entries = [with_contrasts(entry, "FLAIR", "T1", "T2") for entry in bank.exams]
    with pytest.raises(InputError, match="mass_effect"):
        sampler_of(entries).draw("mass_effect", 1, np.random.default_rng(0))
    unknown = [dataclasses.replace(entry, present=entry.present | {"mass_effect": None}) for entry in bank.exams]
    with pytest.raises(InputError, match="mass_effect"):
        sampler_of(unknown).draw("mass_effect", 1, np.random.default_rng(0))


def test_studies_that_lack_a_required_contrast_teach_and_others_are_shown_without_it_too(bank, tmp_path):
    made = made_study(ALL)
    BankStudy.of(dataclasses.replace(made, series={"T1": made.series["T1"]}), TINY).save(tmp_path / "few.npz")
    whole, few = bank.exams[0], StudyEntry.read(tmp_path / "few.npz")
    network = NETWORKS["abnormal"]
    assert few.teaches(network) and not few.fits(network)
    at = network.axial.index("ADC")
    shown = []
    for entries in ([whole], [whole, few]):
        sampler, rng = sampler_of(entries), np.random.default_rng(0)
        drawn = [sampler.draw("abnormal", 1, rng) for _ in range(60)]
        assert all(bool(batch.axial_present.any()) for batch in drawn)
        shown.append(np.mean([bool(batch.axial_present[0, at]) for batch in drawn if not batch.label[0]]))
    assert shown[0] == 1.0, "nothing is hidden where every study has what is required"
    assert 0.6 < shown[1] < 0.9, "it is shown as the other study is"


def sampler_of(entries: list[StudyEntry]) -> StudySampler:
    return StudySampler(SimpleNamespace(exams=entries, folder="bank"), TINY, 0.5, 1.0)


def marked_batch(code: str):
    """A study whose arrays are zero but for one place, the same in every contrast and orientation."""
    network = NETWORKS[code]
    batch = batch_of([BankStudy.of(made_study(ALL), TINY)], network, TINY)
    d, h, w = TINY.shape_dhw
    z, y, x = np.ogrid[0:d, 0:h, 0:w]
    at = (6.0, 12.0, 9.0)
    spot = np.exp(-(((z - at[0]) / 1.5) ** 2 + ((y - at[1]) / 3) ** 2 + ((x - at[2]) / 3) ** 2)).astype(np.float32)
    xs, zs, ys = np.ogrid[0:d, 0:h, 0:h]
    across = np.exp(
        -(((zs + 0.5) * d / h - 0.5 - at[0]) / 1.5) ** 2 - ((ys - at[1]) / 3) ** 2
        - (((xs + 0.5) * w / d - 0.5 - at[2]) / 3) ** 2
    ).astype(np.float32)  # fmt: skip
    return network, dataclasses.replace(
        batch,
        axial=torch.from_numpy(spot).expand_as(batch.axial).clone(),
        share=torch.from_numpy(spot).expand_as(batch.share).clone(),
        sagittal=torch.from_numpy(across).expand_as(batch.sagittal).clone(),
    )


def place(array: torch.Tensor, sizes: tuple[float, ...]) -> np.ndarray:
    """Where the weight of an array lies, in shares of the box along its own axes."""
    weight = array.double().numpy()
    axes = [np.arange(n) + 0.5 for n in weight.shape]
    sums = [weight.sum(tuple(o for o in range(3) if o != n)) for n in range(3)]
    return np.array([np.average(axis, weights=s) / n for axis, s, n in zip(axes, sums, sizes, strict=True)])


@pytest.mark.parametrize("bend", [0.0, 0.08])
def test_a_study_is_moved_mirrored_and_bent_alike_in_contours_and_both_orientations(bend):
    network, batch = marked_batch("abnormal")
    settings = MrAugmentation(shift=0.1, shift_slices=0.1, mirror=1.0, noise=0.0, rotation_deg=10.0, bend=bend)
    moved = augmented(batch, network, settings, np.random.default_rng(5))
    z, y, x = place(moved.axial[0, 0], TINY.shape_dhw)
    assert np.allclose(place(moved.share[0, 0], TINY.shape_dhw), (z, y, x), atol=1e-4)
    xs, zs, ys = place(moved.sagittal[0, 0], tuple(moved.sagittal.shape[2:]))
    assert np.allclose((zs, ys, xs), (z, y, x), atol=0.03)
    before = place(batch.axial[0, 0], TINY.shape_dhw)
    assert abs(x - before[2]) > 0.1  # the other side of the head
    straight = augmented(batch, network, dataclasses.replace(settings, bend=0.0), np.random.default_rng(5))
    assert torch.equal(moved.axial, straight.axial) == (bend == 0.0)


def test_noise_is_added_to_what_is_there_and_stays_in_range():
    network = NETWORKS["acute_infarct"]
    batch = batch_of([BankStudy.of(made_study(), TINY)], network, TINY, [{"T2"}])
    still = MrAugmentation(shift=0.0, shift_slices=0.0, mirror=0.0, noise=0.2)
    changed = augmented(batch, network, still, np.random.default_rng(1))
    at = network.axial.index("T2")
    assert not changed.axial[:, at].any()
    assert float(changed.axial.min()) >= 0 and float(changed.axial.max()) <= 1
    difference = (changed.axial - batch.axial)[:, network.axial.index("ADC")]
    assert 0 < float(difference.abs().max()) <= 0.2 + 1e-5


def test_the_losses_are_the_cross_entropies():
    logits = torch.tensor([[[[[0.0, 2.0]]]]])
    share = torch.tensor([[[[[0.0, 1.0]]]]])
    plain = (np.log(2.0) + np.log1p(np.exp(-2.0))) / 2
    weighted = (np.log(2.0) + 3 * np.log1p(np.exp(-2.0))) / 4
    known = torch.tensor([[True]])
    assert float(lfe_loss(logits, share, known, 1.0)) == pytest.approx(plain, rel=1e-5)
    assert float(lfe_loss(logits, share, known, 3.0)) == pytest.approx(weighted, rel=1e-5)
    beside = (torch.cat([each, each.flip(-1)], dim=1) for each in (logits, share))
    assert float(lfe_loss(*beside, torch.tensor([[True, False]]), 1.0)) == pytest.approx(plain, rel=1e-5)
    assert float(lfe_loss(logits, share, ~known, 1.0)) == 0.0
    assert float(study_loss(torch.tensor([[0.0, 1.0]]), torch.tensor([1]))) == pytest.approx(np.log1p(np.exp(-1.0)))


@pytest.mark.parametrize("code", ["abnormal", "mass_effect"])
def test_what_one_network_is_taught_with_is_the_same_read_alone(bank, code):
    network, entry = NETWORKS[code], bank.exams[1]
    alone, whole = entry.load(network), entry.load()
    assert set(alone.views) == {network.reference} < set(whole.views)
    one, other = (vars(batch_of([study], network, TINY)) for study in (alone, whole))
    assert all(torch.equal(one[name], other[name]) for name in other)
