"""A folder with one exam's DICOM objects, complete or not there at all; and the message when a package is missing."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.dicom_source import DicomSource
from ..core.errors import OutputError, output_error
from ..core.findings import ExamResult

if TYPE_CHECKING:
    from .dicom.writer import DicomForms


def dicom_writer() -> tuple[type[DicomForms], Callable[..., None]]:
    """DicomForms and write_dicom of dicom/writer.py. Raises OutputError when highdicom or reportlab is missing."""
    try:
        from .dicom.writer import DicomForms, write_dicom
    except ImportError as error:
        raise OutputError(
            f"DICOM results need a package that is not installed ({error.name}).",
            next_step="Install it with: pip install 'neurotriage[dicom]'",
        ) from error
    return DicomForms, write_dicom


def write_dicom_folder(result: ExamResult, folder: Path, source: DicomSource) -> list[str]:
    """Write the objects of an exam into a new folder and return their names.

    Raises OutputError: the folder is there already, no rights, a full disk, a package is missing.
    """
    _, write_dicom = dicom_writer()
    if folder.exists():
        raise OutputError("There is such a folder already.", where=str(folder), next_step="Name a new one.")
    partial: Path | None = None
    try:
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".partial", dir=folder.parent))
        write_dicom(result, partial, source=source)
        names = sorted(path.name for path in partial.iterdir())
        os.replace(partial, folder)
    except OSError as error:
        raise output_error(error, folder) from error
    finally:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)
    return names
