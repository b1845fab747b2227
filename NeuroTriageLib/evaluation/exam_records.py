"""What is kept of each evaluated exam: truth and every system's answer per type, one line of JSON; images are not
needed any more."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..core.codes import ANY, CT_HEMORRHAGE_CODES
from ..core.errors import InputError
from ..core.whole_files import drop_torn_line

EXTRA_AXIAL = "SDH+EDH"
"""Subdural and epidural blood taken together, as Chang 2018 does."""

CSF_SPACES = "SAH+IVH"
"""Subarachnoid and intraventricular blood taken together, as the multi-class study of Kuo 2019 does (table 1)."""

GROUPS: dict[str, tuple[str, ...]] = {
    ANY: CT_HEMORRHAGE_CODES,
    **{code: (code,) for code in CT_HEMORRHAGE_CODES},
    EXTRA_AXIAL: ("SDH", "EDH"),
    CSF_SPACES: ("SAH", "IVH"),
}
"""What is evaluated -> the hemorrhage types that it holds."""


@dataclass(frozen=True)
class GroupTruth:
    """What is true about one group of types in one exam.

    Args:
        present: it is there.
        volume_ml: of the true mask; None when the truth has no mask.
        abc2_ml: ABC/2 of the true mask; None without a mask or where ABC/2 is not measured.
        slices: indices k of the slices in which the true mask has a voxel; None when that is not known.
    """

    present: bool
    volume_ml: float | None = None
    abc2_ml: float | None = None
    slices: tuple[int, ...] | None = None


@dataclass(frozen=True)
class GroupAnswer:
    """What one system says about one group of types in one exam.

    Args:
        probability: calibrated exam probability (the highest of the group's types).
        called: the answer says that it is present.
        volume_ml, overlap_ml: volume of the answer's mask, and of what it shares with the true mask; None when the
            system draws no mask or it is not at hand.
        abc2_ml: ABC/2 of the answer's mask; None without a mask or where ABC/2 is not measured.
        slice_scores: (K,) score of each slice; None when the system scores no slices.
        called_slices: indices k of the slices on which the answer says that it is; None when that is not known.
    """

    probability: float
    called: bool
    volume_ml: float | None = None
    overlap_ml: float | None = None
    abc2_ml: float | None = None
    slice_scores: tuple[float, ...] | None = None
    called_slices: tuple[int, ...] | None = None


@dataclass(frozen=True)
class SystemAnswer:
    """One system's answer about one exam.

    Args:
        groups: group (see GROUPS) -> answer. A group that the system does not answer, or could not look at, is absent:
            that is no negative.
        seconds: time that the answer took; None when unknown.
    """

    groups: dict[str, GroupAnswer]
    seconds: float | None = None


@dataclass(frozen=True)
class ExamRecord:
    """One evaluated exam.

    Args:
        exam: unique name.
        truth: group -> truth; a group of which nothing is known is absent.
        answers: catalog key of a system, or "consensus" -> its answer.
        anatomy: head that it was made from, "" when unknown.
        simulated: made by the simulator; None when unknown.
        slice_count: number of slices; 0 when unknown.
        slice_spacing_mm: median distance between neighbouring slices; None when unknown.
        tilt_deg: gantry tilt; None when unknown.
        conditions: plain values that say what else is special about it: a fixed factor, mimics, changes.
    """

    exam: str
    truth: dict[str, GroupTruth]
    answers: dict[str, SystemAnswer]
    anatomy: str = ""
    simulated: bool | None = None
    slice_count: int = 0
    slice_spacing_mm: float | None = None
    tilt_deg: float | None = None
    conditions: dict[str, Any] = field(default_factory=dict)


def answering_codes(available: Iterable[str], group: str) -> tuple[str, ...]:
    """The codes that stand for a group, () when those at hand do not cover it.

    A system that knows "SDH+EDH" answers that group and neither of its types; one that knows both types answers the
    group by either. Any hemorrhage is answered by its own code alone.
    """
    available = set(available)
    if group in available:
        return (group,)
    if group != ANY and set(GROUPS[group]) <= available:
        return GROUPS[group]
    return ()


def systems_of(records: Iterable[ExamRecord]) -> tuple[str, ...]:
    """The systems that answered, the consensus first, then in the order of their first answer."""
    found = dict.fromkeys(system for record in records for system in record.answers)
    return tuple(sorted(found, key=lambda system: system != "consensus"))


def append_record(record: ExamRecord, path: Path) -> None:
    """Add one line to a file of records (made if needed)."""
    drop_torn_line(path)
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(dataclasses.asdict(record), allow_nan=False) + "\n")


def read_records(path: Path) -> tuple[ExamRecord, ...]:
    """All exams of a file; () when there is none. A last line cut off by a kill is left out.

    Several lines of one exam are one record with the answers of all of them, the last one of each system.

    Raises:
        InputError: another line is no record.
    """
    if not path.exists():
        return ()
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines.pop()
    return merged(_record(line, number, path) for number, line in enumerate(lines, start=1))


def merged(records: Iterable[ExamRecord]) -> tuple[ExamRecord, ...]:
    """One record per exam, with the answers of all records of that name."""
    exams: dict[str, ExamRecord] = {}
    for record in records:
        earlier = exams.get(record.exam)
        answers = (earlier.answers if earlier else {}) | record.answers
        exams[record.exam] = dataclasses.replace(record, answers=answers)
    return tuple(exams.values())


def _record(line: str, number: int, path: Path) -> ExamRecord:
    try:
        values = json.loads(line)
        truth = {group: GroupTruth(**_tuples(item)) for group, item in values.pop("truth").items()}
        answers = {
            system: SystemAnswer(
                {group: GroupAnswer(**_tuples(item)) for group, item in answer["groups"].items()}, answer["seconds"]
            )
            for system, answer in values.pop("answers").items()
        }
        return ExamRecord(truth=truth, answers=answers, **values)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"Line {number} is no evaluated exam.", where=str(path), next_step="Remove the line or the file."
        ) from error


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
        for key, value in values.items()
    }
