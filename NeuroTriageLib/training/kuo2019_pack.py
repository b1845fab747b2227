"""From a checkpoint to a model pack: calibration and operating points on validation exams, weights, model card."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ..core.codes import ANY
from ..core.errors import InputError
from ..io.model_packs import Calibration, PackManifest, save_model_pack
from ..networks.patchfcn import PatchFcn
from ..systems.kuo2019_config import Kuo2019Config
from .calibration import calibrated, fit_platt, operating_point
from .checkpoint import load_checkpoint
from .dense_validation import Validation, validate
from .exam_bank import BankExam, ExamBank
from .model_card import model_card
from .windowed_exam import WindowedExam

CARD_FILE = "MODEL_CARD.md"
VERSION = "1"
LICENCE = "Apache-2.0"
INTENDED_USE = (
    "Research on triage of acute intracranial hemorrhage on non-contrast head CT of adults. Not for diagnosis. Trained "
    "on simulated images only; its probabilities are calibrated for simulated exams."
)


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
    calibration, points = calibrate(validation)
    manifest = PackManifest(
        name=out.name,
        version=VERSION,
        system="kuo2019",
        config=config.to_json(),
        codes=config.codes,
        operating_points=points,
        calibration=calibration,
        training=state["training"] | {"steps": state["trainer"]["step"], "training_exams": state["training_exams"]},
        metrics={"validation": validation.summary() | _sensitivity(validation, calibration, points)},
        licence=LICENCE,
        intended_use=INTENDED_USE,
    )
    manifest = save_model_pack(out, manifest, network.state_dict(), overwrite=overwrite)
    (out / CARD_FILE).write_text(model_card(manifest), encoding="utf-8")
    return out


def view_of(config: Kuo2019Config) -> Callable[[BankExam], WindowedExam]:
    """What PatchFCN keeps of a bank's exam."""
    return partial(WindowedExam.of, window_hu=config.window_hu)


def kept_network(state: dict[str, Any], config: Kuo2019Config) -> PatchFcn:
    """The best validated weights of a checkpoint, or the latest ones; rounded as a pack stores them."""
    weights = state["best"]["weights"] or state["trainer"]["average"]
    network = PatchFcn(len(config.codes), config.width, config.slices, config.patch_sharpness)
    network.load_state_dict({name: _as_stored(name, value) for name, value in weights.items()})
    return network.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload, no-any-return]


def calibrate(validation: Validation) -> tuple[dict[str, Calibration], dict[str, float]]:
    """Code -> calibration, and code -> threshold on calibrated probabilities."""
    calibration, points = {}, {}
    for n, code in enumerate((ANY, *validation.codes)):
        score, present = validation.scores[:, n], validation.present[:, n]
        calibration[code] = fit_platt(score, present)
        points[code] = operating_point(calibrated(score, calibration[code]), present)
    return calibration, points


def _sensitivity(
    validation: Validation, calibration: dict[str, Calibration], points: dict[str, float]
) -> dict[str, dict[str, float | None]]:
    """Sensitivity and specificity at the operating points, per code."""
    figures: dict[str, dict[str, float | None]] = {"sensitivity": {}, "specificity": {}}
    for n, code in enumerate((ANY, *validation.codes)):
        present = validation.present[:, n]
        called = calibrated(validation.scores[:, n], calibration[code]) >= points[code]
        figures["sensitivity"][code] = round(float(called[present].mean()), 4) if present.any() else None
        figures["specificity"][code] = round(float((~called[~present]).mean()), 4) if (~present).any() else None
    return figures


def _as_stored(name: str, value: torch.Tensor) -> torch.Tensor:
    """Half precision and back, except for batch-norm statistics: calibration must see the weights that ship."""
    if not value.is_floating_point() or name.endswith(("running_mean", "running_var")):
        return value
    return value.half().float()


def training_record(recipe: Any, maps: str) -> dict[str, Any]:
    """The recipe as plain values for the pack."""
    return {"data": f"simulated head CT, {maps}", "recipe": dataclasses.asdict(recipe)}
