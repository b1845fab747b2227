"""Derived fields of a head label map: distances, dural sheets, the brain grown outwards, places for lesions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import SimpleITK as sitk

from ..core.errors import InputError
from .tissue import (
    BASAL_GANGLIA,
    BRAIN_TISSUES,
    BRAINSTEM_LABELS,
    CEREBELLUM_LABELS,
    LATERAL_VENTRICLES,
    LEFT_CEREBRUM,
    RIGHT_CEREBRUM,
    SPINAL_CORD_LABEL,
    Tissue,
    tissue_of_labels,
)

STEP_MM = 0.25
NO_SHEET = 127
MARGIN_MM = 8  # air kept around the head
BELOW_BRAIN_MM = 25  # neck kept below the lowest cerebellum
MAX_POINTS = 4000
SHEET_MM = 17.0  # distances to falx and tentorium are known this far


def derive_fields(labels: np.ndarray) -> dict[str, Any]:
    """All fields of anatomy.Anatomy but its name, from a 1 mm label map (K, J, I).

    Raises InputError when the map lacks a part of the brain that the fields are made from.
    """
    parts = (LEFT_CEREBRUM, RIGHT_CEREBRUM, CEREBELLUM_LABELS, BRAINSTEM_LABELS, BASAL_GANGLIA["thalamus"])
    if not all(np.isin(labels, numbers).any() for numbers in parts):
        raise InputError("The label map lacks a part of the brain.", next_step="Use FreeSurfer's label numbers.")
    labels = _crop(labels)
    tissue = tissue_of_labels(labels)
    brain = np.isin(tissue, BRAIN_TISSUES)
    lowest = int(np.flatnonzero(np.isin(labels, CEREBELLUM_LABELS).any((1, 2)))[0])
    space = _intracranial(labels, tissue, brain, lowest)
    tissue = _air_and_fat(tissue, space)
    # The vessels and nerves outside the skull stay what they are; inside, all that is no brain, sinus or artery is CSF.
    tissue[space & np.isin(tissue, (Tissue.SOFT, Tissue.OUTSIDE, Tissue.AIR, Tissue.MUCOSA, Tissue.EYE))] = Tissue.CSF
    signed = signed_distance_mm(space)
    inside_mm = _gaussian(signed, 0.8)
    depth = np.where(space, np.maximum(inside_mm, 0.25), 0.0)
    left = signed_distance_mm(np.isin(labels, LEFT_CEREBRUM))
    right = signed_distance_mm(np.isin(labels, RIGHT_CEREBRUM))
    cerebellum = signed_distance_mm(np.isin(labels, CEREBELLUM_LABELS))
    stem = signed_distance_mm(np.isin(labels, BRAINSTEM_LABELS))
    cerebrum = np.maximum(left, right)
    thalamus_z = float(np.argwhere(np.isin(labels, BASAL_GANGLIA["thalamus"]))[:, 0].mean())
    out = {
        "tissue": tissue,
        "tissue_full": _brain_grown_outwards(tissue, brain, space, inside_mm, stem),
        "inside_mm": np.clip(inside_mm, -30, 60).astype(np.float16),
        "depth": _bytes(depth),
        "ventricle_distance": _bytes(-signed_distance_mm((tissue == Tissue.VENTRICLE) & (labels != 15))),
        "outer_distance": _bytes(signed_distance_mm(_head(labels))),
        "falx_distance": _falx(left, right, depth, space, labels, thalamus_z),
        "tentorium_distance": _tentorium(cerebrum, cerebellum, stem, space),
        "side": np.where(left >= right, 1, -1).astype(np.int8),
        "supratentorial": cerebrum > np.maximum(cerebellum, stem),
    }
    out["points"] = _points(labels, out, depth, stem, cerebrum, thalamus_z)
    return out


def signed_distance_mm(mask: np.ndarray) -> np.ndarray:
    """float32 distance in mm to the mask's surface, positive inside; -100 everywhere for an empty mask."""
    if not mask.any():
        return np.full(mask.shape, -100.0, dtype=np.float32)
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    distance = sitk.SignedMaurerDistanceMap(image, insideIsPositive=True, squaredDistance=False)
    return sitk.GetArrayFromImage(distance)


def _gaussian(array: np.ndarray, sigma: float) -> np.ndarray:
    image = sitk.GetImageFromArray(array.astype(np.float32))
    return sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(image, sigma))


def _bytes(distance_mm: np.ndarray) -> np.ndarray:
    return np.clip(np.round(distance_mm / STEP_MM), 0, 255).astype(np.uint8)


