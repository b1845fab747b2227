"""Tiny banks of made-up exams: a round brain with bright squares whose brightness tells their type."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from NeuroTriageLib.systems.kuo2019_config import Kuo2019Config
from NeuroTriageLib.training.exam_bank import BankExam, ExamBank, exam_path
from NeuroTriageLib.training.kuo2019_pack import view_of
from NeuroTriageLib.training.kuo2019_recipe import COMPACT_TRAINING, Stage
from NeuroTriageLib.training.windowed_exam import WindowedExam

TINY = Kuo2019Config(width=0.05, image_size=64, patch_size=48, pixel_spacing_mm=3.6)

# Counted in epochs and not in minutes, so that every run takes the same steps.
TINY_TRAINING = dataclasses.replace(
    COMPACT_TRAINING,
    stages=(
        Stage("segmentation", 2e-3, 1, 0.6),
        Stage("patch", 2e-3, 1, 0.1),
        Stage("joint", 1e-3, 1, 0.3),
    ),
    batch_size=8,
    patch_windows=(24,),
    whole_size=None,
    minutes=None,
    bfloat16=False,
)


def synthetic_exam(seed: int, *, types: tuple[int, ...], slabs: int = 5, size: int = 48) -> BankExam:
    """An exam whose middle slab shows the types, each as one square of 8 x 8 pixels; the others show nothing."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size] - (size - 1) / 2
    brain = np.broadcast_to(rows**2 + columns**2 < (size / 2) ** 2, (slabs, size, size))
    hu = np.where(brain, rng.normal(13, 4, brain.shape), -1024).astype(np.int16)
    label = np.zeros(brain.shape, np.uint8)
    for value in types:
        row, column = rng.integers(12, size - 20, 2)
        square = slabs // 2, slice(row, row + 8), slice(column, column + 8)
        hu[square], label[square] = 40 + 14 * value, value
    return BankExam(hu, brain, label, (8, 8), 64, {"seed": seed, "types": list(types)})


def write_bank(folder: Path, exams: int) -> Path:
    """Banks "train" and "validation" of exams of which every second one is positive, types in turn."""
    for name in ("train", "validation"):
        for number in range(exams):
            types = (1 + number // 2 % 5,) if number % 2 else ()
            seed = number + (1000 if name == "validation" else 0)
            synthetic_exam(seed, types=types).save(exam_path(folder / name, number))
    return folder


def loaded(folder: Path) -> ExamBank[WindowedExam]:
    """The bank of a folder with all its exams, as PatchFCN sees them."""
    bank = ExamBank(folder, view_of(TINY))
    bank.refresh()
    return bank
