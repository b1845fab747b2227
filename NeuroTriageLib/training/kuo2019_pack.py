"""From a checkpoint of Kuo 2019 to a model pack."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ..core.errors import InputError
from ..networks.patchfcn import PatchFcn
from ..systems.kuo2019_config import Kuo2019Config
from .checkpoint import load_checkpoint
from .dense_validation import validate
from .exam_bank import BankExam, ExamBank
from .kuo2019_card import KUO_2019
from .pack_export import ExamScores, TrainedModel, as_stored, write_pack
from .windowed_exam import WindowedExam


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
    config = Kuo2019Config.from_json(state["config"])
    exams = ExamBank((bank or checkpoint.parent / "bank") / "validation", view_of(config))
    if not exams.refresh():
        raise InputError("There are no validation exams beside the checkpoint.", where=str(exams.folder))
    network = kept_network(state, config)
    validation = validate(network, exams.exams, config, bfloat16=False)
    if state["training"].get("recipe", {}).get("fit_pixel_threshold"):
        threshold = validation.best_pixel_threshold()
        config = dataclasses.replace(config, pixel_threshold=threshold)
        validation = dataclasses.replace(validation, pixel_threshold=threshold)
    model = TrainedModel(
        system="kuo2019",
        config=config.to_json(),
        weights=network.state_dict(),
        training=state["training"] | {"steps": state["trainer"]["step"], "training_exams": state["training_exams"]},
        scores=ExamScores(validation.codes, validation.scores, validation.present),
        figures=validation.summary(),
    )
    return write_pack(out, model, KUO_2019, overwrite=overwrite)


def view_of(config: Kuo2019Config) -> Callable[[BankExam], WindowedExam]:
    """What PatchFCN keeps of a bank's exam."""
    return partial(WindowedExam.of, window_hu=config.window_hu)


def kept_network(state: dict[str, Any], config: Kuo2019Config) -> PatchFcn:
    """The best validated weights of a checkpoint, or the latest ones; rounded as a pack stores them."""
    weights = state["best"]["weights"] or state["trainer"]["average"]
    network = PatchFcn(len(config.codes), config.width, config.slices, config.patch_sharpness)
    network.load_state_dict({name: as_stored(name, value) for name, value in weights.items()})
    return network.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload, no-any-return]
