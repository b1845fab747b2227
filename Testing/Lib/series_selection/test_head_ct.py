"""From a whole study: the right series with reasons, a plain reason for each other one, and none when none will do."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from NeuroTriageLib.core.errors import ConfigError
from NeuroTriageLib.io.inputs import open_input
from NeuroTriageLib.series_selection import Selection, matching_series, select_head_ct
from Testing.Lib.io.dicom_builder import CtStack, every, slices, without, write, write_stack

SIZE, PIXEL_MM = 8, 30.0
COARSE = {"shape_ji": (SIZE, SIZE), "spacing_ji_mm": (PIXEL_MM, PIXEL_MM)}
STUDY = generate_uid()


def head(count=30, spacing=5.0, directions=((1, 0, 0), (0, 1, 0)), **tags) -> CtStack:
    """Headers of a head series: 240 mm field of view, 8 x 8 pixels because nobody reads them here."""
    normal = np.cross(*np.array(directions, dtype=float))
    origins = np.arange(count)[:, None] * spacing * normal
    thickness = min(spacing, 5.0)
    return CtStack(origins, directions=directions, thickness_mm=thickness, study_uid=STUDY, tags=tags, **COARSE)


def choose(tmp_path, override=None, **stacks: CtStack) -> Selection:
    """The selection from a study; each stack's SeriesDescription is its keyword unless its tags say otherwise."""
    for number, (name, stack) in enumerate(stacks.items()):
        tags = {"SeriesDescription": name, "SeriesNumber": number + 1} | stack.tags
        write_stack(tmp_path / name, stack, every(**tags))
    with open_input(tmp_path) as (study,):
        return select_head_ct(study, override=override)


def judgement(selection: Selection, description: str):
    (found,) = [item for item in selection.judgements if item.description == description]
    return found


def assert_only_the_head_is_chosen(selection: Selection, rejected: str, *words: str) -> None:
    """The series "head" is chosen; the other one is rejected with a reason that holds the words."""
    assert selection.series is not None and selection.series.description == "head"
    assert judgement(selection, "head").chosen and judgement(selection, "head").reasons
    other = judgement(selection, rejected)
    assert not other.chosen
    assert all(word in " ".join(other.reasons) for word in words), other.reasons


CORONAL = ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0))
SAGITTAL = ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0))


@pytest.mark.parametrize(
    ("name", "stack", "words"),
    [
        ("Topogram", head(count=1, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), "scout"),
        ("Scout", head(count=2), "scout"),
        ("BONE", head(ConvolutionKernel="H60s"), "bone"),
        ("thin bone", head(spacing=1.0, count=150, ConvolutionKernel="Hr68"), "sharp kernel"),
        ("Head C+", head(), "contrast"),
        ("agent", head(ContrastBolusAgent="OMNIPAQUE 350"), "ContrastBolusAgent"),
        ("CTA", head(spacing=0.75, count=200), "contrast agent or for vessels"),
        ("COR", head(directions=CORONAL), "not axial"),
        ("SAG", head(directions=SAGITTAL), "not axial"),
        ("MIP axial", head(), "projection"),
        ("vrt", head(ImageType=["DERIVED", "SECONDARY", "AXIAL", "VRT"]), "projection"),
        ("C-Spine", head(), "another body part"),
        ("Sinuses", head(), "body part"),
        ("few", head(count=6, spacing=18.0), "too few slices"),
        ("half", head(count=16), "partial head"),
        ("long", head(count=90), "more than a head"),
        ("sparse", head(count=12, spacing=15.0), "15 mm apart"),
        ("Dose Report", head(count=1), "dose report"),
        ("capture", head(count=1, SOPClassUID="1.2.840.10008.5.1.4.1.1.7"), "screen capture"),
        ("Iodine map", head(), "dual-energy"),
        ("zeff", head(RescaleType="Z_EFF"), "not Hounsfield"),
        ("MR", head(Modality="MR"), "MR, not CT"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_other_series_is_rejected_with_its_reason(name, stack, words, tmp_path):
    assert_only_the_head_is_chosen(choose(tmp_path, head=head(), **{name: stack}), name, words)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without("ImageOrientationPatient"), "geometry cannot be known"),
        (without("ImagePositionPatient"), "geometry cannot be known"),
    ],
)
def test_a_series_without_geometry_is_rejected(change, words, tmp_path):
    write_stack(tmp_path / "other", head(SeriesDescription="other"), change)
    assert_only_the_head_is_chosen(choose(tmp_path, head=head()), "other", words)