def _crop(labels: np.ndarray) -> np.ndarray:
    """The head with a margin of air; the neck is cut off below the brain."""
    lowest = int(np.flatnonzero(np.isin(labels, CEREBELLUM_LABELS).any((1, 2)))[0])
    # Some maps end in the neck: their empty lower rows are no air. Below the first row, the head is taken to go on.
    filled = np.flatnonzero((labels > 0).sum((1, 2)) > 2500)
    start = max(0, lowest - BELOW_BRAIN_MM, int(filled[0]) + 1 if len(filled) else 0)
    head = labels[start:] > 0
    # Single stray voxels of the maps' background are no head.
    boxes = []
    for axes in ((1, 2), (0, 2), (0, 1)):
        used = np.flatnonzero(head.sum(axes) > 40)
        boxes.append((int(used[0]), int(used[-1]) + 1))
    (_, k1), (j0, j1), (i0, i1) = boxes
    cropped = labels[start : start + k1, j0:j1, i0:i1]
    return np.pad(cropped, ((0, MARGIN_MM), (MARGIN_MM, MARGIN_MM), (MARGIN_MM, MARGIN_MM)))


def _head(labels: np.ndarray) -> np.ndarray:
    """The head with its air spaces, slice by slice."""
    image = sitk.GetImageFromArray((labels > 0).astype(np.uint8))
    closed = sitk.BinaryMorphologicalClosing(image, [2, 2, 2])
    array = sitk.GetArrayFromImage(closed)
    for k in range(len(array)):
        array[k] = sitk.GetArrayFromImage(sitk.BinaryFillhole(sitk.GetImageFromArray(array[k])))
    return array > 0


def _intracranial(labels: np.ndarray, tissue: np.ndarray, brain: np.ndarray, lowest: int) -> np.ndarray:
    """Brain, CSF and the vessels among them, above the foramen magnum."""
    core = brain | np.isin(tissue, (Tissue.CSF, Tissue.VENTRICLE)) & (labels != 530)
    core &= labels != SPINAL_CORD_LABEL
    core[: max(0, lowest - 4)] = False
    image = sitk.GetImageFromArray(core.astype(np.uint8))
    opened = sitk.BinaryMorphologicalOpening(image, [1, 1, 1])
    biggest = sitk.RelabelComponent(sitk.ConnectedComponent(opened)) == 1
    closed = sitk.GetArrayFromImage(sitk.BinaryMorphologicalClosing(biggest, [4, 4, 4])) > 0
    space = closed & ~np.isin(tissue, (Tissue.BONE, Tissue.DIPLOE))
    return space


def _air_and_fat(tissue: np.ndarray, space: np.ndarray) -> np.ndarray:
    """Air spaces told from the air around the head."""
    tissue = tissue.copy()
    head = _head(tissue.astype(np.int32))
    tissue[head & (tissue == Tissue.OUTSIDE) & ~space] = Tissue.AIR
    return tissue


def _brain_grown_outwards(
    tissue: np.ndarray, brain: np.ndarray, space: np.ndarray, inside_mm: np.ndarray, stem_mm: np.ndarray
) -> np.ndarray:
    """Tissue with the outer brain stretched along the inner table's normal, so that about 1 mm of CSF stays over it.

    Label maps leave 3 to 8 mm of CSF there. Cisterns round the brain stem stay as they are.
    """
    kept_mm, reach_mm = 0.9, 18.0
    image = sitk.GetImageFromArray(brain.astype(np.uint8))
    hull = sitk.GetArrayFromImage(sitk.BinaryMorphologicalClosing(image, [6, 6, 6])) > 0
    outer = space & ~hull & (inside_mm < 12)
    thickness = np.where(outer, inside_mm - signed_distance_mm(hull), 0.0)
    weight = _gaussian(outer.astype(np.float32), 5.0)
    thickness = np.where(weight > 1e-3, _gaussian(thickness, 5.0) / np.maximum(weight, 1e-3), 0.0)
    thickness *= np.clip((-stem_mm - 12.0) / 12.0, 0.0, 1.0)
    gap = np.clip(thickness - kept_mm, 0.0, 9.0)
    shift = gap * np.clip(1.0 - (inside_mm - kept_mm) / reach_mm, 0.0, 1.0)
    normal = np.stack(np.gradient(_gaussian(inside_mm, 2.0)), -1)
    length = np.linalg.norm(normal, axis=-1)
    where = np.argwhere(space & (inside_mm > kept_mm) & (shift > 0.3) & (length > 0.6))
    at = tuple(where.T)
    source = np.round(where + normal[at] / length[at][:, None] * shift[at][:, None]).astype(int)
    source = np.clip(source, 0, np.array(tissue.shape) - 1)
    found = tissue[tuple(source.T)]
    usable = np.isin(found, (*BRAIN_TISSUES, Tissue.CSF, Tissue.SINUS, Tissue.ARTERY)) & (tissue[at] != Tissue.SINUS)
    full = tissue.copy()
    full[tuple(where[usable].T)] = found[usable]
    return full


