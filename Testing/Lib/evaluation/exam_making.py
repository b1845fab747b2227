"""Exams of known figures, made by hand for the tests of tables and plots."""

from __future__ import annotations

from NeuroTriageLib.evaluation.exam_records import GROUPS, ExamRecord, GroupAnswer, GroupTruth, SystemAnswer

SLICES = 10
ABSENT = GroupTruth(present=False, volume_ml=0.0, slices=())
NOT_CALLED = GroupAnswer(0.1, False, 0.0, 0.0, slice_scores=(0.1,) * SLICES, called_slices=())


def truth(volume_ml: float, slices: tuple[int, ...] = (4, 5), abc2_ml: float | None = None) -> GroupTruth:
    """A true bleeding."""
    return GroupTruth(True, volume_ml, abc2_ml, slices)


def called(
    volume_ml: float | None,
    overlap_ml: float | None,
    *,
    probability: float = 0.9,
    slices: tuple[int, ...] = (4, 5),
    abc2_ml: float | None = None,
) -> GroupAnswer:
    """A call, its slices scored 0.8 and the others 0.1."""
    scores = tuple(0.8 if k in slices else 0.1 for k in range(SLICES))
    return GroupAnswer(probability, True, volume_ml, overlap_ml, abc2_ml, scores, slices)


def exam(
    name: str,
    true: GroupTruth = ABSENT,
    answers: dict[str, GroupAnswer] | None = None,
    *,
    code: str = "IPH",
    spacing_mm: float = 5.0,
    tilt_deg: float = 0.0,
    **changes,
) -> ExamRecord:
    """One exam whose only blood is of one type, and what systems say of it; all other groups are answered negative."""
    said = {
        system: SystemAnswer(dict.fromkeys(GROUPS, NOT_CALLED) | {"any": answer, code: answer}, 2.0)
        for system, answer in (answers or {"fake": NOT_CALLED}).items()
    }
    truths = dict.fromkeys(GROUPS, ABSENT) | {"any": true, code: true}
    return ExamRecord(
        name,
        truths,
        said,
        anatomy="head",
        simulated=True,
        slice_count=SLICES,
        slice_spacing_mm=spacing_mm,
        tilt_deg=tilt_deg,
        **changes,
    )


def row(rows: list[dict], **wanted) -> dict:
    """The one row with these values."""
    (match,) = [r for r in rows if all(r[key] == value for key, value in wanted.items())]
    return match