def test_a_narrow_reconstruction_is_rejected(tmp_path):
    narrow = head()
    narrow = CtStack(narrow.origins_lps_mm, study_uid=STUDY, shape_ji=(8, 8), spacing_ji_mm=(12.0, 12.0))
    assert_only_the_head_is_chosen(choose(tmp_path, head=head(), narrow=narrow), "narrow", "field of view is 96 mm")


def test_a_dose_report_document_is_rejected(tmp_path):
    report = Dataset()
    (first,) = slices(head(count=1))
    report.file_meta = first.file_meta
    report.SOPClassUID, report.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.88.67", generate_uid()
    report.StudyInstanceUID, report.SeriesInstanceUID, report.Modality = STUDY, generate_uid(), "SR"
    report.StudyDate, report.PatientName, report.PatientID = "20240102", "Doe^Jane", "A-1"
    report.SeriesDescription = "Dose"
    write(tmp_path / "sr", [report])
    assert_only_the_head_is_chosen(choose(tmp_path, head=head()), "Dose", "document")


def test_a_low_dose_head_is_no_dose_report(tmp_path):
    assert choose(tmp_path, low=head(SeriesDescription="Head low dose 5.0")).series is not None


def test_thick_soft_slices_win_over_thin_ones_and_say_why(tmp_path):
    selection = choose(tmp_path, thin=head(spacing=1.0, count=150), head=head())
    assert_only_the_head_is_chosen(selection, "thin", "suitable too", "5.0 mm apart")


def test_thin_slices_are_taken_when_there_is_nothing_else(tmp_path):
    assert choose(tmp_path, thin=head(spacing=0.625, count=240)).series is not None


def test_an_axial_reformat_is_taken_only_when_there_is_nothing_else(tmp_path):
    reformat = head(ImageType=["DERIVED", "SECONDARY", "REFORMATTED"])
    assert_only_the_head_is_chosen(choose(tmp_path / "a", head=head(), again=reformat), "again", "not a reformat")
    assert choose(tmp_path / "b", again=reformat).series is not None


def test_of_two_equal_scans_the_repeat_is_taken(tmp_path):
    selection = choose(tmp_path, first=head(), second=head())
    assert selection.series.description == "second"


def test_tilted_and_turned_heads_are_axial(tmp_path):
    angle = np.radians(25)
    tilt = ((1.0, 0.0, 0.0), (0.0, float(np.cos(angle)), -float(np.sin(angle))))
    assert choose(tmp_path, tilted=head(directions=tilt)).series is not None


def test_words_on_the_series_count_more_than_words_on_the_study(tmp_path):
    stack = head(StudyDescription="CT HEAD WITH CONTRAST", SeriesDescription="Head nativ")
    assert choose(tmp_path, native=stack).series is not None


def test_a_study_with_contrast_and_silent_series_is_not_read(tmp_path):
    selection = choose(tmp_path, axial=head(StudyDescription="CT HEAD W/ CONTRAST"))
    assert selection.series is None
    assert "StudyDescription" in " ".join(selection.judgements[0].reasons)


def test_a_study_with_both_leaves_the_unmarked_series_to_the_agent_tag(tmp_path):
    both = "CT HEAD W/WO CONTRAST"
    plain = head(StudyDescription=both)
    enhanced = head(StudyDescription=both, ContrastBolusAgent="Iomeron")
    assert_only_the_head_is_chosen(choose(tmp_path, head=plain, later=enhanced), "later", "contrast")


def test_an_agent_that_says_none_is_no_contrast(tmp_path):
    assert choose(tmp_path, axial=head(ContrastBolusAgent="NONE")).series is not None


def test_no_suitable_series_is_an_answer_with_reasons_for_each(tmp_path):
    selection = choose(tmp_path, bone=head(ConvolutionKernel="H60s"), COR=head(directions=CORONAL))
    assert selection.series is None
    assert len(selection.judgements) == 2
    assert all(item.reasons and not item.chosen for item in selection.judgements)


