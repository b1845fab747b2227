"""The options of `neurotriage batch`; asking for help loads nothing that reads."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..triage_options import add_reading_arguments, add_writing_arguments

LIMIT_MIN = 30.0
"""Minutes that an exam may take. A large exam on a slow CPU takes some (ours)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options to the command's parser."""
    parser.add_argument(
        "source", help="folder tree, list of exams (CSV or JSON lines), zip, or URL of a DICOMweb server"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the results; the same goes on")
    add_reading_arguments(parser)
    parser.add_argument(
        "--results", choices=("all", "findings"), default="all", help="all files of an exam, or findings.json alone"
    )
    add_writing_arguments(parser)
    parser.add_argument("--retry-failed", action="store_true", help="read those again that failed in an earlier run")
    parser.add_argument("--keep-going", action="store_true", help="go on though exam after exam fails alike")
    parser.add_argument("--jobs", type=int, help="workers; default: one per GPU, or one (of a cluster: per machine)")
    parser.add_argument(
        "--limit", type=float, default=LIMIT_MIN, metavar="MINUTES", help="time for an exam (default: %(default)g)"
    )
    parser.add_argument("--cluster", metavar="ADDRESS", help='Ray cluster: HOST:PORT, "auto", or "local" for one here')
    parser.add_argument(
        "--query", action="append", default=[], metavar="KEYWORD=VALUE", help="of a DICOMweb server only these studies"
    )
    parser.add_argument("--credentials", type=Path, metavar="FILE", help='"Bearer TOKEN" or "USER:PASSWORD"')
