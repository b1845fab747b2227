"""What is true about a study: masks of each series, study labels, volumes, places, how everything was made."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ...core.codes import ABNORMAL
from ..midline import midline_shift
from .acquisition import Scene, SeriesSampler, rest_volume_ml
from .canvas import FINDINGS, PRESSING, MrCanvas
from .prescription import StudyPlan
from .settings import BrainMrSettings

if TYPE_CHECKING:
    from .study import SimulatedSeries

DISPLACED_MM = 3.0
"""Brain that is pushed at least this far is displaced (ours). The mask of mass effect is what pushes it: networks know
displaced brain only by heart, from the heads that they were trained on, and call it everywhere in others."""

SHIFT_MM, DISPLACED_ML = 2.0, 25.0
"""A study has mass effect when masses shift the midline by this much, or displace this much brain (ours; the paper asks
for a midline shift, effaced cisterns or herniation, and leaves out what only presses its surroundings)."""

MASK_SHARE = {"acute_infarct": 0.5, "acute_hemorrhage": 0.4, ABNORMAL: 0.4}
"""A voxel belongs to a mask when the finding fills this share of it (hemorrhage lies in thin layers; ours)."""

FAINT_SHARE = 0.1
"""Of a finding so small that no voxel reaches that share, the voxels with half of its peak are its mask, if the peak
reaches this (ours)."""

LEAST_MM3 = 2.0


def masks_of(canvas: MrCanvas, sampler: SeriesSampler) -> dict[str, np.ndarray]:
    """uint8 masks on a series' grid, with its distortion and the patient's movement; only those that hold a voxel."""
    out = {}
    codes = [code for code in MASK_SHARE if code in canvas.masks]
    if codes:
        shares = sampler.shares([canvas.masks[code] for code in codes])
        for code, share in zip(codes, shares, strict=True):
            peak = float(share.max())
            limit = min(MASK_SHARE[code], 0.5 * peak) if peak >= FAINT_SHARE else 1.1
            out[code] = share >= limit
    if PRESSING in canvas.masks and float(sampler.scene.deformation.pushed_mm.max()) >= DISPLACED_MM:
        out["mass_effect"] = sampler.shares([canvas.masks[PRESSING]])[0] >= 0.5
    return {code: mask.to(torch.uint8).cpu().numpy() for code, mask in out.items() if bool(mask.any())}


def study_truth(
    canvas: MrCanvas,
    scene: Scene,
    plan: StudyPlan,
    series: Mapping[str, SimulatedSeries],
    seed: int,
    settings: BrainMrSettings,
) -> dict[str, Any]:
    """JSON-able truth of the whole study (docs/simulation_mr.md lists its keys)."""
    reference = _reference(series)
    shift = midline_shift(canvas.anatomy, scene.deformation, reference.plan.pose, reference.plan.stack)
    seen = {code for made in series.values() for code in made.masks}
    volumes = {
        code: round(rest_volume_ml(canvas.masks[code], scene, plan.pose), 4) if code in canvas.masks else 0.0
        for code in FINDINGS
    }
    displaced = _displaced_ml(canvas, scene, plan)
    places = _places(canvas, scene, plan, series)
    pressed = abs(shift.get("midline_shift_by_masses_mm", 0.0)) >= SHIFT_MM or displaced >= DISPLACED_ML
    labels = {code: code in seen for code in FINDINGS} | {"mass_effect": pressed and "mass_effect" in seen}
    return {
        "seed": seed,
        "anatomy": canvas.anatomy.name,
        "profile": plan.profile.name,
        "field_tesla": plan.field_tesla,
        "abnormal": any(labels.values()) or bool(places["changes"]),
        **labels,
        "volume_ml": volumes | {"displaced": round(displaced, 2)},
        **shift,
        **places,
        "thinning": canvas.truth["thinning"],
        "stripped": plan.stripped,
        "series": {role: _series_truth(made) for role, made in series.items()},
        "settings": {f.name: getattr(settings, f.name) for f in dataclasses.fields(settings) if f.name != "profiles"},
    }


def _reference(series: Mapping[str, SimulatedSeries]) -> SimulatedSeries:
    """The series on whose grid the midline is measured: FLAIR, or the first axial one."""
    axial = [made for made in series.values() if made.plan.plane == "axial"]
    return series.get("FLAIR") or (axial or list(series.values()))[0]


def _displaced_ml(canvas: MrCanvas, scene: Scene, plan: StudyPlan) -> float:
    pushed = scene.deformation.pushed_mm
    index = [
        torch.linspace(0, n - 1, m, device=pushed.device).round().long()
        for n, m in zip(canvas.shape, pushed.shape, strict=True)
    ]
    brain = canvas.brain_share()[index[0]][:, index[1]][:, :, index[2]]
    node_mm3 = float(np.prod([(n - 1) / (m - 1) for n, m in zip(canvas.shape, pushed.shape, strict=True)]))
    share = ((pushed >= DISPLACED_MM) * brain).sum()
    return float(share) * node_mm3 / abs(float(np.linalg.det(plan.pose.matrix))) / 1000.0


def _places(canvas: MrCanvas, scene: Scene, plan: StudyPlan, series: Mapping[str, SimulatedSeries]) -> dict[str, Any]:
    """Lesions, changes and mimics with where they lie in the deformed head at rest, if any series holds them."""

    def place(center_kji: Any) -> list[float] | None:
        return None if center_kji is None else scene.deformation.place_lps_mm(np.array(center_kji), plan.pose)

    def held(at: list[float] | None) -> bool:
        return any(made.plan.stack.holds(at) for made in series.values())

    lesions = [
        {key: value for key, value in lesion.items() if key != "center_kji"}
        | {"at_lps_mm": place(lesion["center_kji"])}
        for lesion in canvas.truth["lesions"]
    ]
    out: dict[str, Any] = {"lesions": lesions}
    for group in ("changes", "mimics"):
        notes = [
            (note, place(note.center_kji)) for note in canvas.notes if note.group == group and note.mm3 >= LEAST_MM3
        ]
        kept = [{"kind": note.kind, "at_lps_mm": at, "mm3": round(note.mm3, 1)} for note, at in notes if held(at)]
        out[group] = sorted({str(entry["kind"]) for entry in kept})
        out[f"{group}_at"] = kept
    return out


def _series_truth(made: SimulatedSeries) -> dict[str, Any]:
    plan, grid = made.plan, made.volume.grid
    voxel_ml = grid.voxel_volumes_ml
    return {
        "plane": plan.plane,
        "sequence": dataclasses.asdict(plan.sequence),
        "mask_ml": {code: round(float((mask.sum((1, 2)) * voxel_ml).sum()), 4) for code, mask in made.masks.items()},
        "movement_lps": np.round(plan.movement_lps, 5).tolist(),
        "acquired": list(plan.acquired),
        "slice_thickness_mm": grid.slice_thickness_mm,
        "motion_mm": round(plan.motion_mm, 2),
        "snr": round(plan.snr, 1),
        "adc_unit_mm2_per_s": made.adc_unit_mm2_per_s,
    }
