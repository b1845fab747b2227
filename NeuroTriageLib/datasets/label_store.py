"""A review store as a training set: the masks that readers approved, on the images that they were drawn on.

The store holds no images; they are found in a folder by their SeriesInstanceUID and known by the SHA-256 of their
voxels, so that a mask never meets another image. Which masks count is said in review/signed_labels.py.
"""

from __future__ import annotations

import hashlib
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
            read = _reader(opened, label, series[uid])
            yield Case(f"labels/{label.case_id}", label_patient(label), read, label.version.mask_sha256)
    if not found:
        if not approved_labels(opened) and approved_labels(opened, "MR"):
            raise InputError("The approved masks of this store are all of brain MRI, not of head CT.", where=str(store))
        raise _not_here(images)


def study_cases(store: Path, images: Path) -> Iterator[Case]:
    """One case per brain MRI in the folder that has approved masks; one whose images are elsewhere is left out.

    Raises as store_cases does.
    """
    opened = open_store(store)
    by_series: dict[str, list[SignedLabel]] = {}
    for label in approved_labels(opened, "MR"):
        by_series.setdefault(label.exam.series_instance_uid, []).append(label)
    found = False
    for study in _studies_below(images):
        labels = [label for series in study.series for label in by_series.get(series.series_instance_uid, ())]
        if not labels:
            continue
        found = True
        place = _place(study, images)
        patient = next((label.exam.patient_key for label in labels if label.exam.patient_key), place)
        version = " ".join(sorted(label.version.mask_sha256 for label in labels))
        yield Case(f"labels/study-{place}", f"labels:{patient}", _study_reader(opened, labels, study), version)
    if not found:
        raise _not_here(images)


def _place(study: Study, images: Path) -> str:
    """A hash that tells studies apart: of the StudyInstanceUID, or of the folder that image files lie in."""
    first = study.series[0]
    folder = first.instances[0].path.parent
    place = folder.relative_to(images) if folder.is_relative_to(images) else Path(folder.name)  # of a zip
    own = study.study_instance_uid if first.file_format == "dicom" else str(place)
    return hashlib.blake2b(own.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


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
    """Masks go to the images that they were drawn on, which the voxels tell: files in different folders share names."""

    def read() -> LabelledMr:
        images = read_images(choose_mr_study(study, {})).images
        of_voxels = {voxels_sha256(image.volume.array_kji): contrast for contrast, image in images.items()}
        masks = {
            of_voxels[label.exam.voxels_sha256]: _findings(store, label)
            for label in labels
            if label.exam.voxels_sha256 in of_voxels
        }
        if not masks:
            raise InputError("None of the series that are read for a contrast is one that was reviewed.")
        return LabelledMr(images, masks)

    return read


def _findings(store: ReviewStore, label: SignedLabel) -> dict[str, np.ndarray]:
    """Code -> its mask, of the findings that the model had been asked for: of these a reader has spoken."""
    values, asked = label.read(store), label.version.threshold
    drawn = {code: np.asarray(values == SEGMENT_VALUES[code]) for code in MR_CODES if code in SEGMENT_VALUES}
    return {code: mask for code, mask in drawn.items() if code in asked or mask.any()}
