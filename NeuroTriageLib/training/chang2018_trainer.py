"""One training run of Chang 2018: network, optimizer, running mean and chance; saved and restored whole."""

from __future__ import annotations

import copy
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..networks.detection.region_pooling import crop_targets
from ..networks.hybrid_mask_rcnn import HybridMaskRcnn, NetworkSettings
from ..systems.chang2018_config import REGION_CODES, Chang2018Config
from .chang2018_losses import (
    mask_losses,
    objectness_loss,
    pixel_loss,
    proposal_box_loss,
    region_box_loss,
    type_loss,
)
from .chang2018_recipe import Chang2018Training
from .chang2018_sampler import SlabSampler, augmented
from .chang2018_targets import Regions, anchor_targets, sample_regions, true_boxes
from .chang2018_validation import validate
from .checkpoint import generator_state, restore_generator
from .exam_bank import ExamBank
from .guarded_step import GuardedStep
from .running_mean import update_running_mean
from .windowed_exam import WindowedExam


class TrainedNetwork(nn.Module):
    """The network, and the layer that marks cells with blood and does not ship."""

    def __init__(self, config: Chang2018Config) -> None:
        super().__init__()
        self.detector = build_network(config)
        self.pixels = nn.Conv2d(config.pyramid_channels, 1 + len(REGION_CODES), 1)
        with torch.no_grad():
            self.pixels.bias[0] = 4.0  # type: ignore[index]  # most cells hold no blood; ours


def build_network(config: Chang2018Config) -> HybridMaskRcnn:
    """The network of the settings, with random weights."""
    return HybridMaskRcnn(NetworkSettings(**config.network))


