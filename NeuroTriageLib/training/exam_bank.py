"""Prepared exams on disk: what patches are drawn from; written once, growing while training runs."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..preprocessing.network_grid import PreparedExam

OUTSIDE = 255
"""Target value of pixels outside the intracranial space; blood that the skull removal lost counts as outside."""


@dataclass(frozen=True, eq=False)
class BankExam:
    """One exam, cropped to its intracranial space.

    Args:
        image_shw: (S, h, w) uint8, 255 times the network's 0-1 image; 0 outside the brain.
        target_shw: (S, h, w) uint8, 0 no blood, 1... the types in label order, OUTSIDE.
        corner: row and column of the crop in the network's image.
        image_size: rows and columns of the network's image.
        truth: what the simulation knows.
    """

    image_shw: np.ndarray
    target_shw: np.ndarray
    corner: tuple[int, int]
    image_size: int
    truth: dict[str, Any]

    @classmethod
    def from_prepared(cls, prepared: PreparedExam, label_kji: np.ndarray, truth: dict[str, Any]) -> BankExam:
        """The bank's form of a prepared exam and its label map on the source grid."""
        label = prepared.labels_from_source(label_kji)
        target = np.where(prepared.brain_shw, label, OUTSIDE).astype(np.uint8)
        image = np.round(prepared.image_shw * 255).astype(np.uint8)
        rows, columns = (_span(np.asarray(prepared.brain_shw.any(axis=axes))) for axes in ((0, 2), (0, 1)))
        return cls(
            image_shw=image[:, rows, columns],
            target_shw=target[:, rows, columns],
            corner=(rows.start, columns.start),
            image_size=prepared.image_shw.shape[1],
            truth=truth,
        )

    def whole(self) -> tuple[np.ndarray, np.ndarray]:
        """(S, H, W) float32 image 0-1 and uint8 target of the network's whole image, as inference sees it."""
        shape = (len(self.image_shw), self.image_size, self.image_size)
        image, target = np.zeros(shape, np.float32), np.full(shape, OUTSIDE, np.uint8)
        _, height, width = self.image_shw.shape
        rows = slice(self.corner[0], self.corner[0] + height)
        columns = slice(self.corner[1], self.corner[1] + width)
        image[:, rows, columns] = self.image_shw / np.float32(255)
        target[:, rows, columns] = self.target_shw
        return image, target

    def save(self, path: Path) -> None:
        """Write the exam in one step, so that a reader never meets half of it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        with beside.open("wb") as stream:
            np.savez(
                stream,
                image=self.image_shw,
                target=self.target_shw,
                place=np.array([*self.corner, self.image_size]),
                truth=np.array(json.dumps(self.truth)),
            )
        beside.replace(path)

    @classmethod
    def load(cls, path: Path) -> BankExam:
        """Read what save wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            row, column, size = (int(value) for value in arrays["place"])
            return cls(arrays["image"], arrays["target"], (row, column), size, json.loads(str(arrays["truth"])))


class ExamBank:
    """The exams of one folder, in the order of their names; refresh() finds those that came since."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.exams: list[BankExam] = []
        self._known: set[str] = set()

    def refresh(self) -> int:
        """Load exams that are new on disk; returns how many."""
        new = [path for path in sorted(self.folder.glob("*.npz")) if path.name not in self._known]
        for path in new:
            self.exams.append(BankExam.load(path))
            self._known.add(path.name)
        return len(new)

    def __len__(self) -> int:
        return len(self.exams)


def exam_path(folder: Path, number: int) -> Path:
    """Where the exam of this number lies in a bank's folder."""
    return folder / f"{number:06d}.npz"


def _span(used: np.ndarray) -> slice:
    """From the first to the last used index; one pixel when nothing is used."""
    index = np.flatnonzero(used)
    return slice(int(index[0]), int(index[-1]) + 1) if len(index) else slice(0, 1)
