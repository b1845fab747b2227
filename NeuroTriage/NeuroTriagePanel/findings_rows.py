"""Findings as the panel's table shows them, the most urgent first: text and figures, no Qt."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from NeuroTriageLib.core.codes import ABNORMAL, ANY, FINDING_CODES, MR_CODES
from NeuroTriageLib.core.findings import ExamResult, Finding
from NeuroTriageLib.core.opinions import source_code

COLUMNS = ("Finding", "Probability", "mL", "Doubt", "Slice", "✎")  # the last: what the reader decided
STATUS_TEXTS = {"found": "found", "not_found": "not detected", "could_not_look": "not assessed"}
DECISION_TEXTS = {"accept": "✓", "edit": "✎", "reject": "✗"}
_DECIDED = {"accept": "accepted", "edit": "edited", "reject": "rejected"}
NONE = "–"

# What was found comes first, then what nobody looked at: it must not pass for a negative.
_STATUS_ORDER = {"found": 0, "could_not_look": 1, "not_found": 2}


@dataclass(frozen=True)
class FindingRow:
    """One line of the table.

    Args:
        code: of the finding.
        name: short; "hemorrhage" is said already.
        status: found, not_found or could_not_look.
        probability, threshold: 0-1, None when it could not be looked at.
        volume_text, doubt_text, slice_text, decision_text: dashes for what does not exist, never zeros.
        color_rgb: the segment's colour, 0-1.
        is_doubtful: the systems' own answers differ.
        tooltip: reason, ABC/2, opinions, model; one per line.
    """

    code: str
    name: str
    status: str
    probability: float | None
    threshold: float | None
    volume_text: str
    doubt_text: str
    slice_text: str
    decision_text: str
    color_rgb: tuple[float, float, float]
    is_doubtful: bool
    tooltip: str


def finding_rows(
    result: ExamResult,
    findings: Sequence[Finding],
    decisions: Mapping[str, str],
    *,
    edited: Collection[str] = (),
    elsewhere: str = "",
) -> tuple[FindingRow, ...]:
    """The lines of the table, the most urgent first.

    Args:
        result: the model's answer, for opinions, ABC/2 and models.
        findings: as they stand now, with the reader's thresholds and mask.
        decisions: code -> accept, edit or reject.
        edited: codes whose mask is no longer the model's; their mL carry a mark.
        elsewhere: the series that the findings are shown on, when it is not the one on the screen.
    """
    ordered = sorted(findings, key=urgency)
    rows = (_row(result, item, decisions.get(item.code, ""), item.code in edited) for item in ordered)
    return tuple(replace(row, name=f"{row.name} ({elsewhere})") if elsewhere else row for row in rows)


def urgency(finding: Finding) -> tuple:
    """Sort key (ours): any hemorrhage on top, an abnormality as such at the end; between them what was found by falling
    mL, since the size decides the outcome (Broderick 1993); then what could not be looked at; then the negatives, those
    nearest to their threshold first."""
    nearness = (finding.probability or 0.0) / max(finding.threshold or 1.0, 1e-6)
    place = 0 if finding.code == ANY else 2 if finding.code == ABNORMAL else 1
    return (place, _STATUS_ORDER[finding.status], -(finding.volume_ml or 0.0), -nearness)


def short_name(code: str) -> str:
    """The name where "hemorrhage" is said already; of findings on MRI, where it is not, the whole name."""
    if code in MR_CODES:
        return FINDING_CODES[code].name
    return "Any hemorrhage" if code == ANY else FINDING_CODES[code].name.removesuffix(" hemorrhage")


def summary(result: ExamResult, findings: Sequence[Finding] | None = None) -> str:
    """The whole exam in one sentence."""
    findings = result.findings if findings is None else findings
    if result.contrast:
        return _mr_summary(findings)
    any_findings = [finding for finding in findings if finding.code == ANY]
    if any(finding.present is None for finding in any_findings) or not any_findings:
        reason = next((finding.reason for finding in any_findings if finding.reason), "")
        return f"This exam could not be assessed. That is not a negative result. {reason}".strip()
    present = [finding for finding in findings if finding.present and finding.code != ANY]
    if any(finding.present for finding in any_findings):
        names = ", ".join(short_name(finding.code).lower() for finding in present)
        volumes = [finding.volume_ml for finding in any_findings if finding.volume_ml is not None]
        where = f": {names}" if names else ""
        size = f" {max(volumes):.1f} mL in all." if volumes else ""
        return f"Hemorrhage found{where}.{size}{_split(any_findings)}"
    return f"No hemorrhage found by this model.{_split(any_findings)}"


def _mr_summary(findings: Sequence[Finding]) -> str:
    """The findings on one series of a brain MRI; what could not be looked at is said before what was not found."""
    by_status = {status: [f for f in findings if f.status == status] for status in _STATUS_ORDER}
    found, unseen = by_status["found"], by_status["could_not_look"]
    if not found and not by_status["not_found"]:
        reason = next((finding.reason for finding in unseen if finding.reason), "")
        return f"This study could not be assessed. That is not a negative result. {reason}".strip()
    names = {status: ", ".join(short_name(f.code).lower() for f in group) for status, group in by_status.items()}
    said = f"Found: {names['found']}." if found else f"Not detected: {names['not_found']}."
    return f"{said} Not assessed: {names['could_not_look']}." if unseen else said


def opinion_texts(result: ExamResult, finding: Finding) -> list[str]:
    """What each system said of a finding, where several did; one on subdural or epidural stands with both."""
    said: dict[str, dict[str, Finding]] = {}
    for opinion in result.opinions:
        said.setdefault(opinion.system, {})[opinion.code] = opinion
    texts = []
    for system, own in said.items():
        source = source_code(finding.code, own)
        if system == finding.system or source is None:
            continue
        opinion, meant = own[source], "" if source == finding.code else f" ({source})"
        figure = "" if opinion.probability is None else f" {opinion.probability:.2f}"
        limit = "" if opinion.threshold is None else f" (from {opinion.threshold:.2f})"
        texts.append(f"{system}: {STATUS_TEXTS[opinion.status]}{figure}{limit}{meant}")
    return texts


def opinions_line(result: ExamResult, finding: Finding) -> str:
    """The opinions on one finding for the line below the table, or why there is nothing to say."""
    name = short_name(finding.code)
    if finding.status == "could_not_look":
        return f"{name}: not assessed. {finding.reason}".strip()
    texts = opinion_texts(result, finding)
    if not texts:
        return ""
    split = "The systems disagree. " if finding.agreement == "split" else ""
    return f"{name}: {split}{'; '.join(texts)}."


def _row(result: ExamResult, finding: Finding, decision: str, edited: bool) -> FindingRow:
    found = finding.status == "found"
    volume = _number(finding.volume_ml, 1) if found else NONE
    return FindingRow(
        code=finding.code,
        name=short_name(finding.code),
        status=finding.status,
        probability=finding.probability,
        threshold=finding.threshold,
        volume_text=volume + ("*" if edited and volume != NONE else ""),
        doubt_text=_number(finding.doubt, 2) + (" split" if finding.agreement == "split" else ""),
        slice_text=NONE if finding.key_slice is None else str(finding.key_slice + 1),
        decision_text=DECISION_TEXTS.get(decision, NONE),
        color_rgb=FINDING_CODES[finding.code].color_rgb,
        is_doubtful=finding.agreement == "split",
        tooltip=_tooltip(result, finding, decision, edited),
    )


def _split(any_findings: list[Finding]) -> str:
    return " The systems disagree." if any(finding.agreement == "split" for finding in any_findings) else ""


def _tooltip(result: ExamResult, finding: Finding, decision: str, edited: bool) -> str:
    lines = [f"{FINDING_CODES[finding.code].name}: {STATUS_TEXTS[finding.status]}"]
    lines += [finding.reason] if finding.reason else []
    if finding.probability is not None and finding.threshold is not None:
        lines.append(f"Probability {finding.probability:.2f}, found from {finding.threshold:.2f} (the tick)")
    lines += [
        f"ABC/2: {item.volume_ml:.1f} mL ({item.percent_off:+.0f} % off the voxel volume). {item.caveat}".strip()
        for item in result.abc2
        if item.code == finding.code and not edited
    ]
    lines += [f"Reader: {_DECIDED[decision]}"] if decision else []
    lines += ["* The mask was changed by the reader."] if edited else []
    if finding.components:
        parts = "1 part" if finding.components == 1 else f"{finding.components} parts"
        lines.append(f"{parts}, size class {finding.size_class}")
    models = [reading.model for reading in result.readings if reading.system == finding.system]
    if finding.doubt is not None:
        lines.append(
            f"Doubt (standard deviation of the opinions): {finding.doubt:.2f}, the systems {finding.agreement}"
        )
    lines += opinion_texts(result, finding)
    lines += [f"Model: {model.name} {model.version} ({model.sha256[:12]})" for model in models]
    return "\n".join(lines)


def _number(value: float | None, digits: int) -> str:
    return NONE if value is None else f"{value:.{digits}f}"
