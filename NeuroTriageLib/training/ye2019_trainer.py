"""One training run of Ye 2019: its networks, optimizer, running mean and chance; saved and restored whole."""

from __future__ import annotations

import copy
import math
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..core.errors import ConfigError
from ..networks.cnn_rnn import CnnRnn, CnnRnnOutput, window_channels
from ..systems.ye2019_config import Ye2019Config
from .checkpoint import generator_state, restore_generator
from .exam_augmentation import augmented
from .exam_bank import ExamBank
from .guarded_step import GuardedStep
from .labelled_exam import LabelledExam
from .map_store import MapStore, StoredExam
from .ye2019_losses import cell_loss, cell_targets, cnn_rnn_losses, five_type_targets, two_type_targets, weighted
from .ye2019_networks import TrainedNetworks
from .ye2019_recipe import Stage, Ye2019Training
from .ye2019_sampler import ExamSampler, SliceSampler
from .ye2019_validation import cascade_answer, cell_answer, validate


class Ye2019Trainer:
    """Trains both networks through the stages of a recipe.

    With shared convolutions, the stage "slices" trains them and the two others train what comes after them, from stored
    pooled maps. Otherwise each network is trained end to end, as published.

    Args:
        config: the networks and their input.
        training: the recipe.
        bank, validation: training and validation exams; both may still grow.
        device: torch's name of the device.

    Raises ConfigError when the recipe does not fit the networks.
    """

    def __init__(
        self,
        config: Ye2019Config,
        training: Ye2019Training,
        bank: ExamBank[LabelledExam],
        validation: ExamBank[LabelledExam],
        device: str,
    ) -> None:
        if config.shared_cnn != any(stage.name == "slices" for stage in training.stages):
            raise ConfigError("Shared convolutions need a stage of their own, others must have none.")
        torch.manual_seed(training.seed)
        self.config, self.training, self.device = config, training, device
        self.exams, self.slices = ExamSampler(bank), SliceSampler(bank, training.slice_stage)
        self.validation = validation
        self.rng = np.random.default_rng(training.seed)
        self.networks = TrainedNetworks(config).to(device)
        self.average = copy.deepcopy(self.networks)
        self.store = MapStore(training.replay.exams)
        self.step = 0  # in all
        self.stage_index = 0
        self.stage_step = 0
        self.stage_seconds = 0.0
        self.best_merit, self.best_epoch = -math.inf, 0.0  # of the stage, as patience counts
        self.best_weights: dict[str, Tensor] = {}
        self._latest_stage = 0  # that of the latest step: what a validation after it is about
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
        """Crops, exams, or newly stored exams of the latest step."""
        return self._examples(self.training.stages[self._latest_stage])

    def _examples(self, stage: Stage) -> int:
        if stage.name == "slices":
            return self.training.slice_stage.batch_size
        return 1 if self.config.shared_cnn else self.training.batch_size

    @property
    def is_done(self) -> bool:
        """True when every stage is over."""
        return self.stage_index >= len(self.training.stages)

    @property
    def epochs_done(self) -> float:
        """Epochs of the present stage."""
        return self.stage_step * self._examples(self.stage) / self.exams.epoch_length(self.stage.name)

    def fraction(self) -> float:
        """0-1, how much of the present stage is done: of its time when there is a budget, else of its epochs."""
        if self.training.minutes is not None:
            return self.stage_seconds / max(1e-9, 60 * self.training.minutes * self.stage.share)
        patience = self.training.patience_epochs
        if patience is not None and self.epochs_done - self.best_epoch >= patience:
            return 1.0
        return self.epochs_done / self.stage.epochs

    def minutes_left(self) -> float | None:
        """Of the wall-clock budget; None without one."""
        if self.training.minutes is None:
            return None
        shares = sum(stage.share for stage in self.training.stages[self.stage_index :])
        return self.training.minutes * shares - self.stage_seconds / 60

    def take_new_exams(self) -> int:
        """Take up the training exams that came since; returns how many there are now."""
        if self.exams.bank.refresh():
            self.slices.refresh()
        return len(self.exams.bank)

    def train_step(self) -> dict[str, float]:
        """One step; returns its losses. Goes on to the next stage when the present one is over."""
        started = time.monotonic()
        self._latest_stage = self.stage_index
        rate = self.training.learning_rate(self.stage, self.fraction())
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        if self.stage.name == "slices":
            losses = self._slice_step()
        elif self.config.shared_cnn:
            losses = self._replay_step()
        else:
            losses = self._exam_step()
        self.step += 1
        self.stage_step += 1
        self.stage_seconds += time.monotonic() - started
        if self.fraction() >= 1.0:
            self.next_stage()
        return losses

    def _slice_step(self) -> dict[str, float]:
        """The convolutions learn to mark cells with blood on crops of single slabs."""
        settings = self.training.slice_stage
        crops = self.slices.draw(self.rng)
        hu, label = (torch.from_numpy(array).to(self.device) for array in (crops.hu, crops.label))
        size = (settings.crop, settings.crop)
        hu, label = augmented(hu, label, size, settings.augmentation, self.rng, together=False)  # type: ignore[assignment]
        target, known = cell_targets(label, len(self.config.codes), settings.minimum_pixels)
        with self._precision():
            logits = self.networks.cells(self.networks.cascade.two_type.cnn(self._channels(hu)))
        loss = cell_loss(logits.float(), target, known, settings.positive_weight)
        self._take(loss)
        return {"cell_loss": float(loss.detach())}

    def _exam_step(self) -> dict[str, float]:
        """One network learns end to end from whole exams."""
        exams = [self._draw() for _ in range(self.training.batch_size)]
        x = [self._channels(self._augmented(exam)) for exam in exams]
        with self._precision():
            maps = [self._network.cnn(each) for each in x]
        pooled = torch.cat([self._network.pooled(each.float()) for each in maps])
        slabs = [torch.from_numpy(exam.slab_labels(self.training.minimum_pixels)) for exam in exams]
        present = torch.from_numpy(np.stack([exam.present for exam in exams]))
        return self._classification_step(pooled, slabs, present)

    def _replay_step(self) -> dict[str, float]:
        """Store one more exam's pooled maps, then train what comes after them from stored ones."""
        self.store.add(self._stored(self._draw()))
        replay, sums = self.training.replay, {"slice_loss": 0.0, "subject_loss": 0.0}
        for _ in range(replay.updates):
            exams = self.store.draw(replay.batch_size, self.stage.name == "five_type", self.rng)
            pooled = torch.cat([exam.pooled for exam in exams]).to(self.device).float()
            losses = self._classification_step(
                pooled, [exam.slabs for exam in exams], torch.stack([exam.present for exam in exams])
            )
            sums = {name: sums[name] + value / replay.updates for name, value in losses.items()}
        return sums

    def _classification_step(self, pooled: Tensor, slabs: list[Tensor], present: Tensor) -> dict[str, float]:
        """One update of the present network from pooled maps of several exams and their labels."""
        output: CnnRnnOutput = self._network.classify(pooled, [len(each) for each in slabs])
        targets = five_type_targets if self.stage.name == "five_type" else two_type_targets
        losses = cnn_rnn_losses(output, targets(torch.cat(slabs)).to(pooled), targets(present).to(pooled))
        self._take(weighted(losses, self.training.loss_weights))
        return {name: float(loss.detach()) for name, loss in losses.items()}

    def _draw(self) -> LabelledExam:
        """An exam of the stage in which the networks see something."""
        while True:
            exam = self.exams.draw(self.stage.name, self.training.positive_share, self.rng)
            if len(exam.field.slabs):
                return exam

    @torch.no_grad()
    def _stored(self, exam: LabelledExam) -> StoredExam:
        cnn = self.networks.cascade.two_type.cnn
        x = self._channels(self._augmented(exam)).contiguous(
            memory_format=torch.channels_last
        )  # no backward pass: safe
        with self._precision():
            maps = cnn(x)
        pooled = self.networks.cascade.two_type.pooled(maps.float())
        labels = torch.from_numpy(exam.slab_labels(self.training.minimum_pixels))
        return StoredExam(pooled.half().cpu(), labels, torch.from_numpy(exam.present))

    def _augmented(self, exam: LabelledExam) -> Tensor:
        hu = torch.from_numpy(exam.field.hu_shw).to(self.device)
        size = exam.field.hu_shw.shape[1:]
        return augmented(hu, None, (size[0], size[1]), self.training.augmentation, self.rng, together=True)[0]

    def _channels(self, hu: Tensor) -> Tensor:
        return window_channels(hu, self.config.windows_hu)

    def _precision(self) -> torch.autocast:
        return torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=self.training.bfloat16)

    @property
    def _network(self) -> CnnRnn:
        """The network of the present stage."""
        cascade = self.networks.cascade
        return cascade.five_type if self.stage.name == "five_type" else cascade.two_type

    def _take(self, loss: Tensor) -> None:
        """Change the trained parameters by a loss, and the running mean with them."""
        self._guarded_step(loss, self.optimizer, self._trained_parameters())
        self._update_average()

    def next_stage(self) -> None:
        """Leave the present stage; the next one starts from its best weights if patience chose them, else the kept."""
        if self.best_weights:
            self.kept_networks().load_state_dict(self.best_weights)
        self.networks.load_state_dict(self.kept_networks().state_dict())
        self.average.load_state_dict(self.networks.state_dict())
        self.stage_index += 1
        self.stage_step, self.stage_seconds = 0, 0.0
        self.best_merit, self.best_epoch, self.best_weights = -math.inf, 0.0, {}
        if not self.is_done:
            self.optimizer = self._start_stage()

    def kept_networks(self) -> TrainedNetworks:
        """The networks whose weights are kept: the running mean, or the last ones without averaging."""
        return self.average if self.training.average_decay > 0 else self.networks

    def kept_weights(self) -> dict[str, Tensor]:
        """The weights that would ship now."""
        return self.kept_networks().cascade.weights()

    def validate(self, exams: int) -> dict[str, float | None] | None:
        """Exam and slice AUC on the first validation exams; None while they are not all there."""
        self.validation.refresh()
        if len(self.validation) < exams:
            return None
        networks, bfloat16 = self.kept_networks(), self.training.bfloat16
        stage = self.training.stages[self._latest_stage].name
        if stage == "slices":
            answer = cell_answer(networks.cascade.two_type.cnn, networks.cells, self.config, bfloat16=bfloat16)
        else:
            answer = cascade_answer(networks.cascade, self.config, bfloat16=bfloat16)
        chosen = self.validation.exams[:exams]
        result = validate(networks, answer, chosen, self.config, self.training.minimum_pixels)
        merit = result.merit(two_type=stage == "two_type")
        if self._latest_stage == self.stage_index and merit > self.best_merit:
            self.best_merit, self.best_epoch = merit, self.epochs_done
            if self.training.patience_epochs is not None:
                self.best_weights = {name: value.clone() for name, value in networks.state_dict().items()}
        return {"merit": round(merit, 4)} | result.figures(two_type=stage == "two_type")

    def _start_stage(self) -> torch.optim.Optimizer:
        """Freeze what the stage does not train, and give it an optimizer of its own."""
        self.networks.requires_grad_(False).eval()
        cascade = self.networks.cascade
        if self.stage.name == "slices":
            trained: list[nn.Module] = [cascade.two_type.cnn, self.networks.cells]
        else:
            trained = [part for name, part in self._network.named_children() if name != "cnn"]
            trained += [] if self.config.shared_cnn else [self._network.cnn]
        for module in trained:
            module.requires_grad_(True).train()
        kind = torch.optim.AdamW if self.training.optimizer == "adamw" else torch.optim.Adam
        return kind(self._trained_parameters(), self.stage.learning_rate, weight_decay=self.training.weight_decay)

    def _trained_parameters(self) -> list[nn.Parameter]:
        return [parameter for parameter in self.networks.parameters() if parameter.requires_grad]

    @torch.no_grad()
    def _update_average(self) -> None:
        if self.training.average_decay <= 0:
            return
        decay = min(self.training.average_decay, (1 + self.stage_step) / (10 + self.stage_step))
        for ours, theirs in zip(self.average.parameters(), self.networks.parameters(), strict=True):
            if theirs.requires_grad:
                ours.lerp_(theirs, 1 - decay)
        for kept, latest in zip(self.average.buffers(), self.networks.buffers(), strict=True):
            if kept.is_floating_point():
                kept.lerp_(latest, 1 - decay)
            else:
                kept.copy_(latest)

    def state(self) -> dict[str, Any]:
        """Everything that a later process needs to go on as if nothing had happened."""
        names = ("step", "stage_index", "stage_step", "stage_seconds", "best_merit", "best_epoch", "best_weights")
        return {name: getattr(self, name) for name in names} | {
            "networks": self.networks.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "store": self.store.state(),
            "generator": generator_state(self.rng),
            "torch_rng": torch.get_rng_state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of state()."""
        for name in ("step", "stage_index", "stage_step", "stage_seconds", "best_merit", "best_epoch", "best_weights"):
            setattr(self, name, state[name])
        self._latest_stage = min(self.stage_index, len(self.training.stages) - 1)
        self.networks.load_state_dict(state["networks"])
        self.average.load_state_dict(state["average"])
        self.store.restore(state["store"])
        if not self.is_done:
            self.optimizer = self._start_stage()
            self.optimizer.load_state_dict(state["optimizer"])
        restore_generator(self.rng, state["generator"])
        torch.set_rng_state(state["torch_rng"])
