"""Exam records against masks of known volume and overlap."""

from __future__ import annotations

import numpy as np
import pytest

from NeuroTriageLib.core.codes import CT_HEMORRHAGE_CODES
from NeuroTriageLib.core.errors import InputError
from NeuroTriageLib.core.findings import ModelIdentity, Reading
from NeuroTriageLib.core.geometry import SliceGrid
from NeuroTriageLib.evaluation.exam_records import ExamSource, append_record, read_records, record_exam

# Slices at 0, 5, 15 mm: they stand for 5, 7.5 and 10 mm, so voxels of 1 x 2 mm have 10, 15 and 20 microlitres.
UNEVEN = SliceGrid(
    shape_kji=(3, 10, 10),
    origins_lps_mm=np.array([[0, 0, 0], [0, 0, 5], [0, 0, 15]]),
    direction_i=np.array([1.0, 0, 0]),
    direction_j=np.array([0, 1.0, 0]),
    spacing_i_mm=1.0,
    spacing_j_mm=2.0,
    slice_thickness_mm=5.0,
)


def label(**boxes: tuple[slice, slice, slice]) -> np.ndarray:
    """A label map with one box per type."""
    result = np.zeros(UNEVEN.shape_kji, dtype=np.uint8)
    for code, box in boxes.items():
        result[box] = CT_HEMORRHAGE_CODES.index(code) + 1
    return result


def reading(label_kji: np.ndarray, **probability: float) -> Reading:
    """An answer with the mask, thresholds of 0.5 and probability 0.1 where none is given."""
    codes = ("any", *CT_HEMORRHAGE_CODES)
    return Reading(
        system="fake",
        codes=CT_HEMORRHAGE_CODES,
        probability={code: probability.get(code, 0.1) for code in codes},
        threshold=dict.fromkeys(codes, 0.5),
        slice_probability={code: np.zeros(3) for code in codes},
        label_kji=label_kji,
        heatmap_kji=np.zeros(UNEVEN.shape_kji, dtype=np.float16),
        model=ModelIdentity("fake", "1", "0" * 64),
        timings_s={"network": 1.5, "decode": 0.5},
    )


LEFT = (slice(0, 2), slice(0, 4), slice(0, 5))
RIGHT = (slice(1, 3), slice(0, 4), slice(5, 10))


def test_volumes_and_overlaps_count_each_slices_own_extent():
    truth = label(IPH=(slice(0, 2), slice(0, 4), slice(0, 5)))
    answer = label(IPH=(slice(1, 3), slice(0, 4), slice(0, 5)))
    record = record_exam(ExamSource("e"), UNEVEN, truth, reading(answer, IPH=0.9, any=0.9)).findings["IPH"]
    assert record.truth_ml == pytest.approx(20 * (0.010 + 0.015))
    assert record.predicted_ml == pytest.approx(20 * (0.015 + 0.020))
    assert record.overlap_ml == pytest.approx(20 * 0.015)
    assert record.present and record.called


def test_a_mask_of_the_wrong_type_overlaps_in_any_but_not_in_the_type():
    truth, answer = label(SDH=LEFT), label(EDH=LEFT)
    findings = record_exam(ExamSource("e"), UNEVEN, truth, reading(answer, EDH=0.8, any=0.9)).findings
    assert findings["any"].overlap_ml == pytest.approx(findings["any"].truth_ml)
    assert findings["SDH"].overlap_ml == 0 and findings["EDH"].truth_ml == 0
    assert not findings["SDH"].called and findings["EDH"].called


def test_subdural_and_epidural_blood_are_also_taken_together():
    truth = label(SDH=LEFT, EDH=RIGHT)
    answer = reading(label(SDH=RIGHT), SDH=0.3, EDH=0.7, any=0.9)
    both = record_exam(ExamSource("e"), UNEVEN, truth, answer).findings["SDH+EDH"]
    assert both.truth_ml == pytest.approx(20 * (0.010 + 0.015 + 0.015 + 0.020))
    assert both.overlap_ml == pytest.approx(both.predicted_ml)
    assert both.probability == 0.7 and both.called


def test_records_come_back_from_their_file_and_a_cut_off_line_is_dropped(tmp_path):
    path = tmp_path / "records.jsonl"
    record = record_exam(
        ExamSource("e1", "head"), UNEVEN, label(IPH=LEFT), reading(label()), truth_abc2_ml={"IPH": 1.0}
    )
    append_record(record, path)
    append_record(record, path)
    path.write_text(path.read_text() + '{"exam": "cut', encoding="utf-8")
    assert read_records(path) == (record, record)
    assert record.findings["IPH"].truth_abc2_ml == 1.0 and record.seconds == 2.0
    assert record.slice_spacing_mm == 7.5


def test_a_damaged_line_is_an_input_error_that_names_it(tmp_path):
    path = tmp_path / "records.jsonl"
    path.write_text('{"exam": 1}\n', encoding="utf-8")
    with pytest.raises(InputError, match="Line 1"):
        read_records(path)


def test_no_file_means_no_records(tmp_path):
    assert read_records(tmp_path / "none.jsonl") == ()
