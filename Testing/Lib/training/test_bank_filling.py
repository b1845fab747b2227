"""Cases of data sets in the bank: the split is by patients, an image counts once, and what cannot be used says why."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from NeuroTriageLib.core.codes import CT_HEMORRHAGE_CODES, MR_CODES
from NeuroTriageLib.core.errors import ConfigError, InputError
from NeuroTriageLib.core.volume import Volume
from NeuroTriageLib.datasets.case_source import CaseSource, public_source
from NeuroTriageLib.datasets.folds import ListedSplit, fold_split
from NeuroTriageLib.datasets.labelled_case import Case, LabelledCt
from NeuroTriageLib.datasets.split import Split
from NeuroTriageLib.io.model_packs import load_model_pack, save_model_pack
from NeuroTriageLib.systems.kuo2019 import build_network
from NeuroTriageLib.training import kuo2019_training
from NeuroTriageLib.training.bank_filling import fill_bank, need_labels
from NeuroTriageLib.training.case_exams import CODES, bleeding_exam, labelled_exam, masked_exam
from NeuroTriageLib.training.case_studies import labelled_study
from NeuroTriageLib.training.exam_bank import BankExam, exam_path
from NeuroTriageLib.training.labelled_exam import LabelledExam
from NeuroTriageLib.training.nael2021_bank import FULL, StudyEntry
from NeuroTriageLib.training.training_run import TrainOptions
from NeuroTriageLib.training.windowed_exam import UNTYPED
from NeuroTriageLib.training.ye2019_pack import export_pack as export_ye
from NeuroTriageLib.training.ye2019_recipe import COMPACT_TRAINING, SUB_LAB_TRAINING
from NeuroTriageLib.training.ye2019_trainer import Ye2019Trainer
from Testing.Lib import tiny_nael2021, tiny_packs, tiny_ye2019
from Testing.Lib.datasets import ct_miniatures, mr_miniatures
from Testing.Lib.training.synthetic_bank import TINY, TINY_TRAINING

EVERYTHING = Split(1.0, 0.0)


def volume(shade: int) -> Volume:
    return Volume(ct_miniatures.BLEEDING + np.int16(shade), ct_miniatures.GRID)


def made_case(number: int, patient: str = "") -> Case:
    label = np.where(ct_miniatures.BLOOD, 1 + number % 5, 0).astype(np.uint8)
    return Case(f"made/{number}", patient or f"made:{number}", lambda: LabelledCt(volume(number), label))


def source(cases: list[Case], name: str = "made") -> CaseSource:
    return CaseSource(name, "CT", ("masks",), "free", lambda: iter(cases))


def take(case, part):
    return masked_exam(case, part, TINY, TINY_TRAINING)


class Small:
    """An exam that is quickly prepared."""

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path)


def take_quickly(case, part):
    return Small()


def test_the_part_of_a_patient_is_the_same_everywhere_and_the_shares_are_kept():
    split = Split(0.8, 0.1)
    counts = Counter(split.part_of(f"p{n}") for n in range(5000))
    assert abs(counts["train"] - 4000) < 120 and abs(counts["validation"] - 500) < 90
    assert [Split(0.8, 0.1).part_of(f"p{n}") for n in range(50)] == [split.part_of(f"p{n}") for n in range(50)]
    assert split.part_of("p1") == "train"  # blake2b of "1\np1", written down once
    assert {Split(0.5, 0.5, seed).part_of("p1") for seed in range(9)} == {"train", "validation"}


@pytest.mark.parametrize("shares", [(0.0, 0.5), (0.8, 0.3), (0.5, -0.1)])
def test_impossible_shares_are_refused(shares):
    with pytest.raises(ConfigError, match="cannot be"):
        Split(*shares)


def test_all_exams_of_a_patient_are_in_one_part_and_the_test_s_are_not_prepared(tmp_path):
    split = Split(0.4, 0.3)
    cases = [made_case(n, patient=f"p{n // 2}") for n in range(12)]
    (record,) = fill_bank(tmp_path, [source(cases)], take_quickly, split, lambda line: None)
    parts = Counter(split.part_of(case.patient) for case in cases)
    assert (record.train, record.validation, record.test) == (parts["train"], parts["validation"], parts["test"])
    assert all(count % 2 == 0 for count in parts.values()) and len(parts) == 3
    assert len(list((tmp_path / "train").glob("*.npz"))) == parts["train"]
    assert not (tmp_path / "test").exists()


def test_the_same_image_under_another_name_counts_once(tmp_path):
    first = source([made_case(0)])
    again = source([Case("other/0", "other:0", made_case(0).read), made_case(1)], "other")
    records = fill_bank(tmp_path, [first, again], take_quickly, EVERYTHING, lambda line: None)
    assert [(record.train, record.duplicates) for record in records] == [(1, 0), (1, 1)]


def test_a_filling_that_was_stopped_goes_on_without_reading_again(tmp_path):
    fill_bank(tmp_path, [source([made_case(0)])], take_quickly, EVERYTHING, lambda line: None)
    with (tmp_path / "sources.jsonl").open("a") as stream:
        stream.write('{"exam": "made-')  # a kill in the middle of a line

    def unread() -> LabelledCt:
        raise AssertionError("this case is in the bank")

    cases = [Case("made/0", "made:0", unread), made_case(1)]
    (record,) = fill_bank(tmp_path, [source(cases)], take_quickly, EVERYTHING, lambda line: None)
    assert record.train == 2
    cases = [Case(f"made/{n}", f"made:{n}", unread) for n in range(2)]  # the new line was not joined to the torn one
    (again,) = fill_bank(tmp_path, [source(cases)], take_quickly, EVERYTHING, lambda line: None)
    assert again == record
    assert len(list((tmp_path / "train").glob("*.npz"))) == 2


def test_what_an_earlier_filling_left_is_not_learned_from_unsaid(tmp_path):
    cases = [made_case(n) for n in range(12)]

    def filled(chosen, split, **more):
        (record,) = fill_bank(tmp_path, [source(chosen)], take_quickly, split, lambda line: None, **more)
        there = {part: len(list((tmp_path / part).glob("*.npz"))) for part in ("train", "validation")}
        assert there == {"train": record.train, "validation": record.validation}
        return record

    (tmp_path / "train").mkdir()
    first = filled(cases, Split(0.9, 0.1))
    assert filled(cases, Split(0.4, 0.1)).train < first.train, "patients of the test have left the bank"
    assert filled(cases[:3], EVERYTHING).train == 3
    corrected = [dataclasses.replace(case, version="corrected") for case in cases[:3]]
    before = set((tmp_path / "train").iterdir())
    assert filled(corrected, EVERYTHING).duplicates == 0 and not before & set((tmp_path / "train").iterdir())
    filled(corrected, EVERYTHING, purpose="ye2019 compact")
    exam_path(tmp_path / "train", 0).touch()
    fill_bank(tmp_path, [source(cases[:1])], take_quickly, EVERYTHING, lambda line: None)
    assert exam_path(tmp_path / "train", 0).exists(), "simulated exams stay"


def test_a_source_of_which_only_the_test_could_be_used_is_refused(tmp_path):
    def nothing(case, part):
        raise InputError("it cannot be read")

    split = Split(0.5, 0.0)
    cases = [made_case(n) for n in range(8)]
    assert {split.part_of(case.patient) for case in cases} == {"train", "test"}
    with pytest.raises(InputError, match="No case of made can be used: it cannot be read"):
        fill_bank(tmp_path, [source(cases)], nothing, split, lambda line: None)


def test_banks_with_other_splits_share_their_prepared_exams(tmp_path):
    cases, taken = [made_case(n) for n in range(6)], []

    def take_once(case, part):
        taken.append(part)
        return Small()

    def split(fold: int) -> ListedSplit:
        return fold_split([case.patient for case in cases], 3, fold, 0.3, seed=1)

    records = [
        fill_bank(tmp_path / str(fold), [source(cases)], take_once, split(fold), lambda line: None, tmp_path / "all")
        for fold in (1, 2, 3, 1)
    ]
    assert all((record.train, record.validation, record.test) == (3, 1, 2) for (record,) in records)
    assert len(taken) <= 2 * len(cases) < 3 * 4 + 1 and records[0] == records[3]
    for fold in (1, 2, 3):
        for part in ("train", "validation"):
            named = {path.name for path in (tmp_path / str(fold) / part).glob("*.npz")}
            assert len(named) == (3 if part == "train" else 1)


def test_the_bank_holds_the_images_and_types_that_the_case_has(tmp_path):
    fill_bank(tmp_path, [source([made_case(3)])], take, EVERYTHING, lambda line: None)
    (path,) = (tmp_path / "train").glob("*.npz")
    exam = BankExam.load(path)
    assert set(np.unique(exam.label_shw)) == {0, 4}  # EDH
    assert np.median(exam.hu_shw[exam.label_shw == 4]) == 73
    assert exam.truth["present"] == dict.fromkeys(CT_HEMORRHAGE_CODES, False) | {"any": True, "EDH": True}


def test_what_cannot_be_used_is_counted_by_its_reason(tmp_path):
    lines: list[str] = []
    bhsd = public_source("bhsd", ct_miniatures.bhsd(tmp_path / "bhsd"))
    (record,) = fill_bank(tmp_path / "bank", [bhsd], take, EVERYTHING, lines.append)
    assert record.train == 2 and record.left_out == {"the case has no mask": 2}
    assert lines == ["bhsd: 2 exams train, 0 validate, 0 kept for the test; 2 left out: the case has no mask"]


def test_blood_of_unknown_type_teaches_kuo2019_alone_and_does_not_validate(tmp_path):
    def take_untyped(case, part):
        return bleeding_exam(case, part, TINY, TINY_TRAINING)

    untyped = public_source("instance2022", ct_miniatures.instance2022(tmp_path / "instance"))
    (record,) = fill_bank(tmp_path / "typed", [untyped], take, EVERYTHING, lambda line: None)
    assert record.left_out == {"the mask does not say the types": 1}
    (record,) = fill_bank(tmp_path / "kuo", [untyped], take_untyped, EVERYTHING, lambda line: None)
    assert record.train == 2
    labels = [np.unique(BankExam.load(path).label_shw).tolist() for path in (tmp_path / "kuo" / "train").glob("*.npz")]
    assert sorted(labels) == [[0], [0, UNTYPED]]
    with pytest.raises(InputError, match="cannot validate"):
        take_untyped(next(untyped.cases()).read(), "validation")


def test_a_source_that_a_system_cannot_learn_from_is_refused_before_it_is_read(tmp_path):
    rsna = public_source("rsna2019", tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="kuo2019 learns from CT with masks; rsna2019 is CT with slice labels"):
        need_labels("kuo2019", frozenset({"masks"}), "CT", [rsna])


# Ye 2019: slice and exam labels


def ye_take(recipe):
    return lambda case, part: labelled_exam(case, part, tiny_ye2019.CONFIG, recipe)


def views(folder: Path) -> list[LabelledExam]:
    paths = sorted((folder / "train").glob("*.npz"))
    return [LabelledExam.of(BankExam.load(path), tiny_ye2019.CONFIG) for path in paths]


def test_slabs_show_what_their_slices_are_said_to_show(tmp_path):
    rsna = public_source("rsna2019", ct_miniatures.rsna2019(tmp_path / "rsna"))
    fill_bank(tmp_path / "bank", [rsna], ye_take(COMPACT_TRAINING), EVERYTHING, lambda line: None)
    bleeding = max(views(tmp_path / "bank"), key=lambda exam: int(exam.present[0]))
    expected = np.zeros((ct_miniatures.SHAPE[0], len(CODES)), bool)
    expected[:, [CODES.index("any"), CODES.index("IVH")]] = ct_miniatures.SHOWN[:, None]
    assert np.array_equal(bleeding.slab_labels(4), expected[bleeding.field.slabs])  # slices of 12 mm: one to a slab
    assert not bleeding.blood and bleeding.knows_slabs


def test_slice_labels_alone_do_not_teach_convolutions_that_learn_from_masks(tmp_path):
    rsna = public_source("rsna2019", ct_miniatures.rsna2019(tmp_path / "rsna"))
    fill_bank(tmp_path, [rsna], ye_take(COMPACT_TRAINING), EVERYTHING, lambda line: None)
    bank = export_ye.bank_of(tmp_path / "train", tiny_ye2019.CONFIG)
    with pytest.raises(InputError, match="No exam has a mask with blood"):
        Ye2019Trainer(tiny_ye2019.CONFIG, COMPACT_TRAINING, bank, bank, "cpu").train_step()


def test_exam_labels_alone_train_the_sub_lab_variant_and_no_other(tmp_path):
    root = ct_miniatures.cq500(tmp_path / "cq500", with_boxes=False)
    cq500 = public_source("cq500", root)
    (record,) = fill_bank(tmp_path / "sli", [cq500], ye_take(COMPACT_TRAINING), EVERYTHING, lambda line: None)
    assert record.train == 1 and "published-sub-lab" in next(iter(record.left_out))  # the negative one knows its slices
    fill_bank(tmp_path / "sub", [cq500], ye_take(SUB_LAB_TRAINING), EVERYTHING, lambda line: None)
    exams = views(tmp_path / "sub")
    assert sorted(exam.knows_slabs for exam in exams) == [False, True]
    assert sorted(bool(exam.present[0]) for exam in exams) == [False, True]


# Nael 2021


def test_an_infarct_s_mask_reaches_the_bank_and_unknown_findings_stay_unknown(tmp_path):
    def study(case, part):
        return labelled_study(case, part, tiny_nael2021.CONFIG, None)

    isles = public_source("isles2022", mr_miniatures.isles2022(tmp_path / "isles"))
    (record,) = fill_bank(tmp_path / "bank", [isles], study, EVERYTHING, lambda line: None)
    assert record.train == 2
    entries = [StudyEntry.read(path) for path in (tmp_path / "bank" / "train").glob("*.npz")]
    (found,) = (entry for entry in entries if entry.present["acute_infarct"])
    unknown = dict.fromkeys(("abnormal", "acute_hemorrhage", "mass_effect"))
    assert found.present == unknown | {"acute_infarct": True}, "nobody says of the others that they are normal"
    share = found.load().shares["ADC", "acute_infarct"]
    assert share.max() >= FULL * 0.9 and 0 < (share > FULL / 2).mean() < 0.05


def test_a_study_with_unknown_findings_or_without_a_required_contrast_teaches_but_does_not_validate(tmp_path):
    isles = next(public_source("isles2022", mr_miniatures.isles2022(tmp_path / "isles")).cases())
    with pytest.raises(InputError, match="not every finding is known"):
        labelled_study(isles.read(), "validation", tiny_nael2021.CONFIG, None)
    atlas = next(public_source("atlas2", mr_miniatures.atlas2(tmp_path / "atlas")).cases()).read()
    assert labelled_study(atlas, "train", tiny_nael2021.CONFIG, None).views["ADC"].contrasts == ("T1",)
    healthy = dataclasses.replace(atlas, present=dict.fromkeys(MR_CODES, False), masks={})
    with pytest.raises(InputError, match="no ADC and no FLAIR and no TRACE"):
        labelled_study(healthy, "validation", tiny_nael2021.CONFIG, None)
    post = dataclasses.replace(atlas, images={"T1post": atlas.images["T1"]})
    with pytest.raises(InputError, match="no network that could learn"):
        labelled_study(post, "train", tiny_nael2021.CONFIG, None)


# The whole run


def test_a_system_is_trained_from_a_data_set_alone_and_its_pack_says_so(tmp_path, monkeypatch):
    short = dataclasses.replace(TINY_TRAINING, stages=TINY_TRAINING.stages[-1:])
    monkeypatch.setitem(kuo2019_training.VARIANTS, "compact", (TINY, short))
    cases = [made_case(n) for n in range(6)]
    split = next(
        s for s in (Split(0.6, 0.4, seed) for seed in range(99)) if _parts(s, cases) == {"train": 4, "validation": 2}
    )
    lines: list[str] = []
    config, weights = TINY.to_json(), build_network(TINY).state_dict()
    save_model_pack(tmp_path / "start", tiny_packs.manifest(config=config), weights)
    sources, start = (source(cases),), tmp_path / "start"
    options = TrainOptions(None, tmp_path, device="cpu", sources=sources, split=split, start=start, report_seconds=0.0)
    pack = kuo2019_training.train_kuo2019(options, lines.append)
    card = (pack / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "Trained on made (4 exams), not on the 4,396 scans of the paper." in card
    assert "other patients of the data sets" in card and "label maps" not in card
    training = load_model_pack(pack).manifest.training
    assert training["started_from"] == {
        "name": "tiny",
        "version": "1.2",
        "sha256": load_model_pack(start).identity.sha256,
    }
    assert training["sources"][0]["exams"] == {"train": 4, "validation": 2, "test": 0}
    assert "Not cleared for passing on" in card and "made: free" in card


def test_without_anything_to_learn_from_nothing_starts(tmp_path):
    with pytest.raises(ConfigError, match="nothing to learn from"):
        TrainOptions(None, tmp_path)
    options = TrainOptions(None, tmp_path, device="cpu", sources=(source([made_case(0)]),), split=EVERYTHING)
    with pytest.raises(InputError, match="1 exams would train and 0 validate"):
        kuo2019_training.train_kuo2019(options, lambda line: None)


def _parts(split: Split, cases: list[Case]) -> Counter:
    return Counter(split.part_of(case.patient) for case in cases)
