"""The arguments that name labelled exams and the split of their patients, for commands that learn and that compare."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..core.errors import ConfigError
from .case_source import CaseSource, public_sources
from .split import Split


def add_source_arguments(parser: argparse.ArgumentParser) -> None:
    """--dataset, --labels, --masks, --images."""
    parser.add_argument(
        "--dataset",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "PATH"),
        help="exams of a public data set in a folder; may be given several times, and with --simulate",
    )
    parser.add_argument("--labels", type=Path, metavar="STORE", help="the approved masks of a review store")
    parser.add_argument("--masks", type=Path, metavar="FOLDER", help="images/ and masks/ of one's own")
    parser.add_argument("--images", type=Path, metavar="FOLDER", help="the exams that the store's masks were drawn on")


def add_split_argument(parser: argparse.ArgumentParser, why: str) -> None:
    """--split."""
    parser.add_argument(
        "--split",
        nargs=3,
        type=float,
        metavar=("TRAIN", "VALIDATION", "SEED"),
        help=f"shares of the patients that train and validate (the others are kept for the test), and its seed: {why}",
    )


def split_of(options: argparse.Namespace) -> Split | None:
    """The split that was named; None without one. Raises ConfigError."""
    return None if options.split is None else Split(options.split[0], options.split[1], int(options.split[2]))


def sources_of(options: argparse.Namespace, modality: str) -> tuple[CaseSource, ...]:
    """The sources that were named, in the order in which they are read; of a store the masks on this modality.

    Raises ConfigError, InputError.
    """
    from .label_store import store_source
    from .own_masks import own_source

    if (options.labels is None) != (options.images is None):
        raise ConfigError("A review store holds no images: --labels and --images belong together.")
    sources = public_sources(options.dataset)
    if options.labels is not None:
        sources += (store_source(options.labels, options.images, modality),)
    if options.masks is not None:
        sources += (own_source(options.masks),)
    return sources
