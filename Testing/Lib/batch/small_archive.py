"""Small archives on disk, and the batch command on them, for the tests beside this file."""

from __future__ import annotations

import argparse
import shutil
import sqlite3
from pathlib import Path
from typing import Any

from pydicom.uid import generate_uid

from NeuroTriageLib.batch.exam_task import ExamTask
from NeuroTriageLib.batch.folder_index import FolderIndex
from NeuroTriageLib.batch.options import add_arguments
from Testing.Lib.ct_series import ct_slice, head_hu, write_series


def uid(number: int) -> str:
    """A study UID that tests can name."""
    return f"1.2.826.0.1.3680043.8.498.77.{number}"


def write_study(folder: Path, number: int, slices: slice = slice(None)) -> Path:
    """A head CT with a known study UID; of its slices only some."""
    folder.mkdir(parents=True, exist_ok=True)
    for k, hu_ji in list(enumerate(head_hu()))[slices]:
        ct_slice(k, hu_ji, uid(number), f"{uid(number)}.1").save_as(
            folder / f"{number}_{k:03d}.dcm", enforce_file_format=True
        )
    return folder


def write_archive(folder: Path, count: int) -> Path:
    """Patient / study / series, one small head CT each; the patients' folders bear their names."""
    first = write_series(folder / "first")
    for number in range(count):
        target = folder / f"SECRETNAME^{number}" / "study" / "series"
        shutil.copytree(first, target)
        _renumber(target, number)
    shutil.rmtree(first)
    return folder


def _renumber(folder: Path, number: int) -> None:
    """Give a copied series UIDs of its own, in place: pydicom would cost most of the test's time."""
    import pydicom

    series = generate_uid()
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = uid(number), series
        dataset.save_as(path)


def write_damaged(folder: Path) -> Path:
    """A folder with one file that begins like DICOM and is none."""
    folder.mkdir(parents=True)
    (folder / "image.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 400)
    return folder


def options(*arguments: object) -> argparse.Namespace:
    """The parsed options of `neurotriage batch`."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args([*map(str, arguments), "--device", "cpu", "--no-scene"])


def tasks_in(source: Path, out: Path) -> dict[str, ExamTask]:
    """The exams of a tree, by key."""
    out.mkdir(exist_ok=True)
    index = FolderIndex(out / "index.sqlite", unseen=out)
    try:
        index.look_at(source, source if source.is_dir() else source.parent)
        tasks = {task.key: task for task in index.tasks()}
        assert index.keys() == set(tasks)
        return tasks
    finally:
        index.close()


def table(out: Path) -> list[tuple[Any, ...]]:
    """The results without what the clock says, in order."""
    database = sqlite3.connect(out / "results.sqlite")
    rows = database.execute(
        "SELECT exam, state, contrast, code, system, status, probability, threshold, volume_ml, doubt, agreement, "
        "model_hash, error FROM results ORDER BY exam, contrast, code"
    ).fetchall()
    database.close()
    return rows
