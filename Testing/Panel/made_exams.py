"""Exams with known geometry and masks for the panel's tests: made here, so that every expected value is known."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from NeuroTriageLib.core.codes import CT_HEMORRHAGE_CODES
from NeuroTriageLib.core.findings import Abc2, ExamResult, Finding, ModelIdentity, QualityFlag, Reading
from NeuroTriageLib.core.geometry import SliceGrid
from NeuroTriageLib.core.volume import Volume

IPH_BOX = (slice(3, 6), slice(10, 30), slice(12, 20))
SDH_BOX = (slice(7, 9), slice(40, 50), slice(20, 33))
SHAPE_KJI = (12, 64, 48)
MODEL = ModelIdentity("kuo2019-test", "0.1", "ab" * 32)


def grid(*, tilt_deg: float = 0.0, even: bool = True, flipped: bool = False, turned_deg: float = 20.0) -> SliceGrid:
    """12 slices of 64 x 48 voxels, 0.5 x 0.7 mm, turned in plane, as asked for tilted, uneven or from top to bottom."""
    count = SHAPE_KJI[0]
    heights = np.arange(count) * 5.0
    if not even:
        heights = np.cumsum(np.random.default_rng(1).uniform(2.0, 7.0, count))
    if flipped:
        heights = -heights
    angle = math.radians(turned_deg)
    direction_i = np.array([math.cos(angle), math.sin(angle), 0.0])
    direction_j = np.array([-math.sin(angle), math.cos(angle), 0.0])
    shift = heights * math.tan(math.radians(tilt_deg))
    origins = np.array([-20.0, -30.0, 10.0]) + heights[:, None] * (0, 0, 1) + shift[:, None] * direction_j
    return SliceGrid(SHAPE_KJI, origins, direction_i, direction_j, 0.5, 0.7, 5.0)


GRIDS = {
    "regular": grid(),
    "flipped": grid(flipped=True),
    "uneven": grid(even=False),
    "tilted": grid(tilt_deg=15.0),
    "tilted, uneven, flipped": grid(tilt_deg=-22.0, even=False, flipped=True),
}


def in_scene_order(on: SliceGrid, array_kji: np.ndarray) -> tuple[SliceGrid, np.ndarray]:
    """Grid and array with the slices from foot to head, which makes i, j, k right-handed here, as Slicer wants it."""
    if on.origins_lps_mm[-1, 2] > on.origins_lps_mm[0, 2]:
        return on, array_kji
    return dataclasses.replace(on, origins_lps_mm=on.origins_lps_mm[::-1]), array_kji[::-1]


def volume(on: SliceGrid) -> Volume:
    """Grey noise with the two bleedings bright."""
    array = np.random.default_rng(0).normal(30.0, 5.0, on.shape_kji)
    array[IPH_BOX], array[SDH_BOX] = 70.0, 65.0
    uids = tuple(f"1.2.3.{number}" for number in range(on.shape_kji[0]))
    return Volume(array.astype(np.int16), on, series_instance_uid="1.2.3", sop_instance_uids=uids, source="test")


def true_ml(on: SliceGrid, box: tuple[slice, slice, slice]) -> float:
    """Volume of a box of voxels from the distances between its slices."""
    rows, columns = box[1].stop - box[1].start, box[2].stop - box[2].start
    return float(on.slice_extents_mm[box[0]].sum() * rows * 0.7 * columns * 0.5 / 1000.0)


def exam(on: SliceGrid, image: Volume | None = None) -> ExamResult:
    """IPH and SDH found, the others not, EDH not looked at."""
    label = np.zeros(on.shape_kji, np.uint8)
    label[IPH_BOX], label[SDH_BOX] = 1, 3
    codes = ("any", *CT_HEMORRHAGE_CODES)
    probability = dict.fromkeys(codes, 0.04) | {"any": 0.97, "IPH": 0.95, "SDH": 0.81}
    reading = Reading(
        system="kuo2019",
        codes=CT_HEMORRHAGE_CODES,
        probability=probability,
        threshold=dict.fromkeys(codes, 0.5),
        slice_probability={code: np.zeros(on.shape_kji[0]) for code in codes},
        label_kji=label,
        heatmap_kji=np.where(label > 0, 0.83, 0.0).astype(np.float16),
        model=MODEL,
    )
    return ExamResult(
        volume=image or volume(on),
        input="test",
        study_instance_uid="1.2",
        judgements=(),
        quality=(QualityFlag("tilt", f"The slices are tilted by {on.tilt_deg:.1f} degrees.", on.tilt_deg),),
        readings=(reading,),
        findings=tuple(_finding(code, probability[code], on) for code in codes),
        abc2=(_abc2(on),),
        device="cpu",
        timings_s={},
    )


def _finding(code: str, probability: float, on: SliceGrid) -> Finding:
    if code == "EDH":
        return Finding(code, "kuo2019", "could_not_look", reason="The vertex is not in the image.")
    boxes = {"any": (IPH_BOX, SDH_BOX), "IPH": (IPH_BOX,), "SDH": (SDH_BOX,)}.get(code, ())
    if not boxes:
        return Finding(code, "kuo2019", "not_found", probability, 0.5, 0.0, 0)
    ml = sum(true_ml(on, box) for box in boxes)
    return Finding(code, "kuo2019", "found", probability, 0.5, ml, len(boxes), boxes[0][0].start + 1, "small")


def _abc2(on: SliceGrid) -> Abc2:
    a_ends, b_ends = (tuple(map(tuple, on.voxel_to_lps(np.array(ends)))) for ends in (A_ENDS_IJK, B_ENDS_IJK))
    ml = true_ml(on, IPH_BOX)
    return Abc2("IPH", 14.0, 4.0, 15.0, 0.42, ml, 100 * (0.42 - ml) / ml, 4, a_ends, b_ends, "")


A_ENDS_IJK = [[16, 10, 4], [16, 29, 4]]
B_ENDS_IJK = [[12, 20, 4], [19, 20, 4]]
