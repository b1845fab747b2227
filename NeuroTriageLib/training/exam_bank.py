"""Prepared exams on disk: what every system trains from; written once, growing while training runs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from ..core.errors import ConfigError, InputError
from ..core.geometry import SliceGrid
from ..core.volume import Volume
from ..preprocessing.network_grid import AIR_HU, NetworkGrid, NetworkGridSettings, PreparedExam
from ..preprocessing.slab_layout import DisplayAxes

HEAD_HU = -300.0
"""Pixels above this belong to the head (or the table): what lies beyond their box is air and is not kept (ours)."""


@dataclass(frozen=True, eq=False)
class BankExam:
    """One exam on the network's grid, cropped to the head.

    Args:
        hu_shw: (S, h, w) int16 Hounsfield units, slabs from below.
        brain_shw: (S, h, w) bool, the intracranial space as preprocessing finds it.
        label_shw: (S, h, w) uint8, review.labels.SEGMENT_VALUES, also outside brain_shw.
        corner: row and column of the crop in the network's image.
        image_size: rows and columns of the network's image.
        truth: what the simulation knows.
    """

    hu_shw: np.ndarray
    brain_shw: np.ndarray
    label_shw: np.ndarray
    corner: tuple[int, int]
    image_size: int
    truth: dict[str, Any]

    @classmethod
    def from_prepared(cls, prepared: PreparedExam, label_kji: np.ndarray, truth: dict[str, Any]) -> BankExam:
        """The bank's form of a prepared exam and its label map on the source grid."""
        label = prepared.labels_from_source(label_kji)
        head = prepared.hu_shw > HEAD_HU
        rows, columns = (span(np.asarray(head.any(axis=axes))) for axes in ((0, 2), (0, 1)))
        return cls(
            hu_shw=np.round(prepared.hu_shw[:, rows, columns]).astype(np.int16),
            brain_shw=prepared.brain_shw[:, rows, columns],
            label_shw=label[:, rows, columns],
            corner=(rows.start, columns.start),
            image_size=prepared.image_shw.shape[1],
            truth=truth,
        )

    def whole(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(S, H, W) HU, brain and labels of the network's whole image, as inference sees it."""
        return (
            self._uncropped(self.hu_shw, AIR_HU),
            self._uncropped(self.brain_shw, 0),
            self._uncropped(self.label_shw, 0),
        )

    def prepared(self, config: NetworkGridSettings) -> tuple[Volume, PreparedExam]:
        """The exam as a system reads it: a volume whose voxels are the network's pixels, upright, and its preparation.

        Slabs stand slab_mm apart, whatever they were in the series: the bank does not know that any more.

        Args:
            config: the grid that the bank was prepared on. Raises ConfigError when the image size is another.
        """
        if config.image_size != self.image_size:
            raise ConfigError(
                f"The bank's images have {self.image_size} pixels, the system's {config.image_size}.",
                next_step="Use a bank that was prepared for this system.",
            )
        hu, brain, _ = self.whole()
        slabs, size, _ = hu.shape
        spacing = config.pixel_spacing_mm
        origins = np.zeros((slabs, 3))
        origins[:, 2] = np.arange(slabs) * config.slab_mm
        right, back = np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])
        volume = Volume(hu, SliceGrid(hu.shape, origins, right, back, spacing, spacing, config.slab_mm))
        each = np.eye(slabs, dtype=np.float32)
        pixels = np.arange(size, dtype=np.float64)
        singles = tuple((s,) for s in range(slabs))
        grid = NetworkGrid(hu.shape, DisplayAxes.of(volume.grid), singles, each, each, pixels, pixels, 1.0, 1.0)
        exam = PreparedExam(np.zeros(0), hu.astype(np.float32), brain, np.asarray(brain.any(axis=(1, 2))), grid)
        return volume, replace(exam, image_shw=exam.windowed(config.window_hu))

    def save(self, path: Path) -> None:
        """Write the exam in one step, so that a reader never meets half of it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        with beside.open("wb") as stream:
            np.savez(
                stream,
                hu=self.hu_shw,
                brain=self.brain_shw,
                label=self.label_shw,
                place=np.array([*self.corner, self.image_size]),
                truth=np.array(json.dumps(self.truth)),
            )
        beside.replace(path)

    @classmethod
    def load(cls, path: Path) -> BankExam:
        """Read what save wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            row, column, size = (int(value) for value in arrays["place"])
            truth = json.loads(str(arrays["truth"]))
            return cls(arrays["hu"], arrays["brain"], arrays["label"], (row, column), size, truth)

    def _uncropped(self, array_shw: np.ndarray, outside: float) -> np.ndarray:
        slabs, height, width = array_shw.shape
        whole = np.full((slabs, self.image_size, self.image_size), outside, dtype=array_shw.dtype)
        row, column = self.corner
        whole[:, row : row + height, column : column + width] = array_shw
        return whole


View = TypeVar("View")


class ExamBank(Generic[View]):
    """The exams of one folder, in the order in which they came; refresh() finds those that came since.

    names has the files in the same order.

    Args:
        folder: where the exams lie.
        view: what a system keeps of an exam in memory.
        read: reads one exam, as the system's bank holds it.
    """

    def __init__(self, folder: Path, view: Callable[[Any], View], read: Callable[[Path], Any] = BankExam.load) -> None:
        self.folder = folder
        self.view = view
        self.read = read
        self.exams: list[View] = []
        self.names: dict[str, None] = {}

    def refresh(self) -> int:
        """Load exams that are new on disk; returns how many."""
        return self.take(self.new_names())

    def new_names(self) -> list[str]:
        """Files that are new on disk, in the order of their names."""
        return [path.name for path in sorted(self.folder.glob("*.npz")) if path.name not in self.names]

    def take(self, names: Sequence[str]) -> int:
        """Load these exams, which are new; returns how many."""
        for name in names:
            self.exams.append(self.view(self.read(self.folder / name)))
            self.names[name] = None
        return len(names)

    def start_with(self, names: Sequence[str]) -> None:
        """Load these exams before any other, in this order: those that a run has drawn from so far.

        Raises:
            InputError: one of them is gone, or others were loaded before.
        """
        if list(self.names)[: len(names)] == list(names):
            return
        if self.names or not all((self.folder / name).exists() for name in names):
            raise InputError(
                "The exams that the run has learned from are not those that are here now.",
                where=str(self.folder),
                next_step="Put them back, or start a new run in another folder.",
            )
        self.take(names)

    def __len__(self) -> int:
        return len(self.exams)


def exam_path(folder: Path, number: int) -> Path:
    """Where the exam of this number lies in a bank's folder."""
    return folder / f"{number:06d}.npz"


def span(used: np.ndarray) -> slice:
    """From the first to the last used index; one pixel when nothing is used."""
    index = np.flatnonzero(used)
    return slice(int(index[0]), int(index[-1]) + 1) if len(index) else slice(0, 1)
