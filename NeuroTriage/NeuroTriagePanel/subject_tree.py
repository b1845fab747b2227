"""Where the results stand in the subject hierarchy: patient > study > CT and a folder with what was found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import slicer

from .volume_geometry import ACQUISITION_ATTRIBUTE

FOLDER_NAME = "NeuroTriage"


@dataclass(frozen=True)
class Subject:
    """Names for a patient and a study that the scene does not know yet; neutral, as they are written to files."""

    patient_name: str = "Patient"
    study_name: str = "Head CT"
    study_instance_uid: str = ""
    series_instance_uid: str = ""
    patient_key: str = ""
    study_date: str = ""


def place_in_subject_tree(
    ct_node: slicer.vtkMRMLScalarVolumeNode, result_nodes: Iterable[slicer.vtkMRMLNode], subject: Subject
) -> int:
    """Put the results into a new folder beside the CT; give the CT a patient and study when it has no parent yet.

    Inside Slicer every node gets its item by itself, outside nobody makes it: items are made where they are missing.
    Returns the folder's item ID.
    """
    tree = _tree()
    parent = place_in_study(ct_node, subject)
    folder = tree.CreateFolderItem(parent, _free_name(tree, parent, FOLDER_NAME))
    for node in result_nodes:
        tree.SetItemParent(_item_of(tree, node), folder)
    return folder


def place_in_study(ct_node: slicer.vtkMRMLScalarVolumeNode, subject: Subject) -> int:
    """Give the CT a patient and a study when it has no parent yet. Returns the item that it lies in."""
    tree = _tree()
    ct_item = _item_of(tree, ct_node)
    parent = tree.GetItemParent(ct_item)
    if parent == tree.GetSceneItemID():
        parent = _new_study(tree, subject)
        tree.SetItemParent(ct_item, parent)
    _note_series(tree, ct_item, subject.series_instance_uid)
    transform = ct_node.GetParentTransformNode()
    if transform is not None and transform.GetAttribute(ACQUISITION_ATTRIBUTE):
        tree.SetItemParent(_item_of(tree, transform), parent)
    return parent


def place_beside(node: slicer.vtkMRMLScalarVolumeNode, other: slicer.vtkMRMLScalarVolumeNode, series_uid: str) -> None:
    """Put a series into the study in which another one lies."""
    tree = _tree()
    item = _item_of(tree, node)
    tree.SetItemParent(item, tree.GetItemParent(_item_of(tree, other)))
    _note_series(tree, item, series_uid)


def put_into_folder(node: slicer.vtkMRMLNode, folder_item: int) -> None:
    """Put one more node into the folder of the results (0: there is none)."""
    tree = _tree()
    if folder_item:
        tree.SetItemParent(_item_of(tree, node), folder_item)


def folder_of(node: slicer.vtkMRMLNode) -> int:
    """The item in which a node lies, 0 when it is in no folder."""
    tree = _tree()
    item = tree.GetItemByDataNode(node)
    parent = tree.GetItemParent(item) if item else 0
    return 0 if parent == tree.GetSceneItemID() else parent


def series_instance_uid(ct_node: slicer.vtkMRMLScalarVolumeNode) -> str:
    """The SeriesInstanceUID that Slicer's DICOM module noted for the volume, "" when there is none."""
    tree = _tree()
    return tree.GetItemUID(tree.GetItemByDataNode(ct_node), _uid_name()) or ""


def _tree() -> slicer.vtkMRMLSubjectHierarchyNode:
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)


def _uid_name() -> str:
    return slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMUIDName()


def _item_of(tree: slicer.vtkMRMLSubjectHierarchyNode, node: slicer.vtkMRMLNode) -> int:
    return tree.GetItemByDataNode(node) or tree.CreateItem(tree.GetSceneItemID(), node)


def _note_series(tree: slicer.vtkMRMLSubjectHierarchyNode, item: int, series_uid: str) -> None:
    """By its UID a volume is found again in the store of reviews and among the DICOM files."""
    if series_uid and not tree.GetItemUID(item, _uid_name()):
        tree.SetItemUID(item, _uid_name(), series_uid)


def _new_study(tree: slicer.vtkMRMLSubjectHierarchyNode, subject: Subject) -> int:
    patient = tree.CreateSubjectItem(tree.GetSceneItemID(), subject.patient_name)
    study = tree.CreateStudyItem(patient, subject.study_name)
    if subject.study_instance_uid:
        tree.SetItemUID(study, _uid_name(), subject.study_instance_uid)
    if subject.patient_key:
        tree.SetItemUID(patient, _uid_name(), subject.patient_key)
    if subject.study_date:
        date_name = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMStudyDateAttributeName()
        tree.SetItemAttribute(study, date_name, subject.study_date)
    return study


def _free_name(tree: slicer.vtkMRMLSubjectHierarchyNode, parent: int, name: str) -> str:
    number, free = 1, name
    while tree.GetItemChildWithName(parent, free):
        number += 1
        free = f"{name} {number}"
    return free


def patient_of(ct_node: slicer.vtkMRMLScalarVolumeNode) -> str:
    """What tells this patient from others: the DICOM PatientID of the hierarchy, "" when the scene does not know it."""
    patient = _ancestor(ct_node, slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMLevelPatient())
    return _tree().GetItemUID(patient, _uid_name()) or "" if patient else ""


def study_uid_of(ct_node: slicer.vtkMRMLScalarVolumeNode) -> str:
    """The StudyInstanceUID that Slicer's DICOM module noted, "" when there is none."""
    study = _ancestor(ct_node, slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMLevelStudy())
    return _tree().GetItemUID(study, _uid_name()) or "" if study else ""


def study_time(ct_node: slicer.vtkMRMLScalarVolumeNode) -> str:
    """Date and time of the study as YYYYMMDD[hhmmss], "" when the scene does not know them."""
    names = slicer.vtkMRMLSubjectHierarchyConstants
    study = _ancestor(ct_node, names.GetDICOMLevelStudy())
    if not study:
        return ""
    tree = _tree()
    date = tree.GetItemAttribute(study, names.GetDICOMStudyDateAttributeName()) or ""
    time = tree.GetItemAttribute(study, names.GetDICOMStudyTimeAttributeName()) or ""
    return "".join(c for c in date if c.isdigit()) + "".join(c for c in time.split(".")[0] if c.isdigit())


def _ancestor(node: slicer.vtkMRMLNode, level: str) -> int:
    """The item of a level ("Patient", "Study") above a node, 0 when there is none."""
    tree = _tree()
    item = tree.GetItemByDataNode(node)
    while item and item != tree.GetSceneItemID():
        if tree.GetItemLevel(item) == level:
            return item
        item = tree.GetItemParent(item)
    return 0
