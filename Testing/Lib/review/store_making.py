"""Stores and exams for the tests of the review: tiny, with blood in known places."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from NeuroTriageLib.core.findings import ExamResult, Reading
from NeuroTriageLib.review.durable_files import DurableFiles
from NeuroTriageLib.review.store import ReviewStore
from NeuroTriageLib.review.versions import ExamReference, ReaderEntry
from Testing.Lib.exam_builder import IPH_AND_SDH, ExamSettings, build_exam

SMALL = ExamSettings(blood=IPH_AND_SDH, shape_kji=(5, 12, 14), spacing_mm=(16.0, 18.0), step_mm=24.0)


class Clock:
    """A minute passes at each look."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now


def open_store(folder: Path, files: DurableFiles | None = None) -> ReviewStore:
    return ReviewStore.open(folder, files, Clock())


def small_exam(series_uid: str = "1.2.3", settings: ExamSettings = SMALL) -> ExamResult:
    exam = build_exam(settings)
    return replace(exam, volume=replace(exam.volume, series_instance_uid=series_uid))


def reference(exam: ExamResult, patient: str = "patient one") -> ExamReference:
    return ExamReference.of_volume(exam.volume, exam.study_instance_uid, patient)


def started(store: ReviewStore, exam: ExamResult | None = None, entry_key: str = "") -> str:
    """A case with the model's version."""
    exam = exam or small_exam()
    case = store.register(reference(exam), entry_key)
    store.add_model_version(case, exam)
    return case


def entry(reader: str = "AB", status: str = "draft", based_on: int = 0, **values) -> ReaderEntry:
    return ReaderEntry(reader, status, based_on, **values)  # type: ignore[arg-type]


def random_label(seed: int, shape_kji: tuple[int, int, int] = SMALL.shape_kji) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 8, shape_kji).astype(np.uint8)


def empty_reading(exam: ExamResult) -> Reading:
    return replace(exam.readings[0], label_kji=np.zeros_like(exam.readings[0].label_kji))
