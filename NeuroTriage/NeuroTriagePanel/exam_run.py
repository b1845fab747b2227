"""One run of one volume: what goes to the worker, and whether what comes back still fits the scene."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import slicer

from NeuroTriageLib.core.errors import InputError
from NeuroTriageLib.core.exam_bundle import BUNDLE_FILE
from NeuroTriageLib.core.exchange import load_exam_pausing, save_volume
from NeuroTriageLib.core.pauses import Pausing

from .review import Review
from .review_node import keep_in_scene
from .scene_bridge import ExamNodes, show_exam_pausing, volume_from_node
from .slice_views import first_key_point_ras, look_at, show_in_slice_views
from .volume_geometry import grid_of_volume
from .volume_modality import contrast_of

# A volume that moved by more than this during the run is another volume (ours: a tenth of a pixel).
MOVED_MM = 0.05


@dataclass(frozen=True)
class RunChoices:
    """What the user chose for a run.

    Args:
        system: catalog key, None for the default one.
        device: "auto", "cpu" or "cuda".
        model: path of a model pack in place of the one that ships, None for that one.
        accept_unfamiliar: answer also an exam that is unlike those that the models learned from.
    """

    system: str | None = None
    device: str = "auto"
    model: str | None = None
    accept_unfamiliar: bool = False


class ExamRun:
    """A volume on its way: the folders that carry it and its result.

    Args:
        volume_node: what is read. Raises InputError or GeometryError when it cannot be.
    """

    def __init__(self, volume_node: slicer.vtkMRMLScalarVolumeNode) -> None:
        self._node_id, self._name = volume_node.GetID(), volume_node.GetName()
        self._node = volume_node
        self._volume, self._contrast = volume_from_node(volume_node), contrast_of(volume_node)
        if self._volume.modality == "MR" and not self._contrast:
            raise InputError(
                "It is not known which contrast this MR volume has.",
                where=self._name,
                next_step="State it in the section Study, or read the whole study from disk or the DICOM database.",
            )
        self._folder = Path(tempfile.mkdtemp(prefix="neurotriage-"))
        save_volume(self._volume, self._folder / "volume")

    @property
    def slices(self) -> int:
        """Number of slices that are read."""
        return self._volume.grid.shape_kji[0]

    def request(self, run: int, choices: RunChoices) -> dict:
        """What the worker is asked."""
        return {
            "id": run,
            "command": "triage",
            "volume": str(self._folder / "volume"),
            "result": str(self._folder / "result"),
            "system": choices.system,
            "device": choices.device,
            "model": choices.model,
            "accept_unfamiliar": choices.accept_unfamiliar,
            "contrast": self._contrast,
        }

    def show_pausing(self, event: dict) -> Pausing[Review]:
        """Put the result into the scene, with pauses in which the interface answers, and look at the first finding.

        Args:
            event: the worker's "result".

        Raises InputError when the volume was removed, moved or replaced meanwhile; nothing is shown then.
        """
        result_folder = Path(event["result"])
        result = yield from load_exam_pausing(result_folder, self._volume)
        nodes = ExamNodes(self._unchanged_node())
        yield from show_exam_pausing(result, nodes)
        show_in_slice_views(nodes.ct)
        look_at(first_key_point_ras(result))
        yield
        review = Review(result, nodes)
        yield
        keep_in_scene(review, (result_folder / BUNDLE_FILE).read_bytes())
        return review

    def discard(self) -> None:
        """Remove the folders."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _unchanged_node(self) -> slicer.vtkMRMLScalarVolumeNode:
        node = slicer.mrmlScene.GetNodeByID(self._node_id)
        if node is None or node is not self._node:
            raise InputError(
                "The volume was removed from the scene while it was read; its result was discarded.",
                next_step="Load it again and run again.",
            )
        if not grid_of_volume(node).same_as(self._volume.grid, tolerance_mm=MOVED_MM):
            raise InputError(
                "The volume was moved or replaced while it was read; its result was discarded.",
                where=self._name,
                next_step="Run again.",
            )
        return node
