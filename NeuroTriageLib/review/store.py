"""The review store: every version of every exam's segmentation in one folder, written once and never again.

The layout on disk, what is in the files, and what is not (names), is described in docs/review_store.md.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import ConfigError, InputError, output_error
from ..core.findings import ExamResult, ModelIdentity
from ..core.volume import Volume
from ..core.voxel_probabilities import VoxelProbabilities
from ..measurements.midline_shift import measurable_midline_shift
from .durable_files import DurableFiles, publish_folder
from .labels import SEGMENT_CODES, label_of_reading
from .live_measurements import segment_volumes_ml
from .version_files import (
    ANSWER_FILE,
    ANSWER_FORMAT,
    EXAM_FILE,
    MASK_FILE,
    STORE_FILE,
    STORE_FORMAT,
    VERSION_FILE,
    answer_bytes,
    damaged,
    exam_bytes,
    json_bytes,
    label_from_bytes,
    mask_bytes,
    read_answer,
    read_exam,
    read_json,
    read_version,
    version_bytes,
)
from .versions import ExamReference, ReaderEntry, Version, Viewer, differences, has_signed, visible, without_rejected

ABOUT, CASES, ENTRIES = "about", "cases", "entries"

KEY_ROUNDS = 20_000
"""PBKDF2 rounds for pseudonyms: guessing from a list of patients is slow (ours: about 10 ms a patient)."""

_VERSION_NAME = re.compile(r"v(\d{4,})")


class ReviewStore:
    """All versions of all cases in one folder; several programs may write to it at once. Made by open.

    Every method that writes raises OutputError when the disk is full or may not be written to; what was there before
    is then there still, and every method that reads raises InputError when a file is missing or damaged.

    Args:
        root: the folder.
        salt: secret of this store, from which pseudonyms are made.
        files: the file system.
        now: clock.
    """

    def __init__(self, root: Path, salt: bytes, files: DurableFiles, now: Callable[[], datetime]) -> None:
        self.root = root
        self._salt, self._files, self._now = salt, files, now

    @classmethod
    def open(
        cls, root: Path, files: DurableFiles | None = None, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> ReviewStore:
        """The store in a folder; a new one where the folder is empty or not there.

        Raises:
            ConfigError: the folder holds something else.
        """
        files = files or DurableFiles()
        store = cls(root, b"", files, now)
        try:
            if not (root / ABOUT).is_dir():
                store._make()
            salt = read_json(root / ABOUT / STORE_FILE, STORE_FORMAT)["salt"]
        except OSError as error:
            raise output_error(error, root) from error
        return cls(root, bytes.fromhex(salt), files, now)

    def register(self, exam: ExamReference, entry_key: str = "") -> str:
        """The pseudonymous id of the case of these images; a new case when they were never seen.

        Args:
            exam: its images.
            entry_key: key of the case list's row that led to them; only a hash of it is kept.
        """
        case_id = f"case-{self._hash(f'{exam.series_instance_uid} {exam.voxels_sha256}')[:16]}"
        if not (self.root / CASES / case_id).is_dir():
            content = {EXAM_FILE: exam_bytes(exam, self._pseudonym(exam.patient_key))}
            self._publish(content, self.root / CASES, lambda: case_id, keep_existing=True)
        if entry_key:
            link = self.root / ENTRIES / f"{self._hash(entry_key)}.{case_id}"
            try:
                if not link.is_dir():
                    self._files.make_folder(link)
                    self._files.sync_folder(link.parent)
            except FileExistsError:
                pass  # another program was faster
            except OSError as error:
                raise output_error(error, self.root) from error
        return case_id

    def add_model_version(self, case_id: str, result: ExamResult) -> Version:
        """Keep a model's answer: version 0 the first time, a later number for another answer.

        The same model's same mask is kept once; the version that is there comes back.
        """
        exam = self.exam(case_id)
        reading = result.readings[0] if result.readings else None
        label = np.zeros(exam.grid.shape_kji, np.uint8) if reading is None else label_of_reading(reading)
        _check_label(label, exam)
        model = ModelIdentity("", "", "") if reading is None else reading.model
        voxels = reading.voxel_probabilities if reading else None
        number = len(self._numbers(case_id))
        content = mask_bytes(label, exam, {"NeuroTriage_Model": f"{model.name} {model.version} sha256 {model.sha256}"})
        version = Version(
            number=number,
            kind="model",
            created_utc=self._time(),
            system=reading.system if reading else "",
            model=model,
            model_version=number,
            threshold={} if reading is None else {code: float(at) for code, at in reading.threshold.items()},
            pixel_threshold=voxels.threshold if voxels and not voxels.thresholds else None,
            looked=reading is not None and reading.segments,
            volume_ml=segment_volumes_ml(label, exam.grid),
            mask_sha256=hashlib.sha256(content).hexdigest(),
        )
        for known in self.versions(case_id):
            same = (known.model, known.threshold, known.mask_sha256) == (model, version.threshold, version.mask_sha256)
            if known.kind == "model" and same:
                return known
        return self._add(case_id, version, {MASK_FILE: content, **answer_bytes(result)})

    def add_version(self, case_id: str, label_kji: np.ndarray, entry: ReaderEntry) -> Version:
        """Keep a reader's mask under the next free number.

        Args:
            case_id: from register.
            label_kji: (K, J, I) uint8 in the values of labels.SEGMENT_CODES.
            entry: who, how long, decisions. The voxels of a rejected finding are not kept; they stand in the version
                that it is based on. A version counts as blind only until its reader has signed one.

        Raises:
            ConfigError: a label map of another exam, or based on a version that is not there.
        """
        exam = self.exam(case_id)
        _check_label(label_kji, exam)
        label_kji = without_rejected(label_kji, entry)
        versions = self.versions(case_id)
        if not 0 <= entry.based_on < len(versions):
            raise ConfigError(f"There is no version {entry.based_on} to be based on.", where=case_id)
        model = versions[versions[entry.based_on].model_version]
        if entry.blind and has_signed(versions, entry.reader):
            entry = replace(entry, blind=False)
        fields = {
            "NeuroTriage_Model": f"{model.model.name} {model.model.version} sha256 {model.model.sha256}",
            "NeuroTriage_Reader": entry.reader,
            "NeuroTriage_Status": entry.status,
        }
        content = mask_bytes(label_kji, exam, fields)
        drawn = self.label(case_id, model.number) if model.looked else None
        version = Version(
            number=len(versions),
            kind="reader",
            created_utc=self._time(),
            system=model.system,
            model=model.model,
            model_version=model.number,
            threshold=model.threshold | dict(entry.threshold),
            pixel_threshold=model.pixel_threshold if entry.pixel_threshold is None else entry.pixel_threshold,
            looked=True,
            volume_ml=segment_volumes_ml(label_kji, exam.grid),
            mask_sha256=hashlib.sha256(content).hexdigest(),
            entry=entry,
            difference=None if drawn is None else differences(drawn, label_kji, exam.grid),
            midline=measurable_midline_shift(entry.midline, exam.grid),
        )
        return self._add(case_id, version, {MASK_FILE: content})

    def cases(self) -> tuple[str, ...]:
        """The ids of all cases, in a stable order."""
        return tuple(sorted(path.name for path in (self.root / CASES).iterdir() if path.name.startswith("case-")))

    def cases_of_entry(self, entry_key: str) -> tuple[str, ...]:
        """The cases that a row of a case list has led to; usually one, several when other series were read."""
        found = (self.root / ENTRIES).glob(f"{self._hash(entry_key)}.*")
        return tuple(sorted(path.name.split(".", 1)[1] for path in found))

    def exam(self, case_id: str) -> ExamReference:
        """Which images a case is about; patient_key is the pseudonym."""
        return read_exam(self._case(case_id) / EXAM_FILE)

    def versions(self, case_id: str, viewer: Viewer | None = None) -> tuple[Version, ...]:
        """The versions that a viewer may see, in the order of saving; all of them without a viewer."""
        folders = [self._version(case_id, number) for number in self._numbers(case_id)]
        return visible(tuple(read_version(f / VERSION_FILE, n) for n, f in enumerate(folders)), viewer)

    def resume(self, case_id: str, viewer: Viewer) -> Version:
        """Where to go on: the viewer's own latest version, else the latest one that may be seen."""
        versions = self.versions(case_id, viewer)
        if not versions:
            raise InputError("The case has no version yet.", where=case_id, next_step="Run a system first.")
        own = [version for version in versions if version.reader == viewer.reader]
        return (own or list(versions))[-1]

    def label(self, case_id: str, number: int) -> np.ndarray:
        """(K, J, I) uint8 label map of a version, checked against its SHA-256."""
        folder = self._version(case_id, number)
        version = read_version(folder / VERSION_FILE, number)
        try:
            content = (folder / MASK_FILE).read_bytes()
        except OSError as error:
            raise damaged(folder / MASK_FILE) from error
        if hashlib.sha256(content).hexdigest() != version.mask_sha256:
            raise damaged(folder / MASK_FILE)
        return label_from_bytes(content, self.exam(case_id).grid.shape_kji, folder / MASK_FILE)

    def result(self, case_id: str, number: int, volume: Volume) -> ExamResult:
        """A model's whole answer, on the images that it is about (without the list of series and the input's path).

        Raises:
            ConfigError: the version is a reader's, or the volume another image.
        """
        versions, exam = self.versions(case_id), self.exam(case_id)
        if not 0 <= number < len(versions) or versions[number].kind != "model":
            raise ConfigError(f"Version {number} is no model's answer.", where=case_id)
        if ExamReference.of_volume(volume).voxels_sha256 != exam.voxels_sha256:
            raise ConfigError("The volume is not the one that the case is about.", where=case_id)
        return read_answer(self._version(case_id, number), volume, self.label(case_id, number))

    def findings(self, case_id: str, number: int) -> list[dict[str, Any]]:
        """What a model's version says of each finding, as plain values; [] of a reader's version.

        The images are not needed for it.
        """
        path = self._version(case_id, number) / ANSWER_FILE
        if not path.exists():
            return []
        try:
            return list(read_json(path, ANSWER_FORMAT)["exam"]["findings"])
        except (KeyError, TypeError) as error:
            raise damaged(path) from error

    def voxel_probabilities(self, case_id: str, number: int, volume: Volume) -> VoxelProbabilities | None:
        """What moving the threshold of a model's version needs; None when the model kept none."""
        readings = self.result(case_id, number, volume).readings
        return readings[0].voxel_probabilities if readings else None

    def _make(self) -> None:
        """An empty store. Another program may do the same at this moment: one wins, both go on."""
        if not self.root.is_dir():
            self.root.mkdir(parents=True, exist_ok=True)
            self._files.sync_folder(self.root.parent)
        # Hidden files are what file managers leave behind, and our own unfinished folders.
        foreign = {path.name for path in self.root.iterdir() if not path.name.startswith(".")}
        if not foreign <= {ABOUT, CASES, ENTRIES}:
            raise ConfigError(
                "The folder is no review store, and not empty.", where=str(self.root), next_step="Name another folder."
            )
        for name in (CASES, ENTRIES):
            if not (self.root / name).is_dir():
                try:
                    self._files.make_folder(self.root / name)
                except FileExistsError:
                    continue
        about = json_bytes(STORE_FORMAT, {"salt": secrets.token_hex(32)})
        self._publish({STORE_FILE: about}, self.root, lambda: ABOUT, keep_existing=True)

    def _add(self, case_id: str, version: Version, content: dict[str, bytes]) -> Version:
        """Publish a version under the next number that is free when it is published."""
        case = self._case(case_id)
        files = {VERSION_FILE: version_bytes(version), **content}
        name = self._publish(files, case, lambda: f"v{len(self._numbers(case_id)):04d}")
        return read_version(case / name / VERSION_FILE, int(name[1:]))

    def _publish(
        self, content: dict[str, bytes], folder: Path, name: Callable[[], str], *, keep_existing: bool = False
    ) -> str:
        try:
            return publish_folder(self._files, content, folder, name, keep_existing=keep_existing)
        except OSError as error:
            raise output_error(error, self.root) from error

    def _case(self, case_id: str) -> Path:
        folder = self.root / CASES / case_id
        if not re.fullmatch(r"case-[0-9a-f]+", case_id) or not folder.is_dir():
            raise InputError("There is no such case in the review store.", where=case_id)
        return folder

    def _version(self, case_id: str, number: int) -> Path:
        return self._case(case_id) / f"v{number:04d}"

    def _numbers(self, case_id: str) -> range:
        """The numbers of a case's versions; they have no gap."""
        found = [_VERSION_NAME.fullmatch(path.name) for path in self._case(case_id).iterdir()]
        numbers = {int(match[1]) for match in found if match}
        if numbers != set(range(len(numbers))):
            raise InputError("A version is missing in the review store.", where=case_id, next_step="Restore it.")
        return range(len(numbers))

    def _hash(self, text: str) -> str:
        return hashlib.blake2b(text.encode(), key=self._salt, digest_size=16).hexdigest()

    def _pseudonym(self, patient_key: str) -> str:
        """The same for all exams of a patient in this store; "" when the patient is unknown."""
        if not patient_key:
            return ""
        return hashlib.pbkdf2_hmac("sha256", patient_key.encode(), self._salt, KEY_ROUNDS).hex()[:32]

    def _time(self) -> str:
        return self._now().strftime("%Y-%m-%dT%H:%M:%SZ")


def _check_label(label_kji: np.ndarray, exam: ExamReference) -> None:
    if label_kji.shape != exam.grid.shape_kji or label_kji.dtype != np.uint8:
        raise ConfigError(f"A mask of shape {label_kji.shape} does not fit the exam's {exam.grid.shape_kji}.")
    if label_kji.size and int(label_kji.max()) > len(SEGMENT_CODES):
        raise ConfigError("The label map holds values without a meaning.")
