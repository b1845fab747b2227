"""What training may learn from a review store: one approved mask per exam, each image once, flagged cases left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .store import ReviewStore
from .versions import ExamReference, Version


@dataclass(frozen=True, eq=False)
class SignedLabel:
    """One exam with the mask that stands for it.

    Args:
        case_id: of the store.
        exam: its images; patient_key is the pseudonym by which exams are split ("" when the patient is unknown).
        version: the approved version.
    """

    case_id: str
    exam: ExamReference
    version: Version

    def read(self, store: ReviewStore) -> np.ndarray:
        """(K, J, I) uint8 label map (labels.SEGMENT_CODES). Raises InputError when it is damaged."""
        return store.label(self.case_id, self.version.number)


def signed_labels(store: ReviewStore) -> tuple[SignedLabel, ...]:
    """The latest approved mask of every exam, in the order of the cases.

    A case is left out while the latest signed version of any reader flags it. The same image in two series counts once,
    with the mask that was approved last.
    """
    by_image: dict[str, SignedLabel] = {}
    for case_id in store.cases():
        versions = store.versions(case_id)
        last_signed = {version.reader: version for version in versions if version.is_signed}
        approved = [version for version in versions if version.status == "approved"]
        if not approved or any(version.status == "flagged" for version in last_signed.values()):
            continue
        label = SignedLabel(case_id, store.exam(case_id), approved[-1])
        known = by_image.get(label.exam.voxels_sha256)
        if known is None or known.version.created_utc <= label.version.created_utc:
            by_image[label.exam.voxels_sha256] = label
    return tuple(sorted(by_image.values(), key=lambda label: label.case_id))
