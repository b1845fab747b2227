"""Test cases read by the system that was trained without them, each kept as one record as soon as it is done."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..core.errors import InputError, SeriesSelectionError
from ..datasets.labelled_case import Case, Labelled, LabelledCt, LabelledMr
from ..evaluation.comparison import Answer, record_exam
from ..evaluation.exam_records import ExamRecord, append_record, read_records
from ..evaluation.mr_tables import REQUIRED_ONLY
from ..evaluation.study_records import record_study
from ..evaluation.truth_folders import TruthEntry
from .protocol_data import required_only


@dataclasses.dataclass(frozen=True)
class HeldOutCase:
    """A case that is tested, and whether it was simulated."""

    case: Case
    simulated: bool


def read_cases(
    cases: Sequence[HeldOutCase], load: Callable[[], Any], records: Path, report: Callable[[str], None], *, both: bool
) -> tuple[tuple[ExamRecord, ...], dict[str, str]]:
    """Let the system read every case that has no record yet; the same call goes on after a kill.

    Args:
        cases: that are tested.
        load: gives the system; called when there is something to read.
        records: file of the records.
        report: takes one line of progress.
        both: brain MRI: read the required contrasts alone as well.

    Returns:
        The records of all cases, and name -> why a case could not be used.
    """
    done = {record.exam for record in read_records(records)}
    waiting = [each for each in cases if each.case.name not in done]
    system = load() if waiting else None
    left_out = {}
    for number, each in enumerate(waiting, start=1):
        try:
            append_record(_record(each, system, both=both), records)
        except InputError as error:
            left_out[each.case.name] = error.what
        report(f"tested {number} of {len(waiting)} exams")
    names = {each.case.name for each in cases}
    return tuple(record for record in read_records(records) if record.exam in names), left_out


def _record(each: HeldOutCase, system: Any, *, both: bool) -> ExamRecord:
    known = each.case.read()
    if isinstance(known, LabelledMr):
        return _study(each, known, system, both=both)
    return _exam(each, known, system)


def _exam(each: HeldOutCase, known: LabelledCt, system: Any) -> ExamRecord:
    try:
        answer = Answer.of_reading(system.read(known.volume))
    except SeriesSelectionError:
        answer = Answer(system.name, {}, frozenset())  # it could not look: that is no negative
    grid = known.volume.grid
    case = dataclasses.replace(each.case, read=lambda: known)
    source, truth = TruthEntry(each.case.name, case=case).read(grid)
    source = dataclasses.replace(source, simulated=each.simulated, anatomy=each.case.patient if each.simulated else "")
    return record_exam(source, grid, truth, [answer])


def _study(each: HeldOutCase, known: LabelledMr, system: Any, *, both: bool) -> ExamRecord:
    told = {system.name: system.read_study(known.images)}
    if both:
        few: Labelled = required_only(known)
        assert isinstance(few, LabelledMr)
        told[system.name + REQUIRED_ONLY] = system.read_study(few.images)
    head = each.case.patient if each.simulated else ""
    return record_study(each.case.name, known, told, simulated=each.simulated, anatomy=head)
