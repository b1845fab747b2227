"""A review store as a training set: the masks that readers approved, on the images that they were drawn on.

The store holds no images; they are found in a folder by their SeriesInstanceUID and known by the SHA-256 of their
voxels, so that a mask never meets another image. Which masks count is said in review/signed_labels.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from ..core.codes import MR_CODES
from ..core.errors import InputError, NeuroTriageError
from ..core.study import Series, Study
from ..io.inputs import open_input, read_volume
from ..review.labels import SEGMENT_VALUES
from ..review.signed_labels import SignedLabel, signed_labels
from ..review.store import ReviewStore
from ..review.versions import voxels_sha256
from ..series_selection.mr_study_images import choose_mr_study, read_images
from .case_source import CaseSource
from .labelled_case import Case, LabelledCt, LabelledMr

LICENCE = "masks and images of this site; they are not passed on with the model"
OTHER_VOXELS = "The series in the folder holds other voxels than those that were reviewed."


def store_source(store: Path, images: Path, modality: str = "CT") -> CaseSource:
    """The approved masks of a store.

    Args:
        store: folder of the store.
        images: folder below which the exams lie, as DICOM, NIfTI or NRRD.
        modality: "CT", or "MR" for the masks on brain MRI.
    """
    count = len(approved_labels(open_store(store), modality))
    about = (f"Review store: approved masks of {count} {'exams' if modality == 'CT' else 'MR series'}.",)
    cases = store_cases if modality == "CT" else study_cases
    return CaseSource("labels", modality, ("masks",), LICENCE, lambda: cases(store, images), about)


def store_cases(store: Path, images: Path) -> Iterator[Case]:
    """One case per approved exam whose series is in the folder, in the order of the store.

    An exam of an unknown patient is a patient of its own.

    Raises:
        ConfigError: the folder is no store. InputError: no images, or none of the approved exams among them.
    """
    opened = open_store(store)
    series = _series_below(images)
    found = False
    for label in approved_labels(opened):
        uid = label.exam.series_instance_uid
        if uid in series:
            found = True
            yield Case(f"labels/{label.case_id}", label_patient(label), _reader(opened, label, series[uid]))
    if not found:
        raise _not_here(images)


def study_cases(store: Path, images: Path) -> Iterator[Case]:
    """One case per brain MRI with approved masks whose series are in the folder; one that lacks there is left out.

    Raises as store_cases does.
    """
    opened = open_store(store)
    studies = {series.series_instance_uid: study for study in _studies_below(images) for series in study.series}
    by_study: dict[str, list[SignedLabel]] = {}
    for label in approved_labels(opened, "MR"):
        study = studies.get(label.exam.series_instance_uid)
        if study is not None:
            by_study.setdefault(study.study_instance_uid, []).append(label)
    for labels in by_study.values():
        study = studies[labels[0].exam.series_instance_uid]
        yield Case(f"labels/{labels[0].case_id}", label_patient(labels[0]), _study_reader(opened, labels, study))
    if not by_study:
        raise _not_here(images)


def _not_here(images: Path) -> InputError:
    return InputError(
        "None of the exams that readers approved is in the folder of the images.",
        where=str(images),
        next_step="Name the folder that holds the exams that were reviewed.",
    )


def missing_images(store: Path, images: Path) -> tuple[str, ...]:
    """case_id of each approved exam whose series is not in the folder."""
    series = _series_below(images)
    return tuple(
        label.case_id for label in approved_labels(open_store(store)) if label.exam.series_instance_uid not in series
    )


def open_store(store: Path) -> ReviewStore:
    """The store of a folder that holds one. Raises InputError: it is not made here."""
    if not (store / "about" / "store.json").exists():
        raise InputError("There is no review store.", where=str(store))
    return ReviewStore.open(store)


def approved_labels(store: ReviewStore, modality: str = "CT") -> tuple[SignedLabel, ...]:
    """The approved masks on head CT, or on series of brain MRI: a store may hold both."""
    return tuple(label for label in signed_labels(store) if label.exam.modality == modality)


def label_patient(label: SignedLabel) -> str:
    """By which a label is put into a part of a split; an exam of an unknown patient is a patient of its own."""
    return f"labels:{label.exam.patient_key or label.exam.voxels_sha256}"


def _series_below(images: Path) -> dict[str, list[Series]]:
    """SeriesInstanceUID -> its stacks."""
    found: dict[str, list[Series]] = {}
    for series in (series for study in _studies_below(images) for series in study.series):
        found.setdefault(series.series_instance_uid, []).append(series)
    return found


def _studies_below(images: Path) -> tuple[Study, ...]:
    if not images.is_dir():
        raise InputError("The folder of the images does not exist.", where=str(images))
    with open_input(images) as studies:
        return studies


def _reader(store: ReviewStore, label: SignedLabel, stacks: list[Series]) -> Callable[[], LabelledCt]:
    def read() -> LabelledCt:
        for series in stacks:
            try:
                volume, _ = read_volume(series)
            except NeuroTriageError:
                continue  # a scout under the same UID; if nothing else is there, the message below says so
            if voxels_sha256(volume.array_kji) == label.exam.voxels_sha256:
                return LabelledCt(volume, label.read(store))
        raise InputError(OTHER_VOXELS)

    return read


def _study_reader(store: ReviewStore, labels: Sequence[SignedLabel], study: Study) -> Callable[[], LabelledMr]:
    def read() -> LabelledMr:
        images = read_images(choose_mr_study(study, {})).images
        of_voxels = {voxels_sha256(image.volume.array_kji): contrast for contrast, image in images.items()}
        if not all(label.exam.voxels_sha256 in of_voxels for label in labels):
            raise InputError(OTHER_VOXELS)
        masks = {of_voxels[label.exam.voxels_sha256]: _findings(store, label) for label in labels}
        return LabelledMr(images, masks)

    return read


def _findings(store: ReviewStore, label: SignedLabel) -> dict[str, np.ndarray]:
    """Code -> its mask, of the findings that the model had been asked for: of these a reader has spoken."""
    values, asked = label.read(store), label.version.threshold
    drawn = {code: np.asarray(values == SEGMENT_VALUES[code]) for code in MR_CODES if code in SEGMENT_VALUES}
    return {code: mask for code, mask in drawn.items() if code in asked or mask.any()}