def _falx(
    left: np.ndarray, right: np.ndarray, depth: np.ndarray, space: np.ndarray, labels: np.ndarray, thalamus_z: float
) -> np.ndarray:
    """The sheet half-way between the hemispheres, narrow in front and broad behind, free above the callosum."""
    # The facing gyri of label maps interlock; the falx is a taut membrane, so the sheet is smoothed.
    signed = _gaussian(np.clip((left - right) / 2.0, -SHEET_MM, SHEET_MM), 4.0)
    rows = np.flatnonzero(space.any((0, 2)))
    share = np.clip((np.arange(space.shape[1]) - rows[0]) / max(1, rows[-1] - rows[0]), 0, 1)
    breadth = (18.0 + 26.0 * share)[None, :, None]
    low = (thalamus_z - 14.0 + 12.0 * share)[None, :, None]
    k = np.arange(space.shape[0])[:, None, None]
    near = space & (np.minimum(-left, -right) < 10) & (depth < breadth) & (k > low) & (np.abs(signed) < SHEET_MM - 1.0)
    # The callosum, septum and third ventricle lie in the midline too, without a falx.
    near &= signed_distance_mm(np.isin(labels, (*LATERAL_VENTRICLES, 14))) < -7.0
    return np.where(near, np.clip(np.round(signed / STEP_MM), -126, 126), NO_SHEET).astype(np.int8)


def _tentorium(cerebrum: np.ndarray, cerebellum: np.ndarray, stem: np.ndarray, space: np.ndarray) -> np.ndarray:
    """The sheet half-way between cerebrum and cerebellum, open round the brain stem."""
    signed = _gaussian(np.clip((cerebrum - cerebellum) / 2.0, -SHEET_MM, SHEET_MM), 2.0)
    near = space & (np.abs(signed) < SHEET_MM - 1.0) & (np.minimum(-cerebrum, -cerebellum) < 10) & (stem < -9)
    return np.where(near, np.clip(np.round(signed / STEP_MM), -126, 126), NO_SHEET).astype(np.int8)


def _points(
    labels: np.ndarray,
    out: dict[str, Any],
    depth: np.ndarray,
    stem: np.ndarray,
    cerebrum: np.ndarray,
    thalamus_z: float,
) -> dict[str, np.ndarray]:
    """Voxels to draw places from, at most MAX_POINTS each."""
    tissue = out["tissue"]
    k = np.arange(tissue.shape[0])[:, None, None]
    csf = tissue == Tissue.CSF
    masks = {name: np.isin(labels, numbers) for name, numbers in BASAL_GANGLIA.items()}
    masks |= {
        "lobar": (tissue == Tissue.WHITE) & (depth > 9) & out["supratentorial"],
        "surface": (tissue == Tissue.CORTEX) & (depth > 3) & (depth < 14),
        "contusion": (tissue == Tissue.CORTEX) & (depth > 3) & (depth < 12) & (k < thalamus_z + 8),
        "cerebellum": np.isin(labels, CEREBELLUM_LABELS) & (depth > 8),
        "brainstem": np.isin(labels, BRAINSTEM_LABELS) & (stem > 3),
        "ventricle": np.isin(labels, LATERAL_VENTRICLES),
        "third_ventricle": labels == 14,
        "fourth_ventricle": labels == 15,
        "cistern": csf & (stem > -22) & (depth > 2) & (cerebrum > -14),
        "sylvian": csf & (depth > 14) & (depth < 40) & out["supratentorial"] & (stem < -20) & (k < thalamus_z + 12),
        "sulcus": csf & (depth > 3) & (depth < 20) & (stem < -25),
        "falx": np.abs(out["falx_distance"].astype(np.int16)) <= 2,
        "tentorium": np.abs(out["tentorium_distance"].astype(np.int16)) <= 2,
        "table": (depth > 0) & (depth < 1.5) & (k > thalamus_z - 22),
        "space": depth > 0,
    }
    points = {name: _some(mask) for name, mask in masks.items()}
    points["center"] = np.round(np.argwhere(cerebrum > 0).mean(0, keepdims=True)).astype(np.int16)
    points["atrium"] = _atria(labels)
    points["pineal"] = _pineal(points)
    return points


def _some(mask: np.ndarray) -> np.ndarray:
    found = np.flatnonzero(mask)
    step = max(1, -(-len(found) // MAX_POINTS))
    return np.stack(np.unravel_index(found[::step], mask.shape), -1).astype(np.int16)


def _atria(labels: np.ndarray) -> np.ndarray:
    """Two voxels: where the choroid plexus lies, in the trigone of each lateral ventricle."""
    out = []
    for numbers in ((4, 5), (43, 44)):
        voxels = np.argwhere(np.isin(labels, numbers))
        if len(voxels) < 50:
            continue
        behind = voxels[voxels[:, 1] >= np.quantile(voxels[:, 1], 0.72)]
        middle = np.median(behind, axis=0)
        out.append(behind[np.abs(behind - middle).sum(1).argmin()])
    return np.array(out, dtype=np.int16).reshape(-1, 3)


def _pineal(points: dict[str, np.ndarray]) -> np.ndarray:
    third: Iterable[np.ndarray] = points["third_ventricle"]
    voxels = np.array(third)
    if not len(voxels):
        return np.empty((0, 3), dtype=np.int16)
    back = voxels[voxels[:, 1] >= np.quantile(voxels[:, 1], 0.9)].mean(0)
    return np.round([[back[0] + 1, back[1] + 5, back[2]]]).astype(np.int16)
