"""How PatchFCN is trained: the published recipe as constants, and the compact one for a processor without a GPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .schedules import one_cycle

Optimizer = Literal["sgd", "adamw"]
Schedule = Literal["step", "one_cycle"]
StageName = Literal["segmentation", "patch", "joint"]


@dataclass(frozen=True)
class Stage:
    """One of the three stages of Kuo 2019.

    Args:
        name: "segmentation" trains backbone and pixel branch, "patch" the patch branch alone, "joint" everything.
        learning_rate: at the start (step) or at its highest (one cycle).
        epochs: length when no wall-clock budget is set.
        share: part of the wall-clock budget when there is one.
    """

    name: StageName
    learning_rate: float
    epochs: int
    share: float


@dataclass(frozen=True)
class PatchAugmentation:
    """Random changes of a patch; Kuo 2019 names none, all are ours.

    Args:
        rotation_deg: largest rotation to both sides.
        scale: smallest and largest zoom.
        mirror: share of patches mirrored left to right.
        offset_hu, gain: largest shift and largest relative change of contrast.
        noise_hu: largest standard deviation of added noise.
        rim_hu: largest brightening beside bone, which on real scans reaches 10-15 mm into the brain.
        blur: share of patches that are smoothed a little.
    """

    rotation_deg: float = 15.0
    scale: tuple[float, float] = (0.88, 1.14)
    mirror: float = 0.5
    offset_hu: float = 4.0
    gain: float = 0.08
    noise_hu: float = 4.0
    rim_hu: float = 40.0
    blur: float = 0.2


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that fixes a training run except data and hardware; it travels in the model pack.

    Args:
        stages: in order.
        optimizer, momentum, weight_decay: momentum for SGD; AdamW keeps its own defaults.
        schedule: "step" multiplies the rate by step_factor every step_epochs; "one_cycle" warms up and falls to zero.
        batch_size: patches per step.
        positive_share: share of a minibatch's patches that come from positive images.
        balance_types: positive patches show each type equally often instead of as often as it occurs.
        positive_pixel_weight: weight of blood pixels in the pixel loss.
        patch_loss_weight: weight of the patch loss beside the pixel loss in the joint stage.
        minimum_patch_pixels: a patch shows a type from this many pixels on.
        patch_windows: sizes in pixels (multiples of 8) of smaller windows inside each patch that the patch loss scores
            as well; () scores the patch alone.
        whole_share: share of steps on whole images instead of patches, so that the dense pass and patches agree.
        whole_size: rows and columns of those images around the brain's middle; None is the network's whole image.
        candidates: of so many images drawn at random, the one with the largest loss when it was last seen gives the
            patch; 1 draws at random.
        jitter: how far a positive patch's centre lies from a blood pixel, as a share of the patch, to each side.
        augmentation: random changes of the patches.
        average_decay: the weights that are kept are a running mean with this decay per step (0 keeps the last ones).
        fit_pixel_threshold: the pack calls pixels from the probability with the best Dice on the validation exams.
        minutes: wall-clock budget; None trains the stages' epochs.
        bfloat16: lower precision in the convolutions where the device has it.
        seed: of weights, patches and augmentation.
    """

    stages: tuple[Stage, ...] = (
        Stage("segmentation", 1e-3, 400, 0.85),  # Kuo 2019, Methods: 400 epochs, initial rate 1e-3
        Stage("patch", 1e-3, 40, 0.05),  # Kuo 2019: 40 epochs; its rate is not stated
        Stage("joint", 5e-5, 30, 0.10),  # Kuo 2019: 30 epochs at 5e-5
    )
    optimizer: Optimizer = "sgd"  # Kuo 2019
    momentum: float = 0.99  # Kuo 2019
    weight_decay: float = 1e-4  # not stated; that of the DRN code
    schedule: Schedule = "step"  # Kuo 2019
    step_epochs: int = 160  # Kuo 2019: every third of 160 x 2.5 epochs
    step_factor: float = 0.1  # Kuo 2019
    batch_size: int = 16  # not stated; ours
    positive_share: float = 0.30  # Kuo 2019: 30 % of the patches from positive images
    balance_types: bool = False  # Kuo 2019 does not balance
    positive_pixel_weight: float = 3.0  # Kuo 2019
    patch_loss_weight: float = 1.0  # not stated; ours
    minimum_patch_pixels: int = 4  # not stated; ours
    patch_windows: tuple[int, ...] = ()  # Kuo 2019: the patch
    whole_share: float = 0.0  # Kuo 2019 trains on patches only
    whole_size: tuple[int, int] | None = None
    candidates: int = 1  # Kuo 2019: at random
    jitter: float = 0.42  # not stated; ours
    augmentation: PatchAugmentation = PatchAugmentation()
    average_decay: float = 0.0  # Kuo 2019 keeps the last weights
    fit_pixel_threshold: bool = False  # Kuo 2019, figure 5: 0.5
    minutes: float | None = None
    bfloat16: bool = False
    seed: int = 1

    def learning_rate(self, stage: Stage, fraction: float, epochs_done: float) -> float:
        """The rate after this fraction (0-1) of a stage."""
        if self.schedule == "step":
            drops = int(epochs_done // self.step_epochs)
            return float(stage.learning_rate * self.step_factor**drops)
        return one_cycle(stage.learning_rate, fraction)


PUBLISHED_TRAINING = TrainingConfig()

# For an hour on a processor. Each difference from the published recipe is listed in the model card.
COMPACT_TRAINING = TrainingConfig(
    stages=(
        Stage("segmentation", 3e-3, 12, 0.30),
        Stage("patch", 2e-3, 2, 0.03),
        Stage("joint", 2e-3, 26, 0.67),
    ),
    optimizer="adamw",
    weight_decay=1e-2,
    schedule="one_cycle",
    positive_share=0.4,
    balance_types=True,
    patch_windows=(24, 56),
    whole_share=0.35,
    whole_size=(216, 176),  # 194 x 158 mm: the intracranial space of most heads
    candidates=3,
    average_decay=0.998,
    fit_pixel_threshold=True,
    minutes=70.0,
    bfloat16=True,
)
