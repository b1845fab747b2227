"""The present exam beside an earlier one in the scene: whose it is, when it was made, how its mask differs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import slicer

from NeuroTriageLib.core.errors import InputError
from NeuroTriageLib.measurements.midline_shift import measurable_midline_shift
from NeuroTriageLib.review.prior import TimedExam, VolumeChange, compare_with_prior, midline_change_words

from .findings_rows import short_name
from .review import Review
from .review_node import kept_state, review_nodes
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
    ct = _ct_of(prior)
    if ct is None:
        raise InputError("The prior segmentation does not say on which CT it was made.", where=prior.GetName())
    if ct is review.nodes.ct:
        raise InputError(
            "That is a segmentation of this same exam.", next_step="Choose the one of an earlier exam of the patient."
        )
    now = TimedExam(review.label_kji, review.result.grid, patient_of(review.nodes.ct), _time_of(review.nodes.ct))
    then = TimedExam(read_label(prior, ct), grid_of_volume(ct), patient_of(ct), _time_of(ct))
    return compare_with_prior(now, then, same_patient_confirmed=same_patient_confirmed)


def midline_change(review: Review, prior: slicer.vtkMRMLSegmentationNode) -> str:
    """How midline shift changed since the prior that the scene keeps a review of; "" when neither exam has it."""
    ct = _ct_of(prior)
    kept = [node for node in review_nodes() if node.GetNodeReference("ct") is ct]
    before = None
    if kept:
        try:
            before = measurable_midline_shift(kept_state(kept[-1]).midline, grid_of_volume(ct))
        except (ValueError, TypeError) as error:
            raise InputError("The review of the prior in the scene is damaged.", next_step="Run it again.") from error
    return midline_change_words(measurable_midline_shift(review.state.midline, review.result.grid), before)


def _ct_of(prior: slicer.vtkMRMLSegmentationNode) -> slicer.vtkMRMLScalarVolumeNode | None:
    return prior.GetNodeReference(slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole())


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
