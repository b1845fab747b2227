"""One training run's state: network, optimizer, running mean, chance; one step at a time, saved and restored whole."""

from __future__ import annotations

import copy
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..networks.patchfcn import OUTPUT_STRIDE, PatchFcn
from ..systems.kuo2019_config import Kuo2019Config
from .checkpoint import generator_state, restore_generator
from .dense_validation import validate
from .exam_bank import ExamBank
from .guarded_step import GuardedStep
from .kuo2019_losses import patch_loss, patch_targets, pixel_loss
from .kuo2019_recipe import Stage, TrainingConfig
from .patch_augmentation import augmented
from .patch_sampler import PatchSampler
from .running_mean import update_running_mean
from .windowed_exam import WindowedExam


class Kuo2019Trainer:
    """Trains a PatchFCN through the stages of a recipe.

    Args:
        config: the network and its input.
        training: the recipe.
        bank, validation: where patches and validation exams come from; both may still grow.
        device: torch's name of the device.
    """

    def __init__(
        self,
        config: Kuo2019Config,
        training: TrainingConfig,
        bank: ExamBank[WindowedExam],
        validation: ExamBank[WindowedExam],
        device: str,
    ) -> None:
        torch.manual_seed(training.seed)
        self.config, self.training, self.device = config, training, device
        self.sampler, self.validation = PatchSampler(bank, config, training), validation
        self.rng = np.random.default_rng(training.seed)
        network = PatchFcn(len(config.codes), config.width, config.slices, config.patch_sharpness)
        # Channels last on CUDA only: on the CPU, torch 2.13 gave gradients that turned into NaN after some tens of
        # steps in that layout and not in the contiguous one (the cause was not found).
        self.layout = torch.channels_last if device == "cuda" else torch.contiguous_format
        self.network = network.to(device, memory_format=self.layout)  # type: ignore[call-overload]
        self.average: PatchFcn = copy.deepcopy(self.network)
        self.step = 0  # in all
        self.stage_index = 0
        self.stage_step = 0
        self.stage_seconds = 0.0
        self._guarded_step = GuardedStep()
        self.optimizer = self._start_stage()

    @property
    def stage(self) -> Stage:
        """The stage that the next step belongs to."""
        return self.training.stages[self.stage_index]

    @property
    def stage_name(self) -> str:
        """Name of that stage."""
        return self.stage.name

    @property
    def examples_per_step(self) -> int:
        """Patches."""
        return self.training.batch_size

    @property
    def is_done(self) -> bool:
        """True when every stage is over."""
        return self.stage_index >= len(self.training.stages)

    @property
    def epochs_done(self) -> float:
        """Epochs of the present stage; an epoch has as many patches as the bank has slabs."""
        return self.stage_step * self.training.batch_size / max(1, self.sampler.slabs)

    def fraction(self) -> float:
        """0-1, how much of the present stage is done: of its time when there is a budget, else of its epochs."""
        if self.training.minutes is not None:
            return self.stage_seconds / max(1e-9, 60 * self.training.minutes * self.stage.share)
        return self.epochs_done / self.stage.epochs

    def minutes_left(self) -> float | None:
        """Of the wall-clock budget; None without one."""
        if self.training.minutes is None:
            return None
        shares = sum(stage.share for stage in self.training.stages[self.stage_index :])
        return self.training.minutes * shares - self.stage_seconds / 60

    def take_new_exams(self) -> int:
        """Take up the training exams that came since; returns how many there are now."""
        if self.sampler.bank.refresh():
            self.sampler.refresh()
        return len(self.sampler.bank)

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

    def kept_weights(self) -> dict[str, Tensor]:
        """The weights that would ship now."""
        return self.kept_network().state_dict()

    def train_step(self) -> dict[str, float]:
        """One minibatch; returns its losses. Goes on to the next stage when the present one is over."""
        started = time.monotonic()
        rate = self.training.learning_rate(self.stage, self.fraction(), self.epochs_done)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        slabs, image, target = self._batch()
        losses = self._losses(image.to(memory_format=self.layout), target)
        each = torch.stack(list(losses.values())).sum(dim=0)
        self.sampler.remember(slabs, each.detach().cpu().numpy())
        self._guarded_step(each.mean(), self.optimizer, self._trained_parameters())
        self.step += 1
        self.stage_step += 1
        update_running_mean(self.average, self.network, self.training.average_decay, self.step)
        values = {name: float(loss.detach().mean()) for name, loss in losses.items()}
        self.stage_seconds += time.monotonic() - started
        if self.fraction() >= 1.0:
            self.next_stage()
        return values

    def next_stage(self) -> None:
        """Leave the present stage; the next one starts from the weights that would be kept."""
        self.network.load_state_dict(self.kept_network().state_dict())
        self.stage_index += 1
        self.stage_step, self.stage_seconds = 0, 0.0
        if not self.is_done:
            self.optimizer = self._start_stage()

    def kept_network(self) -> PatchFcn:
        """The network whose weights are kept: the running mean, or the last one without averaging."""
        return self.average if self.training.average_decay > 0 else self.network

    def _batch(self) -> tuple[np.ndarray, Tensor, Tensor]:
        """Patches, or now and then whole images, augmented; first the numbers of their slabs."""
        whole = self.training.whole_share > 0 and self.rng.random() < self.training.whole_share
        batch = self.sampler.draw_whole(self.rng) if whole else self.sampler.draw(self.rng)
        size = self.sampler.whole_size if whole else (self.config.patch_size, self.config.patch_size)
        window_hu = self.config.window_hu[1] - self.config.window_hu[0]
        return batch.slabs, *augmented(batch, size, self.training.augmentation, window_hu, self.rng, self.device)

    def _losses(self, image: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The losses of the present stage for each image of the batch, in float32."""
        with torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=self.training.bfloat16):
            output = self.network(image)
        losses: dict[str, Tensor] = {}
        if self.stage.name != "patch":
            losses["pixel_loss"] = pixel_loss(output.pixel, target, self.training.positive_pixel_weight)
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
        """Freeze what the stage does not train, and give it an optimizer of its own."""
        name = self.stage.name
        self.network.train()
        for module_name, module in self.network.named_children():
            trains = name == "joint" or (module_name == "patch_branch") == (name == "patch")
            module.requires_grad_(trains)
            module.train(trains)
        parameters = self._trained_parameters()
        if self.training.optimizer == "sgd":
            return torch.optim.SGD(
                parameters, self.stage.learning_rate, self.training.momentum, weight_decay=self.training.weight_decay
            )
        return torch.optim.AdamW(parameters, self.stage.learning_rate, weight_decay=self.training.weight_decay)

    def _trained_parameters(self) -> list[nn.Parameter]:
        return [parameter for parameter in self.network.parameters() if parameter.requires_grad]

    def state(self) -> dict[str, Any]:
        """Everything that a later process needs to go on as if nothing had happened."""
        return {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": generator_state(self.rng),
            "last_losses": torch.from_numpy(self.sampler.last_losses),
            "torch_rng": torch.get_rng_state(),
            "step": self.step,
            "stage_index": self.stage_index,
            "stage_step": self.stage_step,
            "stage_seconds": self.stage_seconds,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of state()."""
        for name in ("step", "stage_index", "stage_step", "stage_seconds"):
            setattr(self, name, state[name])
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        if not self.is_done:
            self.optimizer = self._start_stage()
            self.optimizer.load_state_dict(state["optimizer"])
        self.sampler.recall(state["last_losses"].numpy())
        restore_generator(self.rng, state["generator"])
        torch.set_rng_state(state["torch_rng"])
