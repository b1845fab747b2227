"""The commands `neurotriage labels report` and `labels export`; they return text and print nothing."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from .command import Say


def add_arguments(commands: Any) -> None:
    """Add the two to the subparsers of `labels`; each sets `labels`: (options, say) -> exit code."""
    reported = commands.add_parser("report", help="how many cases are signed, and how far the readers agree")
    reported.add_argument("store", type=Path, help="folder of the review store")
    reported.add_argument("--json", action="store_true", help="print JSON")
    reported.set_defaults(labels=_report)
    exported = commands.add_parser("export", help="approved masks and their images without names, IDs, dates and UIDs")
    exported.add_argument("store", type=Path, help="folder of the review store")
    exported.add_argument("--images", type=Path, required=True, help="folder below which the reviewed exams lie")
    exported.add_argument("-o", "--output", type=Path, required=True, help="new folder; `train --masks` reads it")
    exported.set_defaults(labels=_export)


def _report(options: argparse.Namespace, say: Say) -> int:
    from .store_export import report_lines, store_report

    found = store_report(options.store)
    say(json.dumps(found, indent=1) if options.json else "\n".join(report_lines(found)))
    return 0


def _export(options: argparse.Namespace, say: Say) -> int:
    from .store_export import export_store

    count, failed = export_store(options.store, options.images, options.output)
    say("\n".join([*(f"left out: {case}: {why}" for case, why in failed.items()), f"{count} exams: {options.output}"]))
    return 0
