"""Two readers' masks side by side, as lines of a table."""

from __future__ import annotations

from collections.abc import Mapping

from NeuroTriageLib.core.codes import ANY, CT_HEMORRHAGE_CODES
from NeuroTriageLib.review.agreement import MaskAgreement, cohen_kappa

from .findings_rows import NONE, short_name


def agreement_rows(masks: Mapping[str, MaskAgreement]) -> list[tuple[str, ...]]:
    """Finding, Dice, HD95 in mm, and both readers' mL; of types that neither drew there is no line."""
    return [
        (
            short_name(code),
            NONE if item.dice is None else f"{item.dice:.2f}",
            NONE if item.hd95_mm is None else f"{item.hd95_mm:.1f}",
            f"{item.a_ml:.1f}",
            f"{item.b_ml:.1f}",
        )
        for code, item in masks.items()
        if code == ANY or item.a_ml or item.b_ml
    ]


def decisions_kappa(masks: Mapping[str, MaskAgreement]) -> float | None:
    """Cohen's kappa of found or not over the five types of this exam; None when it is undefined."""
    drawn = [masks.get(code) for code in CT_HEMORRHAGE_CODES]
    return cohen_kappa([bool(m and m.a_ml) for m in drawn], [bool(m and m.b_ml) for m in drawn])
