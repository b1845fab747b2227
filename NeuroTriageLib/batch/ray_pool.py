"""Workers on a cluster: one Ray actor each, with a share of CPUs and GPUs; Ray brings them to the machines.

Ray places actors and tells when one is lost with its machine. What was done is remembered by the batch itself: Ray's
own checkpoints did not survive the end of its driver when they were tried.
"""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass
from typing import Any

from ..core.errors import ConfigError, NeuroTriageError
from .exam_reader import EXAMS_AT_ONCE, ExamReader, ReaderSettings
from .exam_task import ExamTask
from .outcome import ExamOutcome
from .worker_pool import Died, Event, Finished, Ready, Refused

LOCAL = "local"
"""In place of an address: a cluster of this machine alone, which ends with the batch."""


@dataclass(frozen=True)
class Share:
    """What one actor gets: CPUs, which are its threads too, and GPUs, also parts of one."""

    cpus: int
    gpus: float


def join_cluster(address: str, device: str, jobs: int | None) -> tuple[int, Share]:
    """Join the cluster, and say how many actors it takes and what each gets.

    One actor per GPU unless jobs says otherwise; without GPUs (or with device "cpu") one per machine.

    Args:
        address: "local", "auto", or a head's HOST:PORT or ray:// URL.
        device: "auto", "cpu" or "cuda".
        jobs: number of actors; None chooses.

    Raises:
        ConfigError: Ray is not installed, nobody answers, no GPU although device is "cuda".
    """
    ray = _ray()
    try:
        ray.init(
            address=address,
            include_dashboard=False if address == LOCAL else None,
            log_to_driver=False,
            logging_level="ERROR",
        )
    except Exception as error:  # ConnectionError, ValueError, RuntimeError, by version
        raise ConfigError(
            f"The Ray cluster cannot be joined ({type(error).__name__}).",
            where=address,
            next_step='Start one ("ray start --head"), or use --cluster local.',
        ) from error
    total = ray.cluster_resources()
    cpus, gpus = max(1, int(total.get("CPU", 1))), 0.0 if device == "cpu" else float(total.get("GPU", 0.0))
    if device == "cuda" and not gpus:
        raise ConfigError("CUDA was asked for, but the cluster has no GPU.", next_step="Use --device cpu or auto.")
    machines = sum(1 for node in ray.nodes() if node["Alive"])
    jobs = jobs or int(gpus) or machines
    return jobs, Share(max(1, cpus // jobs), _gpu_share(gpus, jobs))


def _gpu_share(gpus: float, jobs: int) -> float:
    """GPUs of one actor: whole ones, or one divided evenly, since Ray never puts an actor on parts of two."""
    return gpus // jobs if gpus >= jobs else (1.0 / math.ceil(jobs / gpus) if gpus else 0.0)


class RayPool:
    """Warm actors on a cluster that was joined.

    Args:
        settings: what they read with; files of exams and the output folder have the same paths on every machine.
        slots: how many.
        share: what each gets.
    """

    def __init__(self, settings: ReaderSettings, slots: int, share: Share) -> None:
        ray = _ray()
        self._settings, self._slots = settings.to_json(), slots
        options = {"num_cpus": share.cpus, "num_gpus": share.gpus, "max_restarts": 0}
        self._actor = ray.remote(_Actor).options(max_concurrency=EXAMS_AT_ONCE, **options)
        self._actors: dict[int, Any] = {}
        self._calls: dict[Any, tuple[int, str]] = {}
        self._process_ids: dict[int, Any] = {}

    def process_id(self, slot: int) -> int:
        """Of a ready actor's process, on its own machine."""
        return _ray().get(self._process_ids[slot])

    @property
    def slots(self) -> int:
        """How many workers there are."""
        return self._slots

    def start(self, slot: int) -> None:
        """Ask for the actor of a slot; it may have to wait for a machine."""
        actor = self._actor.remote(self._settings)
        self._actors[slot] = actor
        self._process_ids[slot] = actor.process_id.remote()
        self._calls[actor.load.remote()] = (slot, "load")

    def submit(self, slot: int, task: ExamTask) -> None:
        """Hand an exam to a ready actor."""
        self._calls[self._actors[slot].read.remote(task.to_json())] = (slot, "read")

    def kill(self, slot: int) -> None:
        """End an actor at once."""
        _ray().kill(self._actors.pop(slot))
        self._calls = {call: known for call, known in self._calls.items() if known[0] != slot}

    def wait(self, timeout_s: float) -> list[Event]:
        """What has happened."""
        if not self._calls:
            time.sleep(timeout_s)
            return []
        ray = _ray()
        calls = list(self._calls)
        done, _ = ray.wait(calls, num_returns=1, timeout=timeout_s)
        if done:
            done, _ = ray.wait(calls, num_returns=len(calls), timeout=0)
        return [event for call in done if call in self._calls and (event := self._event(call)) is not None]

    def _event(self, call: Any) -> Event:
        ray = _ray()
        slot, what = self._calls.pop(call)
        try:
            answer = ray.get(call)
        except ray.exceptions.RayError as error:  # the actor or its machine is gone
            self.kill(slot)
            return Died(slot, f"the worker on the cluster was lost ({type(error).__name__})")
        if what == "read":
            return Finished(slot, ExamOutcome.from_json(answer))
        return Ready(slot) if not answer else Refused(slot, answer)

    def close(self) -> None:
        """End all actors and leave the cluster; one of this machine alone ends too."""
        for slot in list(self._actors):
            self.kill(slot)
        _ray().shutdown()


class _Actor:
    """Runs on a machine of the cluster."""

    def __init__(self, settings: dict[str, Any]) -> None:
        from ..io.dicom_headers import quiet_pydicom

        self._quiet = quiet_pydicom()
        self._quiet.__enter__()  # for good: it changes settings of the whole process, and two threads read
        self._settings = settings
        self._reader: ExamReader | None = None

    def load(self) -> str:
        """Load the models; the message of what keeps it from doing so, or ""."""
        try:
            self._reader = ExamReader(ReaderSettings.from_json(self._settings))
        except NeuroTriageError as error:
            return error.message()
        return ""

    def read(self, task: dict[str, Any]) -> dict[str, Any]:
        """Read one exam."""
        assert self._reader is not None, "exams come after load"
        return self._reader.read(ExamTask.from_json(task)).to_json()

    def process_id(self) -> int:
        """Of the actor's process."""
        return os.getpid()


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ConfigError(
            "A cluster needs Ray, which is not installed.",
            next_step="Install it with: pip install 'neurotriage[cluster]'",
        ) from error
    return ray
