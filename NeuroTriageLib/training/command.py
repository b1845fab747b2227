"""The arguments of `neurotriage train` and what they mean; torch is imported when it runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import ConfigError
from ..datasets.source_options import add_source_arguments, add_split_argument, sources_of, split_of
from .registry import MR_SYSTEMS, TRAINED_SYSTEMS

if TYPE_CHECKING:
    from .training_run import TrainOptions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("system", choices=(*TRAINED_SYSTEMS, "consensus"))
    parser.add_argument(
        "--simulate",
        metavar="MAPS",
        help='learn from simulated exams: folder of head label maps, or "phantom" for geometric heads',
    )
    add_source_arguments(parser)
    parser.add_argument(
        "--from",
        dest="start",
        type=Path,
        metavar="PACK",
        help="go on from a model pack, gently, with simulated exams beside the others (of geometric heads unless "
        "--simulate names label maps), so that what it knew stays known",
    )
    parser.add_argument(
        "--without-rehearsal", action="store_true", help="go on from a pack without simulated exams beside the others"
    )
    add_split_argument(parser, "0.8 0.1 1, or 0.65 0.1 1 with --from")
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
    from ..datasets.split import Split
    from ..simulation.phantom_heads import heads_folder, maps_named
    from .rehearsal import FINE_TUNING_SPLIT
    from .training_run import TrainOptions

    if options.system == "consensus" and (
        options.simulate is None or options.dataset or options.labels or options.masks
    ):
        raise ConfigError("A consensus is fitted on simulated exams alone: name head label maps with --simulate.")
    if options.system == "consensus" and options.processes > 1:
        raise ConfigError("A consensus is fitted in one process.", where="--processes")
    sources = sources_of(options, "MR" if options.system in MR_SYSTEMS else "CT")
    tunes = options.start is not None and bool(sources)
    return TrainOptions(
        simulate=None if (maps := _maps(options, tunes)) is None else maps_named(maps),
        out=options.output,
        variant=options.variant,
        minutes=options.minutes,
        exams=options.exams,
        device=options.device,
        threads=options.threads,
        bank=options.bank,
        sources=sources,
        start=options.start,
        heads=heads_folder() if tunes else None,
        seed=options.seed,
        split=split_of(options) or (FINE_TUNING_SPLIT if tunes else Split()),
    )


def _maps(options: argparse.Namespace, tunes: bool) -> str | None:
    """What simulated exams are made of; None without any."""
    if options.simulate is not None and options.without_rehearsal:
        raise ConfigError("--simulate and --without-rehearsal contradict each other.")
    return options.simulate or ("phantom" if tunes and not options.without_rehearsal else None)
