"""Pooled maps of exams that finished convolutions have seen: the layers after them learn from the store at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class StoredExam:
    """One exam, changed once by augmentation.

    Args:
        pooled: (s, c) float16.
        slabs: (s, 1 + N) bool, any first.
        present: (1 + N,) bool.
    """

    pooled: Tensor
    slabs: Tensor
    present: Tensor


class MapStore:
    """The newest exams, at most so many.

    Args:
        limit: the oldest go beyond it.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.exams: list[StoredExam] = []
        self.added = 0  # in all

    def add(self, exam: StoredExam) -> None:
        """Keep an exam, in place of the oldest one when the store is full."""
        if len(self.exams) < self.limit:
            self.exams.append(exam)
        else:
            self.exams[self.added % self.limit] = exam
        self.added += 1

    def draw(self, count: int, bleeding_only: bool, rng: np.random.Generator) -> list[StoredExam]:
        """Exams drawn with replacement, of the bleeding ones alone if wanted and there are any."""
        members = [exam for exam in self.exams if exam.present[0]] if bleeding_only else self.exams
        members = members or self.exams
        return [members[int(n)] for n in rng.integers(len(members), size=count)]

    def state(self) -> dict[str, Any]:
        """Everything in a few tensors."""
        if not self.exams:
            return {"added": self.added}
        return {
            "added": self.added,
            "counts": torch.tensor([len(exam.pooled) for exam in self.exams]),
            "pooled": torch.cat([exam.pooled for exam in self.exams]),
            "slabs": torch.cat([exam.slabs for exam in self.exams]),
            "present": torch.stack([exam.present for exam in self.exams]),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of state()."""
        self.added, self.exams = int(state["added"]), []
        if "counts" not in state:
            return
        counts = state["counts"].tolist()
        parts = zip(state["pooled"].split(counts), state["slabs"].split(counts), state["present"], strict=True)
        self.exams = [StoredExam(pooled.clone(), slabs.clone(), present.clone()) for pooled, slabs, present in parts]
