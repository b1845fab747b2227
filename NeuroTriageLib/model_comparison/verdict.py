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

    "keep" when one of them is lower with certainty (the interval lies below 0) on any set, or has fallen by more than
    is allowed on FEW_EXAMS simulated exams or more. "accept" when one is higher with certainty on the site's own exams
    and none is against it. "unclear" otherwise: without exams of the site too.
    """
    lines, better, worse = [], False, False
    for name, found in figures.items():
        chosen = [figure for figure in found if figure.code in HEADLINES]
        lines += [f"{WHERE[name]}: {_sentence(figure)}" for figure in chosen]
        lines += [_few(name, figure) for figure in chosen[:1] if figure.exams < FEW_EXAMS]
        better |= name == LOCAL and any(figure.gain.low > 0 for figure in chosen)
        worse |= any(figure.gain.high < 0 for figure in chosen)
        worse |= name == SIMULATED and any(_has_fallen(figure) for figure in chosen)
    if not figures.get(LOCAL):
        lines.append("There are no held-out exams of this site: what the new model is worth here is not known.")
    advice: Advice = "keep" if worse else "accept" if better else "unclear"
    return Verdict((*lines, ADVICE[advice]), advice)


def _has_fallen(figure: PairedFigure) -> bool:
    """More than is allowed, on so many exams that one of them cannot make the difference alone."""
    return figure.exams >= FEW_EXAMS and figure.gain.value < -ALLOWED_FALL[figure.figure]


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
