"""From a checkpoint of Ye 2019 to a model pack."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ..core.codes import ANY
from ..core.errors import InputError
from ..core.probability import log_odds, sigmoid
from ..io.model_packs import RAW_MARGIN, Calibration
from ..networks.cnn_rnn_cascade import CnnRnnCascade
from ..systems.ye2019_config import Ye2019Config
from .checkpoint import load_checkpoint
from .exam_bank import BankExam, ExamBank
from .labelled_exam import LabelledExam
from .pack_export import ExamScores, TrainedModel, as_stored, write_pack
from .ye2019_card import YE_2019
from .ye2019_networks import build_cascade
from .ye2019_validation import cascade_answer, validate


def export_pack(checkpoint: Path, out: Path, *, bank: Path | None = None, overwrite: bool = True) -> Path:
    """Write a model pack from a checkpoint, finished or not, and the validation exams beside it.

    Args:
        checkpoint: checkpoint.pt of a run.
        out: folder of the pack; its name becomes the pack's.
        bank: folder of the prepared exams; beside the checkpoint unless named.
        overwrite: replace a pack that stands there.

    Returns:
        out. Raises InputError when the checkpoint or the validation exams cannot be read.
    """
    state = load_checkpoint(checkpoint)
    config = Ye2019Config.from_json(state["config"])
    exams = ExamBank((bank or checkpoint.parent / "bank") / "validation", view_of(config))
    if not exams.refresh():
        raise InputError("There are no validation exams beside the checkpoint.", where=str(exams.folder))
    cascade = kept_cascade(state, config)
    minimum = state["training"]["recipe"]["minimum_pixels"]

    always_asked = dataclasses.replace(config, gate=0.0)
    answer = cascade_answer(cascade, always_asked, bfloat16=False)
    result = validate(cascade, answer, exams.exams, config, minimum)
    calibration, points = ExamScores(result.codes, result.scores, result.present).calibrate()
    config = dataclasses.replace(config, gate=gate_for(config.gate, calibration[ANY], points[ANY]))
    result = result.gated(config.gate, config.unasked_share)
    model = TrainedModel(
        system="ye2019",
        config=config.to_json(),
        weights=cascade.weights(),
        training=state["training"] | {"steps": state["trainer"]["step"], "training_exams": state["training_exams"]},
        scores=ExamScores(result.codes, result.scores, result.present),
        figures=result.summary(),
    )
    return write_pack(out, model, YE_2019, overwrite=overwrite)


def gate_for(gate: float, calibration: Calibration, point: float) -> float:
    """The gate, or the raw score of the operating point where that is lower: no positive exam is left without types."""
    raw = float(sigmoid((log_odds(point, RAW_MARGIN) - calibration.intercept) / calibration.slope))
    return min(gate, max(0.0, raw - RAW_MARGIN))


def view_of(config: Ye2019Config) -> Callable[[BankExam], LabelledExam]:
    """What Ye 2019's training keeps of a bank's exam."""
    return partial(LabelledExam.of, config=config)


def kept_cascade(state: dict[str, Any], config: Ye2019Config) -> CnnRnnCascade:
    """The best validated weights of a checkpoint, or the latest ones; rounded as a pack stores them."""
    weights = state["best"]["weights"]
    cascade = build_cascade(config)
    if not weights:
        start = "cascade."
        weights = {n.removeprefix(start): v for n, v in state["trainer"]["average"].items() if n.startswith(start)}
        cascade.load_state_dict(weights)
        weights = cascade.weights()
    cascade.load_weights({name: as_stored(name, value) for name, value in weights.items()})
    return cascade.eval()
