"""What every system's export shares: calibration, operating points, the words that stand in every pack, the card."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..core.code_version import code_version
from ..core.codes import answered_codes
from ..core.errors import InputError
from ..io.model_packs import CARD_FILE, Calibration, ModelPack, PackManifest, save_model_pack, trainings_of
from .bank_filling import SourceRecord
from .calibration import fit_platt, operating_point
from .checkpoint import load_checkpoint
from .exam_bank import BankExam, ExamBank
from .exam_validation import ValidationFigures
from .model_card import Publication, model_card
from .weight_mixing import half_way

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
        scores: (exams, columns) raw scores 0-1, one per answered code (any first, or findings on MRI alone).
        present: (exams, columns) bool.
    """

    codes: tuple[str, ...]
    scores: np.ndarray
    present: np.ndarray

    def calibrate(self) -> tuple[dict[str, Calibration], dict[str, float]]:
        """Code -> calibration, and code -> threshold on calibrated probabilities."""
        calibration, points = {}, {}
        for n, code in enumerate(answered_codes(self.codes)):
            score, present = self.scores[:, n], self.present[:, n]
            calibration[code] = fit_platt(score, present)
            points[code] = operating_point(calibration[code].apply_all(score), present)
        return calibration, points

    def at_points(
        self, calibration: Mapping[str, Calibration], points: Mapping[str, float]
    ) -> dict[str, dict[str, float | None]]:
        """Sensitivity and specificity at the operating points, per code; None where they cannot be known."""
        figures: dict[str, dict[str, float | None]] = {"sensitivity": {}, "specificity": {}}
        for n, code in enumerate(answered_codes(self.codes)):
            present = self.present[:, n]
            called = calibration[code].apply_all(self.scores[:, n]) >= points[code]
            figures["sensitivity"][code] = round(float(called[present].mean()), 4) if present.any() else None
            figures["specificity"][code] = round(float((~called[~present]).mean()), 4) if (~present).any() else None
        return figures


@dataclass(frozen=True, eq=False)
class AssessedModel:
    """What a system makes of a checkpoint for its pack.

    Args:
        config: the system's settings, with what was fitted on the validation exams.
        weights: parameter name -> tensor, rounded by as_stored before the validation.
        validation: the kept weights' answers on the validation exams.
    """

    config: Any
    weights: Mapping[str, torch.Tensor]
    validation: ValidationFigures

    @property
    def scores(self) -> ExamScores:
        """The exam scores beside the truth."""
        return ExamScores(self.validation.codes, self.validation.scores, self.validation.present)


@dataclass(frozen=True)
class PackExport:
    """From a checkpoint of one system to its model pack.

    Args:
        system: catalog key.
        settings: the system's settings class.
        view_of: settings -> what is kept of a bank's exam.
        assess: (checkpoint, settings, validation exams) -> the model.
        publication: what the model card compares it with.
        read: reads one exam of the bank.
        intended_use: shown to the user.
    """

    system: str
    settings: Any
    view_of: Callable[[Any], Callable[[Any], Any]]
    assess: Callable[[dict[str, Any], Any, Sequence[Any]], AssessedModel]
    publication: Publication
    read: Callable[[Path], Any] = BankExam.load
    intended_use: str = INTENDED_USE

    def bank_of(self, folder: Path, config: Any) -> ExamBank[Any]:
        """The bank of a folder, as the system's training keeps it."""
        return ExamBank(folder, self.view_of(config), self.read)

    def __call__(
        self,
        checkpoint: Path,
        out: Path,
        *,
        bank: Path | None = None,
        start: ModelPack | None = None,
        overwrite: bool = True,
    ) -> Path:
        """Write a model pack with its card from a checkpoint, finished or not, and the validation exams beside it.

        Args:
            checkpoint: checkpoint.pt of a run.
            out: folder of the pack; its name becomes the pack's.
            bank: folder of the prepared exams; beside the checkpoint unless named.
            start: pack that the run went on from: its weights and the new ones are averaged (weight_mixing.py).
            overwrite: replace a pack that stands there.

        Returns:
            out. Raises InputError when the checkpoint or the validation exams cannot be read, OutputError.
        """
        state = load_checkpoint(checkpoint)
        if start is not None:
            state["start_weights"] = {name: torch.from_numpy(value.copy()) for name, value in start.weights().items()}
        config = self.settings.from_json(state["config"])
        exams = self.bank_of((bank or checkpoint.parent / "bank") / "validation", config)
        if not exams.refresh():
            raise InputError("There are no validation exams beside the checkpoint.", where=str(exams.folder))
        model = self.assess(state, config, exams.exams)
        manifest = save_model_pack(out, self._manifest(out.name, model, state), model.weights, overwrite=overwrite)
        (out / CARD_FILE).write_text(model_card(manifest, self.publication), encoding="utf-8")
        return out

    def _manifest(self, name: str, model: AssessedModel, state: dict[str, Any]) -> PackManifest:
        """Calibrated, with the figures of the validation."""
        calibration, points = model.scores.calibrate()
        return PackManifest(
            name=name,
            version=VERSION,
            system=self.system,
            config=model.config.to_json(),
            codes=model.scores.codes,
            operating_points=points,
            calibration=calibration,
            training=state["training"] | {"steps": state["trainer"]["step"], "training_exams": state["training_exams"]},
            metrics={"validation": model.validation.summary() | model.scores.at_points(calibration, points)},
            licence=licence_of(state["training"]),
            intended_use=use_of(self.intended_use, state["training"]),
        )


