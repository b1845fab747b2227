"""The files of the review store and what they hold: to bytes and back, strictly, each with its format's version."""

from __future__ import annotations

import dataclasses
import gzip
import io
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..core.codes import FINDING_CODES
from ..core.errors import InputError
from ..core.exchange import exam_from_plain, exam_to_plain
from ..core.findings import ExamResult, ModelIdentity, shown_types
from ..core.geometry import SliceGrid
from ..core.midline import MidlinePoints, MidlineShift
from ..core.sign_off import Difference
from ..core.volume import Volume
from ..outputs.segmentation import segmentation_bytes
from ..outputs.shown_masks import ShownMask, mask_name
from .labels import SEGMENT_CODES, SEGMENT_VALUES, label_of_reading, segment_codes
from .versions import ExamReference, ReaderEntry, Version

FORMAT_VERSION = 1
"""Changes only when a program that reads the present files would no longer understand them."""

STORE_FORMAT, EXAM_FORMAT, VERSION_FORMAT, ANSWER_FORMAT = (
    f"neurotriage-review-{name}" for name in ("store", "exam", "version", "answer")
)
STORE_FILE, EXAM_FILE, VERSION_FILE = "store.json", "exam.json", "version.json"
MASK_FILE, ANSWER_FILE, PROBABILITIES_FILE = "mask.seg.nrrd", "answer.json", "probabilities.npz"


