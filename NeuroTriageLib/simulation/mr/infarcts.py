"""Infarcts by arterial territory: branches, trunks, border zones, showers of emboli, lacunes; fresh and old."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from ..head_grid import Box, Swelling
from ..tissue import Tissue
from .canvas import PRESSING, MrCanvas, radius_of_ml
from .lesion_materials import BLOOD_STAGES, CAVITY, GLIOSIS, HAEMOSIDERIN, INFARCT_STAGES, InfarctStage
from .materials import Material
from .settings import BrainMrSettings
from .territories import NAMES, TerritoryAtlas, territory_field

# Where infarcts lie: shares of the arteries, ours, near the counts of hospital series (two thirds in the middle
# cerebral artery's territory, a fifth behind; Bogousslavsky, Stroke 1988, from memory).
ARTERIES = {
    "ACA": 0.05, "MCA frontal": 0.15, "MCA parietal": 0.14, "MCA temporal": 0.09, "MCA occipital": 0.03,
    "MCA insular": 0.07, "lenticulostriate": 0.13, "anterior choroidal": 0.03, "thalamoperforators": 0.06, "PCA": 0.09,
    "basilar": 0.06, "SCA": 0.03, "AICA": 0.01, "PICA": 0.06, "border zone": 0.06,
}  # fmt: skip
MIDDLE_CEREBRAL = ("MCA frontal", "MCA parietal", "MCA temporal", "MCA occipital", "MCA insular", "lenticulostriate")
DEEP = ("lenticulostriate", "anterior choroidal", "thalamoperforators", "basilar")
STAGE_SHARES = {"hyperacute": 0.2, "acute": 0.55, "subacute": 0.25}
SMALL_ML = (0.05, 3.0)
LARGE_ML = (3.0, 90.0)
LARGEST_DEEP_ML = 8.0
LARGEST_ML = {"border zone": 15.0, "AICA": 10.0}
PRESSING_ML = 20.0  # infarcts larger than this swell (ours)
LEAST_PIECE_MM3 = 8.0
BORDER = "border zone"
BORDER_MM = 5  # half width of a border zone (ours)
AGE_SPREAD = 0.25  # of ADC and T2 within one infarct (ours)


def add_acute_infarct(
    canvas: MrCanvas, settings: BrainMrSettings, atlas: TerritoryAtlas | None, stage_name: str = ""
) -> None:
    """One infarct, or several of one shower, of a stage or a drawn one; large ones swell, some bleed."""
    territories = territory_field(canvas, atlas)
    name = stage_name or str(canvas.rng.choice(list(STAGE_SHARES), p=list(STAGE_SHARES.values())))
    stage, artery = INFARCT_STAGES[name], _draw_artery(canvas)
    hours = canvas.log_uniform(*stage.hours)
    small = canvas.chance(settings.small_infarct_probability)
    pieces = int(canvas.rng.choice([1, 2, 4, 8], p=[0.62, 0.16, 0.13, 0.09])) if small else 1
    total_ml = 0.0
    for _ in range(pieces):
        volume = canvas.log_uniform(*SMALL_ML) / pieces**0.5 if small else canvas.log_uniform(*LARGE_ML)
        volume = min(volume, LARGEST_ML.get(artery, LARGEST_DEEP_ML if artery in DEEP else volume))
        piece = _region(canvas, territories, artery, volume)
        if piece is None:  # this head has too little of that artery's brain
            artery = "MCA parietal"
            piece = _region(canvas, territories, artery, volume)
        if piece is None:
            continue
        region, fraction, center = piece
        total_ml += _paint_fresh(canvas, region, fraction, stage, center, volume)
        canvas.truth["lesions"].append(
            {
                "type": "acute_infarct", "artery": artery, "stage": name, "hours": round(hours, 1),
                "drawn_ml": round(volume, 3), "center_kji": [float(v) for v in center],
            }
        )  # fmt: skip
        if volume > 1.0 and name != "hyperacute" and canvas.chance(settings.hemorrhagic_infarct_probability):
            _bleed_into(canvas, region, fraction, hours, center)
        if canvas.chance(0.12):  # an embolus may lodge anywhere
            artery = _draw_artery(canvas)


def _of(territories: torch.Tensor, names: list[str]) -> torch.Tensor:
    """(k, j, i) bool: where some territories lie."""
    mine = torch.zeros(len(NAMES) + 1, dtype=torch.bool, device=territories.device)
    mine[[1 + NAMES.index(name) for name in names]] = True
    return mine[territories.int()]


def _border_zones(territories: torch.Tensor) -> torch.Tensor:
    """(k, j, i) bool: within about BORDER_MM of where the anterior, middle and posterior arteries' territories meet."""
    group = torch.zeros(len(NAMES) + 1, device=territories.device)
    for number, name in enumerate(NAMES, start=1):
        group[number] = {"ACA": 1.0, "PCA": 3.0}.get(name, 2.0 if name.startswith("MCA") else 0.0)
    coarse = group[territories[::BORDER_MM, ::BORDER_MM, ::BORDER_MM].int()][None]
    high = torch.nn.functional.max_pool3d(coarse, 3, 1, 1)[0]
    low = -torch.nn.functional.max_pool3d(-coarse, 3, 1, 1)[0]
    border = (high != low) & (low > 0)
    index = [torch.arange(n, device=border.device) // BORDER_MM for n in territories.shape]
    return border[index[0]][:, index[1]][:, :, index[2]]


def _draw_artery(canvas: MrCanvas) -> str:
    shares = np.array(list(ARTERIES.values()))
    return str(canvas.rng.choice(list(ARTERIES), p=shares / shares.sum()))


def _region(
    canvas: MrCanvas, territories: torch.Tensor, artery: str, volume_ml: float
) -> tuple[Box, torch.Tensor, np.ndarray] | None:
    """A ragged piece of an artery's territory of about that volume: box, fraction, centre; None when it has no brain.

    Large ones of the middle cerebral artery spread over its branches, as when its trunk is closed.
    """
    allowed = [artery]
    if artery in MIDDLE_CEREBRAL and volume_ml > 30.0:
        allowed = list(MIDDLE_CEREBRAL)
    side = int(canvas.rng.choice([-1, 1]))
    half = canvas.field("side") == side
    home = (_border_zones(territories) if artery == BORDER else _of(territories, allowed)) & half
    every = (slice(None, None, 4),) * 3
    inside = (home[every] & canvas.is_brain(every)).nonzero() * 4
    if not len(inside):
        return None
    # Branch infarcts reach the cortex, deep ones lie anywhere in their small territory; small emboli favour the cortex.
    depth = canvas.depth[inside[:, 0], inside[:, 1], inside[:, 2]].float()
    for _ in range(8):
        pick = int(canvas.rng.integers(len(inside)))
        center = inside[pick].cpu().numpy().astype(np.float64)
        if artery in DEEP or float(depth[pick]) * 0.25 < 22.0:
            break
    radius = radius_of_ml(volume_ml)
    for _ in range(5):  # brain and territory cut pieces off; grow until enough is left
        stretch = np.exp(canvas.rng.normal(0.0, 0.25, 3))
        found = canvas.blob(center, radius * stretch / stretch.prod() ** (1 / 3), rough=0.55 if radius > 3.5 else 0.25)
        if found is None:
            return None
        box, fraction, _ = found
        belongs = home[box].float()
        belongs = torch.nn.functional.avg_pool3d(belongs[None], 5, 1, 2)[0]  # the field's steps are coarse
        part = fraction * canvas.is_brain(box) * (2.0 * belongs - 0.5).clamp(0.0, 1.0)
        part = part * (canvas.depth[box] > 0)
        if float(part.sum()) > 600.0 * volume_ml or radius > 55.0:
            break
        radius *= 1.3
    return (box, part, center) if float(part.sum()) > LEAST_PIECE_MM3 else None


def _paint_fresh(
    canvas: MrCanvas, box: Box, fraction: torch.Tensor, stage: InfarctStage, center: np.ndarray, volume_ml: float
) -> float:
    """Lower ADC, higher T2 and T1 by the stage, uneven within; sulci in it close. Return mL."""
    adc, t2 = canvas.uniform(stage.adc_share), canvas.uniform(stage.t2_gain)
    t1, uptake = canvas.uniform(stage.t1_gain), canvas.uniform(stage.uptake_per_s)

    def dying(m: Material, strength: float = 1.0) -> Material:
        def toward(gain: float) -> float:
            return 1.0 + strength * (gain - 1.0)

        return replace(
            m,
            adc=m.adc * toward(adc),
            t2_ms=m.t2_ms * toward(t2),
            t1_ms=m.t1_ms * toward(t1),
            density=min(1.0, m.density * (1.0 + 0.04 * strength * (t2 - 1.0) / 0.5)),
            uptake_per_s=m.uptake_per_s + strength * uptake,
        )

    volume = canvas.paint_finding("acute_infarct", box, fraction, canvas.changed(box, dying))
    # The core is worse than the rest.
    uneven = fraction * (0.5 + 0.8 * canvas.noise_in(box, 9.0)).clamp(0.0, 1.0)
    weak = canvas.changed(box, lambda m: dying(m, 1.0 - AGE_SPREAD))
    canvas.overpaint(box, uneven, weak)
    if volume_ml > PRESSING_ML:
        sulci = fraction_of_sulci(canvas, box, fraction)
        canvas.overpaint(box, 0.7 * sulci, canvas.new_material(dying(canvas.materials[int(Tissue.CORTEX)])))
        canvas.csf_share[box] *= 1.0 - 0.7 * sulci
        radius = radius_of_ml(volume_ml)
        canvas.swellings.append(Swelling(center, radius / canvas.uniform(stage.swelling), radius))
        canvas.mark(PRESSING, box, fraction)
    return volume / 1000.0


def fraction_of_sulci(canvas: MrCanvas, box: Box, fraction: torch.Tensor) -> torch.Tensor:
    """CSF of the sulci among a region's voxels (a box) and within two voxels of them."""
    near = torch.nn.functional.max_pool3d(fraction[None], 5, 1, 2)[0]
    return near * canvas.csf_share[box] * (canvas.depth[box] > 0)


def _bleed_into(canvas: MrCanvas, box: Box, fraction: torch.Tensor, hours: float, center: np.ndarray) -> None:
    """Petechiae, or a small haematoma, in an infarct of more than some hours."""
    age = next(name for name, stage in BLOOD_STAGES.items() if hours / 24.0 <= stage.days[1])
    stage = BLOOD_STAGES[age]
    dense = canvas.uniform((0.2, 1.1))
    specks = fraction * (canvas.noise_in(box, canvas.uniform((3.0, 9.0))) * 1.6 - dense).clamp(0.0, 1.0)
    if float(specks.sum()) < 50.0:
        return
    canvas.overpaint(box, specks, canvas.material(stage.inside))
    canvas.mark("acute_hemorrhage", box, specks)
    canvas.bloom(box, specks, canvas.uniform(stage.blooming_per_s))
    canvas.truth["lesions"].append(
        {
            "type": "acute_hemorrhage", "form": "hemorrhagic infarct", "stage": age, "days": round(hours / 24.0, 1),
            "drawn_ml": round(float(specks.sum()) / 1000.0, 3), "center_kji": [float(v) for v in center],
        }
    )  # fmt: skip


def add_chronic_infarct(canvas: MrCanvas, atlas: TerritoryAtlas | None) -> None:
    """A cavity of CSF within a rim of gliosis, or a lacune; some carry old blood's iron."""
    territories = territory_field(canvas, atlas)
    artery = _draw_artery(canvas)
    volume = canvas.log_uniform(0.05, 60.0) if artery not in DEEP else canvas.log_uniform(0.05, 3.0)
    piece = _region(canvas, territories, artery, volume)
    if piece is None:
        return
    box, fraction, center = piece
    canvas.paint(box, fraction, canvas.material(GLIOSIS))
    hollow = canvas.uniform((0.2, 1.3))
    core = fraction * (hollow + 0.8 * canvas.noise_in(box, 8.0)).clamp(0.0, 1.0)
    canvas.paint(box, core, canvas.material(CAVITY))
    if volume > 2.0 and canvas.chance(0.15):
        rim = fraction * (canvas.noise_in(box, 4.0) - 0.8).clamp(0.0, 1.0)
        canvas.paint(box, rim, canvas.material(HAEMOSIDERIN))
        canvas.bloom(box, rim, canvas.uniform((30.0, 70.0)))
    canvas.note("changes", "chronic infarct", center, float(fraction.sum()))
