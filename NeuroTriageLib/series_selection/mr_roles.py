"""Which series of an MRI study takes each role (FLAIR, ADC, trace, ...), and why the other candidates do not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..core.errors import ConfigError
from ..core.study import Study
from .evidence import SeriesEvidence
from .head_ct import matching_series
from .mr_contrasts import ROLES, WEAK
from .mr_facts import Plane
from .mr_series import MrSeries, identify_study
from .rules import WHOLE_HEAD_MM, no_geometry, other_body_part, partial, too_few

_AGAINST: tuple[Callable[[SeriesEvidence], str], ...] = (no_geometry, other_body_part, too_few, partial)

MIN_CONFIDENCE = 0.5
"""A series that is less surely of the role's contrast is not taken for it (ours)."""

_REFORMAT_TYPES = {"SECONDARY", "MPR", "CSA MPR", "REFORMATTED", "PROJECTION IMAGE"}
_STROKE_B = (800.0, 1200.0)
"""s/mm2: trace images of stroke protocols (ours; Nael 2021 gives no b-value)."""


@dataclass(frozen=True)
class Candidate:
    """A series for a role: what speaks against it, and what for it with its points."""

    item: MrSeries
    role: str
    plane: Plane = "axial"

    @cached_property
    def against(self) -> tuple[str, ...]:
        """Why it cannot be read; () when it can."""
        it, confidence = self.item.evidence, self.item.identification.confidence
        if confidence < MIN_CONFIDENCE:
            return (f"It is not sure enough that it is {self.role} ({confidence:.2f}).",)
        first = no_geometry(it)
        return (first,) if first else tuple(filter(None, (rule(it) for rule in _AGAINST)))

    @cached_property
    def merits(self) -> tuple[tuple[int, str], ...]:
        """(points, sentence); all points are ours."""
        return tuple(self._merits())

    @property
    def points(self) -> int:
        """Sum of the merits."""
        return sum(points for points, _ in self.merits)

    def _merits(self) -> Iterable[tuple[int, str]]:
        known, facts, it = self.item.identification, self.item.identification.facts, self.item.evidence
        if known.confidence >= WEAK:
            yield 40, f"Its contrast is sure ({known.confidence:.2f})."
        yield self._plane_merit()
        if not facts.image_types & _REFORMAT_TYPES:
            yield 15, "Slices as acquired, not a reformat."
        if it.grid is not None and it.coverage_mm >= WHOLE_HEAD_MM:
            yield 15, f"It covers {it.coverage_mm:.0f} mm."
        if self.role == "TRACE" and facts.b_value is not None and _STROKE_B[0] <= facts.b_value <= _STROKE_B[1]:
            yield 10, f"b = {facts.b_value:.0f} s/mm2."
        if self.role != "T1post" and not facts.agent:
            yield 8, "No contrast agent is noted."

    def _plane_merit(self) -> tuple[int, str]:
        known = self.item.identification
        if known.plane == self.plane:
            return 30, f"Its slices are {self.plane}."
        if known.facts.is_volumetric:
            return 20, f"A {known.plane} 3D volume with thin slices: it is reformatted to {self.plane}."
        return 0, f"Its slices are {known.plane}, not {self.plane}: it is reformatted, with the blur of thick slices."


@dataclass(frozen=True)
class RoleChoice:
    """What takes a role.

    Args:
        role: one of ROLES.
        item: the series, None when the study holds none (the role could not be looked at).
        reasons: why this one, or why none.
        others: candidates that were not taken, each with the reason.
        by_user: the user named it.
    """

    role: str
    item: MrSeries | None
    reasons: tuple[str, ...]
    others: tuple[tuple[MrSeries, str], ...] = ()
    by_user: bool = False

    @property
    def needs_reformat(self) -> bool:
        """True when its slices are not axial."""
        return self.item is not None and self.item.identification.plane != "axial"


