"""A review store as a training set for head CT: the masks that readers approved, on the images that they were drawn on.

The store holds no images; they are found in a folder by their SeriesInstanceUID and known by the SHA-256 of their
voxels, so that a mask never meets another image. Which masks count is said in review/signed_labels.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from ..core.errors import InputError, NeuroTriageError
from ..core.study import Series
from ..io.inputs import open_input, read_volume
from ..review.signed_labels import SignedLabel, signed_labels
from ..review.store import ReviewStore
from ..review.versions import voxels_sha256
from .case_source import CaseSource
from .labelled_case import Case, LabelledCt

LICENCE = "masks and images of this site; they are not passed on with the model"


def store_source(store: Path, images: Path) -> CaseSource:
    """The approved masks of a store.

    Args:
        store: folder of the store.
        images: folder below which the exams lie, as DICOM, NIfTI or NRRD.
    """
    about = (f"Review store: approved masks of {len(approved_labels(open_store(store)))} exams.",)
    return CaseSource("labels", "CT", ("masks",), LICENCE, lambda: store_cases(store, images), about)


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
        raise InputError(
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


def approved_labels(store: ReviewStore) -> tuple[SignedLabel, ...]:
    """The approved masks on head CT; a store may hold reviews of MRI too."""
    return tuple(label for label in signed_labels(store) if label.exam.modality == "CT")


def label_patient(label: SignedLabel) -> str:
    """By which a label is put into a part of a split; an exam of an unknown patient is a patient of its own."""
    return f"labels:{label.exam.patient_key or label.exam.voxels_sha256}"


def _series_below(images: Path) -> dict[str, list[Series]]:
    """SeriesInstanceUID -> its stacks."""
    if not images.is_dir():
        raise InputError("The folder of the images does not exist.", where=str(images))
    found: dict[str, list[Series]] = {}
    with open_input(images) as studies:
        for series in (series for study in studies for series in study.series):
            found.setdefault(series.series_instance_uid, []).append(series)
    return found


def _reader(store: ReviewStore, label: SignedLabel, stacks: list[Series]) -> Callable[[], LabelledCt]:
    def read() -> LabelledCt:
        for series in stacks:
            try:
                volume, _ = read_volume(series)
            except NeuroTriageError:
                continue  # a scout under the same UID; if nothing else is there, the message below says so
            if voxels_sha256(volume.array_kji) == label.exam.voxels_sha256:
                return LabelledCt(volume, label.read(store))
        raise InputError("The series in the folder holds other voxels than those that were reviewed.")

    return read
