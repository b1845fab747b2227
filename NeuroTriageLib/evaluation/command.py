"""The command `neurotriage evaluate`: its arguments and what it does; it returns text and prints nothing."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import ConfigError

if TYPE_CHECKING:
    from .evaluate_folders import Progress
    from .truth_folders import TruthEntry


@dataclass(frozen=True)
class EvaluateResult:
    """What the command line shows.

    Args:
        text: the tables, or JSON.
        written: files that were written.
        warnings: exams that are not in the figures, plots that could not be drawn.
    """

    text: str
    written: tuple[Path, ...]
    warnings: tuple[str, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("predictions", type=Path, help="folder of result folders, as neurotriage triage writes them")
    parser.add_argument("truth", type=Path, nargs="?", help="folder of simulated exams, or of label maps and exams.csv")
    parser.add_argument(
        "--dataset", nargs=2, metavar=("NAME", "PATH"), help="the truth of a public data set, in place of a folder's"
    )
    parser.add_argument(
        "--split",
        nargs=3,
        type=float,
        metavar=("TRAIN", "VALIDATION", "SEED"),
        help="of the data set's patients those alone that this split of a training kept for the test",
    )
    parser.add_argument("-o", "--output", type=Path, help="folder for tables, JSON, records and plots")
    parser.add_argument(
        "--required", type=Path, metavar="PREDICTIONS", help="MRI: results of the required contrasts alone, for table 4"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--force", action="store_true", help="replace results that are already in the output folder")


def evaluate(options: argparse.Namespace, progress: Progress | None = None) -> EvaluateResult:
    """Compare predictions with the truth, make the tables, write what is asked for.

    Raises:
        InputError: nothing to compare.
        OutputError: the results cannot be written.
    """
    # Imported here, so that the command line's other commands start without SimpleITK.
    from .evaluate_folders import compare_folders
    from .plots import NO_MATPLOTLIB, can_draw
    from .report import Evaluation, write_evaluation

    truth, name = _truth(options)
    matched = compare_folders(options.predictions, truth, progress, options.required)
    if progress is not None:
        progress("tables", 0.0)
    about = {"predictions": options.predictions.name, "truth": name}
    evaluation = Evaluation.of("Evaluation", matched.records, about, matched.notes())
    written: list[Path] = []
    warnings = list(matched.notes())
    if options.output is not None:
        written = write_evaluation(evaluation, matched.records, options.output)
        if not can_draw():
            warnings.append(NO_MATPLOTLIB)
    text = json.dumps(evaluation.to_json(), indent=1, allow_nan=False) if options.json else evaluation.to_markdown()
    return EvaluateResult(text, tuple(written), tuple(warnings))


def _truth(options: argparse.Namespace) -> tuple[Path | dict[str, TruthEntry], str]:
    """The truth and what it is called. Raises ConfigError when none or two are named."""
    from ..datasets.split import Split
    from .dataset_truth import find_dataset_truth

    if (options.truth is None) == (options.dataset is None):
        raise ConfigError("Name the truth: a folder, or a data set with --dataset.")
    if options.dataset is None:
        return options.truth, options.truth.name
    name, path = options.dataset
    split = options.split and Split(options.split[0], options.split[1], int(options.split[2]))
    return find_dataset_truth(name, Path(path), split), name