def study_roles(
    study: Study, *, overrides: Mapping[str, str] | None = None, with_pixels: bool = True
) -> dict[str, RoleChoice]:
    """A study's series for each role; see identify_study and choose_roles."""
    return choose_roles(study, identify_study(study, with_pixels=with_pixels), overrides=overrides)


def choose_roles(
    study: Study, items: Sequence[MrSeries], *, overrides: Mapping[str, str] | None = None
) -> dict[str, RoleChoice]:
    """Role -> choice, for every role.

    Args:
        study: where the series come from.
        items: its identified series.
        overrides: role -> SeriesInstanceUID or unique part of a description: the user's choice, taken whatever the
            rules say. A series that the user gives to one role is not considered for others.

    Raises:
        ConfigError: an unknown role, or a name that fits no series or several.
    """
    named = {role: _named_by_user(study, items, role, text) for role, text in (overrides or {}).items()}
    taken = {id(item) for item in named.values()}
    free = [item for item in items if id(item) not in taken]
    return {role: _by_user(role, named[role]) if role in named else best_for_role(free, role) for role in ROLES}


def best_for_role(items: Sequence[MrSeries], role: str, *, plane: Plane = "axial") -> RoleChoice:
    """The best series for a role, with the reasons; of equal ones the later (scans are repeated when one moved).

    Args:
        items: identified series in the order in which they were made.
        role: one of ROLES.
        plane: the plane that the role wants; series in other planes are taken when there is none, and say so.
    """
    candidates = [Candidate(item, role, plane) for item in items if item.contrast == role]
    able = [candidate for candidate in candidates if not candidate.against]
    if not able:
        why = tuple(reason for candidate in candidates for reason in candidate.against)
        others = tuple((candidate.item, " ".join(candidate.against)) for candidate in candidates)
        return RoleChoice(role, None, why or (f"The study holds no {role} series.",), others)
    best = max(enumerate(able), key=lambda entry: (entry[1].points, entry[0]))[1]
    others = tuple((other.item, _why_not(other, best)) for other in candidates if other is not best)
    return RoleChoice(role, best.item, (*best.item.identification.reasons, *(text for _, text in best.merits)), others)


def _why_not(other: Candidate, best: Candidate) -> str:
    if other.against:
        return " ".join(other.against)
    theirs = {text for _, text in other.merits}
    better = [text for points, text in best.merits if points and text not in theirs]
    name = best.item.series.description or best.item.series.series_instance_uid
    return f'"{name}" was preferred: {" ".join(better) or "it was made later and has no disadvantage."}'


def _named_by_user(study: Study, items: Sequence[MrSeries], role: str, text: str) -> MrSeries:
    if role not in ROLES:
        raise ConfigError(f'"{role}" is no role.', where="--series", next_step=f"Roles: {', '.join(ROLES)}.")
    stacks = set(map(id, matching_series(study, text)))
    fitting = [item for item in items if any(id(stack) in stacks for stack in item.stacks)]
    of_role = [item for item in fitting if item.contrast == role]
    fitting = of_role if len(fitting) > 1 and len(of_role) == 1 else fitting
    if len(fitting) != 1:
        listed = ", ".join(f'"{item.series.description}" ({item.series.series_instance_uid})' for item in fitting)
        raise ConfigError(
            f'"{text}" fits {len(fitting)} series{": " + listed if listed else ""}.',
            where=f"--series {role}={text}",
            next_step="Name one by its UID or by a part of its description that no other has.",
        )
    return fitting[0]


def _by_user(role: str, item: MrSeries) -> RoleChoice:
    reasons = ["Chosen by the user."]
    if item.contrast != role:
        reasons.append(f"The rules call it {item.contrast}: {' '.join(item.identification.reasons)}")
    reasons += [f"The rules speak against it: {reason}" for reason in Candidate(item, role).against]
    return RoleChoice(role, item, tuple(reasons), by_user=True)
