"""A review store as a training set: approved masks meet exactly the images that they were drawn on."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK

from NeuroTriageLib import cli
from NeuroTriageLib.catalog import load_system, modality_of
from NeuroTriageLib.core.errors import ConfigError, InputError, OutputError
from NeuroTriageLib.core.findings import ExamResult
from NeuroTriageLib.datasets.label_store import missing_images, store_cases, store_source, study_cases
from NeuroTriageLib.datasets.own_masks import own_cases
from NeuroTriageLib.datasets.split import Split
from NeuroTriageLib.io.dicom_headers import quiet_pydicom
from NeuroTriageLib.io.inputs import open_input, read_volume
from NeuroTriageLib.pipeline import Readers, triage_input
from NeuroTriageLib.review.labels import SEGMENT_VALUES
from NeuroTriageLib.review.versions import ExamReference
from NeuroTriageLib.training.bank_filling import fill_bank
from NeuroTriageLib.training.case_studies import labelled_study
from NeuroTriageLib.training.registry import MR_SYSTEMS, TRAINED_SYSTEMS
from Testing.Lib import tiny_nael2021
from Testing.Lib.datasets import ct_miniatures as made
from Testing.Lib.exam_builder import ExamSettings, build_exam
from Testing.Lib.mr_phantom import write_dicom_study, write_study
from Testing.Lib.review.store_making import entry, open_store, reference


def write_exam(folder, number: int) -> ExamResult:
    """A head CT as DICOM, and a model's answer on it."""
    folder.mkdir(parents=True)
    with quiet_pydicom():
        for k, item in enumerate(
            made.ct_slices(made.BLEEDING + np.int16(number), study=f"1.2.{number}", patient="P", series=f"1.3.{number}")
        ):
            item.save_as(folder / f"{k:02d}.dcm", enforce_file_format=True)
    with open_input(folder) as (study,):
        volume, _ = read_volume(study.series[0])
    return replace(build_exam(ExamSettings(shape_kji=made.SHAPE)), volume=volume)


def approved(store, exam: ExamResult, code: str = "SDH", status: str = "approved") -> np.ndarray:
    label = np.where(made.BLOOD, SEGMENT_VALUES[code], 0).astype(np.uint8)
    case = store.register(reference(exam))
    store.add_model_version(case, exam)
    store.add_version(case, label, entry("AB", status))
    return label


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


def test_an_approved_mask_is_read_with_its_images_and_a_flagged_one_is_not(tmp_path, store):
    exams = [write_exam(tmp_path / "images" / str(n), n) for n in range(3)]
    label = approved(store, exams[0])
    approved(store, exams[1], status="flagged")
    approved(store, exams[2], status="draft")
    (case,) = store_cases(tmp_path / "store", tmp_path / "images")
    known = case.read()
    assert np.array_equal(known.label_kji, label) and known.has_types
    assert np.array_equal(known.volume.array_kji, made.BLEEDING)
    assert "patient" not in case.patient.removeprefix("labels:") and case.patient != "labels:"


def test_other_voxels_under_the_same_series_are_refused(tmp_path, store):
    exam = write_exam(tmp_path / "reviewed", 1)
    approved(store, exam)
    with quiet_pydicom():
        (tmp_path / "images").mkdir()
        for k, item in enumerate(made.ct_slices(made.HU, study="1.2.1", patient="P", series="1.3.1")):
            item.save_as(tmp_path / "images" / f"{k:02d}.dcm", enforce_file_format=True)
    (case,) = store_cases(tmp_path / "store", tmp_path / "images")
    with pytest.raises(InputError, match="other voxels than those that were reviewed"):
        case.read()


def test_exams_whose_images_are_not_there_are_named_by_their_case_alone(tmp_path, store):
    here, away = write_exam(tmp_path / "images", 1), write_exam(tmp_path / "elsewhere", 2)
    for exam in (here, away):
        approved(store, exam)
    assert missing_images(tmp_path / "store", tmp_path / "images") == (store.register(reference(away)),)
    with pytest.raises(InputError, match="None of the exams that readers approved"):
        list(store_cases(tmp_path / "store", write_only(tmp_path / "other")))


def write_only(folder):
    write_exam(folder, 3)
    return folder


