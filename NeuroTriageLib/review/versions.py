"""What the review store keeps beside a mask: whose exam, whose version, from which model, how far it was changed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from ..core.codes import ANY
from ..core.errors import ConfigError
from ..core.findings import ModelIdentity
from ..core.geometry import SliceGrid
from ..core.midline import MidlinePoints, MidlineShift
from ..core.sign_off import Decision, Difference, Review, ReviewStatus
from ..core.volume import Volume
from ..measurements.overlap import dice, joint_volumes_ml
from .labels import SEGMENT_CODES, SEGMENT_VALUES, TYPE_CODES

SIGNED = ("approved", "flagged")
"""With these a reader is done with an exam; a draft goes on."""

AIR_HU = -1024
"""Nothing in a CT is below air; readers differ in what they leave outside the reconstruction circle."""

Kind = Literal["model", "reader"]


@dataclass(frozen=True, eq=False)
class ExamReference:
    """Which images a case is about, without a patient's name or ID.

    Args:
        study_instance_uid, series_instance_uid: "" where the source has none.
        modality: DICOM modality.
        grid: where the voxels lie.
        voxels_sha256: voxels_sha256 of the image.
        patient_key: any text that is the same for all exams of a patient ("" when unknown); as the store gives it back
            a pseudonym made from it.
    """

    study_instance_uid: str
    series_instance_uid: str
    modality: str
    grid: SliceGrid
    voxels_sha256: str
    patient_key: str = ""

    @classmethod
    def of_volume(cls, volume: Volume, study_instance_uid: str = "", patient_key: str = "") -> ExamReference:
        """The reference of a volume in memory."""
        sha256 = voxels_sha256(volume.array_kji)
        return cls(study_instance_uid, volume.series_instance_uid, volume.modality, volume.grid, sha256, patient_key)


def voxels_sha256(array_kji: np.ndarray) -> str:
    """SHA-256 of an image's values, the same for every number format that holds them; below air counts as air.

    Whole numbers are hashed as little-endian int32, an image with fractions as float32.
    """
    whole = array_kji.dtype.kind in "iub" or all(bool((plane == np.rint(plane)).all()) for plane in array_kji)
    digest = hashlib.sha256(f"{array_kji.shape}".encode())
    for plane in array_kji:
        digest.update(np.ascontiguousarray(np.maximum(plane, AIR_HU), "<i4" if whole else "<f4").tobytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Viewer:
    """Who looks at a case: a blind reader sees no other reader's versions until signing an own one."""

    reader: str
    blind: bool = False


@dataclass(frozen=True)
class ReaderEntry:
    """What a reader hands in with a mask.

    Args:
        reader: initials or a role; never a patient.
        status: "draft" to go on later, "approved", or "flagged" for another opinion and not for training.
        based_on: number of the version that was edited.
        seconds_spent: time at the exam for this version.
        decisions: code -> accept, edit or reject, for findings that were decided on.
        confidence: 1 (unsure) to 5 (sure); None when not said.
        comment: free text; it must name no patient.
        threshold: code -> operating point, where the reader moved it.
        pixel_threshold: where the reader moved it; None for the model's.
        pixel_thresholds: code -> the same for one of several findings on MRI.
        blind: the reader could not see other readers' versions.
        midline: the points between which the reader measured midline shift; None when not placed.

    Raises:
        ConfigError: a value that does not exist.
    """

    reader: str
    status: ReviewStatus
    based_on: int
    seconds_spent: float = 0.0
    decisions: Mapping[str, Decision] = field(default_factory=dict)
    confidence: int | None = None
    comment: str = ""
    threshold: Mapping[str, float] = field(default_factory=dict)
    pixel_threshold: float | None = None
    blind: bool = False
    pixel_thresholds: Mapping[str, float] = field(default_factory=dict)
    midline: MidlinePoints | None = None

    def __post_init__(self) -> None:
        known = {ANY, *SEGMENT_CODES}
        wrong = [code for code in (*self.decisions, *self.threshold, *self.pixel_thresholds) if code not in known]
        wrong += [word for word in self.decisions.values() if word not in ("accept", "edit", "reject")]
        if not self.reader.strip():
            raise ConfigError("A version needs the name of its reader.", next_step="Enter your initials.")
        if wrong or self.status not in ("draft", *SIGNED):
            raise ConfigError(f"Unknown in a review: {', '.join(wrong) or self.status}.")
        if self.confidence is not None and self.confidence not in range(1, 6):
            raise ConfigError("Confidence goes from 1 (unsure) to 5 (sure).")
        if not 0 <= self.seconds_spent < float("inf"):
            raise ConfigError("The time spent cannot be negative.")


