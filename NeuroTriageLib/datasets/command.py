"""The commands `neurotriage datasets list` and `datasets check`; they return text and print nothing."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..core.errors import InputError
from .registry import DATASETS, open_dataset

Say = Callable[[str], None]
"""Takes one line for people."""


def add_arguments(commands: Any) -> None:
    """Add the two to the subparsers of `datasets`; each sets `datasets`: (options, say) -> exit code."""
    shown = commands.add_parser("list", help="public data sets that can be used, with licence and citation")
    shown.add_argument("--json", action="store_true", help="print JSON")
    shown.set_defaults(datasets=_list)
    checked = commands.add_parser("check", help="say what of a data set is in a folder, and what is missing or damaged")
    checked.add_argument("name", choices=DATASETS)
    checked.add_argument("path", type=Path, help="the folder that the download was unpacked into")
    checked.add_argument("--json", action="store_true", help="print JSON")
    checked.set_defaults(datasets=_check)


def _list(options: argparse.Namespace, say: Say) -> int:
    cards = [open_dataset(name).card for name in DATASETS]
    if options.json:
        say(json.dumps([dataclasses.asdict(card) for card in cards], indent=1))
    else:
        say("\n".join(line for card in cards for line in card.lines()))
    return 0


def _check(options: argparse.Namespace, say: Say) -> int:
    """Licence and citation come first, also when the folder turns out to be another thing."""
    dataset = open_dataset(options.name)
    if not options.json:
        say("\n".join(dataset.card.lines()))
    found = dataset.check(options.path)
    if options.json:
        say(json.dumps({"dataset": dataclasses.asdict(dataset.card), **dataclasses.asdict(found)}, indent=1))
    else:
        say("\n".join(found.lines()))
    return 0 if found.is_complete else InputError.exit_code
