"""Starting a command again in several processes of this machine, as `torchrun` does it."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ..core.errors import ConfigError, NeuroTriageError
from .processes import is_one_of_several


def run_in_processes(count: int, arguments: Sequence[str], threads: int | None = None) -> None:
    """Run `neurotriage ARGUMENTS` in so many processes, and wait for them.

    On several machines use torchrun itself: the command is the same (docs/experiments.md).

    Args:
        count: of processes.
        arguments: of the command line, without the option that asked for several processes.
        threads: CPU threads of each process; the cores are shared out unless said otherwise.

    Raises:
        ConfigError: fewer than one process, or this one is itself one of several.
        NeuroTriageError: a process ended with an error, which it has said itself.
    """
    if count < 1 or is_one_of_several():
        raise ConfigError("--processes starts processes; torchrun has started some already, or the number is wrong.")
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import main as torchrun

    os.environ.setdefault("OMP_NUM_THREADS", str(threads or max(1, (os.cpu_count() or 1) // count)))
    here = ["--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0", f"--nproc-per-node={count}"]
    try:
        torchrun([*here, "-m", "NeuroTriageLib.cli", *arguments])
    except ChildFailedError as error:
        raise NeuroTriageError("One of the processes ended with an error; see above.") from error
