"""Few exams of a site and many simulated ones: how often each is drawn, and from which heads."""

from __future__ import annotations

import pytest

from NeuroTriageLib import cli
from NeuroTriageLib.simulation import phantom_heads
from NeuroTriageLib.simulation.anatomy import _read_labels
from NeuroTriageLib.training.command import add_arguments, train_options
from NeuroTriageLib.training.exam_bank import ExamBank, exam_path
from NeuroTriageLib.training.fine_tuning import tuned_name
from NeuroTriageLib.training.kuo2019_pack import view_of
from NeuroTriageLib.training.patch_sampler import PatchSampler
from NeuroTriageLib.training.rehearsal import FINE_TUNING_SPLIT, MOST_REPEATS, RehearsedBank, rehearsed, repeats
from Testing.Lib.training.synthetic_bank import TINY, TINY_TRAINING, synthetic_exam


def bank_with(folder, sources: int, simulated: int) -> ExamBank:
    """Exams of a store show a type, simulated ones none."""
    for number in range(simulated):
        synthetic_exam(number, types=()).save(exam_path(folder, number))
    for number in range(sources):
        synthetic_exam(100 + number, types=(1,)).save(folder / f"labels-{number}.npz")
    return ExamBank(folder, view_of(TINY))


@pytest.mark.parametrize(("sources", "simulated", "share"), [(20, 120, 0.5), (16, 80, 0.5), (10, 30, 0.25)])
def test_few_exams_of_a_site_make_up_their_share(sources, simulated, share):
    shown = sources * repeats(sources, simulated, share)
    assert shown / (shown + simulated) == pytest.approx(share, abs=0.05)


def test_neither_a_handful_nor_thousands_are_repeated_without_measure():
    assert repeats(1, 1000) == MOST_REPEATS and repeats(5000, 120) == 1 and repeats(0, 10) == repeats(10, 0) == 1


def test_exams_that_come_later_keep_the_share_and_the_order_of_those_before(tmp_path):
    bank = rehearsed(bank_with(tmp_path, 2, 4), simulated=8)
    assert isinstance(bank, RehearsedBank) and bank.times == 4
    assert bank.refresh() == 6 and len(bank) == 4 + 2 * 4
    before = list(bank.exams)
    for number in range(4, 8):
        synthetic_exam(number, types=()).save(exam_path(tmp_path, number))
    assert bank.refresh() == 4 and len(bank) == 16
    assert all(a is b for a, b in zip(before, bank.exams, strict=False))


def test_a_sampler_draws_half_of_its_patches_from_the_site(tmp_path):
    bank = rehearsed(bank_with(tmp_path, 2, 8), simulated=8)
    bank.refresh()
    sampler = PatchSampler(bank, TINY, TINY_TRAINING)
    of_site = [bool(exam.truth["types"]) for exam in bank.exams]
    assert sum(of_site) == 8 and len(sampler._positive) == 8


def test_the_first_validation_exams_are_of_both_kinds(tmp_path):
    bank = rehearsed(bank_with(tmp_path, 1, 20), simulated=12, alternating=True)
    bank.refresh()
    kinds = [bool(exam.truth["types"]) for exam in bank.exams[:24]]
    assert kinds[:4] == [True, False, True, False] and sum(kinds) == 12


def test_a_bank_without_a_sites_exams_stays_as_it_is(tmp_path):
    bank = bank_with(tmp_path, 0, 3)
    assert rehearsed(bank, 3) is bank


@pytest.fixture
def two_heads(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(phantom_heads, "HEADS", 2)
    return tmp_path / "data" / "NeuroTriage" / "heads" / "phantom-v1"


def test_geometric_heads_differ_in_size_and_are_made_once(two_heads):
    folder = phantom_heads.maps_named("phantom")
    assert folder == two_heads
    paths = sorted(folder.glob("*.nii.gz"))
    assert [path.name for path in paths] == ["phantom_01.nii.gz", "phantom_02.nii.gz"]
    first, second = (_read_labels(path) for path in paths)
    assert first.shape != second.shape and {2, 41, 515} <= set(first.ravel().tolist())
    written = [path.stat().st_mtime_ns for path in paths]
    phantom_heads.maps_named("phantom")
    assert [path.stat().st_mtime_ns for path in paths] == written


def options_of(*arguments: str):
    import argparse

    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return train_options(parser.parse_args(["kuo2019", "-o", "out", *arguments]))


def test_going_on_from_a_pack_rehearses_unless_that_is_refused(two_heads, tmp_path):
    pair = tmp_path / "own"
    for name in ("images", "masks"):
        (pair / name).mkdir(parents=True)
        (pair / name / "a.nrrd").touch()
    tunes = options_of("--from", "PACK", "--masks", str(pair))
    assert tunes.simulate == two_heads and tunes.split == FINE_TUNING_SPLIT
    assert options_of("--from", "PACK", "--masks", str(pair), "--without-rehearsal").simulate is None
    assert options_of("--masks", str(pair)).simulate is None
    assert options_of("--from", "PACK", "--masks", str(pair), "--simulate", "MAPS").simulate.name == "MAPS"
    both = ["train", "kuo2019", "-o", "out", "--masks", str(pair), "--simulate", "MAPS", "--without-rehearsal"]
    assert cli.main(both) == 2


def test_each_generation_of_a_sites_model_has_its_own_name():
    assert tuned_name("kuo2019-compact") == "kuo2019-compact-local-1"
    assert tuned_name("kuo2019-compact-local-1") == "kuo2019-compact-local-2"
