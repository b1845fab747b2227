"""The arguments of `neurotriage experiment` and what they mean; torch is imported when it runs."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from ..core.resources import protocols_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument(
        "protocol",
        type=Path,
        help=f"protocol file (TOML); each paper's lies in {str(protocols_folder()).replace('%', '%%')}",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the experiment; resumes")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--threads", type=int, help="CPU threads of each process")
    parser.add_argument("--processes", type=int, default=1, help="train in so many processes, see docs/experiments.md")


def run(options: argparse.Namespace, report: Callable[[str], None]) -> None:
    """Carry the protocol out; progress is reported line by line. Raises ConfigError, InputError, OutputError."""
    from .protocol import Protocol

    protocol = Protocol.read(options.protocol)
    from ..training.processes import is_first_process
    from .experiment import ExperimentOptions, run_experiment

    report = report if is_first_process() else lambda line: None
    written = run_experiment(protocol, ExperimentOptions(options.output, options.device, options.threads), report)
    if written is not None:
        report(str(written))
