"""Training the hybrid mask R-CNN of Chang 2018, all of it at once: targets, regions, losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

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
from .chang2018_targets import Regions, TrueBoxes, anchor_targets, sample_regions, true_boxes
from .chang2018_validation import validate
from .exam_bank import ExamBank
from .staged_trainer import StagedTrainer
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


class Chang2018Trainer(StagedTrainer[TrainedNetwork]):
    """Trains a hybrid mask R-CNN.

    Args:
        config: the network and its input.
        training: the recipe.
        bank, validation: where slabs and validation exams come from; both may still grow.
        device: torch's name of the device.
    """

    STORED: ClassVar[dict[str, str]] = {"step": "step", "stage_index": "stage_index", "stage_seconds": "seconds"}

    training: Chang2018Training

    def __init__(
        self,
        config: Chang2018Config,
        training: Chang2018Training,
        bank: ExamBank[WindowedExam],
        validation: ExamBank[WindowedExam],
        device: str,
    ) -> None:
        super().__init__(training, bank, validation, device)
        self.config, self.sampler = config, SlabSampler(bank, config, training)
        self._slabs = slice(None)  # of a minibatch, those of this process
        # Contiguous on the CPU: channels last has unsafe kernels there (see kuo2019_trainer.py).
        self.begin(TrainedNetwork(config).to(device))

    @property
    def examples_per_step(self) -> int:
        """Slabs."""
        return self.training.runs * self.training.run_slabs

    def _start_stage(self) -> torch.optim.Optimizer:
        return self._optimizer(self.training.learning_rate)

    def _length_done(self) -> float:
        return self.step / self.training.steps

    def _rate(self) -> float:
        return self.training.rate(self.fraction())

    def _learn(self) -> dict[str, float]:
        window_hu = self.config.window_hu[1] - self.config.window_hu[0]
        image, types = augmented(self.sampler.draw(self.rng), self.training, window_hu, self.rng, self.device)
        truth = true_boxes(types)
        runs = self.processes.part(len(image))
        self._slabs = slice(runs.start * self.training.run_slabs, runs.stop * self.training.run_slabs)
        own = TrueBoxes(*(value[self._slabs] for value in truth))
        losses = self.losses(image[runs], types[self._slabs], own)
        weights = self.training.weights
        total = torch.stack([getattr(weights, name) * loss for name, loss in losses.items()]).sum()
        self._take(total, self.step)
        return self._total({f"{name}_loss": loss for name, loss in losses.items()})

    def _draw(self, shape: torch.Size) -> Tensor:
        """Values 0-1 for this process's slabs out of one draw for those of all processes."""
        slabs = self.examples_per_step
        return torch.from_numpy(self.rng.random((slabs, *shape[1:]), dtype=np.float32)[self._slabs])

    def losses(self, image: Tensor, types: Tensor, truth: TrueBoxes) -> dict[str, Tensor]:
        """Name (as in LossWeights) -> loss in float32, unweighted; those without a weight are left out.

        Args:
            image: (b, n + 4, h, w) 0-1.
            types: (b x n, h, w) int64.
            truth: the boxes of types.
        """
        training, detector, total = self.training, self.network.detector, self.processes.total
        with self._precision():
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
            draw=self._draw,
        )
        objectness = objectness_loss(scores, anchors, training.anchors_sampled, training.hard_share, total, self._draw)
        losses = {"objectness": objectness, "proposal_box": proposal_box_loss(scores, anchors, total)}
        losses |= self._region_losses(pyramid, regions, types)
        losses["pixels"] = pixel_loss(pixels.float(), types, total)
        return {name: loss for name, loss in losses.items() if getattr(training.weights, name) > 0}

    def _region_losses(self, pyramid: list[Tensor], regions: Regions, types: Tensor) -> dict[str, Tensor]:
        """Losses of type, box and mask of the sampled regions."""
        detector, positive = self.network.detector, regions.kind > 0
        positive &= positive.cumsum(dim=1) <= self.training.masks_sampled  # regions come in random order
        with self._precision():
            scores = detector.classify(pyramid, regions.boxes)
            logits = detector.masks(pyramid, regions.boxes, regions.kind, positive)
        # All blood of the region's type counts, also that of a neighbouring instance: masks are merged by type anyway.
        wanted = crop_targets(types, regions.boxes, regions.kind, 2 * self.config.mask_size)[positive]
        total = self.processes.total
        mask, mask_overlap = mask_losses(logits, wanted, total)
        return {
            "type": type_loss(scores, regions, self.training.positive_region_weight, total),
            "region_box": region_box_loss(scores, regions, total),
            "mask": mask,
            "mask_overlap": mask_overlap,
        }

    def kept_weights(self) -> dict[str, Tensor]:
        """Of the detector alone."""
        return self.kept_network().detector.state_dict()

    def _take_over(self, weights: Mapping[str, Tensor]) -> None:
        """The layer that does not ship stays random."""
        self.network.detector.load_state_dict(weights)

    def _figures(self, exams: Sequence[WindowedExam]) -> dict[str, float | None]:
        """Pixel Dice and exam AUC."""
        result = validate(self.kept_network().detector, exams, self.config, bfloat16=self.training.bfloat16)
        return {"merit": result.merit()} | result.curve_figures()
