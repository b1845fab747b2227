"""What every system's export shares: calibration, operating points, the words that stand in every pack, the card."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..core.codes import ANY
from ..io.model_packs import Calibration, PackManifest, save_model_pack
from .calibration import fit_platt, operating_point
from .model_card import Publication, model_card

CARD_FILE = "MODEL_CARD.md"
VERSION = "1"
LICENCE = "Apache-2.0"
INTENDED_USE = (
    "Research on triage of acute intracranial hemorrhage on non-contrast head CT of adults. Not for diagnosis. Trained "
    "on simulated images only; its probabilities are calibrated for simulated exams."
)


@dataclass(frozen=True, eq=False)
class ExamScores:
    """Raw exam scores of a validation set beside the truth.

    Args:
        codes: the types, without "any".
        scores: (exams, 1 + N) raw scores 0-1, any first.
        present: (exams, 1 + N) bool.
    """

    codes: tuple[str, ...]
    scores: np.ndarray
    present: np.ndarray

    def calibrate(self) -> tuple[dict[str, Calibration], dict[str, float]]:
        """Code -> calibration, and code -> threshold on calibrated probabilities."""
        calibration, points = {}, {}
        for n, code in enumerate((ANY, *self.codes)):
            score, present = self.scores[:, n], self.present[:, n]
            calibration[code] = fit_platt(score, present)
            points[code] = operating_point(calibration[code].apply_all(score), present)
        return calibration, points

    def at_points(
        self, calibration: Mapping[str, Calibration], points: Mapping[str, float]
    ) -> dict[str, dict[str, float | None]]:
        """Sensitivity and specificity at the operating points, per code; None where they cannot be known."""
        figures: dict[str, dict[str, float | None]] = {"sensitivity": {}, "specificity": {}}
        for n, code in enumerate((ANY, *self.codes)):
            present = self.present[:, n]
            called = calibration[code].apply_all(self.scores[:, n]) >= points[code]
            figures["sensitivity"][code] = round(float(called[present].mean()), 4) if present.any() else None
            figures["specificity"][code] = round(float((~called[~present]).mean()), 4) if (~present).any() else None
        return figures


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """What goes into a pack.

    Args:
        system: catalog key.
        config: the system's settings as plain values.
        weights: parameter name -> tensor, rounded by as_stored before the scores were made.
        training: what the pack says about its training (training_record and more).
        scores: on the validation exams.
        figures: further figures of the validation, for instance {"exams": 80, "auc": {code: value}}.
    """

    system: str
    config: dict[str, Any]
    weights: Mapping[str, torch.Tensor]
    training: dict[str, Any]
    scores: ExamScores
    figures: dict[str, Any]


def write_pack(out: Path, model: TrainedModel, publication: Publication, *, overwrite: bool = True) -> Path:
    """Calibrate, and write the pack with its model card; returns out. Raises OutputError."""
    calibration, points = model.scores.calibrate()
    manifest = PackManifest(
        name=out.name,
        version=VERSION,
        system=model.system,
        config=model.config,
        codes=model.scores.codes,
        operating_points=points,
        calibration=calibration,
        training=model.training,
        metrics={"validation": model.figures | model.scores.at_points(calibration, points)},
        licence=LICENCE,
        intended_use=INTENDED_USE,
    )
    manifest = save_model_pack(out, manifest, model.weights, overwrite=overwrite)
    (out / CARD_FILE).write_text(model_card(manifest, publication), encoding="utf-8")
    return out


def as_stored(name: str, value: torch.Tensor) -> torch.Tensor:
    """Half precision and back, except for batch-norm statistics: calibration must see the weights that ship."""
    if not value.is_floating_point() or name.endswith(("running_mean", "running_var")):
        return value
    return value.half().float()


def training_record(recipe: Any, maps: str) -> dict[str, Any]:
    """The recipe as plain values for the pack."""
    return {"data": f"simulated head CT, {maps}", "recipe": dataclasses.asdict(recipe)}