def test_all_reasons_are_given_not_only_the_first(tmp_path):
    selection = choose(tmp_path, neck=head(count=6, SeriesDescription="Neck C+", ConvolutionKernel="B70s"))
    reasons = " ".join(selection.judgements[0].reasons)
    assert all(word in reasons for word in ("sharp", "contrast", "body part", "too few", "partial"))


def test_a_perfusion_series_of_many_passes_is_rejected(tmp_path):
    base = head(count=20)
    for number in range(6):
        tags = {"AcquisitionNumber": number, "SeriesDescription": "Head dyn"}
        stack = CtStack(base.origins_lps_mm, study_uid=STUDY, series_uid=base.series_uid, tags=tags, **COARSE)
        write_stack(tmp_path / str(number), stack)
    selection = choose(tmp_path, head=head())
    assert selection.series.description == "head"
    assert all("dynamic" in " ".join(item.reasons) for item in selection.judgements if not item.chosen)


@pytest.mark.parametrize("by", ["uid", "part of the description"])
def test_the_user_can_overrule_and_the_reasons_say_so(by, tmp_path):
    bone = head(ConvolutionKernel="H60s", SeriesDescription="Kopf Knochen")
    selection = choose(tmp_path, override=bone.series_uid if by == "uid" else "knochen", head=head(), bone=bone)
    assert selection.series.series_instance_uid == bone.series_uid
    chosen = judgement(selection, "Kopf Knochen")
    assert chosen.chosen and "Chosen by the user" in chosen.reasons[0] and "bone" in chosen.reasons[1]
    assert "user" in judgement(selection, "head").reasons[0]


def test_an_override_that_fits_two_series_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="fits 2 series"):
        choose(tmp_path, override="head", head_a=head(), head_b=head())


def test_an_override_that_fits_nothing_chooses_nothing(tmp_path):
    selection = choose(tmp_path, override="spine", head=head())
    assert selection.series is None and "spine" in selection.judgements[0].reasons[0]


def test_matching_series_finds_by_uid_and_by_words(tmp_path):
    stack = head(SeriesDescription="Head 5.0")
    write_stack(tmp_path, stack)
    with open_input(tmp_path) as (study,):
        assert len(matching_series(study, stack.series_uid)) == len(matching_series(study, "HEAD 5")) == 1
        assert matching_series(study, "spine") == ()


def nrrd(path, array):
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((8.0, 8.0, 5.0))
    sitk.WriteImage(image, str(path))


def ct_array() -> np.ndarray:
    array = np.full((30, 30, 30), -1000, np.int16)
    array[:, 5:25, 5:25] = 900
    array[:, 7:23, 7:23] = 35
    return array


def test_an_image_file_with_hounsfield_units_is_taken_for_ct_and_its_mask_is_not(tmp_path):
    nrrd(tmp_path / "case.nrrd", ct_array())
    nrrd(tmp_path / "case_seg.nrrd", (ct_array() > 500).astype(np.uint8))
    with open_input(tmp_path) as (study,):
        selection = select_head_ct(study)
    assert selection.series.description == "case.nrrd"
    assert "not Hounsfield units" in judgement(selection, "case_seg.nrrd").reasons[0]


def test_mr_as_an_image_file_is_not_taken_for_ct(tmp_path):
    nrrd(tmp_path / "flair.nrrd", np.random.default_rng(0).integers(0, 800, (30, 30, 30)).astype(np.int16))
    with open_input(tmp_path) as (study,):
        selection = select_head_ct(study)
    assert selection.series is None and "MR" in selection.judgements[0].reasons[0]


def test_several_ct_files_in_one_folder_are_not_guessed_between(tmp_path):
    nrrd(tmp_path / "a.nrrd", ct_array())
    nrrd(tmp_path / "b.nrrd", ct_array())
    with open_input(tmp_path) as (study,):
        with pytest.raises(ConfigError, match=r"a\.nrrd, b\.nrrd"):
            select_head_ct(study)
        assert select_head_ct(study, override="b.nrrd").series.description == "b.nrrd"
