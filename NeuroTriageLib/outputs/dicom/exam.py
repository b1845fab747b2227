"""What all DICOM objects of one exam share: patient and study, equipment, dates, and UIDs that a rerun gives again."""

from __future__ import annotations

import datetime
import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from ... import __version__
from ...core.dicom_source import DicomSource
from ...core.findings import ExamResult, Reading
from ...core.mr_images import CONTRAST_NAMES, CONTRASTS
from ..shown_masks import ShownMask, shown_label, shown_masks, shown_reading
from .source_slices import put_references, source_slices

MANUFACTURER = "NeuroTriage"
MODEL_NAME = "NeuroTriage"
CHARACTER_SET = "ISO_IR 192"  # UTF-8 holds the text of every other one

# One series per kind of object, numbered after those of any scanner (ours).
SERIES_NUMBERS = {"segmentation": 9401, "heatmap": 9402, "report": 9403, "key images": 9404, "document": 9405}
NUMBERS_OF_A_CONTRAST = 10  # the results on an MRI's n-th contrast are numbered that much higher, n times (ours)
SERIES_DESCRIPTIONS = {
    "segmentation": "masks",
    "heatmap": "probability",
    "report": "findings",
    "key images": "key images",
    "document": "report",
}


@dataclass(frozen=True, eq=False)
class DicomExam:
    """An exam's result beside whose exam it is.

    Args:
        result: what is written.
        source: patient, study and images that it belongs to.
        created: local time that the objects carry; the UIDs do not depend on it.
    """

    result: ExamResult
    source: DicomSource
    created: datetime.datetime

    @cached_property
    def reading(self) -> Reading | None:
        """The reading whose masks and heatmap are shown."""
        return shown_reading(self.result)

    @property
    def modality(self) -> str:
        """ "CT" or "MR"."""
        return "MR" if self.result.contrast else "CT"

    @property
    def subject(self) -> str:
        """What masks and heatmap show, in words."""
        contrast = self.result.contrast
        return f"findings on {CONTRAST_NAMES[contrast]} MRI" if contrast else "intracranial hemorrhage"

    @cached_property
    def masks(self) -> tuple[ShownMask, ...]:
        """The masks that are written as segments; segment n is masks[n - 1]."""
        return shown_masks(self.reading) if self.reading is not None and self.reading.segments else ()

    @cached_property
    def label_kji(self) -> np.ndarray:
        """(K, J, I) uint8 label map with the values of masks."""
        assert self.reading is not None, "without a reading there are no masks"
        return shown_label(self.reading)

    @cached_property
    def slices(self) -> list[Dataset]:
        """Headers of the source slices in the order of k."""
        return source_slices(self.result.volume, self.source)

    def uid(self, *what: object) -> str:
        """The UID of a part of this result: the same one whenever the same models read the same images.

        So sending a result again replaces it, and does not double it. It changes with the images, the weights, the
        thresholds, whose heatmap is shown, what could not be looked at, and the version of the program (DICOM PS3.5,
        B.2: a 128-bit number under 2.25).
        """
        text = f"{self._identity}|{'|'.join(map(str, what))}"
        return f"2.25.{int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], 'big')}"

    @cached_property
    def _identity(self) -> str:
        """What decides about the content, in one line."""
        volume = self.result.volume
        images = hashlib.sha256("|".join(volume.sop_instance_uids).encode()).hexdigest()
        values = {
            "version": __version__,
            "study": self.source.study_instance_uid,
            "series": self.source.series_instance_uid,
            "images": [images, len(volume.sop_instance_uids)],
            "models": [_spoken(reading) for reading in self.result.readings],
            "unread": [
                (item.system, item.code)
                for item in (*self.result.findings, *self.result.opinions)
                if item.status == "could_not_look"
            ],
        }
        if self.result.review is not None:  # a reader's version is other objects beside the model's
            mask = b"" if self.reading is None else np.ascontiguousarray(self.reading.label_kji).tobytes()
            values["review"] = [asdict(self.result.review), hashlib.sha256(mask).hexdigest()]
        return json.dumps(values, sort_keys=True)

    def series(self, kind: str, *, variant: str = "", number: int = 1) -> dict[str, Any]:
        """Keyword arguments of highdicom's constructors for object number n of a series of SERIES_NUMBERS.

        A variant is another form of the same content (label map in place of binary masks) with UIDs of its own.
        """
        serial = (self.reading.model.sha256[:16] if self.reading is not None else "") or "no model"
        review = self.result.review
        return {
            "series_instance_uid": self.uid("series", kind, variant),
            "series_number": self._series_number(kind),
            "series_description": self._series_description(kind) + (f", {review.status} by reader" if review else ""),
            "sop_instance_uid": self.uid("instance", kind, variant, number),
            "instance_number": number,
            "manufacturer": MANUFACTURER,
            "manufacturer_model_name": MODEL_NAME,
            "software_versions": __version__,
            "device_serial_number": serial,
        }

    def _series_number(self, kind: str) -> int:
        contrast = self.result.contrast
        return SERIES_NUMBERS[kind] + (NUMBERS_OF_A_CONTRAST * (1 + CONTRASTS.index(contrast)) if contrast else 0)

    def _series_description(self, kind: str) -> str:
        """64 characters at most (LO)."""
        said = SERIES_DESCRIPTIONS[kind]
        if self.result.contrast:
            return f"NeuroTriage {said}, {CONTRAST_NAMES[self.result.contrast]}"
        return f"NeuroTriage {'hemorrhage ' if kind in ('segmentation', 'heatmap') else ''}{said}"

    def patient_and_study(self) -> dict[str, Any]:
        """Keyword arguments for the constructors that take no source image."""
        first = self.slices[0]
        return {
            "study_instance_uid": self.source.study_instance_uid,
            "patient_id": first.PatientID,
            "patient_name": first.PatientName,
            "patient_birth_date": first.PatientBirthDate,
            "patient_sex": first.PatientSex,
            "accession_number": first.AccessionNumber,
            "study_id": first.StudyID,
            "study_date": first.StudyDate,
            "study_time": first.StudyTime,
            "referring_physician_name": first.ReferringPhysicianName,
            "specific_character_set": CHARACTER_SET,
        }

    def finish(self, dataset: Dataset, kind: str) -> Dataset:
        """Dates, body part and references, the same for every object; returns the object."""
        date, time = self.created.strftime("%Y%m%d"), self.created.strftime("%H%M%S")
        dataset.InstanceCreationDate = dataset.SeriesDate = date
        dataset.InstanceCreationTime = dataset.SeriesTime = time
        if "ContentDate" in dataset:
            dataset.ContentDate, dataset.ContentTime = date, time
        if "DateOfSecondaryCapture" in dataset:
            dataset.DateOfSecondaryCapture, dataset.TimeOfSecondaryCapture = date, time
        for equipment in dataset.get("ContributingEquipmentSequence", []):
            equipment.ContributionDateTime = date + time
        if kind not in ("report", "document"):  # their series have no body part (PS3.3, A.35.13 and A.45.1)
            dataset.BodyPartExamined = "HEAD"
        for sequence in dataset.get("DimensionOrganizationSequence", []):
            sequence.DimensionOrganizationUID = self.uid("dimensions", kind)
        for index in dataset.get("DimensionIndexSequence", []):
            index.DimensionOrganizationUID = self.uid("dimensions", kind)
        put_references(dataset, self.result.volume, self.source)
        return dataset


def _spoken(reading: Reading) -> list[Any]:
    """What of a reading decides about its answer, besides the images."""
    thresholds = {code: float(value) for code, value in reading.threshold.items()}
    return [reading.system, reading.model.sha256, reading.heatmap_source, thresholds]
