"""What a volume in the scene is, head CT or which MR contrast: by its header, its units, or the user's word."""

from __future__ import annotations

import slicer

from .dicom_database import header_value

MODALITY_ATTRIBUTE, CONTRAST_ATTRIBUTE = "NeuroTriage.modality", "NeuroTriage.contrast"
_STATED_ATTRIBUTE = "NeuroTriage.stated_by_user"
_MODALITY_TAG = "0008,0060"
_HOUNSFIELD = "Hounsfield unit"


def modality_of(node: slicer.vtkMRMLScalarVolumeNode) -> str:
    """DICOM's word ("CT", "MR"), the user's first; "" when nothing says it."""
    units = node.GetVoxelValueUnits()
    by_units = "CT" if units is not None and units.GetCodeMeaning() == _HOUNSFIELD else ""
    return node.GetAttribute(MODALITY_ATTRIBUTE) or header_value(node, _MODALITY_TAG) or by_units


def contrast_of(node: slicer.vtkMRMLScalarVolumeNode) -> str:
    """The MR contrast as which it was read or stated (core.mr_images.CONTRASTS); "" of others."""
    return (node.GetAttribute(CONTRAST_ATTRIBUTE) or "") if modality_of(node) == "MR" else ""


def note_modality(node: slicer.vtkMRMLScalarVolumeNode, modality: str, contrast: str = "") -> None:
    """Keep with the node what it is known to be."""
    node.SetAttribute(MODALITY_ATTRIBUTE, modality or None)
    node.SetAttribute(CONTRAST_ATTRIBUTE, contrast or None)


def state_modality(node: slicer.vtkMRMLScalarVolumeNode, modality: str, contrast: str = "") -> None:
    """Keep the user's word on it; without a modality the word is taken back."""
    note_modality(node, modality, contrast)
    node.SetAttribute(_STATED_ATTRIBUTE, "true" if modality else None)


def is_stated(node: slicer.vtkMRMLScalarVolumeNode) -> bool:
    """True when the user has said what it is."""
    return node.GetAttribute(_STATED_ATTRIBUTE) == "true"


def can_be_stated(node: slicer.vtkMRMLScalarVolumeNode) -> bool:
    """True when the user's word is wanted, or was given: nothing else says modality, or of an MR image the contrast."""
    modality = modality_of(node)
    return is_stated(node) or not modality or (modality == "MR" and not contrast_of(node))
