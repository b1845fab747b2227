"""Exams with known geometry and masks for the panel's tests: made here, so that every expected value is known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from NeuroTriageLib.core.codes import CT_HEMORRHAGE_CODES
from NeuroTriageLib.core.findings import (
    Abc2,
    ExamResult,
    Familiarity,
    Finding,
    ModelIdentity,
    QualityFlag,
    Reading,
    Region,
)
from NeuroTriageLib.core.geometry import SliceGrid
from NeuroTriageLib.core.volume import Volume
from NeuroTriageLib.core.voxel_probabilities import VoxelCollector, VoxelProbabilities

IPH_BOX = (slice(3, 6), slice(10, 30), slice(12, 20))
SDH_BOX = (slice(7, 9), slice(40, 50), slice(20, 33))
SHAPE_KJI = (12, 64, 48)
# Around the IPH lie voxels that a lower threshold takes in; nothing else is above the floor.
HALO_BOX = (slice(3, 6), slice(8, 32), slice(12, 20))
CORE_LEVEL, HALO_LEVEL = 0.83, 0.3
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
    return replace(on, origins_lps_mm=on.origins_lps_mm[::-1]), array_kji[::-1]


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
        heatmap_kji=np.where(label > 0, CORE_LEVEL, 0.0).astype(np.float16),
        model=MODEL,
        voxel_probabilities=_voxel_probabilities(label),
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


def _voxel_probabilities(label_kji: np.ndarray) -> VoxelProbabilities:
    """The boxes at CORE_LEVEL, the halo at HALO_LEVEL; types as in the label map."""
    level = np.where(label_kji > 0, CORE_LEVEL, 0.0)
    level[HALO_BOX] = np.maximum(level[HALO_BOX], HALO_LEVEL)
    codes = CT_HEMORRHAGE_CODES
    types = np.stack([np.where(label_kji == value, level, 0.0) for value in range(1, len(codes) + 1)])
    types[0][HALO_BOX] = level[HALO_BOX]
    collector = VoxelCollector(codes, 0.5)
    collector.add(0, level.astype(np.float16), types)
    return collector.collected()


def weighed_exam(on: SliceGrid, image: Volume | None = None) -> ExamResult:
    """The exam as the answer of a consensus of three; one is of another mind about the subdural hemorrhage."""
    plain = exam(on, image)
    answer = plain.readings[0]
    kuo = replace(answer, voxel_probabilities=None)
    j, i = SDH_BOX[1:]
    boxes = (
        Region("IPH", 0.92, True, 4, (IPH_BOX[1].start, IPH_BOX[2].start, IPH_BOX[1].stop - 1, IPH_BOX[2].stop - 1), 1),
        Region("SDH+EDH", 0.31, False, 7, (j.start, i.start, j.stop - 1, i.stop - 1)),
    )
    chang = replace(kuo, system="chang2018", regions=boxes, model=ModelIdentity("chang2018-test", "0.1", "cd" * 32))
    heat = np.zeros(on.shape_kji, np.float16)
    heat[IPH_BOX] = 0.5
    ye = replace(kuo, system="ye2019", segments=False, heatmap_kji=heat, label_kji=np.zeros_like(answer.label_kji))
    findings = tuple(_weighed(item) for item in plain.findings)
    subdural = Finding("SDH+EDH", "chang2018", "not_found", 0.31, 0.5, 0.0, 0)
    hemorrhage = Finding("any", "chang2018", "found", 0.88, 0.5, 0.8, 1, 4, "small")
    by_ye = tuple(replace(item, system="ye2019", volume_ml=None) for item in plain.findings if item.probability)
    return replace(
        plain,
        readings=(replace(answer, system="consensus", heatmap_source="mean of kuo2019, chang2018"), kuo, chang, ye),
        findings=findings,
        opinions=(*plain.findings, hemorrhage, subdural, *by_ye),
    )


def unfamiliar_exam(on: SliceGrid, image: Volume | None = None) -> ExamResult:
    """An exam that the systems refused to read."""
    plain = exam(on, image)
    told = Familiarity(score=7.5, threshold=4.0, reasons=("the brain is too bright",))
    findings = tuple(Finding(f.code, "consensus", "could_not_look", reason=told.message()) for f in plain.findings)
    return replace(plain, readings=(), findings=findings, abc2=(), familiarity=told)


def _weighed(item: Finding) -> Finding:
    if item.probability is None:
        return replace(item, system="consensus")
    split = item.code == "SDH"
    return replace(item, system="consensus", doubt=0.31 if split else 0.04, agreement="split" if split else "agree")


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
