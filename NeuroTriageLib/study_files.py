"""Studies on disk as an interface asks for them: what is there, one series with its pixels, whose exam a volume is."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .core.dicom_source import DicomSource
from .core.errors import ConfigError, GeometryError
from .core.study import Series, Study
from .core.volume import Volume
from .io.dicom_source import read_dicom_source
from .io.inputs import open_input, read_volume
from .series_selection import select_head_ct
from .series_selection.mr_contrasts import ROLES
from .series_selection.mr_study_images import choose_mr_study

# A slice that is farther than this from every slice of the series is not one of them (ours: a tenth of a pixel).
SAME_PLACE_MM = 0.05


def inspect_studies(paths: Sequence[str | Path], roles: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """Every study on disk with what the rules say of its series, as plain values for JSON; DICOM by its headers alone.

    Args:
        paths: folder, archive or files.
        roles: MR role -> SeriesInstanceUID that the user gives it, whatever the rules say.

    Raises:
        InputError, DicomError: nothing there can be read.
        ConfigError: a role that does not exist.
    """
    with open_input(list(paths)) as studies:
        return [_inspected(study, roles or {}) for study in studies]


def load_series(paths: Sequence[str | Path], series_uid: str) -> tuple[Volume, str]:
    """One series of the studies on disk, whatever the rules say of it, and its description.

    Raises InputError, DicomError or GeometryError when it cannot be read, ConfigError when it is not there.
    """
    with open_input(list(paths)) as studies:
        study, series = _find(studies, series_uid)
        chosen = select_head_ct(study, override=series_uid).series
        assert chosen is not None
        return read_volume(chosen)[0], series.description


def source_of_volume(paths: Sequence[str | Path], volume: Volume) -> tuple[DicomSource, Volume]:
    """Whose exam a volume is, and the volume with the image of the series on which each of its slices lies.

    Args:
        paths: the DICOM files of its series, maybe among others.
        volume: as it lies in a scene: in any order of slices, but each slice as it was acquired.

    Raises:
        ConfigError: the series is not in the files, or they are no DICOM.
        InputError, DicomError: it cannot be read.
        GeometryError: the volume's slices are not the series' own.
    """
    with open_input(list(paths)) as studies:
        series = _stack_of(studies, volume)
        source, stored = read_dicom_source(series), read_volume(series)[0]
    places = [_place_of(origin, stored) for origin in volume.grid.origins_lps_mm]
    same_plane = (
        volume.grid.shape_kji[1:] == stored.grid.shape_kji[1:]
        and np.allclose(volume.grid.direction_i, stored.grid.direction_i, atol=1e-4)
        and np.allclose(volume.grid.direction_j, stored.grid.direction_j, atol=1e-4)
    )
    found = [place for place in places if place is not None]
    if not same_plane or len(set(found)) < len(places):
        raise GeometryError(
            "The volume's slices are not those of the DICOM series: it was cropped, resampled or moved.",
            next_step="Load the series anew, read that, and export its results.",
        )
    uids = tuple(stored.sop_instance_uids[place] for place in found)
    frames = tuple(stored.frame_numbers[place] for place in found) if stored.frame_numbers else ()
    return source, replace(volume, modality=stored.modality, sop_instance_uids=uids, frame_numbers=frames)


def _place_of(origin_lps_mm: np.ndarray, stored: Volume) -> int | None:
    """Index of the stored slice that begins there."""
    distances = np.linalg.norm(stored.grid.origins_lps_mm - origin_lps_mm, axis=1)
    nearest = int(np.argmin(distances))
    return nearest if distances[nearest] <= SAME_PLACE_MM else None


def _stack_of(studies: Sequence[Study], volume: Volume) -> Series:
    """The volume's own stack: images of one series that cannot lie in one stack are several with the same UID."""
    _, first = _find(studies, volume.series_instance_uid)
    own = set(volume.sop_instance_uids)
    stacks = [s for study in studies for s in study.series if s.series_instance_uid == first.series_instance_uid]
    return next((s for s in stacks if own & {instance.sop_instance_uid for instance in s.instances}), first)


def _find(studies: Sequence[Study], series_uid: str) -> tuple[Study, Series]:
    for study in studies:
        for series in study.series:
            if series.series_instance_uid == series_uid:
                return study, series
    raise ConfigError(
        "No series in the input has this UID.",
        where=series_uid,
        next_step="Name the files of the series that was read.",
    )


def _inspected(study: Study, roles: Mapping[str, str]) -> dict[str, Any]:
    """One study; "series" in the order of the judgements, with the header's own words for reconstruction and kernel.

    "reads" is what it is read as: "CT", "MR", or "" when nothing in it can be read. "roles" are those that the user can
    give to a series of an MRI, () in a CT; "read_as" of a series the contrasts that it is read for.
    """
    selection = select_head_ct(study)
    judgements, reads = selection.judgements, "CT" if selection.series is not None else ""
    may_be_mr = selection.series is None and any(s.modality == "MR" or s.file_format != "dicom" for s in study.series)
    read_as: dict[str, list[str]] = {}
    if may_be_mr:
        own = {series.series_instance_uid for series in study.series}
        choice = choose_mr_study(study, {role: uid for role, uid in roles.items() if uid in own})
        if choice.is_readable:
            for contrast, taken in choice.chosen.items():
                assert taken.item is not None, "only choices with a series are kept"
                read_as.setdefault(taken.item.series.series_instance_uid, []).append(contrast)
            told = {judgement.series_instance_uid: judgement for judgement in choice.judgements()}
            judgements = tuple(told.get(item.series_instance_uid, item) for item in judgements)
            reads = "MR"
    return {
        "reads": reads,
        "roles": ROLES if may_be_mr else (),
        "study_instance_uid": study.study_instance_uid,
        "study_date": study.study_date,
        "patient_key": study.patient_key,
        "series": [
            dataclasses.asdict(judgement)
            | {
                "kernel": str(series.header.get("ConvolutionKernel") or ""),
                "slice_thickness_mm": series.header.get("SliceThickness"),
                "read_as": read_as.get(judgement.series_instance_uid, []),
                "flags": [flag.message for flag in series.flags],
                "files": sorted({str(instance.path) for instance in series.instances}),
            }
            for series, judgement in zip(study.series, judgements, strict=True)
        ],
    }
