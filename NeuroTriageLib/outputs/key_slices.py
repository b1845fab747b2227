"""Which slices an exam's pictures show: the key slice of every type that was found."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.codes import ANY, FINDING_CODES
from ..core.findings import ExamResult, Finding


@dataclass(frozen=True)
class KeySlice:
    """A slice to look at.

    Args:
        k: its index.
        findings: what it is the key slice of, at least one.
    """

    k: int
    findings: tuple[Finding, ...]

    @property
    def title(self) -> str:
        """What was found: "Subdural hemorrhage, subarachnoid hemorrhage"."""
        return finding_names(self.findings)

    @property
    def note(self) -> str:
        """A sentence when nothing is outlined, "" otherwise."""
        bare = tuple(finding for finding in self.findings if not finding.components)
        return f"No outline for {finding_names(bare)}: the slice with the highest score." if bare else ""


def key_slices(result: ExamResult) -> tuple[KeySlice, ...]:
    """One per slice, in the order of the findings; hemorrhage as such has one only when no type was found."""
    found = [finding for finding in result.findings if finding.status == "found" and finding.key_slice is not None]
    shown = [finding for finding in found if finding.code != ANY] or found
    by_slice: dict[int, list[Finding]] = {}
    for finding in shown:
        by_slice.setdefault(int(finding.key_slice or 0), []).append(finding)
    return tuple(KeySlice(k, tuple(findings)) for k, findings in by_slice.items())


def finding_names(findings: tuple[Finding, ...] | list[Finding]) -> str:
    """Their names as one phrase."""
    names = [FINDING_CODES[finding.code].name for finding in findings]
    return ", ".join([*names[:1], *map(lower_first, names[1:])])


def lower_first(text: str) -> str:
    """The text as it stands within a sentence."""
    return text[:1].lower() + text[1:]
