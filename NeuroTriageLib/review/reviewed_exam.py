"""An exam as a reader left it: findings measured anew on the edited mask, and a mark on what was edited."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ..core.codes import ANY, answered_codes
from ..core.findings import Abc2, ExamResult, Finding, ModelIdentity, Reading
from ..core.sign_off import Review
from ..measurements.components import find_components
from ..measurements.findings import measure
from .labels import SEGMENT_CODES, SEGMENT_VALUES, finding_mask, segment_codes
from .live_measurements import AbcLines, live_abc2, with_reader_lines
from .versions import Version

READER = "reader"
"""The system's name where no system could look and a reader drew the mask."""


def reviewed_exam(
    result: ExamResult, label_kji: np.ndarray, version: Version, lines: Mapping[str, AbcLines] | None = None
) -> ExamResult:
    """The exam with a reader's mask, for the report and the dictation.

    Probabilities, thresholds and opinions stay the model's. A finding is present when it has voxels; one without a mask
    (of a system that draws none) follows the reader's decision, or stays.

    Args:
        result: the model's answer.
        label_kji: the version's label map (labels.SEGMENT_CODES).
        version: of a reader.
        lines: code -> the reader's lines of ABC/2.
    """
    review = version.review()
    own = result.readings[0] if result.readings else _nobody(label_kji.shape)
    reading = _with_mask(own, label_kji, review)
    findings, abc2 = measure(reading, result.grid)
    if not result.readings:
        findings = _beside_unanswered(findings, result.findings)
    asked = {finding.code: finding for finding in result.findings}
    marked = tuple(_marked(finding, asked.get(finding.code), review) for finding in findings)
    measured = tuple(_with_lines(item, label_kji, result, (lines or {}).get(item.code)) for item in abc2)
    readings = (reading, *result.readings[1:]) if result.readings or label_kji.any() else ()
    return replace(result, readings=readings, findings=marked, abc2=measured, review=review, midline=version.midline)


def _with_mask(reading: Reading, label_kji: np.ndarray, review: Review) -> Reading:
    """The reading with the reader's mask, in the order of its own codes and then those that the reader added."""
    drawn = segment_codes(label_kji)
    codes = (*reading.codes, *(code for code in drawn if code not in reading.codes))
    lookup = np.zeros(len(SEGMENT_CODES) + 1, np.uint8)
    for value, code in enumerate(codes, start=1):
        if code in SEGMENT_VALUES:
            lookup[SEGMENT_VALUES[code]] = value
    decided = {}
    for code in answered_codes(codes):
        present = bool(drawn) if code == ANY else code in drawn
        said = review.decisions.get(code)
        if present or said == "reject":
            decided[code] = present
        elif reading.segments and code in reading.probability and code in SEGMENT_VALUES:
            decided[code] = False
    segments = reading.segments or bool(drawn)
    return replace(reading, codes=codes, label_kji=lookup[label_kji], decided=decided, segments=segments)


def _nobody(shape_kji: tuple[int, ...]) -> Reading:
    """The reading of an exam that no system could look at."""
    empty = np.zeros(shape_kji, np.uint8)
    return Reading(
        system=READER,
        codes=(),
        probability={},
        threshold={},
        slice_probability={},
        label_kji=empty,
        heatmap_kji=empty.astype(np.float16),
        model=ModelIdentity("", "", ""),
        segments=False,
    )


def _beside_unanswered(findings: tuple[Finding, ...], unanswered: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """What the reader drew in place of what could not be looked at; the rest stays unanswered."""
    said = {finding.code: finding for finding in findings if finding.status != "could_not_look"}
    order = [finding.code for finding in unanswered]
    merged = [said.pop(code, finding) for code, finding in zip(order, unanswered, strict=True)]
    return (*merged, *said.values())


def _marked(finding: Finding, before: Finding | None, review: Review) -> Finding:
    """The finding with what the reader said of it, and the doubt of the systems that were asked."""
    said = review.decisions.get(finding.code)
    difference = (review.difference or {}).get(finding.code)
    if difference is not None and difference.changed and said != "reject":
        said = "edit"  # whatever was said: the mask was changed
    if before is None:
        return replace(finding, decision=said)
    return replace(finding, decision=said, doubt=before.doubt, agreement=before.agreement)


def _with_lines(proposed: Abc2, label_kji: np.ndarray, result: ExamResult, lines: AbcLines | None) -> Abc2:
    if lines is None:
        return proposed
    parts = find_components(finding_mask(label_kji, proposed.code), result.grid)
    return with_reader_lines(proposed, live_abc2(proposed.code, parts, result.grid, lines))
