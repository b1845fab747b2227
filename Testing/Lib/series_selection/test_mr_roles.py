"""From DICOM files of a brain MRI to the series of each role, with reasons, the user's word, and nothing invented."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from NeuroTriageLib.core.errors import ConfigError
from NeuroTriageLib.io.inputs import open_input
from NeuroTriageLib.series_selection import best_for_role, identify_study, study_roles
from Testing.Lib.io.dicom_builder import CtStack, enhanced, every, write, write_stack
from Testing.Lib.mr_phantom import ADC_TYPE, EPI, FLAIR, write_mr

T1 = {"ScanningSequence": "SE", "EchoTime": 12, "RepetitionTime": 550, "FlipAngle": 90}
T2 = {"ScanningSequence": "SE", "EchoTime": 95, "RepetitionTime": 4500, "FlipAngle": 90}
SAGITTAL = ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0))


@pytest.fixture
def study(tmp_path):
    return tmp_path, generate_uid()


def roles(folder, **options):
    with open_input(folder) as (found,):
        return study_roles(found, **options)


def write_sagittal(folder, study, description, **tags) -> None:
    """A sagittal series: headers only matter."""
    origins = np.array([[-75.0 + 6.0 * k, 0.0, 120.0] for k in range(26)])
    stack = CtStack(origins, directions=SAGITTAL, shape_ji=(8, 8), spacing_ji_mm=(30.0, 30.0), study_uid=study)
    write_stack(folder / description, stack, every(Modality="MR", SeriesDescription=description, **tags))


def test_a_stroke_study_gets_its_roles_and_says_which_it_lacks(study):
    folder, uid = study
    write_mr(folder, "a", study=uid, contrast="FLAIR", SeriesNumber=1, **FLAIR)
    write_mr(folder, "b", study=uid, contrast="TRACE", SeriesNumber=2, **EPI)
    write_mr(folder, "c", study=uid, contrast="ADC", scale=1000.0, SeriesNumber=3, ImageType=ADC_TYPE, **EPI)
    found = roles(folder)
    named = {role: choice.item.series.description for role, choice in found.items() if choice.item is not None}
    assert named == {"FLAIR": "a", "TRACE": "b", "ADC": "c"}
    assert found["ADC"].item.adc_unit.name == "1e-6 mm2/s"
    assert "no T2 series" in found["T2"].reasons[0]


def test_the_image_without_diffusion_weighting_is_not_taken_for_the_trace_although_its_header_is_the_same(study):
    folder, uid = study
    write_mr(folder, "first", study=uid, contrast="TRACE", SeriesNumber=1, **EPI)
    write_mr(folder, "second", study=uid, contrast="B0", SeriesNumber=2, **EPI)
    assert roles(folder)["TRACE"].item.series.description == "first"


def test_an_axial_series_is_preferred_and_the_other_says_why_not(study):
    folder, uid = study
    write_mr(folder, "ax", study=uid, contrast="FLAIR", SeriesNumber=1, **FLAIR)
    write_sagittal(folder, uid, "sag", SeriesNumber=2, **FLAIR)
    choice = roles(folder, with_pixels=False)["FLAIR"]
    assert choice.item.series.description == "ax" and not choice.needs_reformat
    ((other, reason),) = choice.others
    assert other.series.description == "sag" and '"ax" was preferred' in reason and "axial" in reason


def test_a_sagittal_series_alone_is_taken_and_says_that_it_must_be_reformatted(study):
    folder, uid = study
    write_sagittal(folder, uid, "sag", **FLAIR)
    choice = roles(folder, with_pixels=False)["FLAIR"]
    assert choice.item is not None and choice.needs_reformat
    assert any("reformatted" in reason for reason in choice.reasons)


def test_a_role_can_want_another_plane(study):
    folder, uid = study
    write_mr(folder, "ax", study=uid, SeriesNumber=1, contrast="T1", **T1)
    write_sagittal(folder, uid, "sag", SeriesNumber=2, **T1)
    with open_input(folder) as (found,):
        items = identify_study(found, with_pixels=False)
    assert best_for_role(items, "T1", plane="sagittal").item.series.description == "sag"
    assert best_for_role(items, "T1").item.series.description == "ax"


def test_of_two_equal_series_the_later_is_taken(study):
    folder, uid = study
    write_mr(folder, "moved", study=uid, SeriesNumber=1, **T2)
    write_mr(folder, "again", study=uid, SeriesNumber=2, **T2)
    assert roles(folder, with_pixels=False)["T2"].item.series.description == "again"


def test_in_a_study_with_and_without_contrast_the_second_equal_t1_series_was_made_after_it(study):
    folder, uid = study
    both = {"StudyDescription": "MRI BRAIN W WO CONTRAST"}
    write_mr(folder, "AX T1", study=uid, SeriesNumber=1, contrast="T1", **T1, **both)
    write_mr(folder, "AX T1 2", study=uid, SeriesNumber=7, contrast="T1", **T1, **both)
    found = roles(folder, with_pixels=False)
    assert found["T1"].item.series.description == "AX T1"
    assert found["T1post"].item.series.description == "AX T1 2" and found["T1post"].item.identification.confidence < 0.8


def test_the_user_overrules_and_what_the_rules_think_is_said(study):
    folder, uid = study
    write_mr(folder, "ax t2", study=uid, SeriesNumber=1, **T2)
    write_mr(folder, "odd", study=uid, SeriesNumber=2, **T2)
    found = roles(folder, overrides={"FLAIR": "odd"}, with_pixels=False)
    assert found["FLAIR"].by_user and found["FLAIR"].item.series.description == "odd"
    assert any("T2" in reason for reason in found["FLAIR"].reasons[1:])
    assert found["T2"].item.series.description == "ax t2"


@pytest.mark.parametrize(
    ("overrides", "words"), [({"FLAIR": "x"}, "0 series"), ({"T9": "a"}, "no role"), ({"T2": "a"}, "2 series")]
)
def test_a_name_that_fits_none_or_several_is_refused(study, overrides, words):
    folder, uid = study
    write_mr(folder, "a1", study=uid, SeriesNumber=1, **T2)
    write_mr(folder, "a2", study=uid, SeriesNumber=2, **T2)
    with pytest.raises(ConfigError, match=words):
        roles(folder, overrides=overrides, with_pixels=False)


def test_a_few_slices_take_no_role(study):
    folder, uid = study
    stack = CtStack(np.array([[0.0, 0.0, 5.0 * k] for k in range(3)]), shape_ji=(8, 8), spacing_ji_mm=(30.0, 30.0))
    write_stack(folder / "few", stack, every(Modality="MR", StudyInstanceUID=uid, **T2))
    choice = roles(folder, with_pixels=False)["T2"]
    assert choice.item is None and "too few" in " ".join(choice.reasons)


def write_volumes(folder, study, tags_of_volume) -> None:
    """One series that shows the same places once per entry of tags_of_volume."""
    origins = np.array([[0.0, 0.0, 12.0 * k] for k in range(10)])
    series = generate_uid()
    for number, tags in enumerate(tags_of_volume):
        stack = CtStack(origins, shape_ji=(8, 8), spacing_ji_mm=(30.0, 30.0), study_uid=study, series_uid=series)
        made = {"Modality": "MR", "AcquisitionNumber": number + 1} | EPI | tags
        write_stack(folder / f"volume{number}", stack, every(**made))


def test_a_series_of_several_b_values_gives_each_image_its_own_answer(study):
    folder, uid = study
    one_way = {"DiffusionDirectionality": "DIRECTIONAL", "DiffusionBValue": 1000.0}
    write_volumes(folder, uid, [
        {"DiffusionBValue": 0.0}, one_way, one_way, one_way,
        {"DiffusionBValue": 1000.0, "DiffusionDirectionality": "ISOTROPIC"}, {"ImageType": ADC_TYPE},
    ])  # fmt: skip
    with open_input(folder) as (found,):
        items = identify_study(found, with_pixels=False)
    answers = {item.contrast: item.identification.facts.volumes for item in items}
    assert answers == {"B0": 1, "DWI": 3, "TRACE": 1, "ADC": 1}


def test_images_without_a_b_value_beside_weighted_ones_are_not_weighted(study):
    folder, uid = study
    canon = {"Manufacturer": "CANON_MEC"}
    write_volumes(folder, uid, [canon, canon | {"DiffusionBValue": 1000.0}])
    with open_input(folder) as (found,):
        items = identify_study(found, with_pixels=False)
    assert sorted(item.contrast for item in items) == ["B0", "TRACE"]


def test_a_functional_series_is_one_answer_with_its_number_of_volumes(study):
    folder, uid = study
    write_volumes(folder, uid, [{"ScanningSequence": ["EP", "GR"], "EchoTime": 30}] * 6)
    with open_input(folder) as (found,):
        (item,) = identify_study(found, with_pixels=False)
    assert item.contrast == "BOLD" and item.identification.facts.volumes == 6


def test_frames_of_one_enhanced_object_are_told_apart(study):
    folder, uid = study
    origins = np.array([[0.0, 0.0, 12.0 * k] for k in range(10)])
    stack = CtStack(origins, shape_ji=(8, 8), spacing_ji_mm=(30.0, 30.0), study_uid=uid)
    item = enhanced(stack, order=[*range(10), *range(10)])
    item.Modality, item.SOPClassUID = "MR", "1.2.840.10008.5.1.4.1.1.4.1"
    item.EchoPulseSequence, item.EchoPlanarPulseSequence = "SPIN", "YES"
    echo, timing = Dataset(), Dataset()
    echo.EffectiveEchoTime, timing.RepetitionTime = 80.0, 5000.0
    shared = item.SharedFunctionalGroupsSequence[0]
    shared.MREchoSequence, shared.MRTimingAndRelatedParametersSequence = [echo], [timing]
    for number, frame in enumerate(item.PerFrameFunctionalGroupsSequence):
        weighting = Dataset()
        weighting.DiffusionBValue = 0.0 if number < 10 else 1000.0
        weighting.DiffusionDirectionality = "NONE" if number < 10 else "ISOTROPIC"
        frame.MRDiffusionSequence = [weighting]
    write(folder, [item])
    with open_input(folder) as (found,):
        items = identify_study(found, with_pixels=False)
    assert {item.contrast: item.identification.facts.images for item in items} == {"B0": 10, "TRACE": 10}
    assert all(item.identification.facts.echo_time_ms == 80 for item in items)


def test_mosaics_of_a_functional_series_are_one_answer_and_take_no_role(study):
    folder, uid = study
    bold = {"ScanningSequence": "EP", "EchoTime": 30, "SequenceName": "*epfid2d1_64", "Manufacturer": "SIEMENS"}
    series = generate_uid()
    for number in range(4):
        stack = CtStack(np.zeros((1, 3)), shape_ji=(8, 8), study_uid=uid, series_uid=series)
        made = {"Modality": "MR", "AcquisitionNumber": number + 1, "ImageType": ["ORIGINAL", "PRIMARY", "M", "MOSAIC"]}
        write_stack(folder / str(number), stack, every(**made, **bold))
    with open_input(folder) as (found,):
        (item,) = identify_study(found)
        choices = study_roles(found)
    assert item.contrast == "BOLD" and item.identification.facts.volumes == 4
    assert all(choice.item is None for choice in choices.values())
