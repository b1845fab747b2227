"""What a pack says about the simulated exams that it learned from: counts, seeds, a hash of the heads."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from .exam_producer import TRAINING_MAPS, VALIDATION_MAPS, VALIDATION_SEED, ProductionPlan


def simulated_record(what: str, plan: ProductionPlan) -> dict[str, Any]:
    """Plain values for the pack.

    Args:
        what: the simulation makes, in words.
        plan: of the run; its exams follow from the label maps, the seeds and the code.
    """
    training, validation = plan.training_exams, plan.validation_exams
    record: dict[str, Any] = {
        "what": f"{what}, label maps {TRAINING_MAPS[0]:02d}-{TRAINING_MAPS[-1]:02d}",
        "exams": {"train": training, "validation": validation},
        "seeds": {"train": [0, training - 1], "validation": [VALIDATION_SEED, VALIDATION_SEED + validation - 1]},
    }
    maps = _maps(plan.maps)
    return record | ({"label_maps": len(maps), "sha256": _digest(maps)} if maps else {})


def _maps(folder: Path | None) -> list[Path]:
    """The label maps that are there: those of a bank that was filled elsewhere may not be."""
    if folder is None:
        return []
    numbers = (*TRAINING_MAPS, *VALIDATION_MAPS)
    return [path for number in numbers for path in sorted(folder.glob(f"*_{number:02d}.nii.gz"))[:1]]


def _digest(paths: list[Path]) -> str:
    """Of the files' own hashes."""
    each = "".join(hashlib.sha256(path.read_bytes()).hexdigest() for path in paths)
    return hashlib.sha256(each.encode()).hexdigest()