def test_a_folder_that_is_no_store_is_left_as_it_is(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no review store"):
        list(store_cases(tmp_path / "empty", tmp_path))
    assert not list((tmp_path / "empty").iterdir())


def test_a_store_without_its_images_is_a_wrong_command(tmp_path, capsys):
    command = ["train", "kuo2019", "-o", str(tmp_path / "run"), "--labels", str(tmp_path / "store")]
    assert cli.main(command) == ConfigError.exit_code
    assert "--labels and --images belong together" in capsys.readouterr().err


def test_an_export_holds_the_masks_and_nothing_that_leads_back(tmp_path, store, capsys):
    exams = [write_exam(tmp_path / "images" / str(n), n) for n in range(2)]
    label = approved(store, exams[0], "EDH")
    approved(store, exams[1], "any")
    out = tmp_path / "out"
    command = ["labels", "export", str(tmp_path / "store"), "--images", str(tmp_path / "images"), "-o", str(out)]
    assert cli.main(command) == 0
    cases = [case.read() for case in own_cases(out)]
    assert any(np.array_equal(case.label_kji, label) for case in cases)
    assert {int(case.volume.array_kji[made.BLOOD][0]) for case in cases} == {70, 71}
    assert [case.patient for case in own_cases(out)] == ["masks:patient-0001"] * 2  # both are of one patient
    written = b"".join(path.read_bytes().split(b"\n\n")[0] for path in out.rglob("*") if path.is_file())
    for secret in (b"patient 0", b"1.3.0", b"1.2.0", b"case-", b"AB"):
        assert secret not in written
    assert cli.main(command) == OutputError.exit_code  # nothing is written over
    assert "not empty" in capsys.readouterr().err


def test_the_report_compares_readers_who_signed_the_same_case(tmp_path, store, capsys):
    exam = write_exam(tmp_path / "images", 1)
    label = approved(store, exam)
    store.add_version(store.register(reference(exam)), label, entry("CD", "approved"))
    assert cli.main(["labels", "report", str(tmp_path / "store")]) == 0
    said = capsys.readouterr().out
    assert "cases: 1 approved" in said and "AB and CD, 1 exams read by both" in said and "SDH: dice 1.00" in said


# Brain MRI


@pytest.fixture
def studies(tmp_path, store):
    """Two studies of FLAIR, trace and ADC; of the first the trace series with its infarct and FLAIR are approved."""
    config = dataclasses.replace(tiny_nael2021.CONFIG, codes=("acute_infarct", "acute_hemorrhage"))
    model = load_system("nael2021", pack=tiny_nael2021.save(tmp_path / "tiny", config), device="cpu")
    for number in (1, 2):
        write_dicom_study(tmp_path / "images" / str(number))
    results = triage_input(tmp_path / "images" / "1", Readers(ct=None, mr=lambda: model))
    labels = {}
    for exam in results:
        case = store.register(reference(exam))
        store.add_model_version(case, exam)
        label = np.zeros(exam.volume.array_kji.shape, np.uint8)
        if exam.contrast == "TRACE":
            label[9:12, 20:26, 14:20] = SEGMENT_VALUES["acute_infarct"]
        store.add_version(case, label, entry("AB", "approved"))
        labels[exam.contrast] = label
    return labels


def test_approved_masks_on_mri_meet_their_series_with_all_contrasts_beside_them(tmp_path, store, studies):
    (case,) = study_cases(tmp_path / "store", tmp_path / "images")
    known = case.read()
    assert set(known.images) == {"FLAIR", "TRACE", "ADC"} and set(studies) == {"FLAIR", "TRACE"}
    assert np.array_equal(known.masks["TRACE"]["acute_infarct"], studies["TRACE"] > 0)
    assert set(known.masks["FLAIR"]) == {"acute_hemorrhage"}
    expected = {"abnormal": True, "acute_infarct": True, "acute_hemorrhage": False}
    assert known.exam_presence() == expected, "of mass effect, which the model was not asked for, nobody has spoken"
    study = labelled_study(known, "train", tiny_nael2021.CONFIG, None)
    assert set(study.truth) == {"acute_infarct", "acute_hemorrhage"}, "no reader can say that a study is normal"
    source = store_source(tmp_path / "store", tmp_path / "images", "MR")
    (record,) = fill_bank(
        tmp_path / "bank", [source], lambda c, part: labelled_study(c, part, tiny_nael2021.CONFIG, None),
        Split(1.0, 0.0), lambda line: None,
    )  # fmt: skip
    assert record.train == 1 and "2 MR series" in source.about[0]


def test_masks_of_image_files_with_the_same_names_go_to_their_own_patient(tmp_path, store):
    model = load_system("nael2021", pack=tiny_nael2021.save(tmp_path / "tiny"), device="cpu")
    labels = {}
    for number in (1, 2):
        folder = write_study(tmp_path / "images" / f"sub-{number}" / "anat")
        for path in folder.iterdir():
            image = SimpleITK.ReadImage(str(path))
            SimpleITK.WriteImage(image * float(number), str(path))
        results = triage_input(folder, Readers(ct=None, mr=lambda: model))
        exam = next(exam for exam in results if exam.contrast == "TRACE")
        case = store.register(ExamReference.of_volume(exam.volume))
        store.add_model_version(case, exam)
        label = np.zeros(exam.volume.array_kji.shape, np.uint8)
        label[number : number + 2, 20:26, 14:20] = SEGMENT_VALUES["acute_infarct"]
        store.add_version(case, label, entry("AB", "approved"))
        labels[number] = label > 0
    cases = list(study_cases(tmp_path / "store", tmp_path / "images"))
    masks = [case.read().masks["TRACE"]["acute_infarct"] for case in cases]
    assert [np.array_equal(mask, labels[n]) for n, mask in enumerate(masks, start=1)] == [True, True]
    assert len({case.patient for case in cases}) == len({case.name for case in cases}) == 2


def test_a_store_of_mri_alone_holds_nothing_for_head_ct(tmp_path, store, studies):
    with pytest.raises(InputError, match="all of brain MRI"):
        list(store_cases(tmp_path / "store", tmp_path / "images"))
    with pytest.raises(InputError, match="None of the exams that readers approved"):
        list(study_cases(tmp_path / "store", write_only(tmp_path / "other")))


def test_the_systems_that_learn_from_mri_are_those_that_read_it():
    assert {system for system in TRAINED_SYSTEMS if modality_of(system) == "MR"} == MR_SYSTEMS
