"""Exams built by hand: a plain head with blood in known places, so that outputs can be tested without any network."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from NeuroTriageLib.core.codes import ANY, CT_HEMORRHAGE_CODES
from NeuroTriageLib.core.findings import (
    Abc2,
    ExamResult,
    Finding,
    ModelIdentity,
    QualityFlag,
    Reading,
    SeriesJudgement,
)
from NeuroTriageLib.core.geometry import SliceGrid
from NeuroTriageLib.core.volume import Volume

SYSTEM = "kuo2019"
SHA256 = "0123456789abcdef" * 4
THRESHOLD = 0.5


@dataclass(frozen=True)
class ExamSettings:
    """What the head looks like and where it bleeds.

    Args:
        blood: code -> (center, radii) in LPS mm relative to the middle of the stack.
        found: codes that are above their threshold; None means those that bleed.
        shape_kji, spacing_mm, step_mm: the grid; spacing along i and j.
        steps_mm: (K - 1,) distances between planes in place of step_mm.
        tilt_deg: gantry tilt.
        axes: 3x3, columns direction_i, direction_j, stacking direction.
    """

    blood: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = field(default_factory=dict)
    found: frozenset[str] | None = None
    shape_kji: tuple[int, int, int] = (12, 48, 56)
    spacing_mm: tuple[float, float] = (4.0, 4.5)
    step_mm: float = 10.0
    steps_mm: tuple[float, ...] = ()
    tilt_deg: float = 0.0
    axes: np.ndarray = field(default_factory=lambda: np.eye(3))


IPH = {"IPH": ((-25.0, 5.0, 5.0), (18.0, 14.0, 22.0))}
IPH_AND_SDH = {**IPH, "SDH": ((60.0, 0.0, 10.0), (7.0, 40.0, 30.0))}
UNEVEN_STEPS_MM = (4.0,) * 5 + (14.0,) + (7.0,) * 5


def make_grid(settings: ExamSettings) -> SliceGrid:
    """The stack of the settings; its middle lies at LPS (10, -20, 30)."""
    count, rows, columns = settings.shape_kji
    steps = settings.steps_mm or (settings.step_mm,) * (count - 1)
    heights = np.concatenate([[0.0], np.cumsum(steps)])[:count]
    heights = heights - heights[-1] / 2
    direction_i, direction_j, up = settings.axes.T
    corner = np.array([10.0, -20.0, 30.0])
    corner = corner - (columns - 1) / 2 * settings.spacing_mm[0] * direction_i
    corner = corner - (rows - 1) / 2 * settings.spacing_mm[1] * direction_j
    run = up + np.tan(np.radians(settings.tilt_deg)) * direction_j
    return SliceGrid(
        shape_kji=settings.shape_kji,
        origins_lps_mm=corner + heights[:, None] * run,
        direction_i=direction_i,
        direction_j=direction_j,
        spacing_i_mm=settings.spacing_mm[0],
        spacing_j_mm=settings.spacing_mm[1],
        slice_thickness_mm=float(np.median(steps)) if steps else settings.step_mm,
    )


def build_exam(settings: ExamSettings | None = None) -> ExamResult:
    """An exam with a reading that sees exactly what is there, and findings to match."""
    settings = settings or ExamSettings(blood=IPH_AND_SDH)
    grid = make_grid(settings)
    volume, label_kji = _draw(settings, grid)
    reading = _reading(settings, label_kji)
    return ExamResult(
        volume=volume,
        input="/data/study <1> & more",
        study_instance_uid="1.2.826.0.1.3680043.8.498.1",
        judgements=_judgements(settings.shape_kji[0]),
        quality=(QualityFlag("thick_slices", f"The slices are {settings.step_mm:g} mm apart.", settings.step_mm),),
        readings=(reading,),
        findings=tuple(_finding(reading, code, grid) for code in (ANY, *CT_HEMORRHAGE_CODES)),
        abc2=tuple(_abc2(reading, code, grid) for code in ("IPH", "SDH") if reading.is_present(code)),
        device="cpu",
        timings_s={"headers": 0.1, "network": 2.5},
    )


def build_unreadable_exam(reason: str = "The image is no head CT.") -> ExamResult:
    """An exam that no system could look at."""
    exam = build_exam(ExamSettings())
    findings = tuple(
        Finding(code=code, system=SYSTEM, status="could_not_look", reason=reason)
        for code in (ANY, *CT_HEMORRHAGE_CODES)
    )
    return replace(exam, readings=(), findings=findings, abc2=())


def _draw(settings: ExamSettings, grid: SliceGrid) -> tuple[Volume, np.ndarray]:
    """Skull, brain and blood in HU, and the label map of the blood."""
    k, j, i = np.indices(grid.shape_kji)
    points = grid.voxel_to_lps(np.stack([i, j, k], axis=-1)) - (10.0, -20.0, 30.0)
    noise = np.random.default_rng(1).normal(0, 4, grid.shape_kji)
    array = np.full(grid.shape_kji, -1000.0)
    array[_inside(points, (0, 0, 0), (78, 95, 85))] = 900
    brain = _inside(points, (0, 0, 0), (71, 88, 78))
    array[brain] = 32 + noise[brain]
    label = np.zeros(grid.shape_kji, np.uint8)
    for code, (center, radii) in settings.blood.items():
        blood = _inside(points, center, radii)
        label[blood] = CT_HEMORRHAGE_CODES.index(code) + 1
        array[blood] = 65 + noise[blood]
    uids = tuple(f"1.2.826.0.1.3680043.8.498.2.{k + 1}" for k in range(grid.shape_kji[0]))
    volume = Volume(
        array_kji=array.astype(np.int16),
        grid=grid,
        series_instance_uid="1.2.826.0.1.3680043.8.498.2",
        sop_instance_uids=uids,
        source="built by hand",
    )
    return volume, label


def _inside(points: np.ndarray, center: tuple, radii: tuple) -> np.ndarray:
    return (((points - np.asarray(center, float)) / np.asarray(radii, float)) ** 2).sum(-1) <= 1


def _reading(settings: ExamSettings, label_kji: np.ndarray) -> Reading:
    found = settings.found if settings.found is not None else frozenset(settings.blood)
    if found:
        found = found | {ANY}
    codes = (ANY, *CT_HEMORRHAGE_CODES)
    share = (label_kji > 0).mean(axis=(1, 2))
    score = 0.05 + 0.9 * share / max(float(share.max()), 1e-9)
    return Reading(
        system=SYSTEM,
        codes=CT_HEMORRHAGE_CODES,
        probability={code: 0.97 if code in found else 0.08 for code in codes},
        threshold=dict.fromkeys(codes, THRESHOLD),
        slice_probability=dict.fromkeys(codes, score),
        label_kji=label_kji,
        heatmap_kji=np.where(label_kji > 0, 0.93, 0.01).astype(np.float16),
        model=ModelIdentity("kuo2019-test", "0.1", SHA256),
        timings_s={"network": 2.5},
    )


def _finding(reading: Reading, code: str, grid: SliceGrid) -> Finding:
    number = None if code == ANY else reading.codes.index(code) + 1
    mask = reading.label_kji > 0 if number is None else reading.label_kji == number
    present = reading.is_present(code)
    per_slice = np.count_nonzero(mask, axis=(1, 2))
    volume_ml = float(per_slice @ grid.voxel_volumes_ml) if present else 0.0
    return Finding(
        code=code,
        system=reading.system,
        status="found" if present else "not_found",
        probability=reading.probability[code],
        threshold=reading.threshold[code],
        volume_ml=volume_ml,
        components=(1 if code != ANY else len(np.unique(reading.label_kji)) - 1) if volume_ml else 0,
        key_slice=int(per_slice.argmax()) if present else None,
        size_class=("large" if volume_ml > 25 else "medium" if volume_ml >= 5 else "small") if volume_ml else None,
        slices=tuple(map(int, np.flatnonzero(per_slice))) if present else (),
        slice_scores=tuple(map(float, reading.slice_probability[code])),
    )


def _abc2(reading: Reading, code: str, grid: SliceGrid) -> Abc2:
    """Diameters along i and j through the middle of the mask on its largest slice: round figures, not a measurement."""
    mask = reading.label_kji == reading.codes.index(code) + 1
    k = int(np.count_nonzero(mask, axis=(1, 2)).argmax())
    j, i = (axis.astype(float) for axis in np.nonzero(mask[k]))
    ends = [[i.min(), j.mean(), k], [i.max(), j.mean(), k]], [[i.mean(), j.min(), k], [i.mean(), j.max(), k]]
    a, b = (grid.voxel_to_lps(np.array(pair)) for pair in ends)
    volume_ml = float(np.count_nonzero(mask, axis=(1, 2)) @ grid.voxel_volumes_ml)
    return Abc2(
        code=code,
        a_mm=float(np.linalg.norm(a[1] - a[0])),
        b_mm=float(np.linalg.norm(b[1] - b[0])),
        c_mm=40.0,
        volume_ml=1.2 * volume_ml,
        voxel_volume_ml=volume_ml,
        percent_off=20.0,
        key_slice=k,
        a_ends_lps_mm=tuple(tuple(float(x) for x in point) for point in a),  # type: ignore[arg-type]
        b_ends_lps_mm=tuple(tuple(float(x) for x in point) for point in b),  # type: ignore[arg-type]
        caveat="A crescent is no ellipsoid." if code == "SDH" else "",
    )


def _judgements(count: int) -> tuple[SeriesJudgement, ...]:
    uid = "1.2.826.0.1.3680043.8.498."
    return (
        SeriesJudgement(uid + "3", "Scout", "CT", 2, False, ("It is a scout.", "It has two images.")),
        SeriesJudgement(uid + "2", "Head 5.0 H31s", "CT", count, True, ("Axial, soft kernel, no contrast.",)),
    )