def kept_tensors(state: dict[str, Any], running: str, prefix: str = "") -> dict[str, torch.Tensor]:
    """The best validated weights of a checkpoint, or the latest ones; of a fine-tuned model half-way from its start.

    Args:
        state: the checkpoint.
        running: where the latest ones stand in the trainer's state.
        prefix: what the names of the weights that ship begin with there.
    """
    latest = {n.removeprefix(prefix): v for n, v in state["trainer"][running].items() if n.startswith(prefix)}
    kept = dict(state["best"]["weights"] or latest)
    return half_way(state["start_weights"], kept) if state.get("start_weights") else kept


def as_stored(name: str, value: torch.Tensor) -> torch.Tensor:
    """Half precision and back, except for batch-norm statistics: calibration must see the weights that ship."""
    if not value.is_floating_point() or name.endswith(("running_mean", "running_var")):
        return value
    return value.half().float()


def training_record(
    recipe: Any, simulated: Mapping[str, Any] | None, sources: Sequence[SourceRecord] = ()
) -> dict[str, Any]:
    """What it was trained on and by which code, and the recipe (with its seed) as plain values, for the pack.

    Args:
        recipe: of the run.
        simulated: see simulated_data.simulated_record; None when nothing was simulated.
        sources: data sets and review stores; a pack says how many exams of them, and a hash of those, but no names.
    """
    data = [simulated["what"]] if simulated else []
    data += [f"{source.name} ({source.train} exams)" for source in sources]
    record: dict[str, Any] = {"data": "; ".join(data), "recipe": dataclasses.asdict(recipe), "code": code_version()}
    record |= {"simulated": dict(simulated)} if simulated else {}
    return record | ({"sources": [source.to_json() for source in sources]} if sources else {})


def sources_of(training: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The data sets and stores that a model learned from, those of the models that it goes on from too; each once."""
    found = [source for told in trainings_of(training) for source in told.get("sources", ())]
    return list({source["name"]: source for source in found}.values())


def licence_of(training: Mapping[str, Any]) -> str:
    """Ours for what came from simulation alone; whoever used other data is bound by its terms."""
    terms = [f"{source['name']}: {source['licence']}" for source in sources_of(training)]
    return (
        LICENCE
        if not terms
        else f"Not cleared for passing on. Trained on data with terms of its own: {'; '.join(terms)}"
    )


def use_of(intended_use: str, training: Mapping[str, Any]) -> str:
    """The intended use; what it says about simulated images is left out where other images were learned from."""
    if not sources_of(training):
        return intended_use
    sentences = [part for part in intended_use.split(". ") if "simulated" not in part]
    return f"{'. '.join(sentences).removesuffix('.')}. Trained on {training['data']}."
