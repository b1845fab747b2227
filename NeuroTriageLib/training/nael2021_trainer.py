"""Training the networks of Nael 2021: of each the localization alone, then everything end to end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..networks.lfe_classifier import LfeClassifier, build_networks
from ..systems.nael2021_config import NETWORKS, Nael2021Config
from .exam_bank import ExamBank
from .nael2021_augmentation import augmented
from .nael2021_bank import StudyEntry
from .nael2021_losses import lfe_loss, study_loss
from .nael2021_recipe import Nael2021Training, Stage
from .nael2021_sampler import StudySampler, crops_of
from .nael2021_validation import validate
from .staged_trainer import StagedTrainer


class Nael2021Trainer(StagedTrainer[nn.ModuleDict]):
    """Trains the networks one after the other through the stages of a recipe.

    Args:
        config: the networks and their input.
        training: the recipe.
        bank, validation: training and validation studies; both may still grow.
        device: torch's name of the device.
    """

    STORED_BEST = ("best_loss", "best_epoch", "best_weights")

    training: Nael2021Training
    sampler: StudySampler

    def __init__(
        self,
        config: Nael2021Config,
        training: Nael2021Training,
        bank: ExamBank[StudyEntry],
        validation: ExamBank[StudyEntry],
        device: str,
    ) -> None:
        super().__init__(training, bank, validation, device)
        self.config = config
        self.sampler = StudySampler(
            bank, config, training.positive_share, training.keep_optional, training.keep_required
        )
        self.best_loss, self.best_epoch = math.inf, 0.0  # of the stage, as patience counts
        self.best_weights: dict[str, Tensor] = {}
        self._latest_stage = 0  # that of the latest step: what a validation after it is about
        self.begin(nn.ModuleDict(build_networks(config.layers)).to(device))

    @property
    def examples_per_step(self) -> int:
        """Studies of one minibatch."""
        return self.training.batch_size

    @property
    def epochs_done(self) -> float:
        """Epochs of the present stage."""
        return self.stage_step * self.training.batch_size / self.sampler.epoch_length()

    def _length_done(self) -> float:
        patience = self.training.patience_epochs
        if patience is not None and self.epochs_done - self.best_epoch >= patience:
            return 1.0
        return float(self.epochs_done / self.stage.epochs)

    def _rate(self) -> float:
        return self.training.learning_rate(self.stage, self.fraction())

    def _start_stage(self) -> torch.optim.Optimizer:
        self.network.requires_grad_(False).eval()
        network = self._network_of(self.stage)
        trained = network.localization if self.stage.part == "lfe" else network
        trained.requires_grad_(True).train()
        if self.stage.part == "study":
            network.localization.eval()  # one or two studies are too few for a batch's statistics
            network.localization.requires_grad_(self.training.lfe_weight is not None)
        return self._optimizer(self.stage.learning_rate)

    def _network_of(self, stage: Stage) -> LfeClassifier:
        network = self.network[stage.code]
        assert isinstance(network, LfeClassifier)
        return network

    def _learn(self) -> dict[str, float]:
        """One minibatch of the present stage's finding."""
        self._latest_stage, stage, recipe = self.stage_index, self.stage, self.training
        batch = self.sampler.draw(stage.code, recipe.batch_size, self.rng).to(self.device)
        batch = batch.axial_only if stage.part == "lfe" else batch
        batch = augmented(batch, NETWORKS[stage.code], recipe.augmentation, self.rng)
        if stage.crop_dhw is not None:
            batch = crops_of(batch, stage.crop_dhw, stage.crops, self.rng)
        batch = batch.part(self.processes.part(len(batch.axial)))
        network, total = self._network_of(stage), self.processes.total
        losses: dict[str, Tensor] = {}
        with self._precision():
            if stage.part == "lfe":
                maps = network.localization(batch.axial, batch.axial_present)
            else:
                output = network(*batch.orientations)
                maps = output.maps
                losses["study_loss"] = study_loss(output.study.float(), batch.label, total)
        losses["lfe_loss"] = lfe_loss(maps.float(), batch.share, batch.known, recipe.positive_weight, total)
        weight = 1.0 if stage.part == "lfe" else recipe.lfe_weight or 0.0
        self._take(losses.get("study_loss", 0.0) + weight * losses["lfe_loss"], self.stage_step)
        return self._total(losses)

    def _figures(self, exams: Sequence[StudyEntry]) -> dict[str, float | None]:
        """AUC, Dice and loss of the network that the latest step was about; the best has the smallest loss."""
        stage, recipe = self.training.stages[self._latest_stage], self.training
        kept = self.kept_network()
        networks = {code: network for code, network in kept.items() if isinstance(network, LfeClassifier)}
        result = validate(
            networks, exams, self.config, (stage.code,),
            positive_weight=recipe.positive_weight, bfloat16=recipe.bfloat16,
        )  # fmt: skip
        loss = result.loss(stage.code, 0 if stage.part == "lfe" else 1)
        return {"merit": -loss} | result.curve_figures()

    def _note(self, figures: dict[str, float | None]) -> None:
        """Remember the best weights of the stage, and when they were."""
        merit = figures["merit"]
        if merit is not None and self._latest_stage == self.stage_index and -merit < self.best_loss:
            self.best_loss, self.best_epoch = -merit, self.epochs_done
            if self.training.patience_epochs is not None:
                kept = self.kept_network().state_dict()
                self.best_weights = {name: value.clone() for name, value in kept.items()}

    def next_stage(self) -> None:
        """Leave the present stage; the next one starts from its best weights if patience chose them, else the kept."""
        if self.best_weights:
            self.kept_network().load_state_dict(self.best_weights)
        super().next_stage()
        self.average.load_state_dict(self.network.state_dict())
        self.best_loss, self.best_epoch, self.best_weights = math.inf, 0.0, {}

    def state(self) -> dict[str, Any]:
        """With the best weights of the stage."""
        return super().state() | {name: getattr(self, name) for name in self.STORED_BEST}

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of state()."""
        super().restore(state)
        for name in self.STORED_BEST:
            setattr(self, name, state[name])
        self._latest_stage = min(self.stage_index, len(self.training.stages) - 1)
