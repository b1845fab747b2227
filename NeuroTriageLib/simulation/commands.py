"""The arguments of `neurotriage simulate ct` and `simulate mr`, and what they run; torch is imported when they run."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

Simulate = Callable[[argparse.Namespace, Callable[[str, float], None]], list[Path]]


def add_arguments(kinds: Any) -> None:
    """Add the kinds to the subparsers of `simulate`; each sets `simulate`: (options, progress) -> folders."""
    ct = kinds.add_parser("ct", help="non-contrast head CT with and without hemorrhage")
    ct.add_argument("--maps", type=Path, help="folder of head label maps (default: a geometric phantom head)")
    _add_common(ct, matrix=512)
    ct.set_defaults(simulate=_simulate_ct)
    mr = kinds.add_parser("mr", help="brain MRI of eight contrasts with infarcts, hemorrhages, masses and normals")
    mr.add_argument("maps", type=Path, nargs="?", help="folder of head label maps (default: a geometric phantom head)")
    _add_common(mr, matrix=256)
    mr.add_argument("--settings", choices=("realistic", "balanced", "external"), default="realistic")
    mr.add_argument("--contrasts", nargs="+", default=[], metavar="ROLE", help="series to make (default: a protocol)")
    mr.add_argument("--territories", type=Path, metavar="ATLAS", help="arterial atlas (default: from the head's shape)")
    mr.set_defaults(simulate=_simulate_mr)


def _add_common(parser: argparse.ArgumentParser, matrix: int) -> None:
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the exams")
    parser.add_argument("--count", type=int, default=1, help="number of exams")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first exam; the next ones count up")
    parser.add_argument("--matrix", type=int, choices=(256, 512), default=matrix, help="rows and columns")
    parser.add_argument("--format", choices=("dicom", "nifti"), default="dicom")


def _simulate_ct(options: argparse.Namespace, progress: Callable[[str, float], None]) -> list[Path]:
    from .exam_folders import simulate_to_folder

    return simulate_to_folder(options, progress=progress)


def _simulate_mr(options: argparse.Namespace, progress: Callable[[str, float], None]) -> list[Path]:
    from .mr.study_folders import simulate_mr_to_folder

    return simulate_mr_to_folder(options, progress=progress)
