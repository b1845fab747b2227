"""Slicer's DICOM database, and what it still knows of the files of which a volume was made."""

from __future__ import annotations

from typing import Any

import slicer


def database() -> Any:
    """Slicer's DICOM database, None when there is none or it is closed."""
    found = getattr(slicer, "dicomDatabase", None)
    return found if found is not None and found.isOpen else None


def header_value(node: slicer.vtkMRMLScalarVolumeNode, tag: str) -> str:
    """A value of the header of a volume's first instance, by its tag ("0008,0060"); "" where the database has none."""
    db, uids = database(), (node.GetAttribute("DICOM.instanceUIDs") or "").split()
    if db is None or not uids or not db.fileForInstance(uids[0]):
        return ""
    return db.instanceValue(uids[0], tag)
