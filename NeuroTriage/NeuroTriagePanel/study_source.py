"""Where studies come from: Slicer's DICOM database, or files on disk; and what a volume in the scene says of itself."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import slicer
from slicer.i18n import tr as _

from NeuroTriageLib.core.errors import GeometryError, InputError
from NeuroTriageLib.core.mr_images import CONTRAST_NAMES

from .dicom_database import database, header_value
from .volume_geometry import grid_of_volume
from .volume_modality import contrast_of, is_stated, modality_of

# A stack whose slices are stacked obliquely by more than this is worth a word (ours); tilted gantries have 5 to 25.
_TILT_WORTH_SAYING_DEG = 1.0
_EVEN_WITHIN_MM = 0.05
_KERNEL_TAG, _CONTRAST_TAG, _SERIES_TAG = "0018,1210", "0018,0010", "0008,103E"


@dataclass(frozen=True)
class StudyChoice:
    """One study of the DICOM database.

    Args:
        uid: StudyInstanceUID.
        text: date, description and patient for the selector.
        modalities: of its series.
    """

    uid: str
    text: str
    modalities: tuple[str, ...]


def database_studies(modalities: Collection[str] = ()) -> list[StudyChoice]:
    """The studies of the database, the newest first; only those with a series of the modalities when some are named."""
    db, studies = database(), []
    for patient in db.patients() if db is not None else ():
        for study in db.studiesForPatient(patient):
            found = tuple(sorted({db.fieldForSeries("Modality", series) for series in db.seriesForStudy(study)}))
            if not modalities or set(modalities) & set(found):
                date = db.fieldForStudy("StudyDate", study)
                texts = (date, db.descriptionForStudy(study), db.nameForPatient(patient), "/".join(found))
                studies.append((date, StudyChoice(study, "  ".join(t for t in texts if t), found)))
    return [choice for date, choice in sorted(studies, key=lambda item: item[0], reverse=True)]


def database_files(uid: str) -> list[str]:
    """Every file of a study, or of one series when the UID is a series'."""
    db = database()
    if db is None:
        return []
    return [file for series in db.seriesForStudy(uid) or (uid,) for file in db.filesForSeries(series)]


def files_of_volume(node: slicer.vtkMRMLScalarVolumeNode) -> list[str]:
    """The DICOM files of which a volume was made, as far as the database still has them; [] when it knows none."""
    db, uids = database(), (node.GetAttribute("DICOM.instanceUIDs") or "").split()
    if db is None:
        return []
    return sorted({file for uid in uids if (file := db.fileForInstance(uid))})


def load_from_database(series_uid: str) -> slicer.vtkMRMLScalarVolumeNode:
    """Load a series as Slicer's DICOM module does, patient and study in the subject hierarchy included.

    Raises InputError when no volume came of it.
    """
    from DICOMLib import DICOMUtils

    for node_id in DICOMUtils.loadSeriesByUID([series_uid]):
        node = slicer.mrmlScene.GetNodeByID(node_id)
        if node is not None and node.IsA("vtkMRMLScalarVolumeNode"):
            return node
    raise InputError("Slicer's DICOM module made no volume of the series.", next_step="Load it there and look why.")


def recognised_text(node: slicer.vtkMRMLScalarVolumeNode | None) -> str:
    """What is known of a volume before it is read: modality, series, kernel, contrast, slices, tilt; "" without one."""
    if node is None or node.GetImageData() is None:
        return ""
    try:
        grid = grid_of_volume(node)
    except (InputError, GeometryError) as error:
        return error.message()
    slices, rows, columns = grid.shape_kji
    spacings = grid.slice_spacings_mm
    parts = [text for text in _header_texts(node) if text]
    parts.append(_("{0} slices of {1} x {2}").format(slices, columns, rows))
    if len(spacings):
        even = spacings.max() - spacings.min() <= _EVEN_WITHIN_MM
        between = f"{spacings.min():.1f}" if even else f"{spacings.min():.1f} to {spacings.max():.1f}"
        parts.append(_("{0} mm apart").format(between))
    if grid.tilt_deg > _TILT_WORTH_SAYING_DEG:
        parts.append(_("tilted by {0:.0f} degrees").format(grid.tilt_deg))
    return ", ".join(parts) + "."


def _header_texts(node: slicer.vtkMRMLScalarVolumeNode) -> list[str]:
    """Modality, then series description, kernel and contrast agent of the first instance where the database has it."""
    modality = modality_of(node)
    series, kernel, contrast = (header_value(node, tag) for tag in (_SERIES_TAG, _KERNEL_TAG, _CONTRAST_TAG))
    named = " ".join(filter(None, (modality or _("modality not stated"), CONTRAST_NAMES.get(contrast_of(node), ""))))
    return [
        _("{0} (as you stated)").format(named) if is_stated(node) else named,
        f'"{series}"' if series else "",
        _("kernel {0}").format(kernel) if kernel else "",
        _("contrast: {0}").format(contrast) if contrast else "",
    ]
