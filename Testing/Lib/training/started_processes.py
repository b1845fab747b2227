"""Processes that tests start, share a training among, and kill; torch is imported once, by their fork server."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch.distributed as dist

CAN_FORK = "forkserver" in multiprocessing.get_all_start_methods()  # not on Windows
CONTEXT: Any = multiprocessing.get_context("forkserver" if CAN_FORK else "spawn")
if CAN_FORK:
    CONTEXT.set_forkserver_preload(
        [f"NeuroTriageLib.training.{name}_training" for name in ("kuo2019", "chang2018", "ye2019", "nael2021")]
    )


def start(target: Callable[..., None], *arguments: Any) -> BaseProcess:
    """A process that runs target(*arguments)."""
    process = CONTEXT.Process(target=target, args=arguments)
    process.start()
    return process


def finish(process: BaseProcess, seconds: float = 900.0) -> None:
    """Wait for a process that must end well."""
    process.join(seconds)
    assert process.exitcode == 0, f"the process ended with {process.exitcode}"


def kill_after_writes(process: BaseProcess, path: Path, writes: int, seconds: float) -> bool:
    """kill -9 so many seconds after a file was written so often; False when it had ended well before."""
    latest, seen = _written(path), 0
    while seen < writes and process.is_alive():
        time.sleep(0.001)
        if _written(path) != latest:
            latest, seen = _written(path), seen + 1
    process.join(seconds)
    killed = process.exitcode is None
    process.kill()
    process.join()
    assert killed or process.exitcode == 0, f"the process ended with {process.exitcode}"
    return killed


def _written(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


def run_together(target: Callable[..., None], count: int, *arguments: Any) -> None:
    """Run target(*arguments) in so many processes with the environment, and the store, that torchrun gives them."""
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    running = [start(_as_rank, target, rank, count, store.port, arguments) for rank in range(count)]
    deadline = time.monotonic() + 900
    try:
        for process in running:
            finish(process, deadline - time.monotonic())
    finally:
        for process in running:
            if process.exitcode is None:
                process.kill()


def _as_rank(target: Callable[..., None], rank: int, count: int, port: int, arguments: tuple[Any, ...]) -> None:
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(count)}
    os.environ["TORCHELASTIC_USE_AGENT_STORE"] = "True"
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    target(*arguments)
