"""findings.json: the whole answer for other programs, as findings.schema.json describes it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import __version__
from ..core.findings import Abc2, ExamResult, Familiarity, Finding, Reading, Region, SeriesJudgement
from .result_files import further_names, written_names

SCHEMA_ID = "neurotriage-findings-2"
"""Changes only when a program that reads the present documents would no longer understand them."""

NOTICE = "Research software, not for diagnosis."
NUMBERS = re.compile(r"\[\n\s+([-+.\deE]+(?:,\n\s+[-+.\deE]+)*)\n\s+\]")
"""A list of numbers over several lines; no text can look like it, for JSON's texts hold no line breaks."""
SCHEMA_FILE = Path(__file__).with_name("findings.schema.json")


def findings_document(result: ExamResult | Sequence[ExamResult]) -> dict[str, Any]:
    """The document as plain values. It holds no patient's name or ID; the input's path stands as the user gave it.

    A study that was read on several series has the first at the top, as if it were alone, and the others in
    "further_series".
    """
    first, *others = [result] if isinstance(result, ExamResult) else list(result)
    document = {"schema": SCHEMA_ID, "version": __version__, "notice": NOTICE, **_series_document(first)}
    if others:
        document["further_series"] = [_series_document(other) for other in others]
    return document


def _series_document(result: ExamResult) -> dict[str, Any]:
    """What is said on one series."""
    files = written_names(result) | further_names(result)
    of_mr = {"contrast": result.contrast, "files": files} if result.contrast else {}
    return of_mr | {
        "input": {
            "path": result.input,
            "modality": result.volume.modality,
            "study_instance_uid": result.study_instance_uid,
            "series_instance_uid": result.volume.series_instance_uid,
        },
        "series": _series(result),
        "quality": [
            {"code": flag.code, "message": flag.message, "value": _rounded(flag.value, 4)} for flag in result.quality
        ],
        "findings": [_finding(finding, result.volume.sop_instance_uids) for finding in result.findings],
        "opinions": [_finding(finding, result.volume.sop_instance_uids) for finding in result.opinions],
        "regions": [_region(reading.system, item) for reading in result.readings for item in reading.regions],
        "familiarity": None if result.familiarity is None else _familiarity(result.familiarity),
        "abc2": [_abc2(item) for item in result.abc2],
        "models": [_model(reading) for reading in result.readings],
        "device": result.device,
        "timings_s": {stage: round(float(seconds), 3) for stage, seconds in result.timings_s.items()},
        "geometry": result.grid.to_json(),
    }


def write_findings_json(result: ExamResult | Sequence[ExamResult], path: Path) -> None:
    """Write the document as indented UTF-8 JSON, lists of numbers on one line."""
    text = json.dumps(findings_document(result), indent=2, ensure_ascii=False, allow_nan=False)
    text = NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", text)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


def findings_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the document."""
    return json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))


def _series(result: ExamResult) -> dict[str, Any]:
    read = [item for item in result.judgements if item.chosen]
    read.sort(key=lambda item: item.series_instance_uid != result.volume.series_instance_uid)
    chosen = [_judgement(item) for item in read]
    document: dict[str, Any] = {
        "chosen": chosen[0] if chosen else None,
        "rejected": [_judgement(item) for item in result.judgements if not item.chosen],
    }
    return document | ({"also_read": chosen[1:]} if chosen[1:] else {})


def _judgement(item: SeriesJudgement) -> dict[str, Any]:
    return {
        "series_instance_uid": item.series_instance_uid,
        "description": item.description,
        "modality": item.modality,
        "instance_count": int(item.instance_count),
        "reasons": list(item.reasons),
    }


def _finding(finding: Finding, sop_instance_uids: tuple[str, ...]) -> dict[str, Any]:
    key_slice = None if finding.key_slice is None else int(finding.key_slice)
    return {
        "code": finding.code,
        "system": finding.system,
        "status": finding.status,
        "present": finding.present,
        "probability": _rounded(finding.probability, 6),
        "threshold": _rounded(finding.threshold, 6),
        "volume_ml": _rounded(finding.volume_ml, 4),
        "components": None if finding.components is None else int(finding.components),
        "key_slice": key_slice,
        "key_sop_instance_uid": sop_instance_uids[key_slice] if sop_instance_uids and key_slice is not None else None,
        "size_class": finding.size_class,
        "reason": finding.reason,
        "doubt": _rounded(finding.doubt, 4),
        "agreement": finding.agreement,
        "slices": None if finding.slices is None else [int(k) for k in finding.slices],
        "slice_scores": None if finding.slice_scores is None else [round(float(s), 5) for s in finding.slice_scores],
    }


def _region(system: str, item: Region) -> dict[str, Any]:
    first_row, first_column, last_row, last_column = (int(edge) for edge in item.box_ji)
    return {
        "system": system,
        "code": item.code,
        "confidence": round(float(item.confidence), 4),
        "accepted": item.accepted,
        "slice": int(item.slice_index),
        "rows": [first_row, last_row],
        "columns": [first_column, last_column],
        "instance": int(item.instance) or None,
    }


def _familiarity(item: Familiarity) -> dict[str, Any]:
    return {
        "familiar": item.is_familiar,
        "score": round(float(item.score), 3),
        "threshold": round(float(item.threshold), 3),
        "reasons": list(item.reasons),
        "accepted": item.accepted,
    }


def _abc2(item: Abc2) -> dict[str, Any]:
    return {
        "code": item.code,
        "a_mm": _rounded(item.a_mm, 2),
        "b_mm": _rounded(item.b_mm, 2),
        "c_mm": _rounded(item.c_mm, 2),
        "volume_ml": _rounded(item.volume_ml, 4),
        "voxel_volume_ml": _rounded(item.voxel_volume_ml, 4),
        "percent_off": _rounded(item.percent_off, 1),
        "key_slice": int(item.key_slice),
        "a_ends_lps_mm": _points(item.a_ends_lps_mm),
        "b_ends_lps_mm": _points(item.b_ends_lps_mm),
        "caveat": item.caveat,
    }


def _model(reading: Reading) -> dict[str, Any]:
    model = reading.model
    return {"system": reading.system, "name": model.name, "version": model.version, "sha256": model.sha256}


def _points(points: tuple[tuple[float, float, float], ...]) -> list[list[float]]:
    return [[round(float(x), 3) for x in point] for point in points]


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(float(value), digits)
