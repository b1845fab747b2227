"""The commands `neurotriage labels report`, `labels export` and `labels next`; they return text and print nothing."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from .command import Say


def add_arguments(commands: Any) -> None:
    """Add the three to the subparsers of `labels`; each sets `labels`: (options, say) -> exit code."""
    reported = commands.add_parser("report", help="how many cases are signed, and how far the readers agree")
    reported.add_argument("store", type=Path, help="folder of the review store")
    reported.add_argument("--json", action="store_true", help="print JSON")
    reported.set_defaults(labels=_report)
    exported = commands.add_parser("export", help="approved masks and their images without names, IDs, dates and UIDs")
    exported.add_argument("store", type=Path, help="folder of the review store")
    exported.add_argument("--images", type=Path, required=True, help="folder below which the reviewed exams lie")
    exported.add_argument("-o", "--output", type=Path, required=True, help="new folder; `train --masks` reads it")
    exported.set_defaults(labels=_export)
    asked = commands.add_parser("next", help="which exams to label next: those that were read and are most doubtful")
    asked.add_argument("place", type=Path, metavar="STORE_OR_RESULTS", help="review store, or folder of result folders")
    asked.add_argument("--store", type=Path, help="leave out of the results what is signed in this review store")
    asked.add_argument("--count", type=int, default=20, help="how many")
    asked.add_argument("--csv", type=Path, help="write them as a list of cases for the panel too")
    asked.set_defaults(labels=_next)


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


def _next(options: argparse.Namespace, say: Say) -> int:
    from .next_to_label import lines_of, next_to_label, write_case_list

    exams = next_to_label(options.place, options.store)[: options.count]
    if options.csv is not None:
        write_case_list(exams, options.csv)
    say("\n".join(lines_of(exams)) or "Every exam that was read is signed.")
    return 0
