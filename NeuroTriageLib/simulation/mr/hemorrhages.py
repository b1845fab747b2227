"""Hemorrhages by type and age, in the brain and round it; old ones, microbleeds and calcifications."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from ..bleeding_shapes import (
    LARGEST_ML,
    LARGEST_OTHER_ML,
    SITES,
    ClotShape,
    csf_places,
    draw_subarachnoid_form,
    draw_ventricular_form,
    make_clot,
    make_csf_patch,
    ventricles_box,
    ventricular_form,
    ventricular_points,
)
from ..crescent import make_crescent, make_sheet_layer
from ..head_grid import Box, Region, Voxels
from ..lens import make_lens
from ..tissue import WHITE_TISSUES, Tissue
from .canvas import PRESSING, MrCanvas
from .lesion_materials import (
    BLOOD_STAGES,
    CALCIUM,
    CAVITY,
    CHRONIC_SUBDURAL,
    HAEMOSIDERIN,
    HYGROMA,
    SUBARACHNOID,
    VASOGENIC_OEDEMA,
    VENTRICULAR,
)

# Acute means up to four weeks: the paper's label leaves out chronic hemorrhage only (Nael 2021, Data). Shares ours.
STAGE_SHARES = {"hyperacute": 0.1, "acute": 0.4, "early subacute": 0.25, "late subacute": 0.25}
# How bleedings come together, as the CT simulator has them (ours); collections are made before the head is painted.
PATTERNS: tuple[tuple[tuple[str, ...], float], ...] = (
    (("IPH",), 0.3), (("IPH", "IVH"), 0.09), (("IVH",), 0.04), (("SDH",), 0.22), (("EDH",), 0.04), (("SAH",), 0.14),
    (("SAH", "IVH"), 0.03), (("SDH", "SAH"), 0.06), (("SAH", "contusions"), 0.05), (("IPH", "SDH"), 0.03),
)  # fmt: skip
SUBDURAL_SHARES = {"convexity": 0.8, "falx": 0.12, "tentorium": 0.08}
PRESSING_KINDS = ("IPH", "SDH", "EDH")  # clots that make themselves room; contusions are drawn as IPH
LEAST_CLOT_MM3 = 5.0
LARGEST_SHIFT_MM = 14.0  # larger shifts would fold the brain here (ours)

Painter = Callable[[], None]


def draw_pattern(canvas: MrCanvas) -> tuple[str, ...]:
    """Types of hemorrhage of one study."""
    shares = np.array([share for _, share in PATTERNS])
    return PATTERNS[int(canvas.rng.choice(len(PATTERNS), p=shares / shares.sum()))][0]


def prepare_collections(canvas: MrCanvas, pattern: tuple[str, ...]) -> list[Painter]:
    """Press the brain under subdural and epidural collections; the painters fill them when the head is painted."""
    painters: list[Painter] = []
    if "SDH" in pattern:
        for _ in range(int(canvas.rng.choice([1, 2], p=[0.8, 0.2]))):
            painters += _prepare_subdural(canvas)
    if "EDH" in pattern:
        lens = make_lens(canvas, canvas.log_uniform(3.0, 24.0))
        if lens is not None:
            lens.push(canvas)
            stage = str(canvas.rng.choice(["hyperacute", "acute", "early subacute"], p=[0.25, 0.5, 0.25]))
            painters.append(lambda: _paint_clot(canvas, lens.box, lens.fraction, "EDH", stage, center=lens.spot))
    return painters


def _prepare_subdural(canvas: MrCanvas) -> list[Painter]:
    kind = str(canvas.rng.choice(list(SUBDURAL_SHARES), p=list(SUBDURAL_SHARES.values())))
    stage = draw_stage(canvas)
    if kind != "convexity":
        layer = make_sheet_layer(canvas, kind)
        if layer is None:
            return []
        at: dict[str, Any] = {"where": kind, "drawn_mm": round(layer.thickness_mm, 1)}
        return [lambda: _paint_clot(canvas, layer.voxels, layer.fraction, "SDH", stage, center=layer.center, **at)]
    thickness = canvas.log_uniform(1.8, 20.0)
    shift = min(canvas.uniform((0.1, 1.0)) * thickness, LARGEST_SHIFT_MM)
    crescent = make_crescent(canvas, thickness, shift)
    center = canvas.anatomy.brain_center_kji + 60.0 * crescent.pole
    drawn: dict[str, Any] = {"where": kind, "drawn_mm": round(thickness, 1)}
    return [lambda: _paint_clot(canvas, crescent.voxels, crescent.fraction, "SDH", stage, center=center, **drawn)]


def prepare_fluid_collection(canvas: MrCanvas) -> list[Painter]:
    """A hygroma or a chronic subdural collection: abnormal, but no acute hemorrhage."""
    thickness = canvas.log_uniform(3.0, 14.0)
    crescent = make_crescent(canvas, thickness, canvas.uniform((0.0, 0.3)) * thickness)
    kind = "chronic subdural" if canvas.chance(0.5) else "hygroma"

    def paint() -> None:
        fluid = canvas.material(CHRONIC_SUBDURAL if kind == "chronic subdural" else HYGROMA)
        volume = canvas.paint(crescent.voxels, crescent.fraction, fluid)
        canvas.mark(PRESSING, crescent.voxels, crescent.fraction)
        canvas.note("changes", kind, canvas.anatomy.brain_center_kji + 60.0 * crescent.pole, volume)

    return [paint]


def draw_stage(canvas: MrCanvas) -> str:
    """One of the stages of blood that count as acute hemorrhage."""
    return str(canvas.rng.choice(list(STAGE_SHARES), p=list(STAGE_SHARES.values())))


def add_hemorrhages(canvas: MrCanvas, pattern: tuple[str, ...]) -> None:
    """What lies within the brain, its ventricles and cisterns."""
    if "IPH" in pattern:
        for _ in range(int(canvas.rng.choice([1, 2, 3], p=[0.82, 0.13, 0.05]))):
            site = str(canvas.rng.choice(list(SITES), p=list(SITES.values())))
            volume = canvas.log_uniform(0.05, 2.0) if canvas.chance(0.35) else canvas.log_uniform(1.5, 70.0)
            _add_clot(canvas, site, min(volume, LARGEST_ML.get(site, LARGEST_OTHER_ML)), draw_stage(canvas))
    if "contusions" in pattern:
        _add_contusions(canvas)
    if "IVH" in pattern:
        _add_ventricular(canvas)
    if "SAH" in pattern:
        _add_subarachnoid(canvas)


def _add_contusions(canvas: MrCanvas) -> None:
    center = canvas.place("contusion")
    if center is None:
        return
    stage = draw_stage(canvas)
    for _ in range(int(canvas.rng.integers(2, 7))):
        near = center + canvas.rng.normal(0.0, 9.0, 3)
        _add_clot(canvas, "contusion", canvas.log_uniform(0.02, 5.0), stage, near)


def _add_clot(canvas: MrCanvas, site: str, volume_ml: float, stage: str, center: np.ndarray | None = None) -> None:
    shape = make_clot(canvas, site, volume_ml, center)
    if shape is None:
        return
    _add_oedema(canvas, shape, stage)
    _paint_clot(canvas, shape.box, shape.clot, "IPH", stage, center=shape.center, site=site, relative=shape.relative)
    if float(shape.spilled.sum()) > 30.0:
        canvas.paint_finding("acute_hemorrhage", shape.box, shape.spilled, canvas.material(VENTRICULAR))
    shape.swell(canvas)


def _add_oedema(canvas: MrCanvas, shape: ClotShape, stage: str) -> None:
    """A ring that widens in the first week."""
    days = BLOOD_STAGES[stage].days[1]
    width = canvas.uniform((1.0, 5.0)) * min(1.0, shape.radius_mm / 8.0) + 0.5 + 0.5 * min(days, 14.0)
    fade = (1.0 - (shape.relative - 1.0) * shape.radius_mm / width).clamp(0.0, 1.0) * canvas.is_brain(shape.box)
    white = canvas.is_tissue(shape.box, *WHITE_TISSUES)
    canvas.paint(
        shape.box, fade * (0.35 + 0.55 * white) * canvas.uniform((0.4, 1.0)), canvas.material(VASOGENIC_OEDEMA)
    )


def _paint_clot(
    canvas: MrCanvas,
    region: Region,
    fraction: torch.Tensor,
    kind: str,
    stage: str,
    *,
    center: np.ndarray,
    relative: torch.Tensor | None = None,
    **drawn: Any,
) -> None:
    """Blood of a stage; it ages from the outside in, so a rim of the next or last stage may show, and levels in it."""
    if float(fraction.sum()) < LEAST_CLOT_MM3:  # it fell outside the brain
        return
    about = BLOOD_STAGES[stage]
    canvas.paint_finding("acute_hemorrhage", region, fraction, canvas.material(about.inside))
    if kind in PRESSING_KINDS:
        canvas.mark(PRESSING, region, fraction)
    if relative is not None and canvas.chance(0.6):
        names = list(BLOOD_STAGES)
        older = BLOOD_STAGES[names[min(names.index(stage) + 1, 3)]]
        rim = fraction * ((relative - canvas.uniform((0.6, 0.85))) * 4.0).clamp(0.0, 1.0)
        canvas.overpaint(region, rim, canvas.material(older.inside))
    mottled = fraction * (canvas.noise_in(region, 6.0) * 0.5 + canvas.uniform((-0.3, 0.3))).clamp(0.0, 0.8)
    other = BLOOD_STAGES[draw_stage(canvas)] if canvas.chance(0.3) else about
    canvas.overpaint(region, mottled, canvas.material(other.inside))
    days = canvas.log_uniform(max(about.days[0], 0.05), about.days[1])
    rate = canvas.uniform(about.blooming_per_s)
    if isinstance(region[0], slice):
        canvas.bloom(region, fraction, rate)  # type: ignore[arg-type]
    else:
        box, dense = boxed(region, fraction)  # type: ignore[arg-type]
        canvas.bloom(box, dense, 0.5 * rate)  # collections lie at the skull, where little blooms (ours)
    canvas.truth["lesions"].append(
        {
            "type": "acute_hemorrhage", "form": kind, "stage": stage, "days": round(days, 1),
            "drawn_ml": round(float(fraction.sum()) / 1000.0, 3), "center_kji": [float(v) for v in center], **drawn,
        }
    )  # fmt: skip


def boxed(voxels: Voxels, fraction: torch.Tensor) -> tuple[Box, torch.Tensor]:
    """Values at voxels as a dense field in the box round them."""
    low = [int(axis.min()) for axis in voxels]
    high = [int(axis.max()) + 1 for axis in voxels]
    dense = torch.zeros([b - a for a, b in zip(low, high, strict=True)], device=fraction.device)
    dense[tuple(axis - a for axis, a in zip(voxels, low, strict=True))] = fraction
    return tuple(slice(a, b) for a, b in zip(low, high, strict=True)), dense  # type: ignore[return-value]


def _add_ventricular(canvas: MrCanvas) -> None:
    box = ventricles_box(canvas)
    if box is None:
        return
    kind = draw_ventricular_form(canvas)
    mask = ventricular_form(canvas, box, canvas.is_tissue(box, Tissue.VENTRICLE).float(), kind)
    canvas.paint_finding("acute_hemorrhage", box, mask, canvas.material(VENTRICULAR))
    canvas.bloom(box, mask, canvas.uniform((10.0, 40.0)), 1)
    if kind == "cast" and canvas.chance(0.5):
        canvas.ventricle_mm = max(canvas.ventricle_mm, canvas.uniform((1.0, 5.0)))
    _remember(canvas, ventricular_points(canvas).mean(0), f"IVH, {kind}", mask)


def _add_subarachnoid(canvas: MrCanvas) -> None:
    form = draw_subarachnoid_form(canvas)
    material = canvas.material(SUBARACHNOID)
    for place, low_mm, high_mm in csf_places(canvas, form):
        patch = make_csf_patch(canvas, place, canvas.rng.uniform(low_mm, high_mm, 3), thin=form == "thin")
        if patch is None:
            continue
        center, box, fraction = patch
        canvas.paint_finding("acute_hemorrhage", box, fraction, material)
        canvas.bloom(box, fraction, canvas.uniform((5.0, 30.0)), 1)
        _remember(canvas, center, f"SAH, {form}", fraction)


def _remember(canvas: MrCanvas, center: np.ndarray, form: str, fraction: torch.Tensor) -> None:
    if float(fraction.sum()) < LEAST_CLOT_MM3:
        return
    volume = round(float(fraction.sum()) / 1000.0, 3)
    at = [float(v) for v in center]
    canvas.truth["lesions"].append(
        {"type": "acute_hemorrhage", "form": form, "stage": "acute", "drawn_ml": volume, "center_kji": at}
    )


def add_chronic_hemorrhage(canvas: MrCanvas) -> None:
    """An old cavity or slit with a rim of haemosiderin, dark in T2 and T2*: no acute hemorrhage."""
    site = str(canvas.rng.choice(["putamen", "thalamus", "lobar", "cerebellum"], p=[0.4, 0.15, 0.35, 0.1]))
    center = canvas.place(site)
    if center is None:
        return
    found = canvas.blob(center, canvas.rng.uniform((2.0, 3.0, 1.5), (9.0, 14.0, 5.0)), rough=0.4)
    if found is None:
        return
    box, fraction, relative = found
    brain = canvas.is_brain(box)
    rim = fraction * brain * ((relative - 0.6) * 4.0).clamp(0.0, 1.0)
    volume = canvas.paint(box, fraction * brain, canvas.material(CAVITY))
    canvas.paint(box, rim, canvas.material(HAEMOSIDERIN))
    canvas.bloom(box, rim, canvas.uniform((40.0, 90.0)))
    canvas.note("changes", "chronic hemorrhage", center, volume)


def add_microbleeds(canvas: MrCanvas) -> None:
    """Round dark dots in T2* and SWI only, deep or lobar: old, not acute."""
    deep = canvas.chance(0.5)
    places = ["putamen", "thalamus", "brainstem", "cerebellum"] if deep else ["lobar", "surface"]
    for _ in range(int(canvas.rng.choice([1, 2, 4, 8, 20], p=[0.4, 0.25, 0.2, 0.1, 0.05]))):
        _dot(canvas, str(canvas.rng.choice(places)), "microbleeds", HAEMOSIDERIN, (0.6, 1.8), (60.0, 160.0))


def add_calcification(canvas: MrCanvas) -> None:
    """A speck of calcium, dark in T2* as blood is: choroid, pineal or pallidum, a mimic and no abnormality."""
    for place in canvas.rng.choice(["atrium", "pineal", "pallidum"], size=2, replace=False):
        _dot(canvas, str(place), "", CALCIUM, (0.8, 2.5), (30.0, 120.0))


def _dot(
    canvas: MrCanvas,
    place: str,
    note: str,
    kind: Any,
    radius_mm: tuple[float, float],
    rate_per_s: tuple[float, float],
) -> None:
    center = canvas.place(place)
    if center is None:
        return
    found = canvas.blob(center, np.full(3, canvas.uniform(radius_mm)), rough=0.1)
    if found is None:
        return
    box, fraction, _ = found
    fraction = fraction * (canvas.depth[box] > 0)
    canvas.overpaint(box, 0.5 * fraction, canvas.material(kind))
    canvas.bloom(box, fraction, canvas.uniform(rate_per_s))
    if note:
        canvas.note("changes", note, center, 50.0)
    else:
        canvas.note("mimics", "calcification", center, 50.0)
