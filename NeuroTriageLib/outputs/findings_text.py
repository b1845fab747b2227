"""The answer as lines of text, for the command line to print."""

from __future__ import annotations

from ..core.findings import ExamResult


def findings_lines(result: ExamResult) -> list[str]:
    """What is to be known of the images, then one line per finding."""
    lines = [f"MRI, {result.contrast}:"] if result.contrast else []
    lines += [f"note: {flag.message}" for flag in result.quality]
    weighed = any(finding.doubt is not None for finding in result.findings)
    lines.append(
        f"{'finding':<28}{'status':<16}{'probability':>12}{'threshold':>11}{'mL':>9}{'ABC/2 mL':>10}{'key slice':>11}"
        + (f"{'doubt':>8}  opinions" if weighed else "")
    )
    abc2 = {item.code: item.volume_ml for item in result.abc2}
    for finding in result.findings:
        row = f"{finding.code:<28}{finding.status.replace('_', ' '):<16}"
        row += _cell(finding.probability, 12, 3) + _cell(finding.threshold, 11, 3) + _cell(finding.volume_ml, 9, 2)
        key_slice = None if finding.key_slice is None else finding.key_slice + 1
        row += _cell(abc2.get(finding.code), 10, 2) + _cell(key_slice, 11, 0)
        if weighed:
            row += _cell(finding.doubt, 8, 2) + "  " + _opinions(result, finding.code, finding.agreement)
        lines.append(row.rstrip())
    return lines


def _opinions(result: ExamResult, code: str, agreement: str | None) -> str:
    """What each system said of a code: "split: kuo2019 0.91, ye2019 0.22"."""
    said = [f"{o.system} {o.probability:.2f}" for o in result.opinions if o.code == code and o.probability is not None]
    return f"{agreement}: {', '.join(said)}" if agreement else ", ".join(said)


def _cell(value: float | None, width: int, digits: int) -> str:
    return f"{'-':>{width}}" if value is None else f"{value:>{width}.{digits}f}"
