"""How the hybrid mask R-CNN is trained: the published recipe, and the compact one for a processor without a GPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .kuo2019_recipe import PatchAugmentation
from .schedules import one_cycle

AUGMENTATION = PatchAugmentation()

Optimizer = Literal["adam", "adamw"]
Schedule = Literal["step", "one_cycle"]
STEP_SHARES = (0.6, 0.85)  # "step" divides the rate by 10 here; not in the text of Chang 2018; ours


@dataclass(frozen=True)
class LossWeights:
    """Weights of the losses' sum; 1 each in Ren 2015 and He 2017.

    Args:
        objectness, proposal_box: of the anchors.
        type, region_box: of the regions.
        mask: cross-entropy of the masks.
        mask_overlap: 1 - Dice of the masks, beside their cross-entropy.
        pixels: blood or not on every cell of the pyramid's finest map, by a layer that is dropped after training.
    """

    objectness: float = 1.0
    proposal_box: float = 1.0
    type: float = 1.0
    region_box: float = 1.0
    mask: float = 1.0
    mask_overlap: float = 0.0
    pixels: float = 0.0


@dataclass(frozen=True)
class Stage:
    """The one stage: everything is trained at once, in all of the time."""

    name: str = "detector"
    share: float = 1.0


@dataclass(frozen=True)
class Chang2018Training:
    """Everything that fixes a training run except data and hardware; it travels in the model pack.

    Args:
        learning_rate: at the start (step) or at its highest (one cycle).
        steps: length when no wall-clock budget is set.
        optimizer, weight_decay: AdamW decouples the decay.
        schedule: "step" or "one_cycle".
        runs, run_slabs: a minibatch is so many runs of so many neighbouring slabs; run_slabs 1 is one slab at a time.
        crop: rows and columns of the images, around the middle of the brain, in pixels; multiples of 32.
        positive_share: share of the runs drawn around a slab with blood.
        balance_types: those show each type equally often instead of as often as it occurs.
        anchor_overlap: intersection over union with a box of the truth below and from which an anchor is negative and
            positive; between them it counts for nothing.
        anchors_sampled: anchors per slab that count, at most half of them positive.
        hard_share: of the negative ones those with the highest scores; the rest is drawn at random.
        regions_sampled, region_positive_share: regions per slab for the classifier, at most this share positive.
        masks_sampled: masks are learned from so many positive regions per slab at most.
        positive_region_weight: of positive regions in the type loss.
        region_overlap: intersection over union from which a region is positive.
        jittered: so many shaken copies of each box of the truth are regions too.
        weights: of the losses.
        augmentation: random changes of the images.
        shift: how far the middle of the crop lies from that of the brain at most, in pixels.
        average_decay: the weights that are kept are a running mean with this decay per step (0 keeps the last ones).
        minutes: wall-clock budget; None trains the steps.
        bfloat16: lower precision in the convolutions where the device has it.
        seed: of weights, slabs and augmentation.
    """

    learning_rate: float = 1e-3  # not in the text; ours
    steps: int = 100_000  # Chang 2018, Network Statistics: approximately 100,000 iterations
    optimizer: Optimizer = "adam"  # Chang 2018, reference 18
    weight_decay: float = 0.0  # not in the text; ours
    schedule: Schedule = "step"
    runs: int = 16  # not stated; ours
    run_slabs: int = 1
    crop: tuple[int, int] = (512, 512)  # the whole image
    positive_share: float = 0.5  # not stated; ours
    balance_types: bool = False
    anchor_overlap: tuple[float, float] = (0.3, 0.7)  # not stated; Ren 2015
    anchors_sampled: int = 256  # not stated; Ren 2015
    hard_share: float = 0.0  # not stated; Ren 2015
    regions_sampled: int = 128  # not stated; Girshick 2015
    region_positive_share: float = 0.25  # not stated; He 2017: 1 to 3
    positive_region_weight: float = 1.0  # He 2017
    masks_sampled: int = 32  # He 2017: all positive regions
    region_overlap: float = 0.5  # not stated; He 2017
    jittered: int = 0
    weights: LossWeights = LossWeights()
    augmentation: PatchAugmentation = AUGMENTATION
    shift: float = 8.0  # not stated; ours
    average_decay: float = 0.0
    minutes: float | None = None
    bfloat16: bool = False
    seed: int = 1

    @property
    def stages(self) -> tuple[Stage, ...]:
        """A single one."""
        return (Stage(),)

    def rate(self, fraction: float) -> float:
        """The learning rate after this fraction (0-1) of the run."""
        if self.schedule == "one_cycle":
            return one_cycle(self.learning_rate, fraction)
        return float(self.learning_rate * 0.1 ** sum(fraction >= share for share in STEP_SHARES))


PUBLISHED_TRAINING = Chang2018Training()

# For an hour on a processor. Each difference from the published recipe is listed in the model card.
COMPACT_TRAINING = Chang2018Training(
    learning_rate=3e-3,
    optimizer="adamw",
    weight_decay=1e-2,
    schedule="one_cycle",
    runs=4,
    run_slabs=4,
    crop=(192, 160),
    balance_types=True,
    anchor_overlap=(0.3, 0.5),
    anchors_sampled=64,
    hard_share=0.5,
    regions_sampled=24,
    region_positive_share=0.34,
    positive_region_weight=3.0,
    masks_sampled=3,
    jittered=4,
    weights=LossWeights(mask_overlap=0.5, pixels=3.0),
    average_decay=0.998,
    minutes=70.0,
    bfloat16=True,
)
