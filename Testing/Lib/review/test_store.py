"""The review store: what is kept with a version, who sees it, and what never gets into it."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from NeuroTriageLib.core.codes import FINDING_CODES
from NeuroTriageLib.core.errors import ConfigError, InputError
from NeuroTriageLib.core.midline import MidlinePoints
from NeuroTriageLib.core.voxel_probabilities import VoxelProbabilities
from NeuroTriageLib.measurements.midline_shift import measure_midline_shift
from NeuroTriageLib.measurements.volume import mask_volume_ml
from NeuroTriageLib.review.labels import SEGMENT_CODES, SEGMENT_VALUES, label_of_reading
from NeuroTriageLib.review.store import ReviewStore
from NeuroTriageLib.review.versions import ExamReference, ReaderEntry, Viewer, voxels_sha256
from Testing.Lib.exam_builder import IPH, UNEVEN_STEPS_MM, ExamSettings, build_exam, build_unreadable_exam
from Testing.Lib.review.store_making import entry, open_store, random_label, reference, small_exam, started

EXAM = small_exam()
GRID = EXAM.grid


@pytest.fixture
def store(tmp_path) -> ReviewStore:
    return open_store(tmp_path / "reviews")


def edited(label: np.ndarray) -> np.ndarray:
    """One slice of the subdural mask taken away, and a block of subarachnoid blood drawn."""
    label = label.copy()
    label[2][label[2] == SEGMENT_VALUES["SDH"]] = 0
    label[1, 2:4, 3:6] = SEGMENT_VALUES["SAH"]
    return label


def test_the_models_answer_is_version_0_and_is_kept_once(store):
    case = store.register(reference(EXAM))
    first, second = store.add_model_version(case, EXAM), store.add_model_version(case, EXAM)
    assert (first.number, first.kind, first.system, first.looked) == (0, "model", "kuo2019", True)
    assert first == second and len(store.versions(case)) == 1
    assert first.model == EXAM.readings[0].model and first.threshold == EXAM.readings[0].threshold
    assert np.array_equal(store.label(case, 0), label_of_reading(EXAM.readings[0]))


def test_another_models_answer_comes_after_what_was_drawn_meanwhile(store):
    case = started(store)
    store.add_version(case, edited(store.label(case, 0)), entry())
    other = dataclasses.replace(EXAM.readings[0].model, sha256="f" * 64)
    answer = dataclasses.replace(EXAM, readings=(dataclasses.replace(EXAM.readings[0], model=other),))
    assert store.add_model_version(case, answer).number == 2
    on_it = store.add_version(case, store.label(case, 2), entry(based_on=2))
    assert (on_it.model, on_it.model_version) == (other, 2)
    assert store.add_version(case, store.label(case, 1), entry(based_on=1)).model_version == 0


def test_a_readers_version_keeps_the_midline_points_and_the_shift_between_them(store):
    case = started(store)
    y = float(GRID.voxel_to_lps(np.array([6, 5, 2]))[1])
    points = MidlinePoints((0.0, y - 60, 10.0), (0.0, y + 60, 10.0), (-6.5, y, 10.0))
    number = store.add_version(case, store.label(case, 0), entry(midline=points)).number
    kept = store.versions(case)[number]
    assert kept.entry.midline == points and kept.midline == measure_midline_shift(points, GRID)
    assert (round(kept.midline.shift_mm, 6), kept.midline.side) == (6.5, "right")
    crossed = dataclasses.replace(points, septum_lps_mm=(0.0, y + 200, 10.0))
    number = store.add_version(case, store.label(case, 0), entry(midline=crossed)).number
    assert store.versions(case)[number].entry.midline == crossed, "what was placed is kept, also where it is no midline"
    assert store.versions(case)[number].midline is None


def test_a_version_without_midline_points_is_as_earlier_programs_know_it(store, tmp_path):
    case = started(store)
    store.add_version(case, store.label(case, 0), entry())
    for path in (tmp_path / "reviews").rglob("version.json"):
        assert "midline" not in path.read_text("utf-8")


def test_a_readers_version_says_how_it_differs_from_the_models(store):
    case = started(store)
    model = store.label(case, 0)
    label = edited(model)
    version = store.add_version(case, label, entry(seconds_spent=74.5, confidence=4, comment="clear"))
    sdh, sah = (version.difference[code] for code in ("SDH", "SAH"))
    was, stays = (mask_volume_ml(m == SEGMENT_VALUES["SDH"], GRID) for m in (model, label))
    assert (sdh.model_ml, sdh.reader_ml) == pytest.approx((was, stays))
    assert (sdh.added_ml, sdh.removed_ml) == pytest.approx((0, was - stays))
    assert sdh.dice == pytest.approx(2 * stays / (was + stays))
    drawn = mask_volume_ml(label == SEGMENT_VALUES["SAH"], GRID)
    assert (sah.model_ml, sah.added_ml, sah.removed_ml, sah.dice) == pytest.approx((0, drawn, 0, 0))
    assert not version.difference["IPH"].changed and version.difference["any"].changed
    assert version.volume_ml["SAH"] == pytest.approx(drawn)


def test_what_was_handed_in_comes_back(store):
    case = started(store)
    said = ReaderEntry(
        "AB", "flagged", 0, 12.5, {"IPH": "accept", "SAH": "edit"}, 2, "größer?", {"IPH": 0.3}, 0.45, True
    )
    label = edited(store.label(case, 0))
    store.add_version(case, label, said)
    again = open_store(store.root)
    version = again.versions(case)[1]
    assert version.entry == said and version.status == "flagged" and version.is_signed
    assert version.threshold["IPH"] == 0.3 and version.threshold["SDH"] == 0.5 and version.pixel_threshold == 0.45
    assert np.array_equal(again.label(case, 1), label)


def test_rejected_findings_have_no_voxels_but_stay_in_the_version_before(store):
    case = started(store)
    version = store.add_version(case, store.label(case, 0), entry(decisions={"SDH": "reject"}))
    assert "SDH" not in version.volume_ml and "IPH" in version.volume_ml
    assert version.difference["SDH"].removed_ml == pytest.approx(store.versions(case)[0].volume_ml["SDH"])
    everything = store.add_version(case, store.label(case, 0), entry(decisions={"any": "reject"}))
    assert everything.volume_ml == {"any": 0.0} and not store.label(case, everything.number).any()


@pytest.mark.parametrize(
    "settings",
    [
        ExamSettings(blood=IPH, tilt_deg=18.0),
        ExamSettings(blood=IPH, steps_mm=UNEVEN_STEPS_MM),
        ExamSettings(blood=IPH, axes=np.array([[-1.0, 0, 0], [0, 0, 1], [0, -1, 0]])),
        ExamSettings(),
    ],
    ids=["tilted", "uneven", "turned", "negative"],
)
def test_masks_read_back_in_another_program_with_place_names_and_colours(store, settings):
    exam = build_exam(settings)
    case = started(store, exam)
    path = store.root / "cases" / case / "v0000" / "mask.seg.nrrd"
    image = sitk.ReadImage(str(path))
    assert np.array_equal(sitk.GetArrayFromImage(image), store.label(case, 0))
    grid = store.exam(case).grid
    assert grid.same_as(exam.grid, tolerance_mm=1e-9), "geometry is kept exactly, uneven stacks too"
    if exam.grid.is_regular:
        corner = image.TransformContinuousIndexToPhysicalPoint([3.0, 5.0, 7.0])
        assert corner == pytest.approx(exam.grid.voxel_to_lps(np.array([3, 5, 7])), abs=1e-6)
    if settings.blood:
        assert image.GetMetaData("Segment0_Name") == FINDING_CODES["IPH"].name
        assert "274100004" in image.GetMetaData("Segment0_Tags")


def test_versions_are_read_only_and_never_replaced(store):
    case = started(store)
    files = list((store.root / "cases" / case / "v0000").iterdir())
    assert files and not any(path.stat().st_mode & 0o222 for path in files)


def test_a_file_that_was_changed_or_lost_is_noticed(store):
    case = started(store)
    store.add_version(case, random_label(1), entry())
    path = store.root / "cases" / case / "v0001" / "mask.seg.nrrd"
    content = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(InputError, match="damaged"):
        store.label(case, 1)
    path.unlink()
    with pytest.raises(InputError, match="missing"):
        store.label(case, 1)
    os.rename(path.parents[1] / "v0000", path.parents[1] / "elsewhere")
    with pytest.raises(InputError, match="missing"):
        store.versions(case)


def test_reopening_goes_on_with_the_own_latest_version(store):
    case = started(store)
    assert store.resume(case, Viewer("AB")).number == 0
    store.add_version(case, random_label(1), entry("AB"))
    store.add_version(case, random_label(2), entry("CD"))
    assert store.resume(case, Viewer("AB")).number == 1
    assert store.resume(case, Viewer("EF")).number == 2, "somebody else goes on where the last one stopped"
    assert store.resume(case, Viewer("EF", blind=True)).number == 0


def test_a_blind_reader_sees_no_others_version_until_signing(store):
    case = started(store)
    store.add_version(case, random_label(1), entry("AB", "approved"))
    second = Viewer("CD", blind=True)
    assert [v.number for v in store.versions(case, second)] == [0]
    draft = store.add_version(case, random_label(2), entry("CD", blind=True))
    assert [v.number for v in store.versions(case, second)] == [0, 2] and draft.entry.blind
    store.add_version(case, random_label(3), entry("CD", "approved", based_on=2, blind=True))
    assert [v.number for v in store.versions(case, second)] == [0, 1, 2, 3]
    later = store.add_version(case, random_label(4), entry("CD", "approved", based_on=3, blind=True))
    assert not later.entry.blind, "who has seen the others is not blind any more"


def test_an_exam_that_could_not_be_looked_at_is_no_negative(store):
    exam = build_unreadable_exam()
    case = started(store, exam)
    version = store.versions(case)[0]
    assert not version.looked and not store.label(case, 0).any()
    label = np.zeros(exam.grid.shape_kji, np.uint8)
    label[3, 4:8, 4:8] = 1
    assert store.add_version(case, label, entry()).difference is None


def test_no_name_id_or_path_gets_into_the_store(store):
    exam = dataclasses.replace(EXAM, input="/data/Jane^Doe/ID-4711")
    exam = dataclasses.replace(exam, volume=dataclasses.replace(exam.volume, source="/data/Jane^Doe/ID-4711"))
    judged = dataclasses.replace(exam.judgements[0], description="Jane^Doe")
    exam = dataclasses.replace(exam, judgements=(judged,))
    case = store.register(reference(exam, "Jane^Doe ID-4711"), "/data/Jane^Doe/ID-4711")
    store.add_model_version(case, exam)
    store.add_version(case, random_label(1), entry())
    for path in store.root.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        for word in (b"Jane", b"4711"):
            assert word not in content and word.decode() not in path.name


def test_exams_of_one_patient_share_a_pseudonym_that_differs_between_stores(tmp_path):
    names = []
    for folder in ("one", "two"):
        store = open_store(tmp_path / folder)
        cases = [store.register(reference(small_exam(uid), patient)) for uid, patient in
                 (("1.1", "P"), ("1.2", "P"), ("1.3", "Q"), ("1.4", ""))]  # fmt: skip
        assert len(set(cases)) == 4
        names.append([store.exam(case).patient_key for case in cases])
    assert names[0][0] == names[0][1] != names[0][2] and names[0][3] == ""
    assert names[0][0] != names[1][0]


def test_a_case_is_the_same_for_the_same_images_in_whatever_number_format(store):
    ints = EXAM.volume.array_kji
    assert voxels_sha256(ints) == voxels_sha256(ints.astype(np.float64)) == voxels_sha256(ints[:, :, ::1].copy())
    padded = np.where(ints == -1000, -1000, ints).astype(np.float32)
    padded[0, 0, 0], air = -3000, ints.copy()
    air[0, 0, 0] = -1024
    assert voxels_sha256(padded) == voxels_sha256(air), "below air is air"
    assert voxels_sha256(ints) != voxels_sha256(ints + 1)
    assert voxels_sha256(ints + np.float32(0.25)) != voxels_sha256(ints)
    assert store.register(reference(EXAM)) == store.register(reference(EXAM))


def test_the_models_whole_answer_comes_back_without_a_run(store):
    reading = EXAM.readings[0]
    inside = reading.label_kji.ravel() > 0
    voxels = VoxelProbabilities(
        reading.codes,
        0.5,
        np.flatnonzero(inside).astype(np.uint32),
        np.full(inside.sum(), 0.75, np.float16),
        np.full((inside.sum(), 5), 100, np.uint8),
    )
    exam = dataclasses.replace(EXAM, readings=(dataclasses.replace(reading, voxel_probabilities=voxels),))
    case = started(store, exam)
    back = store.result(case, 0, EXAM.volume)
    assert back.findings == EXAM.findings and back.abc2 == EXAM.abc2 and back.quality == EXAM.quality
    assert np.array_equal(back.readings[0].label_kji, reading.label_kji)
    assert back.readings[0].model == reading.model and back.input == "" and back.judgements == ()
    again = store.voxel_probabilities(case, 0, EXAM.volume)
    assert np.array_equal(again.index, voxels.index) and np.array_equal(again.type_level, voxels.type_level)
    assert np.array_equal(back.readings[0].heatmap_kji.ravel() == 0.75, inside)
    with pytest.raises(ConfigError, match="not the one"):
        other = dataclasses.replace(EXAM.volume, array_kji=EXAM.volume.array_kji + 1)
        store.result(case, 0, other)


def test_an_answer_of_undetermined_type_comes_back_as_such(store):
    exam = build_exam(ExamSettings(blood=IPH, found=frozenset({"any"})))
    case = started(store, exam)
    assert set(np.unique(store.label(case, 0))) == {0, SEGMENT_VALUES["any"]}
    back = store.result(case, 0, exam.volume).readings[0]
    assert back.is_untyped and np.array_equal(back.label_kji > 0, exam.readings[0].label_kji > 0)


def test_a_folder_with_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.docx").write_text("mine")
    with pytest.raises(ConfigError, match="no review store"):
        ReviewStore.open(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.docx"]


def test_a_store_of_a_later_format_is_refused(store):
    path = store.root / "about" / "store.json"
    text = path.read_text().replace('"format_version": 1', '"format_version": 99')
    path.chmod(0o644)
    path.write_text(text)
    with pytest.raises(InputError, match="99"):
        ReviewStore.open(store.root)


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"reader": " "}, "reader"),
        ({"status": "done"}, "done"),
        ({"decisions": {"IPH": "perhaps"}}, "perhaps"),
        ({"decisions": {"ABC": "edit"}}, "ABC"),
        ({"confidence": 6}, "Confidence"),
        ({"seconds_spent": -1.0}, "time"),
    ],
)
def test_entries_that_make_no_sense_are_refused(values, word):
    with pytest.raises(ConfigError, match=word):
        entry(**values)


def test_masks_and_bases_of_another_exam_are_refused(store):
    case = started(store)
    with pytest.raises(ConfigError, match="fit"):
        store.add_version(case, np.zeros((2, 3, 4), np.uint8), entry())
    with pytest.raises(ConfigError, match="meaning"):
        store.add_version(case, np.full(GRID.shape_kji, len(SEGMENT_CODES) + 1, np.uint8), entry())
    with pytest.raises(ConfigError, match="based on"):
        store.add_version(case, random_label(1), entry(based_on=1))
    with pytest.raises(InputError, match="no such case"):
        store.versions("../../etc")


def test_references_are_made_of_any_volume(tmp_path: Path):
    exam = ExamReference.of_volume(EXAM.volume, "1.2", "P")
    assert (exam.study_instance_uid, exam.series_instance_uid, exam.modality) == ("1.2", "1.2.3", "CT")
