"""One run of one volume: what goes to the worker, and whether what comes back still fits the scene."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import slicer

from NeuroTriageLib.core.errors import InputError
from NeuroTriageLib.core.exchange import load_exam, save_volume
from NeuroTriageLib.core.findings import ExamResult

from .scene_bridge import ExamNodes, show_exam, volume_from_node
from .slice_views import first_key_point_ras, look_at, show_in_slice_views
from .volume_geometry import grid_of_volume

# A volume that moved by more than this during the run is another volume (ours: a tenth of a pixel).
MOVED_MM = 0.05


class ExamRun:
    """A volume on its way: the folders that carry it and its result.

    Args:
        volume_node: what is read. Raises InputError or GeometryError when it cannot be.
    """

    def __init__(self, volume_node: slicer.vtkMRMLScalarVolumeNode) -> None:
        self._node_id, self._name = volume_node.GetID(), volume_node.GetName()
        self._node = volume_node
        self._volume = volume_from_node(volume_node)
        self._folder = Path(tempfile.mkdtemp(prefix="neurotriage-"))
        save_volume(self._volume, self._folder / "volume")

    def request(self, *, run: int, system: str | None, device: str) -> dict:
        """What the worker is asked; a system of None is its default one."""
        return {
            "id": run,
            "command": "triage",
            "volume": str(self._folder / "volume"),
            "result": str(self._folder / "result"),
            "system": system,
            "device": device,
            "model": None,
        }

    def show(self, result_folder: Path) -> tuple[ExamResult, ExamNodes]:
        """Put the result into the scene and look at the first finding.

        Raises InputError when the volume was removed, moved or replaced meanwhile; nothing is shown then.
        """
        node = self._unchanged_node()
        result = load_exam(result_folder, self._volume)
        nodes = show_exam(result, node)
        show_in_slice_views(nodes.ct, nodes.heatmaps[0] if nodes.heatmaps else None)
        look_at(first_key_point_ras(result))
        return result, nodes

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
