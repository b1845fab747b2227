"""Exams on their way between processes: one folder with exam.json and arrays.npz, numpy and JSON only.

The worker and the command line write it, the panel and the scene writer read it; it is no format for users.
"""

from __future__ import annotations

import dataclasses
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from .errors import InputError
from .findings import (
    Abc2,
    ExamResult,
    Familiarity,
    Finding,
    ModelIdentity,
    QualityFlag,
    Reading,
    Region,
    SeriesJudgement,
)
from .geometry import SliceGrid
from .heat_percent import from_percent, to_percent
from .midline import MidlineShift
from .pauses import Pausing, without_pauses
from .sign_off import Difference, Review
from .volume import Volume
from .voxel_probabilities import VoxelProbabilities

EXAM_FILE = "exam.json"
ARRAYS_FILE = "arrays.npz"


def save_volume(volume: Volume, folder: Path) -> None:
    """Write one volume as an exchange folder (created if needed)."""
    _write(folder, {"volume": _volume_to_json(volume)}, {"volume": volume.array_kji})


def load_volume(folder: Path) -> Volume:
    """Read what save_volume or save_exam wrote. Raises InputError when it is not there or damaged."""
    document, arrays = without_pauses(_read(folder))
    return _volume_from_json(document["volume"], arrays["volume"])


def save_exam(result: ExamResult, folder: Path) -> None:
    """Write a whole exam, images included, as an exchange folder (created if needed).

    Of readings beyond the first the masks stay behind, and their heatmaps are rounded to whole percents: they are
    only looked at.
    The maps of single findings (Reading.heatmaps_kji) and those on other series stay behind too.
    """
    document, arrays = exam_to_plain(result)
    document["volume"] = _volume_to_json(result.volume)
    _write(folder, document, arrays | {"volume": result.volume.array_kji})


def load_exam(folder: Path, volume: Volume | None = None) -> ExamResult:
    """Read what save_exam wrote. Raises InputError when it is not there or damaged.

    Readings beyond the first come back with an empty mask of one voxel, which says nothing.

    Args:
        folder: exchange folder.
        volume: the exam's volume where the caller has it already; its voxels are not read again then.
    """
    return without_pauses(load_exam_pausing(folder, volume))


def load_exam_pausing(folder: Path, volume: Volume | None = None) -> Pausing[ExamResult]:
    """The same with a pause after each array and each reading."""
    document, arrays = yield from _read(folder, leave_out=() if volume is None else ("volume",))
    volume = volume or _volume_from_json(document["volume"], arrays["volume"])
    return (yield from _exam_from_plain(document, arrays, volume))


def exam_to_plain(result: ExamResult) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """An exam without its volume as JSON values and the arrays of its first reading."""
    arrays: dict[str, np.ndarray] = {}
    readings = []
    for number, reading in enumerate(result.readings):
        if number == 0:
            arrays |= {"label": reading.label_kji, "heatmap": reading.heatmap_kji}
        elif reading.heatmap_kji.shape == result.grid.shape_kji:
            arrays[f"heat_percent_{number}"] = to_percent(reading.heatmap_kji)
        values = {f.name: getattr(reading, f.name) for f in dataclasses.fields(reading)}
        del values["label_kji"], values["heatmap_kji"], values["heatmaps_kji"], values["deliberation"]
        values["voxel_probabilities"] = None
        if number == 0 and reading.voxel_probabilities is not None:
            values["voxel_probabilities"], voxel_arrays = voxels_to_plain(reading.voxel_probabilities)
            arrays |= voxel_arrays
        values["model"] = dataclasses.asdict(reading.model)
        values["regions"] = [dataclasses.asdict(region) for region in reading.regions]
        values["slice_probability"] = {code: list(map(float, p)) for code, p in reading.slice_probability.items()}
        readings.append(values)
    document = {
        "readings": readings,
        "judgements": [dataclasses.asdict(item) for item in result.judgements],
        "quality": [dataclasses.asdict(item) for item in result.quality],
        "findings": [dataclasses.asdict(item) for item in result.findings],
        "opinions": [dataclasses.asdict(item) for item in result.opinions],
        "familiarity": result.familiarity and dataclasses.asdict(result.familiarity),
        "abc2": [dataclasses.asdict(item) for item in result.abc2],
        "review": result.review and dataclasses.asdict(result.review),
        "midline": result.midline and dataclasses.asdict(result.midline),
    }
    for name in ("input", "study_instance_uid", "device", "timings_s", "contrast"):
        document[name] = getattr(result, name)
    return document, arrays


def exam_from_plain(document: dict[str, Any], arrays: dict[str, np.ndarray], volume: Volume) -> ExamResult:
    """The inverse of exam_to_plain; the document is used up."""
    return without_pauses(_exam_from_plain(document, arrays, volume))