def json_bytes(file_format: str, values: dict[str, Any]) -> bytes:
    """Values as an indented JSON document of a format."""
    document = {"format": file_format, "format_version": FORMAT_VERSION, **values}
    return (json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")


def read_json(path: Path, file_format: str) -> dict[str, Any]:
    """The inverse of json_bytes. Raises InputError when the file is damaged, another format or a later one."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        found = document.pop("format"), document.pop("format_version")
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise damaged(path) from error
    if found != (file_format, FORMAT_VERSION):
        raise InputError(
            f"The file is {found[0]} {found[1]}, not {file_format} {FORMAT_VERSION}.",
            where=str(path),
            next_step="A newer NeuroTriage may have written it.",
        )
    return document


def damaged(path: Path) -> InputError:
    """The error for a file of the store that is not what was written."""
    return InputError("A file of the review store is missing or damaged.", where=str(path), next_step="Restore it.")


def exam_bytes(exam: ExamReference, pseudonym: str) -> bytes:
    """exam.json; the patient's key is replaced by its pseudonym."""
    return json_bytes(
        EXAM_FORMAT,
        {
            "study_instance_uid": exam.study_instance_uid,
            "series_instance_uid": exam.series_instance_uid,
            "modality": exam.modality,
            "voxels_sha256": exam.voxels_sha256,
            "patient": pseudonym,
            "geometry": exam.grid.to_json(),
        },
    )


def read_exam(path: Path) -> ExamReference:
    """An exam's reference. Raises InputError."""
    values = read_json(path, EXAM_FORMAT)
    try:
        grid, patient = SliceGrid.from_json(values.pop("geometry")), values.pop("patient")
        return ExamReference(grid=grid, patient_key=patient, **values)
    except (KeyError, TypeError) as error:
        raise damaged(path) from error


def version_bytes(version: Version) -> bytes:
    """version.json; its own number is the folder's name and stands nowhere else."""
    values = dataclasses.asdict(version)
    del values["number"]
    if version.kind == "model":
        values["model_version"] = None
    # Only where it was measured: programs that do not know it yet can read the other versions.
    for part in (values, values["entry"] or {}):
        if part.get("midline") is None:
            part.pop("midline", None)
    return json_bytes(VERSION_FORMAT, {**values, "software": f"neurotriage {__version__}"})


def read_version(path: Path, number: int) -> Version:
    """One version. Raises InputError."""
    values = read_json(path, VERSION_FORMAT)
    try:
        del values["software"]
        entry, difference, model_version = (values.pop(name) for name in ("entry", "difference", "model_version"))
        midline = values.pop("midline", None)
        if difference is not None:
            difference = {code: Difference(**item) for code, item in difference.items()}
        return Version(
            number=number,
            model_version=number if model_version is None else model_version,
            model=ModelIdentity(**values.pop("model")),
            entry=None if entry is None else _entry(entry),
            difference=difference,
            midline=None if midline is None else MidlineShift.from_plain(midline),
            **values,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise damaged(path) from error


def _entry(values: dict[str, Any]) -> ReaderEntry:
    midline = values.pop("midline", None)
    return ReaderEntry(**values, midline=None if midline is None else MidlinePoints.from_plain(midline))


def mask_bytes(label_kji: np.ndarray, exam: ExamReference, fields: dict[str, str]) -> bytes:
    """mask.seg.nrrd of a label map in the values of labels.SEGMENT_CODES."""
    masks = tuple(
        ShownMask(FINDING_CODES[code], mask_name(code), SEGMENT_VALUES[code]) for code in segment_codes(label_kji)
    )
    said = {"NeuroTriage_SeriesInstanceUID": exam.series_instance_uid, **fields}
    return segmentation_bytes(label_kji, exam.grid, masks, said)


def label_from_bytes(content: bytes, shape_kji: tuple[int, int, int], path: Path) -> np.ndarray:
    """(K, J, I) uint8 of the content of a mask.seg.nrrd that mask_bytes made. Raises InputError."""
    try:
        voxels = gzip.decompress(content[content.index(b"\n\n") + 2 :])
        return np.frombuffer(voxels, np.uint8).reshape(shape_kji).copy()
    except (OSError, ValueError, EOFError, zlib.error) as error:
        raise damaged(path) from error


def answer_bytes(result: ExamResult) -> dict[str, bytes]:
    """File name -> content of a model's whole answer but its mask; where the images lay on disk is left out."""
    document, arrays = exam_to_plain(dataclasses.replace(result, input="", judgements=(), review=None))
    kept = {name: array for name, array in arrays.items() if name.startswith("voxel_")}
    files = {ANSWER_FILE: json_bytes(ANSWER_FORMAT, {"exam": document})}
    if kept:
        stream = io.BytesIO()
        np.savez_compressed(stream, **kept)  # type: ignore[arg-type]
        files[PROBABILITIES_FILE] = stream.getvalue()
    return files


def read_answer(folder: Path, volume: Volume, label_kji: np.ndarray) -> ExamResult:
    """A model's answer on the volume that it is about. Raises InputError.

    The heatmap comes back where the probabilities were kept, and is 0 below their floor.

    Args:
        folder: of a model's version.
        volume: the exam's images.
        label_kji: the version's label map.
    """
    document = read_json(folder / ANSWER_FILE, ANSWER_FORMAT)["exam"]
    arrays: dict[str, np.ndarray] = {}
    try:
        if (folder / PROBABILITIES_FILE).exists():
            with np.load(folder / PROBABILITIES_FILE, allow_pickle=False) as loaded:
                arrays = {name: loaded[name] for name in loaded.files}
        heatmap = np.zeros(label_kji.size, np.float16)
        if arrays:
            heatmap[arrays["voxel_index"]] = arrays["voxel_level"]
        arrays |= {"label": label_kji, "heatmap": heatmap.reshape(label_kji.shape)}
        result = exam_from_plain(document, arrays, volume)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(folder) from error
    if not result.readings:
        return result
    return dataclasses.replace(result, readings=(_in_own_values(result.readings[0], label_kji), *result.readings[1:]))


def _in_own_values(reading: Any, label_kji: np.ndarray) -> Any:
    """The reading with the label map in the order of its own codes."""
    lookup = np.zeros(len(SEGMENT_CODES) + 1, np.uint8)
    for value, code in enumerate(reading.codes, start=1):
        lookup[SEGMENT_VALUES[code]] = value
    if reading.is_untyped:
        answered = tuple(code for code in reading.codes if code in reading.probability)
        lookup[1:] = 1 + reading.codes.index(shown_types(reading.probability, reading.threshold, answered)[0])
    own = dataclasses.replace(reading, label_kji=lookup[label_kji])
    assert np.array_equal(label_of_reading(own), label_kji), "a model's label map comes back as it was"
    return own
