"""DICOM headers become studies and series; images that cannot lie in one stack of slices are told apart here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..core.errors import DicomError
from ..core.findings import QualityFlag
from ..core.study import Instance, Series, Study
from .dicom_headers import ParsedFile

SAME_POSITION_MM = 0.02
"""Slices nearer to each other than this lie at the same place (scanners round to 0.001-0.01 mm; ours)."""

SAME_DIRECTION_DEG = 0.5
"""Slices whose directions differ by less belong to one stack (rounding of the cosines gives up to 0.1; ours)."""

REPEATED_SHARE = 0.25
"""Fewer repeated images than this share of the places (where two scan ranges meet) make no second stack (ours)."""

MAX_FRAMES_OF_REFERENCE = 4
"""More frames of reference than this in one series come from a careless anonymiser and are ignored (ours)."""

# What tells apart several images of the same place, in the order in which it is tried.
_REPEAT_KEYWORDS = (
    "AcquisitionNumber",
    "TemporalPositionIndex",
    "TemporalPositionIdentifier",
    "EchoNumbers",
    "SliceThickness",
    "ImageType",
    "KVP",
    "ContrastBolusAgent",
    "SOPInstanceUID of the object",
)


def build_studies(files: Iterable[ParsedFile]) -> tuple[Study, ...]:
    """Group parsed files into studies (by date) of series (by series number).

    Raises:
        DicomError: one SeriesInstanceUID holds images of more than one patient.
    """
    by_series: dict[tuple[str, str], list[ParsedFile]] = defaultdict(list)
    for file in files:
        by_series[file.study_instance_uid, file.series_instance_uid].append(file)
    studies: dict[tuple[str, str, str], list[Series]] = defaultdict(list)
    for (study_uid, series_uid), members in by_series.items():
        _check_one_patient(series_uid, members)
        key = (min(file.study_date for file in members), study_uid, members[0].patient_key)
        studies[key] += _series_of(series_uid, [item for file in members for item in file.instances])
    return _merge_dates(studies)


def _merge_dates(found: dict[tuple[str, str, str], list[Series]]) -> tuple[Study, ...]:
    """One Study per UID and patient, although its series may carry different or no study dates."""
    merged: dict[tuple[str, str], tuple[str, list[Series]]] = {}
    for (date, study_uid, patient), series in sorted(found.items(), key=lambda entry: entry[0][0]):
        known_date, known = merged.get((study_uid, patient), (date, []))
        merged[study_uid, patient] = (known_date or date, known + series)
    return tuple(
        Study(
            study_instance_uid=study_uid,
            patient_key=patient,
            study_date=date,
            series=tuple(sorted(series, key=_series_order)),
        )
        for (study_uid, patient), (date, series) in sorted(merged.items(), key=lambda entry: (entry[1][0], entry[0]))
    )


def _series_order(series: Series) -> tuple[float, str, int]:
    number = series.header.get("SeriesNumber")
    return (
        float(number) if isinstance(number, int | float) else np.inf,
        series.series_instance_uid,
        -len(series.instances),
    )


def _check_one_patient(series_uid: str, members: list[ParsedFile]) -> None:
    patients = {file.patient_key for file in members}
    if len(patients) > 1:
        raise DicomError(
            f"One series holds images of {len(patients)} patients (their names or IDs differ).",
            where=f"series {series_uid}",
            next_step="Export each patient's series again into a folder of its own.",
        )


def _series_of(series_uid: str, instances: list[Instance]) -> list[Series]:
    """One Series per stack, the largest first."""
    instances, flags = _drop_copies(instances)
    stacks = sorted(_split(instances), key=len, reverse=True)
    result = []
    for number, stack in enumerate(stacks, start=1):
        header = stack[0].header
        stack_flags = list(flags)
        if len(stacks) > 1:
            stack_flags.append(
                QualityFlag(
                    "split_series",
                    f"The series holds {len(stacks)} stacks of images "
                    f"({', '.join(str(len(other)) for other in stacks)} images); this is number {number}.",
                    float(len(stacks)),
                )
            )
        stack, repeated = _one_per_position(stack)
        result.append(
            Series(
                series_instance_uid=series_uid,
                modality=_text(header, "Modality"),
                description=_text(header, "SeriesDescription") or _text(header, "ProtocolName"),
                file_format="dicom",
                instances=tuple(stack),
                flags=(*stack_flags, *repeated),
            )
        )
    return result


def _text(header: dict[str, Any], keyword: str) -> str:
    value = header.get(keyword, "")
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _drop_copies(instances: list[Instance]) -> tuple[list[Instance], list[QualityFlag]]:
    """Keep one of the images that share SOP Instance UID, frame and position."""
    kept: dict[Any, Instance] = {}
    for item in sorted(instances, key=_instance_order):
        place = tuple(_numbers(item.header.get("ImagePositionPatient")))
        name = item.sop_instance_uid or str(item.path)
        kept.setdefault((name, item.frame_number, place), item)
    dropped = len(instances) - len(kept)
    if not dropped:
        return list(kept.values()), []
    message = f"{dropped} image{'s are' if dropped > 1 else ' is'} in the input more than once and used once."
    return list(kept.values()), [QualityFlag("duplicate_slices", message, float(dropped))]


def _instance_order(item: Instance) -> tuple[float, str, int]:
    number = item.header.get("InstanceNumber")
    return (float(number) if isinstance(number, int | float) else np.inf, str(item.path), item.frame_number)


def _split(instances: list[Instance]) -> list[list[Instance]]:
    """Stacks of parallel slices of one matrix and kernel that show each place once, where the headers allow it."""
    directions: list[np.ndarray] = []
    groups: dict[Any, list[Instance]] = defaultdict(list)
    frames = {item.header.get("FrameOfReferenceUID") for item in instances}
    for item in instances:
        header = item.header
        image_type = header.get("ImageType", [])
        key = (
            "LOCALIZER" in image_type,
            header.get("Rows"),
            header.get("Columns"),
            tuple(round(value, 4) for value in _numbers(header.get("PixelSpacing"))),
            _text(header, "ConvolutionKernel"),
            header.get("FrameOfReferenceUID") if len(frames) <= MAX_FRAMES_OF_REFERENCE else None,
            _direction_number(header, directions),
            _mr_kind(header),
        )
        groups[key].append(item)
    return [part for group in groups.values() for part in _split_repeats(group)]


def _mr_kind(header: dict[str, Any]) -> tuple[Any, ...]:
    """What tells apart the images of one place that scanners put into one MR series; () for other modalities.

    Diffusion series hold images with and without weighting, the trace, and maps; others echoes, or magnitude and phase.
    """
    if header.get("Modality") != "MR":
        return ()
    echo_ms = next(iter(_numbers(header.get("EchoTime") or header.get("EffectiveEchoTime"))), 0.0)
    return (
        _text(header, "ImageType"),
        header.get("DiffusionBValue"),
        header.get("DiffusionDirectionality"),
        round(echo_ms, 1),
        str(header.get("InversionTimes")),
    )


def _numbers(value: Any) -> list[float]:
    values = value if isinstance(value, list) else [value]
    return [float(v) for v in values if isinstance(v, int | float)]


def slice_directions(header: dict[str, Any]) -> np.ndarray | None:
    """(2, 3) row and column direction of ImageOrientationPatient, None when there is no usable one."""
    values = _numbers(header.get("ImageOrientationPatient"))
    if len(values) != 6 or not np.isfinite(values).all():
        return None
    pair = np.array(values).reshape(2, 3)
    lengths = np.linalg.norm(pair, axis=1, keepdims=True)
    return pair / lengths if (lengths > 0.5).all() else None


def slice_position(header: dict[str, Any]) -> np.ndarray | None:
    """(3,) ImagePositionPatient in LPS mm, None when there is no usable one."""
    values = _numbers(header.get("ImagePositionPatient"))
    return np.array(values) if len(values) == 3 and np.isfinite(values).all() else None


def _direction_number(header: dict[str, Any], known: list[np.ndarray]) -> int:
    """Index in known of the image's directions (added when new), -1 without directions."""
    pair = slice_directions(header)
    if pair is None:
        return -1
    limit = np.cos(np.radians(SAME_DIRECTION_DEG))
    for number, other in enumerate(known):
        if ((pair * other).sum(1) >= limit).all():
            return number
    known.append(pair)
    return len(known) - 1


