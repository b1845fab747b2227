"""The arguments of `neurotriage train` and what they mean; torch is imported when it runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import ConfigError
from .registry import TRAINED_SYSTEMS

if TYPE_CHECKING:
    from .training_run import TrainOptions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("system", choices=(*TRAINED_SYSTEMS, "consensus"))
    parser.add_argument(
        "--simulate", type=Path, metavar="MAPS", help="learn from simulated exams: folder of head label maps"
    )
    parser.add_argument(
        "--dataset",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "PATH"),
        help="learn from a public data set in a folder; may be given several times, and with --simulate",
    )
    parser.add_argument("--labels", type=Path, metavar="STORE", help="learn from the approved masks of a review store")
    parser.add_argument("--masks", type=Path, metavar="FOLDER", help="learn from images/ and masks/ of one's own")
    parser.add_argument("--images", type=Path, metavar="FOLDER", help="the exams that the store's masks were drawn on")
    parser.add_argument(
        "--from",
        dest="start",
        type=Path,
        metavar="PACK",
        help="go on from a model pack, at a tenth of the learning rates",
    )
    parser.add_argument(
        "--split",
        nargs=3,
        type=float,
        default=(0.8, 0.1, 1),
        metavar=("TRAIN", "VALIDATION", "SEED"),
        help="shares of the patients that train and validate (the others are kept for the test), and the split's seed",
    )
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
    parser.add_argument("--seed", type=int, help="of weights and draws; the recipe's unless given")
    parser.add_argument("--processes", type=int, default=1, help="train in so many processes, see docs/experiments.md")
    parser.add_argument("--bank", type=Path, help="folder of prepared exams, shared between runs; made if absent")
    parser.add_argument("--packs", type=Path, nargs="+", default=[], help="model packs that a consensus is made of")


def train_options(options: argparse.Namespace) -> TrainOptions:
    """The run that the arguments ask for. Raises ConfigError, InputError."""
    from ..datasets.case_source import public_sources
    from ..datasets.label_store import store_source
    from ..datasets.own_masks import own_source
    from ..datasets.split import Split
    from .training_run import TrainOptions

    if (options.labels is None) != (options.images is None):
        raise ConfigError("A review store holds no images: --labels and --images belong together.")
    if options.system == "consensus" and (
        options.simulate is None or options.dataset or options.labels or options.masks
    ):
        raise ConfigError("A consensus is fitted on simulated exams alone: name head label maps with --simulate.")
    if options.system == "consensus" and options.processes > 1:
        raise ConfigError("A consensus is fitted in one process.", where="--processes")
    sources = public_sources(options.dataset)
    if options.labels is not None:
        sources += (store_source(options.labels, options.images),)
    if options.masks is not None:
        sources += (own_source(options.masks),)
    return TrainOptions(
        simulate=options.simulate,
        out=options.output,
        variant=options.variant,
        minutes=options.minutes,
        exams=options.exams,
        device=options.device,
        threads=options.threads,
        bank=options.bank,
        sources=sources,
        start=options.start,
        seed=options.seed,
        split=Split(options.split[0], options.split[1], int(options.split[2])),
    )
