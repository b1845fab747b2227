"""How Ye 2019's networks are trained: the published recipe as constants, and the compact one for a processor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from .schedules import one_cycle

StageName = Literal["slices", "two_type", "five_type"]
SLI_LAB = (1.0, 1.0)  # Ye 2019, supplement 5: weights of the slice and the subject loss with slice labels
SUB_LAB = (0.0, 1.0)  # Ye 2019, supplement 5: with subject labels alone


@dataclass(frozen=True)
class Stage:
    """One network's training.

    Args:
        name: "two_type" and "five_type" train these networks; "slices" first trains the convolutions alone, to mark the
            cells (16 x 16 pixels) of single slices that hold blood (not in Ye 2019).
        learning_rate: constant, or the highest (one cycle).
        epochs: length at most, when no wall-clock budget is set. An epoch shows each exam (or slab) once.
        share: part of the wall-clock budget when there is one.
    """

    name: StageName
    learning_rate: float
    epochs: int
    share: float


@dataclass(frozen=True)
class ExamAugmentation:
    """Random changes of an exam, or of single slices. The defaults are Ye 2019's (supplement 5), without the last five.

    Args:
        rotation_deg: largest rotation to both sides.
        scale: smallest and largest zoom.
        shift: largest shift along rows and columns as a share of the image.
        shear: largest shear.
        mirror, flip: share mirrored left to right and upside down.
        offset_hu, gain: largest shift and largest relative change of contrast.
        noise_hu: largest standard deviation of added noise.
        rim_hu: largest brightening beside bone.
        blur: share that is smoothed a little.
    """

    rotation_deg: float = 180.0  # 0-180 degrees, with the flips all directions
    scale: tuple[float, float] = (0.9, 1.1)
    shift: float = 0.1
    shear: float = 0.1
    mirror: float = 0.5
    flip: float = 0.5
    offset_hu: float = 0.0
    gain: float = 0.0
    noise_hu: float = 0.0
    rim_hu: float = 0.0
    blur: float = 0.0


@dataclass(frozen=True)
class SliceStage:
    """The convolutions' own stage; all ours.

    Args:
        batch_size: crops per step.
        crop: rows and columns of a crop, a multiple of 16.
        positive_share: share of crops around blood, its types equally often.
        positive_weight: weight of cells with blood.
        minimum_pixels: blood pixels from which on a cell counts; cells with fewer are left out of the loss.
        augmentation: of each crop by itself.
    """

    batch_size: int = 16
    crop: int = 128
    positive_share: float = 0.6
    positive_weight: float = 3.0
    minimum_pixels: int = 4
    augmentation: ExamAugmentation = ExamAugmentation(
        rotation_deg=25.0, scale=(0.85, 1.18), shift=0.0, flip=0.0, offset_hu=4.0, gain=0.08, noise_hu=4.0,
        rim_hu=40.0, blur=0.2,
    )  # fmt: skip


@dataclass(frozen=True)
class Replay:
    """Training of the layers after shared, finished convolutions from stored pooled maps; all ours.

    Args:
        exams: exams (each changed once) that are kept; the oldest go first.
        batch_size: stored exams per update.
        updates: updates per newly stored exam.
    """

    exams: int = 2500
    batch_size: int = 16
    updates: int = 2  # five times as many learned 500 exams by heart: validation AUC 0.88 instead of 0.92


@dataclass(frozen=True)
class Ye2019Training:
    """Everything that fixes a training run except data and hardware; it travels in the model pack.

    Args:
        stages: in order.
        optimizer, weight_decay: "adam" or "adamw".
        schedule: "constant" or "one_cycle".
        patience_epochs: a stage ends after so many epochs without progress on the validation exams; None never.
        loss_weights: of the slice and the subject cross-entropy, SLI_LAB or SUB_LAB.
        batch_size: exams per step.
        positive_share: share of bleeding exams for the two-type network, types equally often; None as they come.
        minimum_pixels: blood pixels from which on a slab is positive.
        augmentation: of a whole exam.
        slice_stage, replay: settings of what Ye 2019 does not have.
        average_decay: the weights that are kept are a running mean with this decay per step (0 keeps the last ones).
        minutes: wall-clock budget; None trains the stages' epochs.
        bfloat16: lower precision in the convolutions where the device has it.
        seed: of weights, order and augmentation.
    """

    stages: tuple[Stage, ...] = (
        Stage("two_type", 1e-5, 1000, 0.5),  # Ye 2019, supplement 5: rate 1e-5; the end comes by patience
        Stage("five_type", 1e-5, 1000, 0.5),
    )
    optimizer: Literal["adam", "adamw"] = "adam"  # Ye 2019, supplement 5
    weight_decay: float = 0.0  # not stated; Adam's default
    schedule: Literal["constant", "one_cycle"] = "constant"  # not stated
    patience_epochs: int | None = 50  # Ye 2019, supplement 5
    loss_weights: tuple[float, float] = SLI_LAB  # the setting whose figures Ye 2019 puts first
    batch_size: int = 4  # not stated; ours
    positive_share: float | None = None  # Ye 2019 does not balance
    minimum_pixels: int = 1  # Ye 2019: radiologists' labels
    augmentation: ExamAugmentation = ExamAugmentation()
    slice_stage: SliceStage = SliceStage()
    replay: Replay = Replay()
    average_decay: float = 0.0  # not stated
    minutes: float | None = None
    bfloat16: bool = False
    seed: int = 1

    @property
    def slice_labels(self) -> bool:
        """True under Sli-Lab, False under Sub-Lab."""
        return self.loss_weights[0] > 0

    def learning_rate(self, stage: Stage, fraction: float) -> float:
        """The rate after this fraction (0-1) of a stage."""
        return one_cycle(stage.learning_rate, fraction) if self.schedule == "one_cycle" else stage.learning_rate


PUBLISHED_TRAINING = Ye2019Training()
SUB_LAB_TRAINING = replace(PUBLISHED_TRAINING, loss_weights=SUB_LAB)

# For an hour on a processor. Each difference from the published recipe is listed in the model card.
COMPACT_TRAINING = Ye2019Training(
    stages=(
        Stage("slices", 2e-3, 24, 0.70),
        Stage("two_type", 2e-3, 4, 0.22),
        Stage("five_type", 2e-3, 2, 0.08),
    ),
    optimizer="adamw",
    weight_decay=1e-2,
    schedule="one_cycle",
    patience_epochs=None,
    positive_share=0.5,
    minimum_pixels=4,
    augmentation=ExamAugmentation(
        rotation_deg=15.0, scale=(0.92, 1.08), shift=0.0, shear=0.05, flip=0.0, offset_hu=4.0, gain=0.08, noise_hu=4.0,
        rim_hu=40.0, blur=0.2,
    ),
    average_decay=0.995,
    minutes=60.0,
    bfloat16=True,
)  # fmt: skip
