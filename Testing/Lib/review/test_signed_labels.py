"""What training is given: approved masks, each image once, nothing that somebody flagged."""

from __future__ import annotations

import numpy as np

from NeuroTriageLib.review.signed_labels import signed_labels
from Testing.Lib.exam_builder import IPH, ExamSettings
from Testing.Lib.review.store_making import SMALL, entry, open_store, random_label, reference, small_exam, started


def other_images(number: int):
    """An exam with other blood, so that its images differ."""
    (center, radii) = IPH["IPH"]
    blood = {"IPH": ((center[0] + 20 * number, *center[1:]), radii)}
    return small_exam(f"9.{number}", ExamSettings(blood, None, SMALL.shape_kji, SMALL.spacing_mm, SMALL.step_mm))


def test_only_the_latest_approved_mask_of_a_case_counts(tmp_path):
    store = open_store(tmp_path)
    case, draft = started(store, other_images(0)), started(store, other_images(1))
    for seed, status in ((1, "approved"), (2, "approved"), (3, "draft")):
        store.add_version(case, random_label(seed), entry("AB", status))
    store.add_version(draft, random_label(4), entry("AB"))
    (label,) = signed_labels(store)
    assert (label.case_id, label.version.number) == (case, 2)
    assert np.array_equal(label.read(store), random_label(2))
    assert label.exam.patient_key and label.exam.patient_key == store.exam(draft).patient_key


def test_a_flagged_case_is_left_out_until_its_reader_approves_it(tmp_path):
    store = open_store(tmp_path)
    case = started(store)
    store.add_version(case, random_label(1), entry("AB", "approved"))
    store.add_version(case, random_label(2), entry("CD", "flagged"))
    assert signed_labels(store) == ()
    store.add_version(case, random_label(3), entry("CD", "approved"))
    assert [label.version.number for label in signed_labels(store)] == [3]


def test_the_same_images_in_two_series_count_once(tmp_path):
    store = open_store(tmp_path)
    cases = [started(store, small_exam(uid)) for uid in ("1.1", "1.2")]
    for seed, case in enumerate(cases):
        store.add_version(case, random_label(seed), entry("AB", "approved"))
    (label,) = signed_labels(store)
    assert label.case_id == cases[1]
    assert store.register(reference(small_exam("1.1"))) == cases[0]
