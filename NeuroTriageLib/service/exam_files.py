"""The files of an exam as a reader's screen asks for them: report, key images, whose it is, all of it for review."""

from __future__ import annotations

import io
import logging
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pydicom
from PIL import Image

from ..core.errors import InputError
from ..core.plain_text import one_line
from ..outputs.result_files import FINDINGS_FILE, REPORT_FILE
from .ledger import Ledger
from .review_files import bundles, images_of, review_archive

log = logging.getLogger(__name__)

# Exams whose patients are remembered, in memory only; a worklist shows a few hundred (ours).
MOST_PATIENTS = 2000
MOST_CHARACTERS = 200  # of a text of the header; a name has up to 194 in three groups (PS3.5, 6.2)
_KEY_IMAGES = "key_image_*.dcm"
_HEADER = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyDescription")


@dataclass(frozen=True)
class PatientHeader:
    """Whose exam it is, as its images say; "" where they do not. Never written to ledger, log or metrics."""

    patient_name: str = ""
    patient_id: str = ""
    birth_date: str = ""
    sex: str = ""
    accession_number: str = ""
    study_description: str = ""

    def to_json(self) -> dict[str, str]:
        """Plain values."""
        return asdict(self)


class ExamFiles:
    """Finds them by the ledger; safe to use from several threads.

    Args:
        ledger: the node's memory.
        inbox_folder: below it lie the images.
        results_folder: below it lie the results.
    """

    def __init__(self, ledger: Ledger, inbox_folder: Path, results_folder: Path) -> None:
        self._ledger, self._inbox, self._results = ledger, inbox_folder, results_folder
        self._patients: OrderedDict[int, PatientHeader] = OrderedDict()
        self._key_images: dict[Path, int] = {}
        self._lock = threading.Lock()

    def report(self, exam_id: int) -> Path:
        """The HTML page. Raises InputError when there is none (any more), as everything here does."""
        return self._file(exam_id, REPORT_FILE)

    def findings(self, exam_id: int) -> Path:
        """findings.json."""
        return self._file(exam_id, FINDINGS_FILE)

    def key_image_count(self, exam_id: int) -> int:
        """How many key images there are; 0 too when there is no result."""
        folder = self._result_folder(exam_id)
        if folder is None:
            return 0
        if folder not in self._key_images:  # a result never changes
            self._key_images[folder] = len(list(folder.glob(_KEY_IMAGES)))
        return self._key_images[folder]

    def key_image_png(self, exam_id: int, number: int) -> bytes:
        """A key image (from 1) as PNG."""
        folder = self._result_folder(exam_id)
        paths = sorted(folder.glob(_KEY_IMAGES)) if folder is not None else []
        if not 1 <= number <= len(paths):
            raise _missing(f"key image {number}")
        picture = Image.fromarray(pydicom.dcmread(paths[number - 1]).pixel_array)
        content = io.BytesIO()
        picture.save(content, "PNG")
        return content.getvalue()

    def patient(self, exam_id: int) -> PatientHeader:
        """Whose exam it is; empty when its images were removed by the retention rule."""
        with self._lock:
            known = self._patients.get(exam_id)
        if known is not None:
            return known
        rows = self._ledger.rows("SELECT path FROM image WHERE exam_id = ? ORDER BY received_at LIMIT 1", (exam_id,))
        if not rows:
            return PatientHeader()
        header = _read_header(self._inbox / rows[0]["path"])
        with self._lock:
            self._patients[exam_id] = header
            while len(self._patients) > MOST_PATIENTS:
                self._patients.popitem(last=False)
        return header

    def review(self, exam_id: int) -> Iterator[bytes]:
        """A zip for Slicer's panel (review_files.py), piece by piece; the images must still be there."""
        folder = self._result_folder(exam_id)
        paths = bundles(folder) if folder is not None else []
        if not paths:
            raise _missing("the answer for a review")
        wanted = dict.fromkeys(uid for path in paths for uid in images_of(path))
        rows = self._image_rows(exam_id)
        images = {row["sop_uid"]: self._inbox / row["path"] for row in rows if row["sop_uid"] in wanted}
        if not wanted or len(images) < len(wanted) or not all(path.is_file() for path in images.values()):
            raise _missing("a part of the images")
        return review_archive(paths, images)

    def _image_rows(self, exam_id: int) -> list:
        """Every image of the study: an earlier revision may have brought some of those that were read."""
        return self._ledger.rows(
            "SELECT sop_uid, path FROM image JOIN exam ON exam.id = image.exam_id"
            " WHERE study_uid = (SELECT study_uid FROM exam WHERE id = ?)",
            (exam_id,),
        )

    def _file(self, exam_id: int, name: str) -> Path:
        folder = self._result_folder(exam_id)
        if folder is None or not (folder / name).is_file():
            raise _missing(name)
        return folder / name

    def _result_folder(self, exam_id: int) -> Path | None:
        rows = self._ledger.rows("SELECT result FROM exam WHERE id = ? AND state != 'deleted'", (exam_id,))
        return self._results / rows[0]["result"] if rows and rows[0]["result"] else None


def _read_header(path: Path) -> PatientHeader:
    """Empty when it cannot be read: one odd image must not keep the other exams from the list."""
    try:
        dataset = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(_HEADER))
        name, *others = (one_line(str(dataset.get(keyword) or ""))[:MOST_CHARACTERS] for keyword in _HEADER)
    except Exception as error:  # what a made-up file makes pydicom raise is not to be foreseen; nothing is kept of it
        log.warning("the header of an image cannot be read: %s", type(error).__name__)
        return PatientHeader()
    return PatientHeader(_spoken(name), *others)


def _spoken(name: str) -> str:
    """ "Family, Given Middle" of the first of the name's groups (PS3.5, 6.2.1)."""
    family, _, rest = name.partition("=")[0].partition("^")
    return ", ".join(part for part in (family.strip(), " ".join(rest.replace("^", " ").split())) if part)


def _missing(what: str) -> InputError:
    return InputError(
        f"The node does not have {what} of this exam.",
        next_step="It is not answered yet, or the retention rule has removed it.",
    )
