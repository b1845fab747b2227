"""Training the CNN-RNNs of Ye 2019: end to end as published, or their shared convolutions first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from ..core.errors import ConfigError, InputError
from ..networks.cnn_rnn import CnnRnn, CnnRnnOutput, window_channels
from ..systems.ye2019_config import Ye2019Config
from .exam_augmentation import augmented
from .exam_bank import ExamBank
from .labelled_exam import LabelledExam
from .map_store import MapStore, StoredExam
from .staged_trainer import StagedTrainer
from .ye2019_losses import cell_loss, cell_targets, cnn_rnn_losses, five_type_targets, two_type_targets, weighted
from .ye2019_networks import TrainedNetworks
from .ye2019_recipe import Stage, Ye2019Training
from .ye2019_sampler import ExamSampler, SliceSampler
from .ye2019_validation import cascade_answer, cell_answer, validate


class Ye2019Trainer(StagedTrainer[TrainedNetworks]):
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

    STORED_NETWORK: ClassVar[str] = "networks"
    STORED_BEST = ("best_merit", "best_epoch", "best_weights")

    training: Ye2019Training

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
        if config.shared_cnn and not training.slice_labels:
            raise ConfigError("Shared convolutions learn from slices, which have no labels under Sub-Lab.")
        super().__init__(training, bank, validation, device)
        self.config = config
        self.exams, self.sampler = ExamSampler(bank), SliceSampler(bank, training.slice_stage)
        self.store = MapStore(training.replay.exams)
        self.best_merit, self.best_epoch = -math.inf, 0.0  # of the stage, as patience counts
        self.best_weights: dict[str, Tensor] = {}
        self._latest_stage = 0  # that of the latest step: what a validation after it is about
        self.begin(TrainedNetworks(config, slice_labels=training.slice_labels).to(device))

    @property
    def examples_per_step(self) -> int:
        """Crops, exams, or newly stored exams of the latest step."""
        return self._examples(self.training.stages[self._latest_stage])

    def _examples(self, stage: Stage) -> int:
        if stage.name == "slices":
            return self.training.slice_stage.batch_size
        return 1 if self.config.shared_cnn else self.training.batch_size

    @property
    def epochs_done(self) -> float:
        """Epochs of the present stage."""
        return self.stage_step * self._examples(self.stage) / self.exams.epoch_length(self.stage.name)

    def _length_done(self) -> float:
        patience = self.training.patience_epochs
        if patience is not None and self.epochs_done - self.best_epoch >= patience:
            return 1.0
        return float(self.epochs_done / self.stage.epochs)

    def _rate(self) -> float:
        return self.training.learning_rate(self.stage, self.fraction())

    def _learn(self) -> dict[str, float]:
        self._latest_stage = self.stage_index
        if self.stage.name == "slices":
            return self._slice_step()
        return self._replay_step() if self.config.shared_cnn else self._exam_step()

    def _slice_step(self) -> dict[str, float]:
        """The convolutions learn to mark cells with blood on crops of single slabs."""
        settings = self.training.slice_stage
        if not self.sampler.has_blood:
            raise InputError(
                "No exam has a mask with blood, from which this variant's convolutions learn.",
                next_step="Add exams with masks (--simulate MAPS, --dataset bhsd PATH), or use --variant published.",
            )
        crops = self.sampler.draw(self.rng)
        hu, label = (torch.from_numpy(array).to(self.device) for array in (crops.hu, crops.label))
        size = (settings.crop, settings.crop)
        hu, label = augmented(hu, label, size, settings.augmentation, self.rng, together=False)  # type: ignore[assignment]
        part = self.processes.part(len(hu))
        hu, label = hu[part], label[part]
        target, known = cell_targets(label, len(self.config.codes), settings.minimum_pixels)
        with self._precision():
            logits = self.network.cells(self.network.cascade.two_type.cnn(self._channels(hu)))
        loss = cell_loss(logits.float(), target, known, settings.positive_weight, self.processes.total)
        self._take(loss, self.stage_step)
        return self._total({"cell_loss": loss})

    def _exam_step(self) -> dict[str, float]:
        """One network learns end to end from whole exams."""
        drawn = [self._draw() for _ in range(self.training.batch_size)]
        images = [self._augmented(exam) for exam in drawn]
        part = self.processes.part(len(drawn))
        exams, x = drawn[part], [self._channels(hu) for hu in images[part]]
        with self._precision():
            maps = [self._classifier.cnn(each) for each in x]
        pooled = torch.cat([self._classifier.pooled(each.float()) for each in maps])
        slabs = [torch.from_numpy(exam.slab_labels(self.training.minimum_pixels)) for exam in exams]
        present = torch.from_numpy(np.stack([exam.present for exam in exams]))
        return self._classification_step(pooled, slabs, present)

    def _replay_step(self) -> dict[str, float]:
        """Store one more exam's pooled maps, then train what comes after them from stored ones."""
        self.store.add(self._stored(self._draw()))
        replay, sums = self.training.replay, {"slice_loss": 0.0, "subject_loss": 0.0}
        for _ in range(replay.updates):
            drawn = self.store.draw(replay.batch_size, self.stage.name == "five_type", self.rng)
            exams = drawn[self.processes.part(len(drawn))]
            pooled = torch.cat([exam.pooled for exam in exams]).to(self.device).float()
            losses = self._classification_step(
                pooled, [exam.slabs for exam in exams], torch.stack([exam.present for exam in exams])
            )
            sums = {name: sums[name] + value / replay.updates for name, value in losses.items()}
        return sums

    def _classification_step(self, pooled: Tensor, slabs: list[Tensor], present: Tensor) -> dict[str, float]:
        """One update of the present network from pooled maps of several exams and their labels."""
        output: CnnRnnOutput = self._classifier.classify(pooled, [len(each) for each in slabs])
        targets = five_type_targets if self.stage.name == "five_type" else two_type_targets
        wanted = [targets(labels).to(pooled) for labels in (torch.cat(slabs), present)]
        losses = cnn_rnn_losses(output, wanted[0], wanted[1], self.processes.total)
        self._take(weighted(losses, self.training.loss_weights), self.stage_step)
        return self._total(losses)

    def _draw(self) -> LabelledExam:
        """An exam of the stage in which the networks see something."""
        while True:
            exam = self.exams.draw(self.stage.name, self.training.positive_share, self.rng)
            if len(exam.field.slabs):
                return exam

    @torch.no_grad()
    def _stored(self, exam: LabelledExam) -> StoredExam:
        cnn = self.network.cascade.two_type.cnn
        hu = self._augmented(exam)
        count = len(hu)
        part = self.processes.part(count, least=0)
        x = self._channels(hu[part]).contiguous(memory_format=torch.channels_last)  # no backward pass: safe
        with self._precision():
            maps = cnn(x)
        pooled = self.processes.rows(self.network.cascade.two_type.pooled(maps.float()), part, count)
        labels = torch.from_numpy(exam.slab_labels(self.training.minimum_pixels))
        return StoredExam(pooled.half().cpu(), labels, torch.from_numpy(exam.present))

    def _augmented(self, exam: LabelledExam) -> Tensor:
        hu = torch.from_numpy(exam.field.hu_shw).to(self.device)
        size = exam.field.hu_shw.shape[1:]
        return augmented(hu, None, (size[0], size[1]), self.training.augmentation, self.rng, together=True)[0]

    def _channels(self, hu: Tensor) -> Tensor:
        return window_channels(hu, self.config.windows_hu)

    @property
    def _classifier(self) -> CnnRnn:
        """The network of the present stage."""
        cascade = self.network.cascade
        return cascade.five_type if self.stage.name == "five_type" else cascade.two_type

    def next_stage(self) -> None:
        """Leave the present stage; the next one starts from its best weights if patience chose them, else the kept."""
        if self.best_weights:
            self.kept_network().load_state_dict(self.best_weights)
        super().next_stage()
        self.average.load_state_dict(self.network.state_dict())
        self.best_merit, self.best_epoch, self.best_weights = -math.inf, 0.0, {}

    def kept_weights(self) -> dict[str, Tensor]:
        """Of both networks, without the layer that does not ship."""
        return self.kept_network().cascade.weights()

    def _take_over(self, weights: Mapping[str, Tensor]) -> None:
        """The layer that does not ship stays random."""
        self.network.cascade.load_weights(dict(weights))

    def _figures(self, exams: Sequence[LabelledExam]) -> dict[str, float | None]:
        """Exam and slice AUC of what the latest step was about."""
        networks, bfloat16 = self.kept_network(), self.training.bfloat16
        stage = self.training.stages[self._latest_stage].name
        if stage == "slices":
            answer = cell_answer(networks.cascade.two_type.cnn, networks.cells, self.config, bfloat16=bfloat16)
        else:
            answer = cascade_answer(networks.cascade, self.config, bfloat16=bfloat16)
        result = validate(networks, answer, exams, self.config, self.training.minimum_pixels)
        merit = result.stage_merit(two_type=stage == "two_type", slice_labels=self.training.slice_labels)
        return {"merit": merit} | result.stage_figures(two_type=stage == "two_type")

    def _note(self, figures: dict[str, float | None]) -> None:
        """Remember the best weights of the stage, and when they were."""
        merit = figures["merit"]
        if merit is not None and self._latest_stage == self.stage_index and merit > self.best_merit:
            self.best_merit, self.best_epoch = merit, self.epochs_done
            if self.training.patience_epochs is not None:
                kept = self.kept_network().state_dict()
                self.best_weights = {name: value.clone() for name, value in kept.items()}

    def _start_stage(self) -> torch.optim.Optimizer:
        self.network.requires_grad_(False).eval()
        cascade = self.network.cascade
        if self.stage.name == "slices":
            trained: list[nn.Module] = [cascade.two_type.cnn, self.network.cells]
        else:
            trained = [part for name, part in self._classifier.named_children() if name != "cnn"]
            trained += [] if self.config.shared_cnn else [self._classifier.cnn]
        for module in trained:
            module.requires_grad_(True).train()
        return self._optimizer(self.stage.learning_rate)

    def state(self) -> dict[str, Any]:
        """With the stored maps and the best weights of the stage."""
        best = {name: getattr(self, name) for name in self.STORED_BEST}
        return super().state() | best | {"store": self.store.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of state()."""
        super().restore(state)
        for name in self.STORED_BEST:
            setattr(self, name, state[name])
        self._latest_stage = min(self.stage_index, len(self.training.stages) - 1)
        self.store.restore(state["store"])
