"""From a checkpoint of Chang 2018 to a model pack."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ..core.errors import InputError
from ..networks.hybrid_mask_rcnn import HybridMaskRcnn
from ..systems.chang2018_config import Chang2018Config
from .chang2018_card import CHANG_2018
from .chang2018_trainer import build_network
from .chang2018_validation import validate
from .checkpoint import load_checkpoint
from .exam_bank import BankExam, ExamBank
from .pack_export import ExamScores, TrainedModel, as_stored, write_pack
from .windowed_exam import WindowedExam

DETECTOR = "detector."
"""What the names of the weights begin with that ship, in a checkpoint's running mean."""


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
    config = Chang2018Config.from_json(state["config"])
    exams = ExamBank((bank or checkpoint.parent / "bank") / "validation", view_of(config))
    if not exams.refresh():
        raise InputError("There are no validation exams beside the checkpoint.", where=str(exams.folder))
    network = kept_network(state, config)
    validation = validate(network, exams.exams, config, bfloat16=False)
    model = TrainedModel(
        system="chang2018",
        config=config.to_json(),
        weights=network.state_dict(),
        training=state["training"] | {"steps": state["trainer"]["step"], "training_exams": state["training_exams"]},
        scores=ExamScores(validation.codes, validation.scores, validation.present),
        figures=validation.summary(),
    )
    return write_pack(out, model, CHANG_2018, overwrite=overwrite)


def view_of(config: Chang2018Config) -> Callable[[BankExam], WindowedExam]:
    """What the detector keeps of a bank's exam."""
    return partial(WindowedExam.of, window_hu=config.window_hu)


def kept_network(state: dict[str, Any], config: Chang2018Config) -> HybridMaskRcnn:
    """The best validated weights of a checkpoint, or the latest ones; rounded as a pack stores them."""
    weights = state["best"]["weights"]
    if not weights:
        averaged = state["training"]["recipe"]["average_decay"] > 0
        latest = state["trainer"]["average" if averaged else "network"]
        weights = {name.removeprefix(DETECTOR): value for name, value in latest.items() if name.startswith(DETECTOR)}
    network = build_network(config)
    network.load_state_dict({name: as_stored(name, value) for name, value in weights.items()})
    return network.eval()
