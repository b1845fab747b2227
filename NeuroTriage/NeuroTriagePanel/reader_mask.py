"""The reader's version of the mask beside the model's: made when first needed, watched, and the model's one locked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import contextmanager

import numpy as np
import slicer
import vtk

from NeuroTriageLib.review.labels import SEGMENT_VALUES

from .scene_bridge import ExamNodes
from .segment_arrays import read_label, write_label
from .volume_modality import modality_of

VERSION_ATTRIBUTE = "NeuroTriage.version"
READER_NAMES = {"CT": "Hemorrhage (reader)", "MR": "Findings (reader)"}


class ReaderMask:
    """Version 0 and the version that is being made.

    Args:
        nodes: of the exam; nodes.working is filled in when the reader's version is made.
        model_label: (K, J, I) of version 0 in the review's fixed values.
        codes: what can be painted; each has a segment in the reader's version.
        on_edited: called after each change of the reader's mask that did not come from here.
    """

    def __init__(
        self, nodes: ExamNodes, model_label: np.ndarray, codes: tuple[str, ...], on_edited: Callable[[], None]
    ) -> None:
        self._nodes, self._model_label, self._codes, self._on_edited = nodes, model_label, codes, on_edited
        self._removed: dict[str, np.ndarray] = {}
        self._observed: list[tuple[vtk.vtkObject, int]] = []
        self._ours = False
        for node in nodes.segmentations[:1]:
            node.SetAttribute(VERSION_ATTRIBUTE, "0")
            self._observe(node.GetSegmentation(), self._on_model_mask_changed)
        if self.exists:
            self._observe(nodes.working.GetSegmentation(), self._on_reader_mask_changed)

    @property
    def exists(self) -> bool:
        """True once there is a reader's version in the scene."""
        return self._nodes.working is not None and bool(slicer.mrmlScene.IsNodePresent(self._nodes.working))

    @property
    def node(self) -> slicer.vtkMRMLSegmentationNode | None:
        """The segmentation that is shown: the reader's, else the model's; None when nothing was drawn."""
        if self.exists:
            return self._nodes.working
        return self._nodes.segmentations[0] if self._nodes.segmentations else None

    def read(self) -> np.ndarray:
        """(K, J, I) the reader's mask."""
        return read_label(self._nodes.working, self._nodes.ct)

    def write(self, label_kji: np.ndarray) -> None:
        """Make the reader's mask this one."""
        self.make()
        self._removed = {}
        with self._own_change():
            write_label(self._nodes.working, self._nodes.ct, label_kji, self._codes)

    def make(self) -> slicer.vtkMRMLSegmentationNode:
        """The reader's node, a copy of the model's mask when it is new; every type has a segment to paint in."""
        if self.exists:
            return self._nodes.working
        model, ct = self._nodes.segmentations[0], self._nodes.ct
        node = slicer.mrmlScene.AddNewNodeByClass(
            "vtkMRMLSegmentationNode", slicer.mrmlScene.GenerateUniqueName(_reader_name(ct))
        )
        node.CreateDefaultDisplayNodes()
        node.SetReferenceImageGeometryParameterFromVolumeNode(ct)
        node.SetAndObserveTransformNodeID(ct.GetTransformNodeID())
        node.GetSegmentation().SetSourceRepresentationName("Binary labelmap")
        node.SetAttribute(VERSION_ATTRIBUTE, "reader")
        node.GetDisplayNode().CopyContent(model.GetDisplayNode())
        write_label(node, ct, self._model_label, self._codes)
        self._nodes.add_working(node)
        model.SetDisplayVisibility(False)
        self._observe(node.GetSegmentation(), self._on_reader_mask_changed)
        return node

    def remove(self, codes: Iterable[str]) -> None:
        """Take these types out of the reader's mask; put_back brings them again."""
        codes = [code for code in codes if code not in self._removed]
        if not codes:
            return
        self.make()
        label = self.read()
        for code in codes:
            self._removed[code] = label == SEGMENT_VALUES[code]
            label[self._removed[code]] = 0
        self._write_keeping(label)

    def put_back(self, codes: Iterable[str]) -> None:
        """Undo remove where nothing was drawn since."""
        codes = [code for code in codes if code in self._removed]
        if not codes:
            return
        label = self.read()
        for code in codes:
            label[self._removed.pop(code) & (label == 0)] = SEGMENT_VALUES[code]
        self._write_keeping(label)

    def close(self) -> None:
        """Stop watching."""
        for observed, tag in self._observed:
            observed.RemoveObserver(tag)
        self._observed = []

    def _write_keeping(self, label_kji: np.ndarray) -> None:
        kept = self._removed
        self.write(label_kji)
        self._removed = kept

    @contextmanager
    def _own_change(self):
        self._ours = True
        try:
            yield
        finally:
            self._ours = False

    def _observe(self, segmentation: slicer.vtkSegmentation, function: Callable) -> None:
        for event in (
            slicer.vtkSegmentation.SourceRepresentationModified,
            slicer.vtkSegmentation.RepresentationModified,  # an undo gives no other
            slicer.vtkSegmentation.SegmentModified,
            slicer.vtkSegmentation.SegmentRemoved,
            slicer.vtkSegmentation.SegmentAdded,
        ):
            self._observed.append((segmentation, segmentation.AddObserver(event, function)))

    def _on_reader_mask_changed(self, caller=None, event=None) -> None:
        if not self._ours and self.exists:
            self._on_edited()

    def _on_model_mask_changed(self, caller=None, event=None) -> None:
        """Version 0 is locked: whatever changed it is undone."""
        if self._ours or not slicer.mrmlScene.IsNodePresent(self._nodes.segmentations[0]):
            return
        with self._own_change():
            write_label(self._nodes.segmentations[0], self._nodes.ct, self._model_label)


def _reader_name(ct: slicer.vtkMRMLScalarVolumeNode) -> str:
    return READER_NAMES.get(modality_of(ct), READER_NAMES["CT"])
