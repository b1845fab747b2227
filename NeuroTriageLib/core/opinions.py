"""Several systems' probabilities of one finding: which answer informs which finding, their pool, their disagreement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import numpy as np

from .codes import ANY, CT_HEMORRHAGE_CODES
from .probability import log_odds, sigmoid

Agreement = Literal["agree", "split"]

SDH_OR_EDH = "SDH+EDH"
"""One answer for two types (Chang 2018): it speaks for neither of them alone, and informs both."""

PROBABILITY_MARGIN = 1e-3
"""Opinions are kept this far from 0 and 1, so that no single system can silence the others (ours)."""


def source_code(code: str, answered: Iterable[str]) -> str | None:
    """Which of a system's answers informs a finding: its own code, SDH+EDH for SDH and EDH, or None."""
    answered = set(answered)
    if code in answered:
        return code
    return SDH_OR_EDH if code in ("SDH", "EDH") and SDH_OR_EDH in answered else None


def shared_codes(answered: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """The findings, "any" first, that at least one of several systems informs."""
    systems = [set(codes) for codes in answered]
    return tuple(c for c in (ANY, *CT_HEMORRHAGE_CODES) if any(source_code(c, codes) for codes in systems))


def opinion_logit(probability: np.ndarray | float) -> np.ndarray:
    """Log odds of calibrated probabilities 0-1, kept away from certainty."""
    return log_odds(probability, PROBABILITY_MARGIN)


def pooled(probability: Mapping[str, float], weight: Mapping[str, float]) -> float:
    """The weighted mean opinion 0-1, taken on the log odds (a logarithmic opinion pool; Genest and Zidek 1986).

    Args:
        probability: system -> its calibrated probability; systems that did not answer are absent.
        weight: system -> weight, 0 or positive; the weights of those that answered are scaled to sum 1. When none of
            them has any weight, all that answered count alike.
    """
    systems = sorted(probability)
    assert systems, "without an opinion there is nothing to pool"
    weights = np.array([weight.get(system, 0.0) for system in systems])
    weights = weights / weights.sum() if weights.sum() > 0 else np.full(len(systems), 1.0 / len(systems))
    return float(sigmoid(weights @ opinion_logit(np.array([probability[system] for system in systems]))))


def doubt(probability: Iterable[float]) -> float | None:
    """The systems' disagreement: standard deviation of their calibrated probabilities, 0-0.5; None of fewer than two.

    0 when all say the same, 0.5 when one half is sure of it and the other half of its absence.
    """
    values = np.asarray(list(probability), dtype=np.float64)
    return float(values.std()) if len(values) > 1 else None


def agreement(present: Iterable[bool]) -> Agreement | None:
    """ "agree" when all systems give the same answer at their own thresholds, else "split"; None of fewer than two."""
    answers = list(present)
    if len(answers) < 2:
        return None
    return "agree" if len(set(answers)) == 1 else "split"
