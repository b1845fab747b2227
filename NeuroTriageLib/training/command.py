"""The arguments of `neurotriage train`; torch is imported when it runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from .registry import TRAINED_SYSTEMS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("system", choices=(*TRAINED_SYSTEMS, "consensus"))
    parser.add_argument("--simulate", type=Path, required=True, metavar="MAPS", help="folder of head label maps")
    parser.add_argument("-o", "--output", type=Path, required=True, help="checkpoints, curves and the pack; resumes")
    parser.add_argument(
        "--variant",
        choices=("compact", "published", "published-sub-lab"),
        default="compact",
        help="published-sub-lab: ye2019 from exam labels alone",
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--minutes", type=float, help="wall-clock budget (compact recipe)")
    parser.add_argument("--exams", type=int, help="number of simulated exams")
    parser.add_argument("--threads", type=int, help="CPU threads of the training process")
    parser.add_argument("--bank", type=Path, help="folder of prepared exams, shared between runs; made if absent")
    parser.add_argument("--packs", type=Path, nargs="+", default=[], help="model packs that a consensus is made of")
