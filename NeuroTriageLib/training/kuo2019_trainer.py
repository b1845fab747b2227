"""Training PatchFCN: the three stages of Kuo 2019, its patches, its two losses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..networks.patchfcn import OUTPUT_STRIDE, PatchFcn
from ..systems.kuo2019_config import Kuo2019Config
from .dense_validation import validate
from .exam_bank import ExamBank
from .kuo2019_losses import patch_loss, patch_targets, pixel_loss
from .kuo2019_recipe import TrainingConfig
from .patch_augmentation import augmented
from .patch_sampler import PatchSampler
from .staged_trainer import StagedTrainer
from .windowed_exam import WindowedExam


class Kuo2019Trainer(StagedTrainer[PatchFcn]):
    """Trains a PatchFCN through the stages of a recipe.

    Args:
        config: the network and its input.
        training: the recipe.
        bank, validation: where patches and validation exams come from; both may still grow.
        device: torch's name of the device.
    """

    training: TrainingConfig

    def __init__(
        self,
        config: Kuo2019Config,
        training: TrainingConfig,
        bank: ExamBank[WindowedExam],
        validation: ExamBank[WindowedExam],
        device: str,
    ) -> None:
        super().__init__(training, bank, validation, device)
        self.config, self.sampler = config, PatchSampler(bank, config, training)
        network = PatchFcn(len(config.codes), config.width, config.slices, config.patch_sharpness)
        # Channels last on CUDA only: on the CPU, torch 2.13 gave gradients that turned into NaN after some tens of
        # steps in that layout and not in the contiguous one (the cause was not found).
        self.layout = torch.channels_last if device == "cuda" else torch.contiguous_format
        self.begin(network.to(device, memory_format=self.layout))  # type: ignore[call-overload]

    @property
    def examples_per_step(self) -> int:
        """Patches."""
        return self.training.batch_size

    @property
    def epochs_done(self) -> float:
        """Epochs of the present stage; an epoch has as many patches as the bank has slabs."""
        return self.stage_step * self.training.batch_size / max(1, self.sampler.slabs)

    def _length_done(self) -> float:
        return float(self.epochs_done / self.stage.epochs)

    def _rate(self) -> float:
        return self.training.learning_rate(self.stage, self.fraction(), self.epochs_done)

    def _figures(self, exams: Sequence[WindowedExam]) -> dict[str, float | None]:
        """Pixel Dice and exam AUC."""
        result = validate(self.kept_network(), exams, self.config, bfloat16=self.training.bfloat16)
        return {"merit": result.merit()} | result.curve_figures()

    def _learn(self) -> dict[str, float]:
        slabs, image, target = self._batch()
        count = len(slabs)
        part = self.processes.part(count)
        losses = self._losses(image[part].to(memory_format=self.layout), target[part])
        each = torch.stack(list(losses.values())).sum(dim=0)
        self.sampler.remember(slabs, self.processes.rows(each.detach(), part, count).cpu().numpy())
        self._take(each.sum() / count, self.step + 1)
        return self._total({name: loss.sum() / count for name, loss in losses.items()})

    def _batch(self) -> tuple[np.ndarray, Tensor, Tensor]:
        """Patches, or now and then whole images, augmented; first the numbers of their slabs."""
        whole = self.training.whole_share > 0 and self.rng.random() < self.training.whole_share
        batch = self.sampler.draw_whole(self.rng) if whole else self.sampler.draw(self.rng)
        size = self.sampler.whole_size if whole else (self.config.patch_size, self.config.patch_size)
        window_hu = self.config.window_hu[1] - self.config.window_hu[0]
        return batch.slabs, *augmented(batch, size, self.training.augmentation, window_hu, self.rng, self.device)

    def _losses(self, image: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The losses of the present stage for each image of the batch, in float32."""
        with self._precision():
            output = self.network(image)
        losses: dict[str, Tensor] = {}
        if self.stage.name != "patch":
            losses["pixel_loss"] = pixel_loss(
                output.pixel, target, self.training.positive_pixel_weight, self.processes.total
            )
        if self.stage.name != "segmentation":
            losses["patch_loss"] = self._patch_loss(output.patch, target)
            if self.stage.name == "joint":
                losses["patch_loss"] = losses["patch_loss"] * self.training.patch_loss_weight
        return losses

    def _patch_loss(self, patch: Tensor, target: Tensor) -> Tensor:
        """(b,) mean over the sizes of windows, of which the patch's own is one."""
        total = torch.zeros(len(patch), device=patch.device)
        sizes = (self.config.patch_size, *self.training.patch_windows)
        for window in sizes:
            stride = self.config.patch_stride if window == self.config.patch_size else OUTPUT_STRIDE
            wanted = patch_targets(target, len(self.config.codes), self.training.minimum_patch_pixels, window, stride)
            cells, step = window // OUTPUT_STRIDE, stride // OUTPUT_STRIDE
            total = total + patch_loss(patch, wanted, cells, step, self.config.patch_sharpness)
        return total / len(sizes)

    def _start_stage(self) -> torch.optim.Optimizer:
        name = self.stage_name
        self.network.train()
        for module_name, module in self.network.named_children():
            trains = name == "joint" or (module_name == "patch_branch") == (name == "patch")
            module.requires_grad_(trains)
            module.train(trains)
        return self._optimizer(self.stage.learning_rate)

    def state(self) -> dict[str, Any]:
        """With the images' latest losses."""
        return super().state() | {"last_losses": torch.from_numpy(self.sampler.last_losses)}

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of state()."""
        super().restore(state)
        self.sampler.recall(state["last_losses"].numpy())
