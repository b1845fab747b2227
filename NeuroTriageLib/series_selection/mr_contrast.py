"""Which contrast an MR series shows, with its reasons and a confidence: header first, description last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from . import mr_physics, mr_statements
from .mr_contrasts import Verdict
from .mr_facts import MrFacts, Plane
from .mr_vocabulary import ANY_DIFFUSION, agent_said, contrast_named

Rule = Callable[[MrFacts], Verdict | None]

RULES: tuple[Rule, ...] = (
    mr_statements.not_mr,
    mr_statements.localizer,
    mr_statements.spectroscopy,
    mr_statements.computed_map,
    mr_statements.phase_image,
    mr_statements.single_band,
    mr_statements.projection,
    mr_statements.perfusion_type,
    mr_statements.susceptibility_type,
    mr_physics.diffusion,
    mr_statements.angiography,
    mr_statements.acquisition_contrast,
    mr_physics.raw_diffusion,
    mr_statements.named_sequence,
    mr_physics.echo_planar,
    mr_physics.inversion,
    mr_physics.spin_echo,
    mr_physics.gradient_echo,
)
"""Tried from the top; the first that knows an answer decides: what the header says in words, then the physics."""

_FROM_DIFFUSION = {"TRACE", "DWI", "B0", "ADC", "DIFFUSION_MAP"}

CHOSEN_BY_NAME = 0.85
"""Confidence of a contrast that the description chose among those that the parameters allow (ours)."""

NAMED_ONLY = 0.6
"""Confidence of a contrast that only the description names (ours)."""


@dataclass(frozen=True)
class Identification:
    """What a series is.

    Args:
        contrast: key of mr_contrasts.CONTRASTS.
        plane: of its slices.
        confidence: 0-1 (see mr_contrasts.Verdict).
        reasons: plain sentences, at least one.
        alternatives: contrasts that header and description leave open.
        facts: the header that this comes from.
    """

    contrast: str
    plane: Plane
    confidence: float
    reasons: tuple[str, ...]
    alternatives: tuple[str, ...]
    facts: MrFacts


def identify(facts: MrFacts) -> Identification:
    """Identify a series from its header: statements and physics, then description, then contrast agent."""
    verdict = next((found for rule in RULES if (found := rule(facts))), None)
    if verdict is None:
        verdict = _by_name_alone(facts)
        reasons: tuple[str, ...] = (verdict.reason,)
    else:
        verdict, reasons = _weigh_description(verdict, facts)
    if verdict.contrast == "T1":
        verdict, reason = _contrast_agent(verdict, facts)
        reasons = (*reasons, reason)
    return Identification(
        contrast=verdict.contrast,
        plane=facts.plane,
        confidence=round(verdict.confidence, 2),
        reasons=reasons,
        alternatives=verdict.alternatives,
        facts=facts,
    )


def _name_of(facts: MrFacts) -> tuple[str, str]:
    """(contrast, entry) that the site's words mean; the description stands before the protocol's name."""
    for text, entry in ((facts.description, "The description"), (facts.protocol, "The protocol's name")):
        if named := contrast_named(text):
            return named, entry
    return "", ""


def _by_name_alone(facts: MrFacts) -> Verdict:
    named, entry = _name_of(facts)
    if named == ANY_DIFFUSION:
        reason = f"{entry} says diffusion; the header holds no parameters."
        if facts.volumes == 1:  # a volume by itself that is called DWI is the trace image, whoever made the file
            return Verdict("TRACE", 0.55, reason, ("B0", "ADC", "DWI"))
        return Verdict("DWI", 0.5, reason, ("TRACE", "ADC", "B0"))
    if named:
        return Verdict(
            named, NAMED_ONLY, f"{entry} says {named}; the header holds no parameters that could confirm it.", ()
        )
    return Verdict("OTHER", 0.3, "Nothing in the header says what it is.", ())


def _weigh_description(verdict: Verdict, facts: MrFacts) -> tuple[Verdict, tuple[str, ...]]:
    """The description chooses among what the physics leaves open, and else only raises or lowers the confidence."""
    named, entry = _name_of(facts)
    if not named:
        return verdict, (verdict.reason,)
    if named == ANY_DIFFUSION and verdict.contrast in _FROM_DIFFUSION:
        return verdict, (verdict.reason, f"{entry} says diffusion.")
    named = "TRACE" if named == ANY_DIFFUSION else named
    if named == verdict.contrast:
        raised = replace(verdict, confidence=max(verdict.confidence, min(0.99, verdict.confidence + 0.15)))
        return raised, (verdict.reason, f"{entry} agrees.")
    if named in verdict.alternatives:
        open_to = (verdict.contrast, *(other for other in verdict.alternatives if other != named))
        chosen = Verdict(named, CHOSEN_BY_NAME, verdict.reason, open_to)
        return chosen, (verdict.reason, f"{entry} says {named}, which the parameters allow.")
    lowered = replace(verdict, confidence=max(0.5, verdict.confidence - 0.15))
    return lowered, (verdict.reason, f"{entry} rather says {named}; the parameters do not.")


def _contrast_agent(verdict: Verdict, facts: MrFacts) -> tuple[Verdict, str]:
    """T1-weighted images with and without contrast agent, as far as the header tells."""
    said = agent_said(facts.description)
    if said == "with":
        return replace(verdict, contrast="T1post"), "The description says that contrast agent was given."
    if said == "without":
        return verdict, "The description says without contrast agent."
    if facts.agent:
        return replace(verdict, contrast="T1post"), "ContrastBolusAgent is filled in."
    return verdict, "Nothing in the header says contrast agent."
