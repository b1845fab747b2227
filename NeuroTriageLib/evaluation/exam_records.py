"""What is kept of each evaluated exam: truth and answer per type, one line of JSON; images are not needed any more."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.codes import ANY, CT_HEMORRHAGE_CODES
from ..core.errors import InputError
from ..core.findings import Reading
from ..core.geometry import SliceGrid

EXTRA_AXIAL = "SDH+EDH"
"""Subdural and epidural blood taken together, as Chang 2018 does."""

GROUPS: dict[str, tuple[str, ...]] = {
    ANY: CT_HEMORRHAGE_CODES,
    **{code: (code,) for code in CT_HEMORRHAGE_CODES},
    EXTRA_AXIAL: ("SDH", "EDH"),
}
"""What is evaluated -> the hemorrhage types that it holds."""


@dataclass(frozen=True)
class FindingRecord:
    """Truth and answer for one group of types in one exam.

    Args:
        truth_ml, predicted_ml, overlap_ml: volume of the true mask, of the answer's mask, and of what both share.
        probability: calibrated exam probability (the highest of the group's types).
        called: the answer says that it is present.
        truth_abc2_ml, predicted_abc2_ml: ABC/2 of either mask, None without a mask or for a group of types.
    """

    truth_ml: float
    predicted_ml: float
    overlap_ml: float
    probability: float
    called: bool
    truth_abc2_ml: float | None = None
    predicted_abc2_ml: float | None = None

    @property
    def present(self) -> bool:
        """True when the true mask has a voxel."""
        return self.truth_ml > 0


@dataclass(frozen=True)
class ExamRecord:
    """One evaluated exam.

    Args:
        exam: unique name.
        anatomy: head that it was made from, "" when unknown.
        system: catalog key of the system that answered.
        slice_spacing_mm: median distance between neighbouring slices.
        tilt_deg: gantry tilt.
        seconds: time of the system's answer.
        findings: group (see GROUPS) -> record.
    """

    exam: str
    anatomy: str
    system: str
    slice_spacing_mm: float
    tilt_deg: float
    seconds: float
    findings: dict[str, FindingRecord]


@dataclass(frozen=True)
class ExamSource:
    """Names of an exam: its own, and the head that it was made from ("" when unknown)."""

    exam: str
    anatomy: str = ""


def record_exam(
    source: ExamSource,
    grid: SliceGrid,
    truth_kji: np.ndarray,
    reading: Reading,
    *,
    truth_abc2_ml: Mapping[str, float] | None = None,
    predicted_abc2_ml: Mapping[str, float] | None = None,
) -> ExamRecord:
    """Compare an answer with the truth on the exam's own grid.

    Args:
        grid: source grid of both masks.
        truth_kji: (K, J, I) uint8, voxel value n is CT_HEMORRHAGE_CODES[n - 1].
        reading: the answer, on the same grid.
        truth_abc2_ml, predicted_abc2_ml: type -> ABC/2 in mL of the true and the predicted mask.
    """
    truth_abc2_ml, predicted_abc2_ml = truth_abc2_ml or {}, predicted_abc2_ml or {}
    findings = {}
    for group, codes in GROUPS.items():
        truth = _mask_of(truth_kji, CT_HEMORRHAGE_CODES, codes)
        predicted = _mask_of(reading.label_kji, reading.codes, codes)
        names = (ANY,) if group == ANY else codes
        findings[group] = FindingRecord(
            truth_ml=_volume_ml(truth, grid),
            predicted_ml=_volume_ml(predicted, grid),
            overlap_ml=_volume_ml(truth & predicted, grid),
            probability=max(reading.probability[name] for name in names),
            called=any(reading.is_present(name) for name in names),
            truth_abc2_ml=truth_abc2_ml.get(group),
            predicted_abc2_ml=predicted_abc2_ml.get(group),
        )
    spacings = grid.slice_spacings_mm
    return ExamRecord(
        exam=source.exam,
        anatomy=source.anatomy,
        system=reading.system,
        slice_spacing_mm=float(np.median(spacings)) if len(spacings) else grid.slice_thickness_mm,
        tilt_deg=grid.tilt_deg,
        seconds=float(sum(reading.timings_s.values())),
        findings=findings,
    )


def append_record(record: ExamRecord, path: Path) -> None:
    """Add one line to a file of records (made if needed)."""
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(dataclasses.asdict(record)) + "\n")


def read_records(path: Path) -> tuple[ExamRecord, ...]:
    """All records of a file; () when there is none. A last line cut off by a kill is left out.

    Raises:
        InputError: another line is no record.
    """
    if not path.exists():
        return ()
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines.pop()
    return tuple(_records(lines, path))


def _records(lines: Iterable[str], path: Path) -> Iterable[ExamRecord]:
    for number, line in enumerate(lines, start=1):
        try:
            values = json.loads(line)
            findings = {group: FindingRecord(**finding) for group, finding in values.pop("findings").items()}
            yield ExamRecord(findings=findings, **values)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(
                f"Line {number} is no evaluated exam.", where=str(path), next_step="Remove the line or the file."
            ) from error


def _mask_of(label_kji: np.ndarray, order: tuple[str, ...], codes: tuple[str, ...]) -> np.ndarray:
    values = [order.index(code) + 1 for code in codes if code in order]
    return np.isin(label_kji, values)


def _volume_ml(mask_kji: np.ndarray, grid: SliceGrid) -> float:
    return float(mask_kji.sum(axis=(1, 2)) @ grid.voxel_volumes_ml)
