"""What Nael 2021's networks say about studies of the bank: raw scores, their AUC, and the Dice of the localization."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..core.codes import ABNORMAL
from ..networks.lfe_classifier import LfeClassifier
from ..systems.nael2021_config import NETWORKS, Nael2021Config
from .exam_validation import ValidationFigures, evaluating, pixel_dice
from .nael2021_bank import StudyEntry
from .nael2021_losses import lfe_loss, study_loss
from .nael2021_sampler import batch_of

THRESHOLDS = tuple(round(0.1 * n, 1) for n in range(1, 10))
"""Pixel thresholds that are compared (ours)."""


@dataclass(frozen=True, eq=False)
class StudyAnswer:
    """One study's answers beside the truth; columns are the findings that were asked.

    Args:
        score: (codes,) raw, 0-1.
        present: (codes,) bool.
        loss: (codes, 2) of localization and study.
        pixels: (codes, thresholds, 3) counts of each finding's own map: overlap, called, true. Zero for abnormality.
    """

    score: np.ndarray
    present: np.ndarray
    loss: np.ndarray
    pixels: np.ndarray


@dataclass(frozen=True, eq=False)
class Validation(ValidationFigures):
    """Answers on a set of studies, and the figures made of them."""

    codes: tuple[str, ...]
    answers: tuple[StudyAnswer, ...]
    pixel_threshold: dict[str, float]

    @property
    def scores(self) -> np.ndarray:
        """(studies, codes)."""
        return self.stacked("score")

    @property
    def present(self) -> np.ndarray:
        """(studies, codes) bool."""
        return self.stacked("present")

    def dice(self) -> dict[str, float]:
        """Dice of the localization over all pixels, at the settings' thresholds; NaN for abnormality."""
        at = [THRESHOLDS.index(_nearest(self.pixel_threshold.get(code, 0.5))) for code in self.codes]
        counts = self.stacked("pixels").sum(0)[np.arange(len(at)), at]  # (codes, 3)
        return self.by_code(pixel_dice(*counts.T))

    def best_pixel_threshold(self) -> dict[str, float]:
        """Code -> the threshold with the largest Dice; those of the settings where there is nothing to choose by."""
        chosen = dict(self.pixel_threshold)
        for n, code in enumerate(self.codes):
            counts = self.stacked("pixels").sum(0)[n]  # (thresholds, 3)
            if code != ABNORMAL and counts[0, 2] and counts[:, 0].any():
                chosen[code] = THRESHOLDS[int(np.nanargmax(pixel_dice(*counts.T)))]
        return chosen

    def figures(self) -> dict[str, dict[str, float]]:
        """Study AUC and Dice."""
        return {"auc": self.auc(), "dice": self.dice()}

    def loss(self, code: str, part: int) -> float:
        """Mean validation loss of a finding: part 0 the localization's, 1 the study's."""
        return float(self.stacked("loss")[:, self.codes.index(code), part].mean())


@torch.no_grad()
def validate(
    networks: Mapping[str, LfeClassifier],
    entries: Iterable[StudyEntry],
    config: Nael2021Config,
    codes: tuple[str, ...],
    *,
    positive_weight: float = 1.0,
    bfloat16: bool = False,
) -> Validation:
    """The answers of some of the networks on studies, with all the contrasts they hold.

    Studies that lack a required contrast of one of the networks are left out.
    """
    answers = []
    modules = torch.nn.ModuleDict(dict(networks))
    device = next(modules.parameters()).device
    with evaluating(modules):
        for entry in entries:
            if not all(entry.fits(NETWORKS[code]) for code in codes):
                continue
            study = entry.load()
            columns = []
            for code in codes:
                batch = batch_of([study], NETWORKS[code], config).to(str(device))
                with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
                    output = networks[code](*batch.orientations)
                maps, logits = output.maps.float(), output.study.float()
                drawn = lfe_loss(maps, batch.share, batch.known, positive_weight)
                loss = [float(drawn), float(study_loss(logits, batch.label))]
                score = float(torch.softmax(logits, dim=1)[0, 1])
                columns.append((score, bool(batch.label[0]), loss, _pixels(code, maps, batch.share)))
            score_c, present_c, loss_c, pixels_c = zip(*columns, strict=True)
            answers.append(StudyAnswer(np.array(score_c), np.array(present_c), np.array(loss_c), np.stack(pixels_c)))
    return Validation(codes, tuple(answers), dict(config.pixel_threshold))


def _pixels(code: str, maps: Tensor, share: Tensor) -> np.ndarray:
    """(thresholds, 3) overlap, called, true of the finding's own map; the truth is where it fills half, or half of its
    peak where it fills no voxel so far."""
    counts = np.zeros((len(THRESHOLDS), 3))
    if code == ABNORMAL:
        return counts
    probability, filled = maps[0, 0].sigmoid(), share[0, 0]
    true = filled >= min(0.5, max(float(filled.max()) / 2, 1e-3))
    for n, threshold in enumerate(THRESHOLDS):
        called = probability >= threshold
        counts[n] = float((called & true).sum()), float(called.sum()), float(true.sum())
    return counts


def _nearest(threshold: float) -> float:
    return min(THRESHOLDS, key=lambda value: abs(value - threshold))
