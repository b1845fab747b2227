"""After an edit findings, figures, report and dictation say what the reader left, and mark it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest

from NeuroTriageLib.core.errors import OutputError
from NeuroTriageLib.core.exchange import load_exam, save_exam
from NeuroTriageLib.core.midline import MidlinePoints
from NeuroTriageLib.measurements.midline_shift import measure_midline_shift
from NeuroTriageLib.measurements.volume import mask_volume_ml
from NeuroTriageLib.outputs.pictures import PictureMaker
from NeuroTriageLib.outputs.report import render_report, replace_report
from NeuroTriageLib.outputs.review_text import review_sentences
from NeuroTriageLib.review.dictation import NOTICE, dictation_text
from NeuroTriageLib.review.labels import SEGMENT_VALUES, label_of_reading
from NeuroTriageLib.review.live_measurements import AbcLines
from NeuroTriageLib.review.prior import midline_change_words, volume_change
from NeuroTriageLib.review.reviewed_exam import READER, reviewed_exam
from NeuroTriageLib.review.versions import ReaderEntry, Version, differences
from NeuroTriageLib.worker import Worker
from Testing.Lib.exam_builder import IPH, IPH_AND_SDH, ExamSettings, build_exam, build_unreadable_exam
from Testing.Lib.weighed_exam import build_weighed_exam

EXAM = build_exam(ExamSettings(blood=IPH_AND_SDH))


def midline(exam, shift_mm: float, k: int = 3):
    """The shift of a septum on slice k that lies shift_mm to the patient's left of a line of 120 mm."""
    x, y, z = exam.grid.voxel_to_lps(np.array([12, 12, k])).tolist()
    points = MidlinePoints((x, y - 60, z), (x, y + 60, z), (x + shift_mm, y, z))
    return measure_midline_shift(points, exam.grid)


def review(exam, label: np.ndarray, lines=None, shift=None, **values):
    """The exam after a reader has left it with this label map."""
    model = label_of_reading(exam.readings[0]) if exam.readings else None
    said = ReaderEntry("AB", values.pop("status", "approved"), 0, **values)
    version = Version(
        number=3,
        kind="reader",
        created_utc="2026-01-01T10:00:00Z",
        system="kuo2019",
        model=exam.readings[0].model if exam.readings else None,
        model_version=0,
        threshold={},
        pixel_threshold=None,
        looked=True,
        volume_ml={},
        mask_sha256="",
        entry=said,
        difference=None if model is None else differences(model, label, exam.grid),
        midline=shift,
    )  # fmt: skip
    return reviewed_exam(exam, label, version, lines)


def own_label(exam=EXAM) -> np.ndarray:
    return label_of_reading(exam.readings[0])


def with_block(label: np.ndarray, code: str) -> np.ndarray:
    label = label.copy()
    label[5, 10:14, 24:30] = SEGMENT_VALUES[code]
    return label


def finding(exam, code: str):
    return next(item for item in exam.findings if item.code == code)


def test_an_untouched_mask_keeps_the_models_volumes_and_carries_the_readers_word():
    exam = review(EXAM, own_label(), decisions={"IPH": "accept"})
    for code in ("any", "IPH", "SDH"):
        assert finding(exam, code).volume_ml == pytest.approx(finding(EXAM, code).volume_ml)
        assert finding(exam, code).probability == finding(EXAM, code).probability
    assert [finding(exam, code).decision for code in ("IPH", "SDH", "any")] == ["accept", None, None]
    assert (exam.review.reader, exam.review.version) == ("AB", 3)


def test_a_type_that_the_reader_drew_is_found_although_the_model_missed_it():
    label = with_block(own_label(), "SAH")
    exam = review(EXAM, label)
    sah = finding(exam, "SAH")
    assert (sah.status, sah.decision) == ("found", "edit")
    assert sah.volume_ml == pytest.approx(mask_volume_ml(label == SEGMENT_VALUES["SAH"], EXAM.grid))
    assert finding(exam, "any").volume_ml == pytest.approx(mask_volume_ml(label > 0, EXAM.grid))
    assert "SAH" in [code for code in exam.readings[0].codes if exam.readings[0].is_present(code)]


