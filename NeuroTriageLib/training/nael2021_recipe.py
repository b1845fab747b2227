"""How Nael 2021's networks are trained: the published recipe as constants, and the compact one for a processor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..core.codes import ABNORMAL, ACUTE_HEMORRHAGE, ACUTE_INFARCT, MASS_EFFECT, MR_CODES
from .schedules import one_cycle

Part = Literal["lfe", "study"]


@dataclass(frozen=True)
class Stage:
    """One part of one network's training (Nael 2021, Training: the localization alone, then everything end to end).

    Args:
        code: the finding whose network is trained.
        part: "lfe" trains the localization, "study" the whole network.
        learning_rate: constant, or the highest (one cycle).
        epochs: length at most, when no wall-clock budget is set. An epoch shows as many studies as there are.
        share: part of the wall-clock budget when there is one.
        crop_dhw: what the localization alone is shown of a study at a time; None shows all of it.
        crops: so many crops of each study.
    """

    code: str
    part: Part
    learning_rate: float
    epochs: int
    share: float
    crop_dhw: tuple[int, int, int] | None = None
    crops: int = 1

    @property
    def name(self) -> str:
        """For progress and curves."""
        return f"{self.code}_{self.part}"


@dataclass(frozen=True)
class MrAugmentation:
    """Random changes of a study, the same for all its contrasts but noise and gain.

    Args:
        shift: largest shift in plane as a share of the image.
        shift_slices: largest shift out of plane, likewise.
        mirror: share mirrored left to right.
        noise: largest amplitude of uniform noise added to each contrast, in intensities 0-1.
        rotation_deg: largest rotation in plane to both sides.
        scale: smallest and largest zoom.
        gain: largest relative change of each weighted contrast's intensities; ADC is a physical unit and has none.
        bend: largest smooth shift of places along each axis as a share of the image, so that no head is known by heart.
    """

    shift: float = 0.08  # Nael 2021: translation; how far is not stated, ours
    shift_slices: float = 0.04
    mirror: float = 0.5  # Nael 2021: left-right flipping
    noise: float = 0.05  # Nael 2021: additive uniform noise; how much is not stated, ours
    rotation_deg: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    gain: float = 0.0
    bend: float = 0.0


@dataclass(frozen=True)
class Nael2021Training:
    """Everything that fixes a training run except data and hardware; it travels in the model pack.

    Args:
        stages: in order.
        optimizer, weight_decay: "adam" or "adamw".
        schedule: "constant" or "one_cycle".
        patience_epochs: a stage ends after so many epochs without a smaller loss on the validation studies; None never.
        batch_size: studies per step.
        positive_share: share of studies with the stage's finding.
        keep_optional: probability that an optional contrast which is there is shown.
        keep_required: the same of the required contrasts that abnormality can be asserted without, all together.
        positive_weight: weight of a pixel that the finding fills, in the localization's loss.
        lfe_weight: weight of the localization's loss beside the study's in the second part; None leaves the
            localization as the first part made it.
        augmentation: of each study.
        average_decay: the weights that are kept are a running mean with this decay per step (0 keeps the last ones).
        minutes: wall-clock budget; None trains the stages' epochs.
        bfloat16: lower precision in the convolutions where the device has it.
        seed: of weights, order and augmentation.
    """

    stages: tuple[Stage, ...] = tuple(
        # Nael 2021: up to 500 epochs each; the rate is not stated (Adam's usual one, ours).
        Stage(code, part, 1e-3 if part == "lfe" else 1e-4, 500, 0.125)
        for code in MR_CODES
        for part in ("lfe", "study")
    )
    optimizer: Literal["adam", "adamw"] = "adam"  # Nael 2021: an Adam-type optimizer
    weight_decay: float = 0.0  # not stated; Adam's default
    schedule: Literal["constant", "one_cycle"] = "constant"  # not stated
    patience_epochs: int | None = 5  # Nael 2021: early stopping on the validation loss, after 7-42 epochs; ours
    batch_size: int = 2  # not stated; ours
    positive_share: float = 0.5  # Nael 2021: balanced sampling
    keep_optional: float = 1.0  # Nael 2021: studies as they come, contrasts missing as they were
    keep_required: float = 1.0  # Nael 2021: without a required contrast a study was not read
    positive_weight: float = 1.0  # Nael 2021 names no weights
    lfe_weight: float | None = 0.0  # Nael 2021: end to end by the study's label
    augmentation: MrAugmentation = MrAugmentation()
    average_decay: float = 0.0  # not stated
    minutes: float | None = None
    bfloat16: bool = False
    seed: int = 1

    def learning_rate(self, stage: Stage, fraction: float) -> float:
        """The rate after this fraction (0-1) of a stage."""
        return one_cycle(stage.learning_rate, fraction) if self.schedule == "one_cycle" else stage.learning_rate


PUBLISHED_TRAINING = Nael2021Training()

# For some hours on a processor. Each difference from the published recipe is listed in the model card. The small
# findings get the most time, and of it the localization, which the peaks of the score need; it learns from crops, as
# most of a study shows nothing, and is kept: a few hundred studies' labels would only spoil it. Mass effect is seen
# from farther away.
COMPACT_TRAINING = Nael2021Training(
    stages=(
        Stage(ACUTE_INFARCT, "lfe", 3e-3, 60, 0.22, (8, 64, 64), 8),
        Stage(ACUTE_INFARCT, "study", 1e-3, 10, 0.07),
        Stage(ACUTE_HEMORRHAGE, "lfe", 3e-3, 60, 0.22, (8, 64, 64), 8),
        Stage(ACUTE_HEMORRHAGE, "study", 1e-3, 10, 0.07),
        Stage(MASS_EFFECT, "lfe", 3e-3, 30, 0.11, (16, 128, 128), 1),
        Stage(MASS_EFFECT, "study", 1e-3, 10, 0.06),
        Stage(ABNORMAL, "lfe", 3e-3, 20, 0.09, (12, 96, 96), 2),
        Stage(ABNORMAL, "study", 1e-3, 15, 0.16),
    ),
    optimizer="adamw",
    weight_decay=1e-2,
    schedule="one_cycle",
    patience_epochs=None,
    keep_optional=0.7,
    keep_required=0.7,
    positive_weight=10.0,
    lfe_weight=None,
    augmentation=MrAugmentation(rotation_deg=8.0, scale=(0.92, 1.08), gain=0.15, bend=0.025),
    average_decay=0.995,
    minutes=240.0,
    bfloat16=True,
)
