"""The true midline shift of a deformed head: how far the septum pellucidum lies from the plane of the falx."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from .anatomy import DISTANCE_STEP_MM, Anatomy
from .mass_effect import Deformation
from .stack import Pose, Stack
from .tissue import Tissue

ATTACHED_MM = 5.0  # the falx is attached to the inner table where it lies no deeper than this (ours)
HORNS_APART_MM = 8.0  # half-way between the walls of two horns lies the septum when they are closer than this (ours)
# The septum is measured where a reader does: between the frontal horns at the foramina of Monro. Millimetres from the
# foramina: behind, in front, below, above (ours; the septum pellucidum is about 15 mm high and 20-25 mm long there).
LEVEL_MM = (4.0, 18.0, 2.0, 14.0)
STRAY_MM = 3.0  # a point of an undeformed septum lies no further from the others' median (ours)


def midline_shift(anatomy: Anatomy, deformation: Deformation, pose: Pose, stack: Stack) -> dict[str, Any]:
    """The true midline shift: the mean distance of the septum, at the foramina of Monro, from the plane of the falx.

    The plane is fitted to the falx's attachments at the inner table: what a reader's straight line from the anterior
    to the posterior attachment stands for. Distances are positive to the left.

    Returns:
        JSON-able: midline_shift_mm, midline_shift_side ("left" or "right", where the septum went),
        midline_shift_at_lps_mm (the middle of that part of the septum), midline_shift_in_stack (whether the slices
        reach it), midline_shift_by_masses_mm (signed; what swellings and shifts moved it across the plane: the rest is
        the head's own asymmetry and the warp), midline_plane (point_lps_mm, normal_lps, which points to the left).
        Empty when the map shows too little of septum or falx.
    """
    septum, attachments = _midline_points(anatomy)
    if len(septum) < 10 or len(attachments) < 20:
        return {}
    # The skull holds them: they are warped with it, and no mass moves them.
    ends = pose.to_lps(deformation.moved(attachments, "warp")[:, ::-1])
    middle = ends.mean(axis=0)
    normal = np.linalg.svd(ends - middle, full_matrices=False)[2][2]
    normal = normal * np.sign(normal[0] or 1.0)
    at = pose.to_lps(deformation.moved(septum)[:, ::-1]).mean(axis=0)
    before = pose.to_lps(septum[:, ::-1]).mean(axis=0)
    pushed = pose.to_lps(deformation.moved(septum, "masses")[:, ::-1]).mean(axis=0)
    shift = float((at - middle) @ normal)
    height = float((at - stack.grid.origins_lps_mm[0]) @ stack.grid.normal)
    top = float((stack.grid.origins_lps_mm[-1] - stack.grid.origins_lps_mm[0]) @ stack.grid.normal)
    return {
        "midline_shift_mm": round(abs(shift), 2),
        "midline_shift_side": "left" if shift > 0 else "right",
        "midline_shift_at_lps_mm": [round(float(v), 2) for v in at],
        "midline_shift_by_masses_mm": round(float((pushed - before) @ normal), 2),
        "midline_shift_in_stack": bool(0.0 <= height <= top),
        "midline_plane": {
            "point_lps_mm": [round(float(v), 2) for v in middle],
            "normal_lps": [round(float(v), 5) for v in normal],
        },
    }


@lru_cache(maxsize=24)
def _midline_points(anatomy: Anatomy) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3) points of the septum at the foramina, (M, 3) of the falx's attachments, in map voxels k, j, i (1 mm)."""
    falx = anatomy.points["falx"].astype(int)
    depth_mm = anatomy.depth[tuple(falx.T)] * DISTANCE_STEP_MM
    septum = _septum(anatomy)
    foramina = _foramina_kj(anatomy)
    if foramina is not None and len(septum):
        k, j = (septum[:, :2] - foramina).T
        behind, front, below, above = LEVEL_MM
        septum = septum[(j >= -front) & (j <= behind) & (k >= -below) & (k <= above)]
    if len(septum):
        septum = septum[np.abs(septum[:, 2] - np.median(septum[:, 2])) < STRAY_MM]
    return septum, falx[depth_mm < ATTACHED_MM].astype(np.float64)


def _septum(anatomy: Anatomy) -> np.ndarray:
    """Half-way between the walls of the two frontal horns and bodies, wherever they face each other closely."""
    ventricle = np.argwhere((anatomy.tissue == Tissue.VENTRICLE) & (anatomy.ventricle_distance == 0))
    side = anatomy.side[tuple(ventricle.T)]
    middle = anatomy.brain_center_kji[2]
    walls = {}
    for sign in (1, -1):
        part = ventricle[(side == sign) & (np.abs(ventricle[:, 2] - middle) < 25)]
        best = np.full(anatomy.shape_kji[:2], np.inf)
        np.minimum.at(best, (part[:, 0], part[:, 1]), sign * part[:, 2].astype(float))
        walls[sign] = sign * best
    gap = walls[1] - walls[-1]
    close = np.isfinite(gap) & (gap > 0) & (gap < HORNS_APART_MM)
    k, j = np.nonzero(close)
    return np.stack([k, j, (walls[1][close] + walls[-1][close]) / 2.0], -1)


def _foramina_kj(anatomy: Anatomy) -> np.ndarray | None:
    """(2,) height k and row j of the foramina of Monro: the front of the third ventricle's roof; None without one."""
    third = anatomy.points["third_ventricle"].astype(np.float64)
    if len(third) < 20:
        return None
    roof = third[third[:, 0] >= np.quantile(third[:, 0], 0.75)]
    return np.array([roof[:, 0].mean(), np.quantile(roof[:, 1], 0.1)])