def test_a_rejected_finding_is_not_found_and_no_blood_left_is_no_hemorrhage():
    label = np.where(own_label() == SEGMENT_VALUES["SDH"], 0, own_label()).astype(np.uint8)
    exam = review(EXAM, label, decisions={"SDH": "reject"})
    assert (finding(exam, "SDH").status, finding(exam, "SDH").decision) == ("not_found", "reject")
    assert finding(exam, "any").status == "found"
    nothing = review(EXAM, np.zeros_like(label), decisions={"any": "reject"})
    assert {item.status for item in nothing.findings} == {"not_found"} and not nothing.abc2


def test_hemorrhage_of_undetermined_type_counts_beside_a_type():
    label = with_block(own_label(build_exam(ExamSettings(blood=IPH))), "any")
    exam = review(build_exam(ExamSettings(blood=IPH)), label)
    assert finding(exam, "any").volume_ml == pytest.approx(mask_volume_ml(label > 0, exam.grid))
    assert "type undetermined" in render_report(exam)
    only = np.where(label == SEGMENT_VALUES["any"], label, 0).astype(np.uint8)
    exam = review(build_exam(ExamSettings(blood=IPH)), only)
    assert finding(exam, "IPH").status == "not_found" and finding(exam, "any").status == "found"
    assert "type undetermined" in dictation_text(exam)


def test_a_consensus_keeps_its_doubt():
    weighed = build_weighed_exam()
    exam = review(weighed, own_label(weighed))
    assert [item.doubt for item in exam.findings] == [item.doubt for item in weighed.findings]


def test_a_reader_may_draw_what_no_system_could_look_at():
    exam = build_unreadable_exam()
    label = with_block(np.zeros(exam.grid.shape_kji, np.uint8), "EDH")
    drawn = review(exam, label)
    assert (finding(drawn, "EDH").status, finding(drawn, "EDH").system) == ("found", READER)
    assert finding(drawn, "IPH").status == "could_not_look"
    assert "Epidural" in render_report(drawn) and "Not assessed" in dictation_text(drawn)
    untouched = review(exam, np.zeros_like(label))
    assert {item.status for item in untouched.findings} == {"could_not_look"} and not untouched.readings


def test_the_report_marks_what_was_edited_and_says_who_read():
    exam = review(EXAM, with_block(own_label(), "SAH"), decisions={"IPH": "accept"}, comment="<b>old</b> blood?")
    page = render_report(exam)
    for words in ("Read by AB: approved", "edited", "accepted", "&lt;b&gt;old&lt;/b&gt; blood?", "<h2>Review</h2>"):
        assert words in page
    assert "Review" not in re.sub(r"(?s)<style>.*</style>", "", render_report(EXAM))


def test_a_readers_line_stands_in_report_and_dictation():
    lines = {"IPH": AbcLines(a_ends_lps_mm=((0.0, 0.0, 0.0), (0.0, 62.0, 0.0)))}
    exam = review(EXAM, own_label(), lines)
    (iph,) = (item for item in exam.abc2 if item.code == "IPH")
    assert iph.a_mm == 62.0 and iph.edited == ("A",)
    assert iph.volume_ml == pytest.approx(62 * iph.b_mm * iph.c_mm / 2000)
    assert "A by reader" in render_report(exam) and "62 x" in dictation_text(exam)


def test_the_dictation_says_everything_once_and_in_order():
    exam = review(EXAM, with_block(own_label(), "SAH"), decisions={"IPH": "accept"})
    lines = dictation_text(exam, {"IPH": volume_change("IPH", 10.0, 23.9, 6.0)}).splitlines()
    assert lines[0] == "Measured with kuo2019-test 0.1; read by AB (approved)."
    assert lines[1].startswith("Intraparenchymal hemorrhage: 23.9 mL (accepted by reader), best seen on slice")
    assert "ABC/2" in lines[1] and "above 30 mL" in lines[2]
    assert any(line.startswith("Subarachnoid hemorrhage:") and "(edited by reader)" in line for line in lines)
    assert any(line.startswith("Not detected: intraventricular hemorrhage, epidural hemorrhage") for line in lines)
    assert any("6 h before" in line and "was 10.0 mL (+13.9 mL, +139 %; expansion" in line for line in lines)
    assert lines[-1] == NOTICE and "\n".join(lines).count("not for diagnosis") == 1