@dataclass(frozen=True)
class Version:
    """One version of an exam's segmentation, as the store keeps it.

    Args:
        number: from 0, rising in the order of saving.
        kind: drawn by a model or a reader.
        created_utc: "YYYY-MM-DDThh:mm:ssZ".
        system, model: who drew the model's mask that it starts from.
        model_version: number of that version; its own for a model.
        threshold, pixel_threshold: operating points of the mask.
        looked: False when the model could not look at the exam: its empty mask then says nothing.
        volume_ml: code -> mL, of the findings with voxels.
        mask_sha256: of the mask's file.
        entry: a reader's word; None of a model.
        difference: code -> mask beside the model's; None of a model, and when the model drew no mask.
        midline: the shift between the entry's points; None when none were placed, or they are no midline.
    """

    number: int
    kind: Kind
    created_utc: str
    system: str
    model: ModelIdentity
    model_version: int
    threshold: dict[str, float]
    pixel_threshold: float | None
    looked: bool
    volume_ml: dict[str, float]
    mask_sha256: str
    entry: ReaderEntry | None = None
    difference: dict[str, Difference] | None = None
    midline: MidlineShift | None = None

    @property
    def reader(self) -> str:
        """Who drew it; "" for a model."""
        return self.entry.reader if self.entry else ""

    @property
    def status(self) -> ReviewStatus:
        """ "draft" for a model's: nobody has signed it."""
        return self.entry.status if self.entry else "draft"

    @property
    def is_signed(self) -> bool:
        """True when a reader approved or flagged it."""
        return self.status in SIGNED

    def review(self) -> Review:
        """As reports show it; a reader's version only."""
        assert self.entry is not None, "a model's version is no review"
        return Review(
            reader=self.entry.reader,
            status=self.entry.status,
            created_utc=self.created_utc,
            version=self.number,
            seconds_spent=self.entry.seconds_spent,
            decisions=dict(self.entry.decisions),
            difference=self.difference,
            confidence=self.entry.confidence,
            comment=self.entry.comment,
        )


def visible(versions: tuple[Version, ...], viewer: Viewer | None) -> tuple[Version, ...]:
    """What a viewer may see: everything, or for a blind one the models' and the own until an own one is signed."""
    if viewer is None or not viewer.blind or has_signed(versions, viewer.reader):
        return versions
    return tuple(version for version in versions if version.kind == "model" or version.reader == viewer.reader)


def has_signed(versions: tuple[Version, ...], reader: str) -> bool:
    """True when the reader has approved or flagged a version."""
    return any(version.is_signed and version.reader == reader for version in versions)


def without_rejected(label_kji: np.ndarray, entry: ReaderEntry) -> np.ndarray:
    """The label map without the findings that the reader rejected; rejecting "any" empties it."""
    kept = np.arange(len(SEGMENT_CODES) + 1, dtype=np.uint8)
    for code, decision in entry.decisions.items():
        if decision == "reject":
            kept[slice(None) if code == ANY else SEGMENT_VALUES[code]] = 0
    return kept[label_kji]


def differences(model_kji: np.ndarray, reader_kji: np.ndarray, grid: SliceGrid) -> dict[str, Difference]:
    """Code -> how a reader's label map differs from the model's, for "any" and each type that either holds."""
    joint = joint_volumes_ml(model_kji, reader_kji, grid, len(SEGMENT_CODES) + 1)
    result = {}
    for code in (ANY, *TYPE_CODES):
        inside = np.zeros(len(joint), bool)
        inside[1:] = True if code == ANY else np.arange(1, len(joint)) == SEGMENT_VALUES[code]
        both, removed, added = (
            float(joint[np.ix_(rows, columns)].sum())
            for rows, columns in ((inside, inside), (inside, ~inside), (~inside, inside))
        )
        if code == ANY or both + removed + added > 0:
            score = dice(both, both + removed, both + added)
            result[code] = Difference(
                dice=None if np.isnan(score) else float(score),
                model_ml=both + removed,
                reader_ml=both + added,
                added_ml=added,
                removed_ml=removed,
            )
    return result
