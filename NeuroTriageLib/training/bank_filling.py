"""Cases of data sets and of a review store become exams of the bank: split by patients, each image once."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..core.errors import ConfigError, InputError, SeriesSelectionError
from ..core.whole_files import drop_torn_line
from ..datasets.case_source import CaseSource
from ..datasets.labelled_case import Labelled, LabelledCt
from ..datasets.registry import DATASETS
from ..datasets.split import Part, PatientSplit
from ..review.versions import voxels_sha256
from .exam_producer import Kept

TakeCase = Callable[[Labelled, Part], Kept]
"""(case, part) -> what the bank keeps of it. Raises InputError when the system cannot learn from it."""

RECORD_FILE = "sources.jsonl"
"""In the bank: one line per exam that came from a source, so that a filling that was stopped goes on."""


@dataclass
class SourceRecord:
    """What became of one source's cases; it travels in the pack without a case's name.

    Args:
        name, licence: of the source.
        train, validation: exams in the bank. test: cases that were kept for the test.
        duplicates: cases whose images were there before.
        left_out: reason -> how many.
        sha256: of the voxels' hashes of all exams in the bank.
    """

    name: str
    licence: str
    train: int = 0
    validation: int = 0
    test: int = 0
    duplicates: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    sha256: str = ""

    def line(self) -> str:
        """For people."""
        out = "; ".join(f"{count} left out: {reason}" for reason, count in self.left_out.items())
        twice = f", {self.duplicates} there before" if self.duplicates else ""
        kept = f"{self.train} exams train, {self.validation} validate, {self.test} kept for the test{twice}"
        return f"{self.name}: {kept}" + (f"; {out}" if out else "")

    def to_json(self) -> dict[str, Any]:
        """For the pack."""
        counts = {"train": self.train, "validation": self.validation, "test": self.test}
        return {"name": self.name, "licence": self.licence, "exams": counts, "sha256": self.sha256}


def fill_bank(
    bank: Path,
    sources: Sequence[CaseSource],
    take: TakeCase,
    split: PatientSplit,
    report: Callable[[str], None],
    prepared: Path | None = None,
    purpose: str = "",
) -> list[SourceRecord]:
    """Prepare every case of the sources that is not in the bank yet; the same call goes on after a kill.

    Args:
        bank: folder with the two banks, "train" and "validation".
        sources: in the order in which they are read; of an image that is in several the first counts.
        take: prepares a case as the system's bank keeps it.
        split: which patient goes where.
        report: takes one line of progress.
        prepared: folder that keeps prepared exams for banks with other splits of the same sources.
        purpose: which system they are prepared for: what one keeps of a case may not do for another.

    Raises:
        InputError: no case of a source could be used. OutputError.
    """
    known = _read_record(bank)
    shelf = None if prepared is None else _Shelf(prepared)
    records: list[SourceRecord] = []
    kept: dict[str, Path] = {}  # hash of images -> their exam in this filling
    for source in sources:
        record = SourceRecord(source.name, source.licence)
        for case in source.cases():
            part = split.part_of(case.patient)
            if part == "test":
                record.test += 1
                continue
            path = bank / part / f"{source.name}-{_digest(f'{purpose} {case.name} {case.version}'.strip())}.npz"
            try:
                sha256 = known.get(path.name) if path.exists() else None
                if sha256 is None and shelf is not None:
                    sha256 = shelf.lend(path, known, kept)
                if sha256 is None:
                    sha256 = _keep(case.read(), path, part, take, known, kept)
                    if shelf is not None and sha256:
                        shelf.put(path, sha256)
            except (InputError, SeriesSelectionError) as error:
                record.left_out[error.what] += 1
                continue
            if not sha256 or sha256 in kept:
                record.duplicates += 1
                continue
            kept[sha256] = path
            setattr(record, part, getattr(record, part) + 1)
            record.sha256 = hashlib.sha256(f"{record.sha256}{sha256}".encode()).hexdigest()
        report(record.line())
        if not record.train + record.validation + record.duplicates and (record.left_out or not record.test):
            raise InputError(
                f"No case of {source.name} can be used: {'; '.join(record.left_out) or 'there is none'}",
                next_step=f"See: neurotriage datasets check {source.name} PATH" if source.name in DATASETS else "",
            )
        records.append(record)
    _remove_others(bank, set(kept.values()))
    return records


def _remove_others(bank: Path, kept: set[Path]) -> None:
    """Exams of an earlier filling with other sources, masks or another split: they would be learned from unsaid."""
    for part in ("train", "validation"):
        for path in (bank / part).glob("*-*.npz"):  # simulated exams have numbers
            if path not in kept:
                path.unlink()


def _keep(
    case: Labelled, path: Path, part: Part, take: TakeCase, known: dict[str, str], kept: Mapping[str, Path]
) -> str:
    """Prepare and write one case; returns the hash of its images, "" when another case has brought them."""
    sha256 = images_sha256(case)
    if sha256 in kept:
        return ""
    take(case, part).save(path)
    _record(path, sha256)
    known[path.name] = sha256
    return sha256


def _record(path: Path, sha256: str) -> None:
    """One line for an exam of a bank."""
    with (path.parents[1] / RECORD_FILE).open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({"exam": path.name, "sha256": sha256}) + "\n")


class _Shelf:
    """Prepared exams that several banks have in common, as links where the disk can; laid out as a bank.

    An exam that is prepared for training is not taken for validation: some systems ask more of those.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.known = _read_record(folder)

    def lend(self, path: Path, known: dict[str, str], kept: Mapping[str, Path]) -> str | None:
        """Put an exam into a bank; its hash, "" when another case has brought its images, None when it is not here."""
        mine = self._place(path)
        sha256 = self.known.get(path.name)
        if sha256 is None or not mine.exists():
            return None
        if sha256 in kept:
            return ""
        _link(mine, path)
        _record(path, sha256)
        known[path.name] = sha256
        return sha256

    def put(self, path: Path, sha256: str) -> None:
        """Keep an exam of a bank."""
        _link(path, self._place(path))
        if path.name not in self.known:
            _record(self._place(path), sha256)
            self.known[path.name] = sha256

    def _place(self, path: Path) -> Path:
        return self.folder / path.parent.name / path.name


