"""The findings as a few lines of text that a radiologist pastes into a dictation."""

from __future__ import annotations

from collections.abc import Mapping

from ..core.codes import ANY, FINDING_CODES
from ..core.findings import Abc2, ExamResult, Finding
from ..core.midline import MidlineShift
from .live_measurements import FLAGGED_ABOVE_ML
from .prior import EXPANDED_ABOVE_ML, EXPANDED_ABOVE_PERCENT, VolumeChange, midline_change_words

NOTICE = "Computer-aided measurement by research software, not for diagnosis."
MARKS = {"accept": "accepted by reader", "edit": "edited by reader", "reject": "rejected by reader"}


def dictation_text(
    result: ExamResult, prior: Mapping[str, VolumeChange] | None = None, prior_midline: MidlineShift | None = None
) -> str:
    """Plain text, one statement per line: findings with mL and ABC/2, absent, midline shift, not assessed, the prior.

    Args:
        result: a model's answer, or what reviewed_exam made of it.
        prior: code -> change since an earlier exam (prior.compare_with_prior).
        prior_midline: the shift as it was measured in that exam.
    """
    found = [finding for finding in result.findings if finding.status == "found"]
    types = [finding for finding in found if finding.code != ANY]
    abc2 = {item.code: item for item in result.abc2}
    lines = [_origin(result)]
    lines += [_found_line(finding, abc2.get(finding.code), result) for finding in (types or found)]
    if types:
        lines += [_total_line(finding) for finding in found if finding.code == ANY and finding.volume_ml]
    lines += _absent_lines(result)
    lines.append(_midline_line(result.midline))
    lines += _prior_lines(prior or {})
    if prior_midline is not None:
        lines.append(f"Compared with the prior exam: {_lower(midline_change_words(result.midline, prior_midline))}")
    return "\n".join([*lines, NOTICE]) + "\n"


def _origin(result: ExamResult) -> str:
    models = ", ".join(f"{r.model.name} {r.model.version}" for r in result.readings[:1] if r.model.name)
    by = f"Measured with {models}" if models else "No system could read the exam"
    review = result.review
    if review is None:
        return f"{by}; not reviewed."
    words = {"approved": "approved", "flagged": "flagged for a second opinion", "draft": "draft"}
    return f"{by}; read by {review.reader} ({words[review.status]})."


def _found_line(finding: Finding, abc2: Abc2 | None, result: ExamResult) -> str:
    name = FINDING_CODES[finding.code].name + (", type undetermined" if finding.code == ANY else "")
    parts = [f"{name}: {_ml(finding.volume_ml)}" if finding.volume_ml else f"{name}: present, not outlined"]
    if finding.decision:
        parts[0] += f" ({MARKS[finding.decision]})"
    if finding.components and finding.components > 1:
        parts.append(f"{finding.components} parts")
    if finding.key_slice is not None:
        parts.append(f"best seen on slice {finding.key_slice + 1} of {result.grid.shape_kji[0]}")
    if abc2 is not None:
        parts.append(_abc2_words(abc2))
    if (finding.volume_ml or 0) > FLAGGED_ABOVE_ML:
        parts.append(f"above {FLAGGED_ABOVE_ML:g} mL")
    return ", ".join(parts) + "."


def _abc2_words(abc2: Abc2) -> str:
    by = f", {' and '.join(abc2.edited)} by reader" if abc2.edited else ""
    size = f"{abc2.a_mm:.0f} x {abc2.b_mm:.0f} x {abc2.c_mm:.0f} mm"
    off = f"{abs(abc2.percent_off):.0f} % {'above' if abc2.percent_off > 0 else 'below'} the measured volume"
    return f"ABC/2 {_ml(abc2.volume_ml)} ({size}{by}; {off})"


def _total_line(finding: Finding) -> str:
    above = f", above {FLAGGED_ABOVE_ML:g} mL" if (finding.volume_ml or 0) > FLAGGED_ABOVE_ML else ""
    return f"Hemorrhage in all: {_ml(finding.volume_ml)}{above}."


def _absent_lines(result: ExamResult) -> list[str]:
    absent = [finding for finding in result.findings if finding.status == "not_found"]
    unseen = [finding for finding in result.findings if finding.status == "could_not_look"]
    lines = []
    if any(finding.code == ANY for finding in absent):
        rejected = any(finding.code == ANY and finding.decision == "reject" for finding in absent)
        lines.append(f"No intracranial hemorrhage detected{' (rejected by reader)' if rejected else ''}.")
    elif absent:
        lines.append(f"Not detected: {', '.join(_absent_name(finding) for finding in absent)}.")
    if unseen:
        names = ", ".join(_lower(FINDING_CODES[finding.code].name) for finding in unseen)
        lines.append(f"Not assessed: {names}. {unseen[0].reason}".rstrip())
    return lines


def _midline_line(shift: MidlineShift | None) -> str:
    if shift is None:
        return "Midline shift: not measured."
    return " ".join(filter(None, (f"Midline shift: {shift.words}.", shift.caveat)))


def _absent_name(finding: Finding) -> str:
    mark = f" ({MARKS[finding.decision]})" if finding.decision else ""
    return _lower(FINDING_CODES[finding.code].name) + mark


def _prior_lines(prior: Mapping[str, VolumeChange]) -> list[str]:
    typed = [change for code, change in prior.items() if code != ANY]
    return [_prior_line(change) for change in (typed if len(typed) == 1 else prior.values())]


def _prior_line(change: VolumeChange) -> str:
    name = "Hemorrhage in all" if change.code == ANY else FINDING_CODES[change.code].name
    since = "" if change.hours is None else f" {change.hours:.0f} h before"
    percent = "" if change.change_percent is None else f", {change.change_percent:+.0f} %"
    sign = "+" if change.change_ml >= 0 else "-"
    words = f"Compared with the prior exam{since}: {_lower(name)} {_ml(change.current_ml)}, was {_ml(change.prior_ml)}"
    criteria = f"> {EXPANDED_ABOVE_ML:g} mL or > {EXPANDED_ABOVE_PERCENT:g} %"
    verdict = f"; expansion by the criteria {criteria}" if change.expanded else ""
    return f"{words} ({sign}{_ml(abs(change.change_ml))}{percent}{verdict})."


def _lower(name: str) -> str:
    return name[0].lower() + name[1:]


def _ml(volume_ml: float | None) -> str:
    """One decimal, two below 1 mL."""
    value = volume_ml or 0.0
    if 0 < value < 0.01:
        return "< 0.01 mL"
    return f"{value:.1f} mL" if value >= 1 or value == 0 else f"{value:.2f} mL"