def test_midline_shift_stands_with_its_origin_in_report_dictation_and_sentences():
    exam = review(EXAM, own_label(), shift=midline(EXAM, 6.2))
    said = "6.2 mm to the left (placed by the reader), above 5 mm"
    assert f"Midline shift: {said}." in dictation_text(exam)
    assert f"Midline shift {said}." in review_sentences(exam)
    page = render_report(exam)
    assert f"<b>{said}.</b>" in page and "Measured on slice 4." in page and "S the shift" in page


def test_a_midline_shift_that_nobody_measured_is_said_to_be_that():
    exam = review(EXAM, own_label())
    assert "Midline shift: not measured." in dictation_text(exam)
    page = render_report(exam)
    assert "<h2>Midline shift</h2>" in page and "Not measured." in page and "S the shift" not in page
    assert not any("idline" in sentence for sentence in review_sentences(exam))
    assert "Midline" not in render_report(EXAM)


def test_the_slice_of_midline_shift_is_pictured_once_with_its_lines():
    k = 3
    shift = midline(EXAM, -8.0, k)
    exam = review(EXAM, own_label(), shift=shift)
    lines = {letter: ends for letter, *ends in PictureMaker(exam, exam.readings[0]).lines(k)}
    x1, y1, x2, y2 = lines["S"]
    assert np.hypot(x2 - x1, y2 - y1) == pytest.approx(8.0) and x2 < x1, "the patient's right is on the left"
    assert render_report(exam).count(f'id="slice-{k + 1}"') == 1


def test_the_change_of_midline_shift_since_a_prior_is_said_in_millimetres():
    exam = review(EXAM, own_label(), shift=midline(EXAM, 6.2))
    later = dictation_text(exam, prior_midline=midline(EXAM, 3.1))
    assert "Compared with the prior exam: midline shift 6.2 mm to the left, was 3.1 mm to the left (+3.1 mm)." in later
    crossed = midline_change_words(midline(EXAM, -2.0), midline(EXAM, 3.0))
    assert crossed == "Midline shift 2.0 mm to the right, was 3.0 mm to the left (5.0 mm to the other side)."
    assert midline_change_words(None, None) == ""
    assert midline_change_words(None, midline(EXAM, 1.0)) == "Midline shift was not measured in this exam."
    assert midline_change_words(midline(EXAM, 1.0), None) == "Midline shift was not measured in the prior exam."


def test_negative_and_unread_exams_are_different_in_the_dictation():
    negative, unread = dictation_text(build_exam(ExamSettings())), dictation_text(build_unreadable_exam("No head."))
    assert "No intracranial hemorrhage detected." in negative and "not reviewed" in negative
    assert "Not assessed:" in unread and "No head." in unread and "detected" not in unread


def test_a_reviewed_exam_passes_from_process_to_process(tmp_path):
    exam = review(EXAM, with_block(own_label(), "SAH"), decisions={"IPH": "accept"}, confidence=3)
    save_exam(exam, tmp_path)
    back = load_exam(tmp_path)
    assert (back.review, back.findings, back.abc2) == (exam.review, exam.findings, exam.abc2)
    assert render_report(back) == render_report(exam)


def test_the_worker_writes_the_report_of_an_edited_exam(tmp_path):
    save_exam(review(EXAM, with_block(own_label(), "SAH")), tmp_path / "exam")
    path = tmp_path / "report.html"
    path.write_text("older")
    request = {"id": 5, "command": "report", "exam": str(tmp_path / "exam"), "path": str(path)}
    events = StringIO()
    Worker([json.dumps(request)], events).serve()
    told = [json.loads(line) for line in events.getvalue().splitlines()]
    assert told[-1] == {"event": "report", "id": 5, "path": str(path)}
    assert "Read by AB" in path.read_text(encoding="utf-8")
    assert sorted(item.name for item in tmp_path.iterdir()) == ["exam", "report.html"]


def test_a_report_that_cannot_be_written_leaves_the_older_one(tmp_path):
    with pytest.raises(OutputError):
        replace_report(EXAM, tmp_path / "missing" / "report.html")
    path = tmp_path / "report.html"
    path.mkdir()
    with pytest.raises(OutputError):
        replace_report(replace(EXAM, device="cpu"), path)
    assert [item.name for item in tmp_path.iterdir()] == ["report.html"]
