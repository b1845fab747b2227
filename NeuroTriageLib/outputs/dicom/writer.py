"""Writes an exam's DICOM objects into a folder."""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from ...core.dicom_source import DicomSource
from ...core.findings import ExamResult
from ..result_files import file_name
from .encapsulated_pdf import encapsulated_pdf
from .exam import DicomExam
from .heatmap import HeatmapForm, heatmap
from .key_images import key_images
from .segmentation import MaskForm, segmentation
from .structured_report import structured_report


@dataclass(frozen=True)
class DicomForms:
    """In which of DICOM's forms masks and heatmap are written.

    Args:
        masks: "binary", or "labelmap", which older archives do not know.
        heatmap: "fractional" (a segmentation), "parametric" (a map, large), or "none".
    """

    masks: MaskForm = "binary"
    heatmap: HeatmapForm = "fractional"


def write_dicom(
    result: ExamResult,
    folder: Path,
    *,
    source: DicomSource,
    forms: DicomForms | None = None,
    created: datetime.datetime | None = None,
) -> None:
    """Write every object of a result into a folder that is there.

    Structured report and document are always written, also when the exam could not be looked at; masks, heatmap and
    key images where there are any. The file names are those of folder.DICOM_FILES; of an MRI's series they hold the
    contrast.

    Args:
        result: what is written.
        folder: where to.
        source: patient, study and images that the result belongs to; of the series that was read.
        forms: None writes the default ones.
        created: local time that the objects carry; None: now.
    """
    assert source.series_instance_uid == result.volume.series_instance_uid, "the source is another series"
    exam = DicomExam(result, source, created or datetime.datetime.now())
    with warnings.catch_warnings():  # names with one component, UIDs with leading zeros: real exams have them
        warnings.simplefilter("ignore")
        for name, dataset in _objects(exam, forms or DicomForms()):
            dataset.save_as(folder / file_name(name, result.contrast), enforce_file_format=True)


def _objects(exam: DicomExam, forms: DicomForms) -> Iterator[tuple[str, Dataset]]:
    """File name and finished object, one after the other."""
    segments = segmentation(exam, forms.masks)
    if segments is not None:
        yield "segmentation.dcm", segments
    heat = heatmap(exam, forms.heatmap)
    if heat is not None:
        yield "heatmap.dcm", heat
    yield "structured_report.dcm", structured_report(exam, segments)
    for number, image in enumerate(key_images(exam), start=1):
        yield f"key_image_{number}.dcm", image
    yield "report.dcm", encapsulated_pdf(exam)
