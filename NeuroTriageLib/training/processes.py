"""Several processes that train one model: every minibatch is shared out, and all of them take the same steps.

Each process draws the same minibatch from the same seed, looks at its own rows of it, and hands its share of the loss
and of the gradients to the sum over all. So the steps are those of one process with the same minibatch, whatever the
number of processes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ..core.errors import ConfigError, NeuroTriageError

Total = Callable[[Tensor], Tensor]
"""Sum of a tensor over the processes, without gradients."""

TIMEOUT = timedelta(minutes=30)
"""How long a process waits for another one in a step or a validation before it gives up (ours)."""
LONGEST_PREPARATION = timedelta(days=14)
"""The same while the first process fills the bank (ours): simulating thousands of exams takes days on few cores."""


def alone(value: Tensor) -> Tensor:
    """The sum over one process."""
    return value


@dataclass(frozen=True)
class Processes:
    """This process among those that train one model. Every method is called by all of them, in the same order.

    Args:
        rank: of this process; 0 is the first one, which writes files and reports.
        count: of all processes.
        store: where processes leave messages that are waited for; None for one process.
        parent: id of the process that started this one; without it nobody would end this one.
    """

    rank: int = 0
    count: int = 1
    store: Any = field(default=None, compare=False, repr=False)
    parent: int = field(default_factory=os.getppid, compare=False)

    def __deepcopy__(self, memo: dict[int, Any]) -> Processes:
        """A copy of a network belongs to the same processes."""
        return self

    @property
    def is_first(self) -> bool:
        """True for the process that writes files and reports."""
        return self.rank == 0

    @property
    def several(self) -> bool:
        """True when there are others."""
        return self.count > 1

    def part(self, rows: int, least: int = 1) -> slice:
        """This process's rows of a batch. Raises ConfigError when they are fewer than least."""
        if rows < self.count * least:
            raise ConfigError(
                f"A minibatch of {rows} cannot be shared among {self.count} processes.",
                next_step=f"Use {max(1, rows)} processes at most.",
            )
        return slice(self.rank * rows // self.count, (self.rank + 1) * rows // self.count)

    def total(self, value: Tensor) -> Tensor:
        """The sum of a tensor over the processes, without gradients."""
        if not self.several:
            return value.detach()
        result = value.detach().clone()
        dist.all_reduce(result)
        return result

    def rows(self, mine: Tensor, part: slice, rows: int) -> Tensor:
        """All rows of a batch of which each process has its own part."""
        if not self.several:
            return mine
        whole = mine.new_zeros((rows, *mine.shape[1:]))
        whole[part] = mine
        return self.total(whole)

    def add_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Replace every gradient by its sum over the processes; what has none in any of them keeps none."""
        if not self.several:
            return
        has = torch.tensor([float(p.grad is not None) for p in parameters], device=parameters[0].device)
        own = [(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in parameters]
        summed = self.total(torch.cat([*own, has]))
        *gradients, has = summed.split([*(p.numel() for p in parameters), len(parameters)])
        for parameter, gradient, somewhere in zip(parameters, gradients, has.tolist(), strict=True):
            parameter.grad = gradient.view_as(parameter) if somewhere else None

    def agreed(self, value: Any) -> Any:
        """The first process's value (anything that JSON holds) in all of them."""
        if not self.several:
            return value
        message = json.dumps(value).encode() if self.is_first else b""
        size = torch.tensor([len(message)])
        dist.broadcast(size, 0)
        data = torch.zeros(int(size), dtype=torch.uint8)
        if self.is_first:
            data = torch.frombuffer(bytearray(message), dtype=torch.uint8)
        dist.broadcast(data, 0)
        return json.loads(data.numpy().tobytes())

    def wait_for_first(self, what: str) -> None:
        """The first process says that something is done; the others wait for it, for days if need be."""
        if not self.several:
            return
        if self.is_first:
            self.store.set(what, "done")
        else:
            self.store.wait([what], LONGEST_PREPARATION)

    def check_parent(self) -> None:
        """Raise NeuroTriageError when the process that started this one is gone: a new run may be under way."""
        if self.several and os.getppid() != self.parent:
            raise NeuroTriageError("The process that started this one is gone.", next_step="Start the run again.")


ALONE = Processes()


def is_one_of_several() -> bool:
    """True in a process that torchrun started beside others."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def is_first_process() -> bool:
    """True in the process that writes files: the first one that torchrun started, or the only one."""
    return int(os.environ.get("RANK", "0")) == 0 or not is_one_of_several()


@contextmanager
def joined(device: str) -> Iterator[Processes]:
    """The processes that torchrun started, or this one alone; on CUDA each has a device of its own.

    Args:
        device: torch's name of the device, "cpu" or "cuda".

    Raises:
        ConfigError: more processes on a machine than it has CUDA devices.
    """
    if not is_one_of_several():
        yield ALONE
        return
    if device == "cuda":
        local = int(os.environ.get("LOCAL_RANK", "0"))
        if local >= torch.cuda.device_count():
            raise ConfigError(
                f"There are {torch.cuda.device_count()} CUDA devices here, and more processes.",
                next_step="Start as many processes on a machine as it has devices, or use --device cpu.",
            )
        torch.cuda.set_device(local)
    everywhere, rank, count = next(dist.rendezvous("env://", timeout=TIMEOUT))
    number = everywhere.add(f"trainings of process {rank}", 1)  # the messages of one are not those of the next
    store = dist.PrefixStore(f"training {number}", everywhere)
    processes = Processes(rank, count, store)
    processes.wait_for_first("joined")  # which may still be busy with what comes before
    backend = "cpu:gloo,cuda:nccl" if device == "cuda" else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=count, timeout=TIMEOUT)
    yield processes
    dist.destroy_process_group()