def _link(source: Path, target: Path) -> None:
    """The same file under another name, in one step."""
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    try:
        os.link(source, beside)
    except OSError:
        shutil.copyfile(source, beside)
    beside.replace(target)


def images_sha256(case: Labelled) -> str:
    """One hash of all images of a case; it does not depend on number formats or on what a file is called."""
    if isinstance(case, LabelledCt):
        return voxels_sha256(case.volume.array_kji)
    each = [voxels_sha256(case.images[contrast].volume.array_kji) for contrast in sorted(case.images)]
    return hashlib.sha256("".join(each).encode()).hexdigest()


def need_labels(system: str, needed: frozenset[str], modality: str, sources: Sequence[CaseSource]) -> None:
    """Raise ConfigError for a source that a system cannot learn from, before anything is read."""
    for source in sources:
        if source.modality != modality or not needed & set(source.labels):
            has = f"{source.modality} with {', '.join(source.labels)}"
            raise ConfigError(
                f"{system} learns from {modality} with {' or '.join(sorted(needed))}; {source.name} is {has}.",
                next_step="Choose another system or data set: neurotriage datasets list",
            )


def _digest(name: str) -> str:
    return hashlib.blake2b(name.encode(), digest_size=10).hexdigest()


def _read_record(bank: Path) -> dict[str, str]:
    """Name of an exam in the bank -> hash of its images.

    A last line that was cut off by a kill does not count, and is taken away.
    """
    path = bank / RECORD_FILE
    if not path.exists():
        return {}
    drop_torn_line(path)
    known = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        known[entry["exam"]] = entry["sha256"]
    return known
