"""One training run's state and clock, whatever is trained: stages, kept weights, validation, saving and going on."""

from __future__ import annotations

import copy
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from .checkpoint import generator_state, restore_generator
from .exam_bank import ExamBank
from .guarded_step import GuardedStep
from .processes import ALONE, Processes
from .running_mean import update_running_mean
from .shared_batch_norm import share_batch_norms

Network = TypeVar("Network", bound=nn.Module)


class StagedTrainer(ABC, Generic[Network]):
    """Trains a network through the stages of a recipe; a system's own trainer says what a stage and a step are.

    A subclass sets `sampler`, whose refresh() takes up new exams, and calls begin(network).

    Args:
        training: the recipe: stages (each with name and share of the time), optimizer, weight_decay, average_decay,
            minutes, bfloat16, seed.
        bank, validation: training and validation exams; both may still grow.
        device: torch's name of the device.
    """

    STORED: ClassVar[dict[str, str]] = {n: n for n in ("step", "stage_index", "stage_step", "stage_seconds")}
    """Counter -> its name in a checkpoint."""
    STORED_NETWORK: ClassVar[str] = "network"
    """Name of the network in a checkpoint."""

    training: Any
    sampler: Any
    network: Network
    average: Network
    optimizer: torch.optim.Optimizer

    def __init__(self, training: Any, bank: ExamBank[Any], validation: ExamBank[Any], device: str) -> None:
        torch.manual_seed(training.seed)
        self.training, self.bank, self.validation, self.device = training, bank, validation, device
        self.rng = np.random.default_rng(training.seed)
        self.step = 0  # in all
        self.stage_index = 0
        self.stage_step = 0
        self.stage_seconds = 0.0
        self.processes = ALONE
        self._guarded_step = GuardedStep()

    def begin(self, network: Network) -> None:
        """Start the first stage with this network."""
        self.network, self.average = network, copy.deepcopy(network)
        self.optimizer = self._start_stage()

    def share(self, processes: Processes) -> None:
        """Share every minibatch with other processes that hold the same trainer; before the first step."""
        self.processes = processes
        if processes.several:
            self._guarded_step = GuardedStep(processes)
            share_batch_norms(self.network, processes)

    def start_from(self, weights: Mapping[str, Tensor]) -> None:
        """Begin with a pack's weights (as kept_weights gives them) in place of random ones; before the first step.

        Raises:
            RuntimeError: they are of another network.
        """
        self._take_over(weights)
        self.average.load_state_dict(self.network.state_dict())

    def _take_over(self, weights: Mapping[str, Tensor]) -> None:
        """The inverse of kept_weights, into the network that is trained."""
        self.network.load_state_dict(weights)

    @abstractmethod
    def _start_stage(self) -> torch.optim.Optimizer:
        """Freeze what the present stage does not train, and give it an optimizer of its own."""

    @abstractmethod
    def _rate(self) -> float:
        """The learning rate of the next step."""

    @abstractmethod
    def _learn(self) -> dict[str, float]:
        """One minibatch; returns its losses by name, of all processes together."""

    @abstractmethod
    def _length_done(self) -> float:
        """0-1, how much of the present stage is done when there is no wall-clock budget."""

    @abstractmethod
    def _figures(self, exams: Sequence[Any]) -> dict[str, float | None]:
        """Figures of the kept network on validation exams, "merit" among them; it changes nothing."""

    def _note(self, figures: dict[str, float | None]) -> None:
        """Take figures of a validation into account: a system that stops by patience does."""

    @property
    def stage(self) -> Any:
        """The stage that the next step belongs to."""
        return self.training.stages[self.stage_index]

    @property
    def stage_name(self) -> str:
        """Name of that stage."""
        return str(self.stage.name)

    @property
    def is_done(self) -> bool:
        """True when every stage is over."""
        return self.stage_index >= len(self.training.stages)

    def fraction(self) -> float:
        """0-1, how much of the present stage is done: of its time when there is a budget, else of its length."""
        if self.training.minutes is not None:
            return float(self.stage_seconds / max(1e-9, 60 * self.training.minutes * self.stage.share))
        return self._length_done()

    def minutes_left(self) -> float | None:
        """Of the wall-clock budget; None without one."""
        if self.training.minutes is None:
            return None
        shares = sum(stage.share for stage in self.training.stages[self.stage_index :])
        return float(self.training.minutes * shares - self.stage_seconds / 60)

    def take_new_exams(self) -> int:
        """Take up the training exams that came since; returns how many there are now."""
        if self.bank.take(self.processes.agreed(self.bank.new_names())):
            self.sampler.refresh()
        return len(self.bank)

    def train_step(self) -> dict[str, float]:
        """One step; returns its losses. Goes on to the next stage when the present one is over."""
        started, rate = time.monotonic(), self._rate()
        torch.manual_seed(self._step_seed())
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        losses = self._learn()
        self.step += 1
        self.stage_step += 1
        self.stage_seconds += self.processes.agreed(time.monotonic() - started)  # all leave a stage at the same step
        if self.fraction() >= 1.0:
            self.next_stage()
        return losses

    def _step_seed(self) -> int:
        """For what torch draws in a step (dropout): each process its own, and the same when a run goes on."""
        numbers = (self.training.seed, self.step, self.processes.rank)
        return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))

    def next_stage(self) -> None:
        """Leave the present stage; the next one starts from the weights that would be kept."""
        self.network.load_state_dict(self.kept_network().state_dict())
        self.stage_index += 1
        self.stage_step, self.stage_seconds = 0, 0.0
        if not self.is_done:
            self.optimizer = self._start_stage()

    def validate(self, exams: int) -> dict[str, float | None] | None:
        """Figures on the first validation exams; None while they are not all there."""
        self.validation.take(self.processes.agreed(self.validation.new_names()))
        if len(self.validation) < exams:
            return None
        first = self.processes.is_first
        figures: dict[str, float | None] = self._figures(self.validation.exams[:exams]) if first else {}
        figures = self.processes.agreed(figures)
        self._note(figures)
        return figures

    def kept_network(self) -> Network:
        """The network whose weights are kept: the running mean, or the last one without averaging."""
        return self.average if self.training.average_decay > 0 else self.network

    def kept_weights(self) -> dict[str, Tensor]:
        """The weights that would ship now."""
        return self.kept_network().state_dict()

    def _precision(self) -> torch.autocast:
        """Lower precision where the recipe wants it."""
        return torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=self.training.bfloat16)

    def _trained_parameters(self) -> list[nn.Parameter]:
        return [parameter for parameter in self.network.parameters() if parameter.requires_grad]

    def _optimizer(self, rate: float) -> torch.optim.Optimizer:
        """The recipe's optimizer for what is trained now."""
        parameters, recipe = self._trained_parameters(), self.training
        if recipe.optimizer == "sgd":
            return torch.optim.SGD(parameters, rate, recipe.momentum, weight_decay=recipe.weight_decay)
        kind = torch.optim.AdamW if recipe.optimizer == "adamw" else torch.optim.Adam
        return kind(parameters, rate, weight_decay=recipe.weight_decay)

    def _total(self, losses: dict[str, Tensor]) -> dict[str, float]:
        """Losses of all processes from this one's shares."""
        summed = self.processes.total(torch.stack([loss.detach().float() for loss in losses.values()]))
        return dict(zip(losses, summed.tolist(), strict=True))

    def _take(self, loss: Tensor, number: int) -> None:
        """Change the trained parameters by this process's share of a loss, and the running mean with them.

        number: see update_running_mean.
        """
        self._guarded_step(loss, self.optimizer, self._trained_parameters())
        update_running_mean(self.average, self.network, self.training.average_decay, number)

    def state(self) -> dict[str, Any]:
        """Everything that a later process needs to go on as if nothing had happened."""
        return {stored: getattr(self, name) for name, stored in self.STORED.items()} | {
            self.STORED_NETWORK: self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": generator_state(self.rng),
            "skipped": self._guarded_step.skipped,
            "exams": list(self.bank.names),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of state(); the bank gets the exams of then, in their order."""
        self.bank.start_with(state.get("exams", ()))  # checkpoints of version 0.5 and before have none
        self.sampler.refresh()
        for name, stored in self.STORED.items():
            setattr(self, name, state[stored])
        self.network.load_state_dict(state[self.STORED_NETWORK])
        self.average.load_state_dict(state["average"])
        if not self.is_done:
            self.optimizer = self._start_stage()
            self.optimizer.load_state_dict(state["optimizer"])
        restore_generator(self.rng, state["generator"])
        self._guarded_step.skipped = state.get("skipped", 0)
