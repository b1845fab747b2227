"""What a comparison says, in plain words, and whether the new model should be used."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from .figures import AUC, DICE, ERROR, HEADLINES, PairedFigure, finding_name
from .held_out import LOCAL, SIMULATED

Advice = Literal["accept", "unclear", "keep"]

ALLOWED_FALL = {AUC: 0.01, DICE: 0.01, ERROR: 0.5}
"""What a figure may lose before it counts as a loss (ours: 0.01 of AUC and Dice; 0.5 mL is the error of a reader who
draws the same 10 mL twice)."""

TAIL = 0.025
"""Share of draws that may contradict what is called certain, divided by the number of figures that decide: of twelve
one lies outside its 95 % interval by chance about as often as not."""

PROBABLY = 0.9
"""Share of draws in which a fall is there, before it counts (ours)."""

FEW_EXAMS = 20
"""With fewer exams intervals are too wide to say much (ours)."""

WHERE = {LOCAL: "On the exams of this site", SIMULATED: "On simulated exams"}
ADVICE = {
    "accept": "Advice: use the new model.",
    "unclear": "Advice: the figures do not decide it. Look at the exams below, or label more.",
    "keep": "Advice: keep the old model.",
}


@dataclass(frozen=True)
class Verdict:
    """The words, and what follows from them."""

    lines: tuple[str, ...]
    advice: Advice


def verdict_of(figures: Mapping[str, Sequence[PairedFigure]]) -> Verdict:
    """The verdict on the figures of the headlines (any hemorrhage; each finding on MRI), by set of exams.

    "keep" when one of them is worse with certainty on any set (see TAIL), or has probably fallen by more than is
    allowed on FEW_EXAMS simulated exams or more. "accept" when one is better with certainty on the site's own exams
    and none is against it. "unclear" otherwise: without exams of the site too.
    """
    lines, better, worse = [], False, False
    for name, found in figures.items():
        chosen = [figure for figure in found if figure.code in HEADLINES]
        lines += [f"{WHERE[name]}: {_sentence(figure)}" for figure in chosen]
        lines += [_few(name, figure) for figure in chosen[:1] if figure.exams < FEW_EXAMS]
        tail = TAIL / max(1, len(chosen))
        better |= name == LOCAL and any(figure.losing <= tail and figure.gain.low > 0 for figure in chosen)
        worse |= any(figure.losing >= 1 - tail and figure.gain.high < 0 for figure in chosen)
        worse |= name == SIMULATED and any(_has_fallen(figure) for figure in chosen)
    if not figures.get(LOCAL):
        lines.append("There are no held-out exams of this site: what the new model is worth here is not known.")
    advice: Advice = "keep" if worse else "accept" if better else "unclear"
    return Verdict((*lines, ADVICE[advice]), advice)


def _has_fallen(figure: PairedFigure) -> bool:
    """More than is allowed, on so many exams that one of them cannot make the difference alone."""
    fallen = figure.gain.value < -ALLOWED_FALL[figure.figure] and figure.losing >= PROBABLY
    return figure.exams >= FEW_EXAMS and fallen


def _sentence(figure: PairedFigure) -> str:
    gain, d = figure.gain, figure.difference
    if math.isnan(d.low):
        certain = "from too few exams for an interval"
    else:
        word = "better" if gain.low > 0 else "worse" if gain.high < 0 else "no clear difference"
        certain = f"difference {d.value:+.3f} [{d.low:+.3f}, {d.high:+.3f}], {word}"
    name = finding_name(figure.code)
    return f"{figure.figure} of {name} {figure.old:.3f} -> {figure.new:.3f} ({certain}; {figure.exams} exams)."


def _few(name: str, figure: PairedFigure) -> str:
    return f"{WHERE[name]}: only {figure.exams}; fewer than {FEW_EXAMS} say little."
