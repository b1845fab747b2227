"""One run of a whole study on disk: the series that something is shown on come into the scene with their findings."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from NeuroTriageLib.core.exam_bundle import BUNDLE_FILE
from NeuroTriageLib.core.exchange import load_exam_pausing
from NeuroTriageLib.core.findings import ExamResult
from NeuroTriageLib.core.mr_images import CONTRAST_NAMES
from NeuroTriageLib.core.pauses import Pausing

from .exam_run import RunChoices
from .result_nodes import add_ct_node
from .review import CASE_ATTRIBUTE, Review
from .review_node import STUDY_ATTRIBUTE, keep_in_scene
from .scene_bridge import ExamNodes, right_handed, show_exam_pausing
from .slice_views import first_key_point_ras, look_at, show_in_slice_views
from .subject_tree import Subject, place_beside, place_in_study


class StudyRun:
    """A study on its way.

    Args:
        paths: folder, archive or files that hold it.
        subject: patient and study as the worker has told them.
        roles: MR role -> SeriesInstanceUID where the user overrules what a series is read as.
        case: of the list, for which it is read; "" for none.
    """

    slices = 0
    """How many will be read is known only afterwards: no seconds per slice are learned from a study."""

    def __init__(self, paths: list[str], subject: Subject, roles: Mapping[str, str], case: str = "") -> None:
        self._paths, self._subject, self._roles, self._case = paths, subject, dict(roles), case
        self._folder = Path(tempfile.mkdtemp(prefix="neurotriage-"))

    def request(self, run: int, choices: RunChoices) -> dict:
        """What the worker is asked."""
        return {
            "id": run,
            "command": "study",
            "paths": self._paths,
            "roles": self._roles,
            "result": str(self._folder),
            "system": choices.system,
            "device": choices.device,
            "model": choices.model,
            "accept_unfamiliar": choices.accept_unfamiliar,
        }

    def show_pausing(self, event: dict) -> Pausing[Review]:
        """Put every series into the scene, with pauses, and return the review of the first with a finding."""
        folders = [Path(folder) for folder in event["results"]]
        return (yield from show_study_pausing(folders, self._subject, self._case))

    def discard(self) -> None:
        """Remove the folders."""
        shutil.rmtree(self._folder, ignore_errors=True)


def show_study_pausing(folders: list[Path], study: Subject, case: str = "") -> Pausing[Review]:
    """Put the exams of a study into the scene, with pauses, and return the review of the first with a finding.

    Args:
        folders: exchange folder of each series that something is shown on, with its bundle (core/exam_bundle.py).
        study: patient and study; the series is each folder's own.
        case: of the list, to which all of them belong; "" for none.
    """
    token, reviews = uuid.uuid4().hex, []
    for folder in folders:
        result = right_handed((yield from load_exam_pausing(folder)))
        nodes = ExamNodes(add_ct_node(result.volume, series_name(result), result.contrast))
        nodes.ct.SetAttribute(CASE_ATTRIBUTE, case or None)
        yield
        subject = replace(study, series_instance_uid=result.volume.series_instance_uid)
        if reviews:
            place_beside(nodes.ct, reviews[0].nodes.ct, subject.series_instance_uid)
        else:
            place_in_study(nodes.ct, subject)
        yield from show_exam_pausing(result, nodes, subject)
        reviews.append(Review(result, nodes))
        keep_in_scene(reviews[-1], (folder / BUNDLE_FILE).read_bytes()).SetAttribute(STUDY_ATTRIBUTE, token)
        yield
    first = next((review for review in reviews if _is_found(review.result)), reviews[0])
    for review in reviews:
        if review is not first:
            review.close()
    show_in_slice_views(first.nodes.ct)
    look_at(first_key_point_ras(first.result))
    return first


def series_name(result: ExamResult) -> str:
    """The name of a series' volume in the scene."""
    return CONTRAST_NAMES[result.contrast] if result.contrast else "Head CT"


def _is_found(result: ExamResult) -> bool:
    return any(finding.status == "found" for finding in result.findings)