class Chang2018Trainer:
    """Trains a hybrid mask R-CNN, all of it at once.

    Args:
        config: the network and its input.
        training: the recipe.
        bank, validation: where slabs and validation exams come from; both may still grow.
        device: torch's name of the device.
    """

    stage_name = "detector"

    def __init__(
        self,
        config: Chang2018Config,
        training: Chang2018Training,
        bank: ExamBank[WindowedExam],
        validation: ExamBank[WindowedExam],
        device: str,
    ) -> None:
        torch.manual_seed(training.seed)
        self.config, self.training, self.device = config, training, device
        self.sampler, self.validation = SlabSampler(bank, config, training), validation
        self.rng = np.random.default_rng(training.seed)
        # Contiguous on the CPU: channels last has unsafe kernels there (see kuo2019_trainer.py).
        self.network = TrainedNetwork(config).to(device)
        self.average = copy.deepcopy(self.network)
        self.step = 0
        self.stage_index = 0
        self.seconds = 0.0
        self._guarded_step = GuardedStep()
        kind = torch.optim.AdamW if training.optimizer == "adamw" else torch.optim.Adam
        self.optimizer = kind(self.network.parameters(), training.learning_rate, weight_decay=training.weight_decay)

    @property
    def is_done(self) -> bool:
        """True when the run is over."""
        return self.stage_index > 0

    @property
    def examples_per_step(self) -> int:
        """Slabs."""
        return self.training.runs * self.training.run_slabs

    def fraction(self) -> float:
        """0-1, how much is done: of the time when there is a budget, else of the steps."""
        if self.training.minutes is not None:
            return self.seconds / max(1e-9, 60 * self.training.minutes)
        return self.step / self.training.steps

    def minutes_left(self) -> float | None:
        """Of the wall-clock budget; None without one."""
        return None if self.training.minutes is None else self.training.minutes - self.seconds / 60

    def take_new_exams(self) -> int:
        """Take up the training exams that came since; returns how many there are now."""
        if self.sampler.bank.refresh():
            self.sampler.refresh()
        return len(self.sampler.bank)

    def train_step(self) -> dict[str, float]:
        """One minibatch; returns its losses."""
        started = time.monotonic()
        for group in self.optimizer.param_groups:
            group["lr"] = self.training.rate(self.fraction())
        window_hu = self.config.window_hu[1] - self.config.window_hu[0]
        image, types = augmented(self.sampler.draw(self.rng), self.training, window_hu, self.rng, self.device)
        losses = self.losses(image, types)
        weights = self.training.weights
        total = torch.stack([getattr(weights, name) * loss for name, loss in losses.items()]).sum()
        self._guarded_step(total, self.optimizer, list(self.network.parameters()))
        update_running_mean(self.average, self.network, self.training.average_decay, self.step)
        self.step += 1
        self.seconds += time.monotonic() - started
        if self.fraction() >= 1.0:
            self.stage_index = 1
        return {f"{name}_loss": float(loss.detach()) for name, loss in losses.items()}

    def losses(self, image: Tensor, types: Tensor) -> dict[str, Tensor]:
        """Name (as in LossWeights) -> loss in float32, unweighted; those without a weight are left out.

        Args:
            image: (b, n + 4, h, w) 0-1.
            types: (b x n, h, w) int64.
        """
        training, detector = self.training, self.network.detector
        truth = true_boxes(types)
        with torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=training.bfloat16):
            pyramid = detector.pyramid(image)
            scores = detector.search(pyramid)
            pixels = self.network.pixels(pyramid[0])
        anchors = anchor_targets(scores.anchors, truth, *training.anchor_overlap)
        regions = sample_regions(
            detector.propose(scores, pyramid),
            truth,
            (image.shape[2], image.shape[3]),
            count=training.regions_sampled,
            positive_share=training.region_positive_share,
            positive=training.region_overlap,
            jittered=training.jittered,
        )
        objectness = objectness_loss(scores, anchors, training.anchors_sampled, training.hard_share)
        losses = {"objectness": objectness, "proposal_box": proposal_box_loss(scores, anchors)}
        losses |= self._region_losses(pyramid, regions, types)
        losses["pixels"] = pixel_loss(pixels.float(), types)
        return {name: loss for name, loss in losses.items() if getattr(training.weights, name) > 0}

    def _region_losses(self, pyramid: list[Tensor], regions: Regions, types: Tensor) -> dict[str, Tensor]:
        """Losses of type, box and mask of the sampled regions."""
        detector, positive = self.network.detector, regions.kind > 0
        positive &= positive.cumsum(dim=1) <= self.training.masks_sampled  # regions come in random order
        with torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=self.training.bfloat16):
            scores = detector.classify(pyramid, regions.boxes)
            logits = detector.masks(pyramid, regions.boxes, regions.kind, positive)
        # All blood of the region's type counts, also that of a neighbouring instance: masks are merged by type anyway.
        wanted = crop_targets(types, regions.boxes, regions.kind, 2 * self.config.mask_size)[positive]
        mask, mask_overlap = mask_losses(logits, wanted)
        return {
            "type": type_loss(scores, regions, self.training.positive_region_weight),
            "region_box": region_box_loss(scores, regions),
            "mask": mask,
            "mask_overlap": mask_overlap,
        }

    def kept_network(self) -> HybridMaskRcnn:
        """The network whose weights are kept: the running mean, or the last one without averaging."""
        return (self.average if self.training.average_decay > 0 else self.network).detector

    def kept_weights(self) -> dict[str, Tensor]:
        """The weights that would ship now."""
        return self.kept_network().state_dict()

    def validate(self, exams: int) -> dict[str, float | None] | None:
        """Pixel Dice and exam AUC on the first validation exams; None while they are not all there."""
        self.validation.refresh()
        if len(self.validation) < exams:
            return None
        chosen = self.validation.exams[:exams]
        result = validate(self.kept_network(), chosen, self.config, bfloat16=self.training.bfloat16)
        figures: dict[str, float | None] = {"merit": round(result.merit(), 4)}
        for name, values in (("dice", result.summary()["dice"]), ("auc", result.summary()["auc"])):
            figures |= {f"{name}_{code}": value for code, value in values.items()}
        return figures

    def state(self) -> dict[str, Any]:
        """Everything that a later process needs to go on as if nothing had happened."""
        return {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": generator_state(self.rng),
            "torch_rng": torch.get_rng_state(),
            "step": self.step,
            "stage_index": self.stage_index,
            "seconds": self.seconds,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of state()."""
        for name in ("step", "stage_index", "seconds"):
            setattr(self, name, state[name])
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        restore_generator(self.rng, state["generator"])
        torch.set_rng_state(state["torch_rng"])
