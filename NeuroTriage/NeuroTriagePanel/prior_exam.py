"""The present exam beside an earlier one in the scene: whose it is, when it was made, how its mask differs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import slicer

from NeuroTriageLib.core.errors import InputError
from NeuroTriageLib.review.prior import TimedExam, VolumeChange, compare_with_prior

from .findings_rows import short_name
from .review import Review
from .segment_arrays import read_label
from .subject_tree import patient_of, study_time
from .volume_geometry import grid_of_volume


def compare(
    review: Review, prior: slicer.vtkMRMLSegmentationNode, *, same_patient_confirmed: bool
) -> dict[str, VolumeChange]:
    """Code -> change since the prior.

    Args:
        review: the present exam.
        prior: segmentation of the earlier one, on the voxels of its CT.
        same_patient_confirmed: the user says so where the scene cannot tell.

    Raises:
        InputError: it is this exam's own mask, has no CT, or is not known to be of the same patient.
        GeometryError: both images share no place.
    """
    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    ct = prior.GetNodeReference(role)
    if ct is None:
        raise InputError("The prior segmentation does not say on which CT it was made.", where=prior.GetName())
    if ct is review.nodes.ct:
        raise InputError(
            "That is a segmentation of this same exam.", next_step="Choose the one of an earlier exam of the patient."
        )
    now = TimedExam(review.label_kji, review.result.grid, patient_of(review.nodes.ct), _time_of(review.nodes.ct))
    then = TimedExam(read_label(prior, ct), grid_of_volume(ct), patient_of(ct), _time_of(ct))
    return compare_with_prior(now, then, same_patient_confirmed=same_patient_confirmed)


def change_rows(changes: Mapping[str, VolumeChange]) -> list[tuple[str, ...]]:
    """Lines for the table of changes."""
    return [
        (
            short_name(code),
            f"{item.prior_ml:.1f}",
            f"{item.current_ml:.1f}",
            f"{item.change_ml:+.1f}",
            "–" if item.change_percent is None else f"{item.change_percent:+.0f}",
            "–" if item.expanded is None else "yes" if item.expanded else "no",
        )
        for code, item in changes.items()
    ]


def _time_of(ct: slicer.vtkMRMLScalarVolumeNode) -> datetime | None:
    text = study_time(ct)
    for form in ("%Y%m%d%H%M%S", "%Y%m%d"):
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    return None