def _heights(stack: list[Instance]) -> np.ndarray:
    """(N,) position along the normal; NaN where a position is not known."""
    pair = slice_directions(stack[0].header)
    if pair is None:
        return np.full(len(stack), np.nan)
    normal = np.cross(*pair)
    positions = [slice_position(item.header) for item in stack]
    return np.array([np.nan if place is None else place @ normal for place in positions])


def _images_per_place(stack: list[Instance]) -> np.ndarray:
    """(places,) how many images show each place; all ones when places are not known."""
    heights = np.sort(_heights(stack))
    if len(stack) < 2 or np.isnan(heights).any():
        return np.ones(len(stack), dtype=int)
    place = np.cumsum(np.concatenate([[0], np.diff(heights) > SAME_POSITION_MM]))
    return np.bincount(place.astype(int))


def _repeats(stack: list[Instance]) -> int:
    """How many images of the most often shown place; 1 when every place is shown once."""
    return int(_images_per_place(stack).max())


def _split_repeats(stack: list[Instance]) -> list[list[Instance]]:
    """Tell apart several acquisitions of the same places by the first header entry that separates them cleanly."""
    counts = _images_per_place(stack)
    repeats = int(counts.max())
    if (counts - 1).sum() < REPEATED_SHARE * len(counts):
        return [stack]
    for keyword in _REPEAT_KEYWORDS:
        parts: dict[str, list[Instance]] = defaultdict(list)
        for item in stack:
            by_object = keyword.startswith("SOPInstanceUID") and item.frame_number
            parts[item.sop_instance_uid if by_object else str(item.header.get(keyword))].append(item)
        if 1 < len(parts) <= repeats + 1 and all(_repeats(part) == 1 for part in parts.values()):
            return list(parts.values())
    return [stack]


def _one_per_position(stack: list[Instance]) -> tuple[list[Instance], list[QualityFlag]]:
    """Keep the first image (by instance number) of each place where nothing in the headers tells them apart."""
    if _repeats(stack) == 1:
        return stack, []
    heights = _heights(stack)
    kept: list[int] = []
    for index in range(len(stack)):  # already in the order of instance numbers
        if all(abs(heights[index] - heights[other]) > SAME_POSITION_MM for other in kept):
            kept.append(index)
    dropped = len(stack) - len(kept)
    message = f"{dropped} images show a place that another image shows too; the first one of each place was used."
    return [stack[index] for index in kept], [QualityFlag("duplicate_slices", message, float(dropped))]
