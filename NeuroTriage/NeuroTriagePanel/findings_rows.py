"""Findings as the panel's table shows them: text, no Qt."""

from __future__ import annotations

from dataclasses import dataclass

from NeuroTriageLib.core.codes import FINDING_CODES
from NeuroTriageLib.core.findings import ExamResult, Finding
from NeuroTriageLib.core.opinions import source_code

COLUMNS = ("Hemorrhage", "Prob.", "Thresh.", "mL", "Status", "Slice", "Doubt")
STATUS_TEXTS = {"found": "Found", "not_found": "Not found", "could_not_look": "Not assessed"}
NONE = "–"


@dataclass(frozen=True)
class FindingRow:
    """One line of the table.

    Args:
        cells: one text per column of COLUMNS.
        color_rgb: the segment's colour, 0-1.
        status: of the finding.
        tooltip: model, ABC/2, reason and each system's opinion, one per line.
    """

    cells: tuple[str, ...]
    color_rgb: tuple[float, float, float]
    status: str
    tooltip: str


def finding_row(result: ExamResult, finding: Finding) -> FindingRow:
    """The line for one finding; figures that do not exist are dashes, never zeros."""
    cells = (
        short_name(finding.code),
        _number(finding.probability, 2),
        _number(finding.threshold, 2),
        _number(finding.volume_ml, 1) if finding.status == "found" else NONE,
        STATUS_TEXTS[finding.status],
        NONE if finding.key_slice is None else str(finding.key_slice + 1),
        _doubt(finding),
    )
    return FindingRow(cells, FINDING_CODES[finding.code].color_rgb, finding.status, _tooltip(result, finding))


def short_name(code: str) -> str:
    """The name where "hemorrhage" is said already."""
    return "Any" if code == "any" else FINDING_CODES[code].name.removesuffix(" hemorrhage")


def summary(result: ExamResult) -> str:
    """The whole exam in one sentence."""
    any_findings = [finding for finding in result.findings if finding.code == "any"]
    if any(finding.present is None for finding in any_findings) or not any_findings:
        reason = next((finding.reason for finding in any_findings if finding.reason), "")
        return f"This exam could not be assessed. That is not a negative result. {reason}".strip()
    present = [finding for finding in result.findings if finding.present and finding.code != "any"]
    if any(finding.present for finding in any_findings):
        names = ", ".join(short_name(finding.code).lower() for finding in present)
        volumes = [finding.volume_ml for finding in any_findings if finding.volume_ml is not None]
        where = f": {names}" if names else ""
        size = f" {max(volumes):.1f} mL in all." if volumes else ""
        return f"Hemorrhage found{where}.{size}{_split(any_findings)}"
    return f"No hemorrhage found by this model.{_split(any_findings)}"


def _split(any_findings: list[Finding]) -> str:
    return " The systems disagree." if any(finding.agreement == "split" for finding in any_findings) else ""


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
        figure = "" if opinion.probability is None else f", {opinion.probability:.2f}"
        texts.append(f"{system}: {STATUS_TEXTS[opinion.status].lower()}{figure}{meant}")
    return texts


def _doubt(finding: Finding) -> str:
    """The systems' disagreement, with a mark where their own answers differ."""
    return _number(finding.doubt, 2) + (" split" if finding.agreement == "split" else "")


def _tooltip(result: ExamResult, finding: Finding) -> str:
    lines = [FINDING_CODES[finding.code].name]
    lines += [finding.reason] if finding.reason else []
    lines += [
        f"ABC/2: {item.volume_ml:.1f} mL ({item.percent_off:+.0f} % off the voxel volume). {item.caveat}".strip()
        for item in result.abc2
        if item.code == finding.code
    ]
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
