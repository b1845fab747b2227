"""From a checkpoint of Ye 2019 to a model pack."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ..core.codes import ANY
from ..core.probability import log_odds, sigmoid
from ..io.model_packs import RAW_MARGIN, Calibration
from ..networks.cnn_rnn_cascade import CnnRnnCascade
from ..systems.ye2019_config import Ye2019Config
from .exam_bank import BankExam
from .labelled_exam import LabelledExam
from .pack_export import AssessedModel, PackExport, as_stored, kept_tensors
from .ye2019_card import YE_2019
from .ye2019_networks import CASCADE, build_cascade
from .ye2019_validation import cascade_answer, validate


def gate_for(gate: float, calibration: Calibration, point: float) -> float:
    """The gate, or the raw score of the operating point where that is lower: no positive exam is left without types."""
    raw = float(sigmoid((log_odds(point, RAW_MARGIN) - calibration.intercept) / calibration.slope))
    return min(gate, max(0.0, raw - RAW_MARGIN))


def view_of(config: Ye2019Config) -> Callable[[BankExam], LabelledExam]:
    """What Ye 2019's training keeps of a bank's exam."""
    return partial(LabelledExam.of, config=config)


def kept_cascade(state: dict[str, Any], config: Ye2019Config) -> CnnRnnCascade:
    """The best validated weights of a checkpoint, or the latest ones; rounded as a pack stores them."""
    cascade = build_cascade(config)
    weights = kept_tensors(state, "average", CASCADE)
    cascade.load_weights({name: as_stored(name, value) for name, value in weights.items()})
    return cascade.eval()


def assess(state: dict[str, Any], config: Ye2019Config, exams: Sequence[LabelledExam]) -> AssessedModel:
    """The kept networks on the validation exams; the gate follows from the calibrated operating point."""
    cascade = kept_cascade(state, config)
    answer = cascade_answer(cascade, dataclasses.replace(config, gate=0.0), bfloat16=False)  # types always asked
    asked = validate(cascade, answer, exams, config, state["training"]["recipe"]["minimum_pixels"])
    calibration, points = AssessedModel(config, {}, asked).scores.calibrate()
    config = dataclasses.replace(config, gate=gate_for(config.gate, calibration[ANY], points[ANY]))
    return AssessedModel(config, cascade.weights(), asked.gated(config.gate, config.unasked_share))


export_pack = PackExport("ye2019", Ye2019Config, view_of, assess, YE_2019)
"""See PackExport."""
