"""simulate_head_ct: one non-contrast head CT with exact truth, from a head's anatomy and a seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..core.codes import CT_HEMORRHAGE_CODES
from ..core.volume import Volume
from .acquisition import Acquired, acquire
from .anatomy import Anatomy
from .brain_changes import add_brain_changes
from .canvas import HeadCanvas
from .head_tissue import paint_head
from .hemorrhage_extraaxial import add_edh, add_sdh
from .hemorrhage_intraventricular import add_ivh
from .hemorrhage_parenchymal import add_contusions, add_iph
from .hemorrhage_subarachnoid import add_sah
from .image_physics import finish_image
from .midline import midline_shift
from .mimics import add_mimics
from .settings import HeadCtSettings
from .stack import Pose, Stack, draw_pose, draw_stack, draw_tilt

BLOOD_SHARE = 0.5
"""A voxel belongs to the mask when at least this share of it, over its whole slice thickness, is blood."""

THIN_BLOOD_SHARE = 0.3
"""The same for subarachnoid and subdural blood, whose layers are thinner than a slice (ours)."""

HIDDEN_ABOVE_HU = 150.0
"""Voxels that are brighter than this before noise are mostly bone or calcium: blood in them cannot be seen (ours)."""

LEAST_MIMIC_MM3 = 2.0
"""A mimic or change of which less can be seen is not named in truth (ours)."""

TILT, POSE, WARP, IMAGE = range(11, 15)
"""Parts of an exam that are drawn afresh: settings that differ in one thing give exams that differ in that alone."""

# How bleedings come together (ours, after the mixture in public sets: about half show one type).
PATTERNS: tuple[tuple[tuple[str, ...], float], ...] = (
    (("IPH",), 0.26),
    (("IPH", "IVH"), 0.08),
    (("IPH", "IVH", "SAH"), 0.02),
    (("IVH",), 0.05),
    (("SDH",), 0.18),
    (("EDH",), 0.09),
    (("SAH",), 0.13),
    (("SAH", "IVH"), 0.03),
    (("SDH", "SAH"), 0.05),
    (("SDH", "SAH", "contusions"), 0.04),
    (("SAH", "contusions"), 0.02),
    (("EDH", "SAH"), 0.02),
    (("EDH", "SDH", "contusions"), 0.02),
    (("IPH", "SDH"), 0.01),
)


@dataclass(frozen=True, eq=False)
class SimulatedExam:
    """A simulated head CT and what is true about it.

    Args:
        volume: int16 Hounsfield units on the slices' true grid (tilt, uneven spacing).
        label_kji: uint8 on the same grid; value n is CT_HEMORRHAGE_CODES[n - 1], 0 is no blood.
        truth: JSON-able: seed, anatomy, types (those in the mask), volume_ml per type, positive, lesions (what was
            drawn for each), midline_shift_mm with side and place, mimics and changes (kinds that can be seen in the
            stack) and their places, artefacts, and the values that were drawn (docs/simulation.md).
        thicknesses_mm: (K,) true thickness of every slice.
    """

    volume: Volume
    label_kji: np.ndarray
    truth: dict[str, Any]
    thicknesses_mm: np.ndarray


def simulate_head_ct(
    anatomy: Anatomy,
    seed: int,
    settings: HeadCtSettings | None = None,
    *,
    device: str | torch.device = "cpu",
    paint_blood: Callable[[HeadCanvas], None] | None = None,
) -> SimulatedExam:
    """One exam. The same anatomy, seed, settings and kind of device give the same exam.

    paint_blood: paints chosen bleedings into the head, in place of drawn ones.
    """
    settings = settings or HeadCtSettings()
    with torch.inference_mode():
        canvas = HeadCanvas(anatomy, seed, torch.device(device))
        canvas.truth = {"seed": seed, "anatomy": anatomy.name, "lesions": []}
        canvas.truth["allowed"] = settings.types
        pose, stack, acquired = _paint_and_acquire(canvas, settings, paint_blood)
        canvas.draw_afresh(IMAGE)
        hu = finish_image(canvas, acquired.hu, stack, settings).round().to(torch.int16).cpu().numpy()
        label = _label(acquired, stack)
        truth = _truth(canvas, stack, label, settings) | _places(canvas, acquired, pose, stack)
    volume = Volume(array_kji=hu, grid=stack.grid, modality="CT", source=f"simulated, seed {seed}")
    return SimulatedExam(
        volume=volume,
        label_kji=label,
        truth=truth,
        thicknesses_mm=stack.thicknesses_mm,
    )


def _paint_and_acquire(
    canvas: HeadCanvas, settings: HeadCtSettings, paint_blood: Callable[[HeadCanvas], None] | None
) -> tuple[Pose, Stack, Acquired]:
    paint_head(canvas, settings)
    add_brain_changes(canvas, settings)
    if paint_blood is not None:
        paint_blood(canvas)
    elif settings.types and canvas.chance(settings.positive_probability):
        _add_blood(canvas, settings)
    add_mimics(canvas, settings)
    canvas.draw_afresh(TILT)
    tilt_deg = draw_tilt(canvas.rng, settings)
    canvas.draw_afresh(POSE)
    pose = draw_pose(canvas.anatomy, tilt_deg, canvas.rng, settings)
    stack = draw_stack(canvas.anatomy, pose, tilt_deg, canvas.rng, settings)
    canvas.draw_afresh(WARP)
    return pose, stack, acquire(canvas, pose, stack, canvas.uniform(settings.warp_mm))


def _add_blood(canvas: HeadCanvas, settings: HeadCtSettings) -> None:
    """Draw a pattern of the allowed types and paint it; collections first, so that SAH fills what CSF is left."""
    pattern = settings.parts or _draw_pattern(canvas, settings)
    painters = {"EDH": add_edh, "SDH": add_sdh, "contusions": add_contusions, "SAH": add_sah}
    with_ivh = add_iph(canvas) if "IPH" in pattern else False
    # What breaks into a ventricle mostly spreads and sinks in it.
    if "IVH" in pattern or (with_ivh and canvas.chance(0.6)):
        add_ivh(canvas)
    for part, painter in painters.items():
        if part in pattern:
            painter(canvas)


def _draw_pattern(canvas: HeadCanvas, settings: HeadCtSettings) -> tuple[str, ...]:
    allowed = [
        (pattern, weight)
        for pattern, weight in PATTERNS
        if all(("IPH" if part == "contusions" else part) in settings.types for part in pattern)
    ]
    weights = np.array([weight for _, weight in allowed])
    return allowed[int(canvas.rng.choice(len(allowed), p=weights / weights.sum()))][0]


def _label(acquired: Acquired, stack: Stack) -> np.ndarray:
    """uint8 mask: the type with the largest share wherever enough of it can be seen."""
    label = np.zeros(stack.grid.shape_kji, dtype=np.uint8)
    codes = [code for code in CT_HEMORRHAGE_CODES if code in acquired.blood]
    if not codes:
        return label
    shares = torch.stack([acquired.blood[code] for code in codes])
    limits = torch.tensor([THIN_BLOOD_SHARE if code in ("SAH", "SDH") else BLOOD_SHARE for code in codes])
    best, which = shares.max(0)
    enough = (best >= limits.to(best.device)[which]) | (shares.sum(0) >= BLOOD_SHARE)
    enough &= acquired.hu < HIDDEN_ABOVE_HU
    values = torch.tensor([CT_HEMORRHAGE_CODES.index(code) + 1 for code in codes], device=best.device)
    return torch.where(enough, values[which], 0).to(torch.uint8).cpu().numpy()


def _truth(canvas: HeadCanvas, stack: Stack, label: np.ndarray, settings: HeadCtSettings) -> dict[str, Any]:
    voxel_ml = stack.grid.voxel_volumes_ml
    volumes = {
        code: round(float(((label == value).sum((1, 2)) * voxel_ml).sum()), 4)
        for value, code in enumerate(CT_HEMORRHAGE_CODES, start=1)
    }
    types = [code for value, code in enumerate(CT_HEMORRHAGE_CODES, start=1) if (label == value).any()]
    truth = {key: value for key, value in canvas.truth.items() if key != "allowed"}
    return truth | {
        "positive": bool(types),
        "types": types,
        "volume_ml": volumes,
        "tilt_deg": round(stack.tilt_deg, 3),
        "slice_thicknesses_mm": [round(float(t), 4) for t in stack.thicknesses_mm],
        "slice_profile_flank": round(stack.flank, 2),
        "settings": dataclasses.asdict(settings),
    }


def _places(canvas: HeadCanvas, acquired: Acquired, pose: Pose, stack: Stack) -> dict[str, Any]:
    """Midline shift, and where lesions, mimics and changes lie in the deformed head, in LPS millimetres."""
    out = midline_shift(canvas.anatomy, acquired.deformation, pose, stack)
    out["lesions"] = []
    for lesion in canvas.truth["lesions"]:
        center = lesion["center_kji"]
        place = None if center is None else acquired.deformation.place_lps_mm(np.array(center), pose)
        out["lesions"].append(
            {key: value for key, value in lesion.items() if key != "center_kji"} | {"at_lps_mm": place}
        )
    for group in ("mimics", "changes"):
        seen = []
        for note in canvas.notes:
            place = None if note.center_kji is None else acquired.deformation.place_lps_mm(note.center_kji, pose)
            if note.group == group and note.mm3 >= LEAST_MIMIC_MM3 and stack.holds(place):
                seen.append({"kind": note.kind, "at_lps_mm": place, "mm3": round(note.mm3, 1)})
        out[group] = sorted({str(entry["kind"]) for entry in seen})
        out[f"{group}_at"] = seen
    return out
