"""How far two readers, or two versions, agree: masks by Dice, surface distance and mL, findings by Cohen's kappa."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..core.codes import ANY
from ..core.geometry import SliceGrid
from ..measurements.surface_distance import hd95_mm
from .labels import TYPE_CODES, finding_mask
from .store import ReviewStore
from .versions import Version, differences


@dataclass(frozen=True)
class MaskAgreement:
    """Two masks of one finding.

    Args:
        dice: 0-1; None when both are empty.
        hd95_mm: 95 % Hausdorff distance; None when one is empty.
        a_ml, b_ml, both_ml: volumes, and what they share.
    """

    dice: float | None
    hd95_mm: float | None
    a_ml: float
    b_ml: float
    both_ml: float


@dataclass(frozen=True)
class ExamAgreement:
    """Two readers' versions of one case."""

    case_id: str
    number_a: int
    number_b: int
    masks: dict[str, MaskAgreement]


@dataclass(frozen=True)
class AgreementSummary:
    """One finding over all cases that both readers signed.

    Args:
        exams: cases.
        both, only_a, only_b, neither: how often the finding is present.
        kappa: Cohen's kappa of its presence; None when both say the same of all cases.
        dice, hd95_mm: mean and median over the cases in which at least one, or both, drew it; None without any.
        bias_ml: mean of b - a over the cases in which at least one drew it; None without any.
    """

    exams: int
    both: int
    only_a: int
    only_b: int
    neither: int
    kappa: float | None
    dice: float | None
    hd95_mm: float | None
    bias_ml: float | None


@dataclass(frozen=True)
class ReaderAgreement:
    """Two readers over the cases that both have signed."""

    exams: tuple[ExamAgreement, ...]
    summary: dict[str, AgreementSummary]


def compare_labels(a_kji: np.ndarray, b_kji: np.ndarray, grid: SliceGrid) -> dict[str, MaskAgreement]:
    """Code -> agreement, for "any" and each type that either label map (labels.SEGMENT_CODES) holds."""
    result = {}
    for code, item in differences(a_kji, b_kji, grid).items():
        distance = hd95_mm(finding_mask(a_kji, code), finding_mask(b_kji, code), grid)
        both_ml = item.model_ml - item.removed_ml
        result[code] = MaskAgreement(item.dice, distance, item.model_ml, item.reader_ml, both_ml)
    return result


def cohen_kappa(a: Sequence[bool], b: Sequence[bool]) -> float | None:
    """Agreement beyond chance of two readers' answers on the same exams (Cohen 1960).

    None without exams, and when both give one and the same answer to all: chance alone would agree then.
    """
    first, second = np.asarray(a, bool), np.asarray(b, bool)
    assert first.shape == second.shape, "both readers answer the same exams"
    if not len(first):
        return None
    observed = float((first == second).mean())
    expected = float(first.mean() * second.mean() + (~first).mean() * (~second).mean())
    return None if expected == 1.0 else (observed - expected) / (1.0 - expected)


def reader_agreement(store: ReviewStore, reader_a: str, reader_b: str) -> ReaderAgreement:
    """Two readers over all cases of a store that both have signed."""
    exams = []
    for case_id in store.cases():
        versions = store.versions(case_id)
        a, b = signed_version(versions, reader_a), signed_version(versions, reader_b)
        if a is not None and b is not None:
            labels = store.label(case_id, a.number), store.label(case_id, b.number)
            masks = compare_labels(*labels, store.exam(case_id).grid)
            exams.append(ExamAgreement(case_id, a.number, b.number, masks))
    codes = [code for code in (ANY, *TYPE_CODES) if any(code in exam.masks for exam in exams)]
    return ReaderAgreement(tuple(exams), {code: summarise([exam.masks.get(code) for exam in exams]) for code in codes})


def signed_version(versions: Sequence[Version], reader: str) -> Version | None:
    """The version that speaks for a reader: the last signed one that was read blind, else the last signed one."""
    signed = [version for version in versions if version.reader == reader and version.is_signed]
    blind = [version for version in signed if version.entry is not None and version.entry.blind]
    return next(iter((blind or signed)[::-1]), None)


def summarise(masks: Sequence[MaskAgreement | None]) -> AgreementSummary:
    """One finding over cases; None for a case in which neither drew it."""
    a = np.array([mask is not None and mask.a_ml > 0 for mask in masks], bool)
    b = np.array([mask is not None and mask.b_ml > 0 for mask in masks], bool)
    drawn = [mask for mask in masks if mask is not None and mask.dice is not None]
    distances = [mask.hd95_mm for mask in drawn if mask.hd95_mm is not None]
    return AgreementSummary(
        exams=len(masks),
        both=int((a & b).sum()),
        only_a=int((a & ~b).sum()),
        only_b=int((b & ~a).sum()),
        neither=int((~a & ~b).sum()),
        kappa=cohen_kappa(a.tolist(), b.tolist()),
        dice=float(np.mean([mask.dice for mask in drawn])) if drawn else None,
        hd95_mm=float(np.median(distances)) if distances else None,
        bias_ml=float(np.mean([mask.b_ml - mask.a_ml for mask in drawn])) if drawn else None,
    )
