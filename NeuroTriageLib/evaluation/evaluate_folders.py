"""Matches result folders with the truth by name, compares each pair, and names what has no partner."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import GeometryError, InputError
from .comparison import record_exam
from .exam_records import ExamRecord
from .mr_folders import is_mr_truth, mr_parts, record_mr
from .result_folders import find_results, read_answers
from .truth_folders import TruthEntry, find_truth

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Matched:
    """What became of the exams.

    Args:
        records: those that were compared.
        without_truth: names of results of which nothing is known.
        without_results: names of exams that nobody answered. They are missing answers, not negative ones.
        not_comparable: name -> why the pair could not be compared.
    """

    records: tuple[ExamRecord, ...]
    without_truth: tuple[str, ...]
    without_results: tuple[str, ...]
    not_comparable: dict[str, str]

    def notes(self) -> tuple[str, ...]:
        """A sentence for everything that is not in the figures."""
        notes = []
        if self.without_results:
            notes.append(f"No results, so missing in every figure: {', '.join(self.without_results)}.")
        if self.without_truth:
            notes.append(f"No truth, so not evaluated: {', '.join(self.without_truth)}.")
        notes += [f"Not comparable, so not evaluated: {exam} ({why})" for exam, why in self.not_comparable.items()]
        return tuple(notes)


def compare_folders(
    predictions: Path,
    truth: Path | Mapping[str, TruthEntry],
    progress: Progress | None = None,
    required: Path | None = None,
) -> Matched:
    """Compare every exam that both name.

    Args:
        predictions: folder of result folders.
        truth: folder of truths, or the truths by exam.
        progress: called with a stage and the share of it that is done.
        required: results of the same brain-MRI studies from their required contrasts alone.

    Raises:
        InputError: a folder holds nothing to compare, no name is in both, or no pair could be compared.
    """
    results = find_results(predictions)
    truths = find_truth(truth) if isinstance(truth, Path) else truth
    again = {} if required is None else find_results(required)
    common = [exam for exam in results if exam in truths]
    if not common:
        raise InputError(
            "No exam has both results and truth.",
            where=f"{next(iter(results))}, ... and {next(iter(truths))}, ...",
            next_step="Give a result folder the name of its exam in the folder of the truth.",
        )
    records, not_comparable = [], {}
    for number, exam in enumerate(common):
        if progress is not None:
            progress("comparing", number / len(common))
        try:
            records.append(_compare(results[exam], truths[exam], again.get(exam)))
        except (InputError, GeometryError) as error:
            not_comparable[exam] = error.message()
    if not records:
        raise InputError("No exam could be compared.", where="; ".join(f"{e}: {w}" for e, w in not_comparable.items()))
    return Matched(
        records=tuple(records),
        without_truth=tuple(exam for exam in results if exam not in truths),
        without_results=tuple(exam for exam in truths if exam not in results),
        not_comparable=not_comparable,
    )


def _compare(folder: Path, entry: TruthEntry, required: Path | None) -> ExamRecord:
    if is_mr_truth(entry):
        if not mr_parts(folder):
            raise InputError("The results hold no answer on an MRI.", where=str(folder))
        return record_mr(folder, entry, required)
    grid, answers = read_answers(folder)
    source, truth = entry.read(grid)
    return record_exam(source, grid, truth, answers)
