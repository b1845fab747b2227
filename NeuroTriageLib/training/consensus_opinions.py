"""What each system says of the validation exams, kept on disk so that fitting goes on after a kill."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..core.codes import ANY, CT_HEMORRHAGE_CODES
from ..core.errors import InputError
from ..core.findings import ModelIdentity, Reading
from ..core.volume import Volume
from ..io.model_packs import ModelPack
from ..preprocessing.network_grid import PreparedExam
from .consensus_fit import candidate_shares, overlap_counts
from .exam_bank import BankExam


class Reader(Protocol):
    """A loaded system, handed in by the caller; see systems/kuo2019.py."""

    @property
    def name(self) -> str:
        """Catalog key."""

    @property
    def pack(self) -> ModelPack:
        """Its model pack."""

    @property
    def config(self) -> Any:
        """Settings with pixel_spacing_mm, image_size, slab_mm and window_hu or none."""

    def read(self, volume: Volume, *, progress: Any = None, prepared: PreparedExam | None = None) -> Reading:
        """The system's answer."""


@dataclass(frozen=True, eq=False)
class ExamOpinions:
    """The systems' opinions of one exam beside the truth.

    Args:
        present: code -> is it there, of "any" and each type, from the pixels inside the brain on the network's grid.
        probability: system -> code -> calibrated probability.
        overlap: (candidates, thresholds, 3) voxel counts of consensus_fit.overlap_counts; empty without blood or masks.
    """

    present: dict[str, bool]
    probability: dict[str, dict[str, float]]
    overlap: np.ndarray

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"present": self.present, "probability": self.probability, "overlap": self.overlap.tolist()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> ExamOpinions:
        """The inverse of to_json."""
        return cls(values["present"], values["probability"], np.asarray(values["overlap"], dtype=np.int64))


def ask(readers: Sequence[Reader], exam: BankExam, grid: Any) -> tuple[ExamOpinions, list[str]]:
    """The systems' opinions of one prepared exam, and the names of those that draw masks.

    Args:
        readers: loaded systems that share one grid.
        exam: of the bank.
        grid: the grid's settings (GridSettings).
    """
    volume, prepared = exam.prepared(grid)
    readings = [reader.read(volume, prepared=prepared) for reader in readers]
    drawing = [reading for reading in readings if reading.segments]
    _, brain, label = exam.whole()
    visible = np.where(brain, label, 0)
    counts = np.bincount(visible.ravel(), minlength=1 + len(CT_HEMORRHAGE_CODES))
    present = {code: bool(counts[n]) for n, code in enumerate(CT_HEMORRHAGE_CODES, start=1)}
    present[ANY] = any(present.values())
    overlap = np.zeros((0, 0, 3), dtype=np.int64)
    if drawing and present[ANY]:
        overlap = overlap_counts(np.stack([reading.heatmap_kji[brain] for reading in drawing]), visible[brain] > 0)
        assert len(overlap) == len(candidate_shares(len(drawing)))
    said = {reading.system: {code: float(value) for code, value in reading.probability.items()} for reading in readings}
    return ExamOpinions(present, said, overlap), [reading.system for reading in drawing]


@dataclass(frozen=True, eq=False)
class CollectedOpinions:
    """All validation exams: their opinions, and which systems draw masks, in the order of the readers."""

    exams: tuple[ExamOpinions, ...]
    drawing: tuple[str, ...]


def collect(
    readers: Sequence[Reader], folder: Path, grid: Any, cache: Path, report: Callable[[str], None]
) -> CollectedOpinions:
    """Opinions of every exam in a bank's folder that shows brain; those in the cache are not asked for again.

    Args:
        readers: loaded systems that share one grid.
        folder: the bank's validation exams.
        grid: the grid's settings.
        cache: a JSON-lines file of this run; it is begun anew when it was made with other weights.
        report: takes one line of progress.

    Raises InputError when the folder holds no exam.
    """
    paths = sorted(folder.glob("*.npz"))
    if not paths:
        raise InputError("There are no validation exams.", where=str(folder))
    identity = [_identity_values(reader.pack.identity) for reader in readers]
    known, drawing = _read_cache(cache, identity)
    cache.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"packs": identity}), *(_line(name, said, drawing) for name, said in known.items())]
    cache.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with cache.open("a", encoding="utf-8") as stream:
        for number, path in enumerate(paths):
            if path.name not in known:
                exam = BankExam.load(path)
                if not exam.brain_shw.any():
                    continue
                known[path.name], drawing = ask(readers, exam, grid)
                stream.write(_line(path.name, known[path.name], drawing) + "\n")
                stream.flush()
            if number % 20 == 0 or number + 1 == len(paths):
                report(f"opinions: {number + 1} of {len(paths)} exams")
    names = {path.name for path in paths}
    exams = tuple(opinions for name, opinions in sorted(known.items()) if name in names)
    if not exams:
        raise InputError("None of the validation exams shows brain.", where=str(folder))
    return CollectedOpinions(exams, tuple(drawing))


def _line(name: str, opinions: ExamOpinions, drawing: list[str]) -> str:
    return json.dumps(opinions.to_json() | {"exam": name, "drawing": drawing})


def _identity_values(identity: ModelIdentity) -> list[str]:
    return [identity.name, identity.version, identity.sha256]


def _read_cache(cache: Path, identity: list[list[str]]) -> tuple[dict[str, ExamOpinions], list[str]]:
    """Exam name -> opinions of an earlier, interrupted run with the same weights; a last half line is left out."""
    known: dict[str, ExamOpinions] = {}
    drawing: list[str] = []
    if not cache.exists():
        return known, drawing
    first, *lines = cache.read_text(encoding="utf-8").splitlines() or [""]
    try:
        if json.loads(first)["packs"] != identity:
            return known, drawing
        for line in lines:
            entry = json.loads(line)
            known[entry["exam"]], drawing = ExamOpinions.from_json(entry), entry["drawing"]
    except (ValueError, KeyError, TypeError):
        pass  # written half when the run was killed: asked for again
    return known, drawing