def _exam_from_plain(document: dict[str, Any], arrays: dict[str, np.ndarray], volume: Volume) -> Pausing[ExamResult]:
    readings = []
    for number, values in enumerate(document["readings"]):
        values["codes"] = tuple(values["codes"])
        values["model"] = ModelIdentity(**values["model"])
        values["slice_probability"] = {code: np.asarray(p) for code, p in values["slice_probability"].items()}
        values["regions"] = tuple(Region(**_tuples(region)) for region in values["regions"])
        label = arrays["label"] if number == 0 else np.zeros((1, 1, 1), np.uint8)
        percent = arrays.get(f"heat_percent_{number}", np.zeros((1, 1, 1), np.uint8))
        heatmap = arrays["heatmap"] if number == 0 else from_percent(percent)
        if values["voxel_probabilities"] is not None:
            values["voxel_probabilities"] = voxels_from_plain(values["voxel_probabilities"], arrays)
        readings.append(Reading(label_kji=label, heatmap_kji=heatmap, **values))
        yield
    familiarity = document["familiarity"]
    midline = document.get("midline")  # scenes that were saved by earlier versions have none
    return ExamResult(
        volume=volume,
        input=document["input"],
        study_instance_uid=document["study_instance_uid"],
        judgements=tuple(SeriesJudgement(**_tuples(item)) for item in document["judgements"]),
        quality=tuple(QualityFlag(**item) for item in document["quality"]),
        readings=tuple(readings),
        findings=tuple(Finding(**_tuples(item)) for item in document["findings"]),
        abc2=tuple(Abc2(**_tuples(item)) for item in document["abc2"]),
        device=document["device"],
        timings_s=document["timings_s"],
        opinions=tuple(Finding(**_tuples(item)) for item in document["opinions"]),
        familiarity=Familiarity(**_tuples(familiarity)) if familiarity else None,
        review=review_from_plain(document["review"]) if document["review"] else None,
        contrast=document["contrast"],
        midline=MidlineShift.from_plain(midline) if midline else None,
    )


def voxels_to_plain(voxels: VoxelProbabilities) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """VoxelProbabilities as JSON values and arrays."""
    plain = {"codes": list(voxels.codes), "threshold": voxels.threshold, "per_type": voxels.per_type}
    plain["thresholds"] = list(voxels.thresholds)
    return plain, {"voxel_index": voxels.index, "voxel_level": voxels.level, "voxel_type_level": voxels.type_level}


def voxels_from_plain(values: dict[str, Any], arrays: dict[str, np.ndarray]) -> VoxelProbabilities:
    """The inverse of voxels_to_plain."""
    index, level, type_level = (arrays[f"voxel_{name}"] for name in ("index", "level", "type_level"))
    return VoxelProbabilities(index=index, level=level, type_level=type_level, **_tuples(values))


def review_from_plain(values: dict[str, Any]) -> Review:
    """A Review from the JSON values that dataclasses.asdict made of it."""
    difference = values["difference"]
    if difference is not None:
        difference = {code: Difference(**item) for code, item in difference.items()}
    return Review(**(values | {"difference": difference}))


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    """JSON lists back to the tuples they were (nested)."""
    return {key: _tuple(value) for key, value in values.items()}


def _tuple(value: Any) -> Any:
    return tuple(_tuple(item) for item in value) if isinstance(value, list) else value


def _volume_to_json(volume: Volume) -> dict[str, Any]:
    return {
        "grid": volume.grid.to_json(),
        "modality": volume.modality,
        "series_instance_uid": volume.series_instance_uid,
        "sop_instance_uids": list(volume.sop_instance_uids),
        "frame_numbers": list(volume.frame_numbers),
        "source": volume.source,
    }


def _volume_from_json(values: dict[str, Any], array_kji: np.ndarray) -> Volume:
    return Volume(array_kji=array_kji, grid=SliceGrid.from_json(values.pop("grid")), **_tuples(values))


def _write(folder: Path, document: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ARRAYS_FILE).open("wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]
    (folder / EXAM_FILE).write_text(json.dumps(document), encoding="utf-8")


def _read(folder: Path, leave_out: tuple[str, ...] = ()) -> Pausing[tuple[dict[str, Any], dict[str, np.ndarray]]]:
    try:
        document = json.loads((folder / EXAM_FILE).read_text(encoding="utf-8"))
        arrays = {}
        with np.load(folder / ARRAYS_FILE, allow_pickle=False) as stored:
            for name in stored.files:
                if name not in leave_out:
                    arrays[name] = stored[name]
                    yield
        return document, arrays
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"An exchanged exam cannot be read: {error}.", where=str(folder)) from error
