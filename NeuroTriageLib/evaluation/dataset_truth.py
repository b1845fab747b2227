"""The truth of a public data set: its cases by the name that a result folder must have."""

from __future__ import annotations

from pathlib import Path

from ..core.errors import InputError
from ..datasets.registry import open_dataset
from ..datasets.split import Split
from .truth_folders import TruthEntry


def find_dataset_truth(name: str, path: Path, split: Split | None = None) -> dict[str, TruthEntry]:
    """Exam -> entry; the exam is the last part of the case's name (a file's name, a study's UID).

    Args:
        name, path: data set and its folder.
        split: of a training; then only the patients that it kept for the test.

    Raises:
        ConfigError: no such data set. InputError: the folder is another thing, or nothing is left for the test.
    """
    dataset = open_dataset(name)
    is_mr = dataset.card.modality == "MR"
    entries = {}
    for case in dataset.cases(path):
        if split is None or split.part_of(case.patient) == "test":
            exam = case.name.rpartition("/")[2]
            entries[exam] = TruthEntry(exam, case=case, case_is_mr=is_mr)
    if not entries:
        raise InputError("No case of the data set is left for the test.", where=str(path))
    return entries
