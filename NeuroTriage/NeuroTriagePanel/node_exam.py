"""An exam on its way from a node into the scene."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from slicer.i18n import tr as _

from NeuroTriageLib.core.pauses import Pausing

from .review import Review
from .study_run import show_study_pausing
from .subject_tree import Subject


class NodeExam:
    """The folder that carries it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="neurotriage-"))

    def show_pausing(self, event: dict) -> Pausing[Review]:
        """Put every series that something is shown on into the scene; the review of the first with a finding.

        Args:
            event: "opened" of NeuroTriageLib/node_client.py.
        """
        study = event["study"]
        subject = Subject(
            study_name=_("Brain MRI") if study["reads"] == "MR" else _("Head CT"),
            study_instance_uid=study["study_instance_uid"],
            series_instance_uid="",
            patient_key=study["patient_key"],
            study_date=study["study_date"],
        )
        return (yield from show_study_pausing([Path(folder) for folder in event["results"]], subject))

    def discard(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
