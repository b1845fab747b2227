"""What Slicer's panel needs to open an answered exam for review: the answer in full, and its images."""

from __future__ import annotations

import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..core.errors import InputError
from ..core.exam_bundle import write_bundle
from ..core.exchange import EXAM_FILE, save_exam
from ..core.findings import ExamResult

FOLDER = "review"
"""Below an exam's results."""
IMAGES_FOLDER = "images"
_PIECE_BYTES = 1 << 20


def write_review_files(results: Sequence[ExamResult], folder: Path) -> None:
    """Write one bundle (core/exam_bundle.py) for each series that something is shown on, in the order of the answer.

    Images stay out: those that were received are sent along by review_archive.

    Args:
        results: the answer.
        folder: of the exam's results; gets a new folder "review".
    """
    target = folder / FOLDER
    target.mkdir()
    for number, result in enumerate(results, start=1):
        with tempfile.TemporaryDirectory(prefix="neurotriage-") as work:
            save_exam(result, Path(work))
            shutil.copyfile(write_bundle(Path(work)), target / f"exam_{number}.zip")


def bundles(folder: Path) -> list[Path]:
    """The bundles of an exam's results, in the order of the answer; none when it was read without them."""
    found = (folder / FOLDER).glob("exam_*.zip")
    return sorted(found, key=lambda path: int(path.stem.removeprefix("exam_")))


def images_of(bundle: Path) -> list[str]:
    """SOP Instance UIDs of the images that a bundle is about. Raises InputError when it is damaged."""
    try:
        with zipfile.ZipFile(bundle) as archive:
            document = json.loads(archive.read(EXAM_FILE))
        return [str(uid) for uid in document["volume"]["sop_instance_uids"]]
    except (OSError, zipfile.BadZipFile, ValueError, KeyError, TypeError) as error:
        raise InputError("The exam's files for review are damaged.", where=bundle.name) from error


def review_archive(bundle_paths: Sequence[Path], images: dict[str, Path]) -> Iterator[bytes]:
    """A zip, piece by piece: "exam_1.zip", ..., and "images/UID.dcm".

    Args:
        bundle_paths: of the exam.
        images: SOP Instance UID -> file.
    """
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:  # bundles and most images are compressed already
        members = [(path.name, path) for path in bundle_paths]
        members += [(f"{IMAGES_FOLDER}/{uid}.dcm", path) for uid, path in images.items()]
        for name, path in members:
            with path.open("rb") as source, archive.open(name, "w", force_zip64=True) as member:
                while piece := source.read(_PIECE_BYTES):
                    member.write(piece)
                    yield sink.taken()
    yield sink.taken()


class _Sink(io.RawIOBase):
    """A file that cannot be sought in: what was written since it was last asked."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        """It is only written to."""
        return True

    def write(self, piece) -> int:  # type: ignore[no-untyped-def, override]
        """Keep the piece."""
        self._pieces.append(bytes(piece))
        return len(piece)

    def taken(self) -> bytes:
        """Everything since the last time."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)
