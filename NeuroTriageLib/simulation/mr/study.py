"""simulate_brain_mr: one brain-MRI study with exact truth, from a head's anatomy and a seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ...core.volume import Volume
from ..anatomy import Anatomy
from ..mass_effect import deform
from ..tissue import Tissue
from .acquisition import Scene, SeriesSampler
from .canvas import MrCanvas
from .findings import paint_findings
from .image_formation import AVERAGED_DIRECTIONS, BACKGROUND_SHARE, ImageFormer, adc_map
from .prescription import SeriesPlan, StudyPlan, draw_series, draw_study, series_roles
from .settings import BrainMrSettings
from .signal_equations import signals
from .static_field import static_field
from .territories import TerritoryAtlas
from .truth import masks_of, study_truth

FLAIR_INFLOW = (0.0, 0.9)
"""Signal of CSF that flowed in unprepared, relative to white matter, where it shows at all (ours)."""


@dataclass(frozen=True, eq=False)
class SimulatedSeries:
    """One series of a study.

    Args:
        role: of profiles.ROLES.
        volume: int16 grey values, or float32 for ADC maps in larger units, on the slices' true grid.
        masks: uint8 (K, J, I) of each finding that this series shows, as it lies in this series' image: acute_infarct,
            acute_hemorrhage, mass_effect (what presses the brain), abnormal (all that is painted but variants). A
            code that is missing is not there.
        plan: how it was made.
        adc_unit_mm2_per_s: what one grey value of an ADC map stands for; 0 for other series.
    """

    role: str
    volume: Volume
    masks: dict[str, np.ndarray]
    plan: SeriesPlan
    adc_unit_mm2_per_s: float = 0.0


@dataclass(frozen=True, eq=False)
class SimulatedStudy:
    """A simulated brain MRI: its series by role, and what is true about it (docs/simulation_mr.md)."""

    series: dict[str, SimulatedSeries]
    plan: StudyPlan
    truth: dict[str, Any]


def simulate_brain_mr(
    anatomy: Anatomy,
    seed: int,
    settings: BrainMrSettings | None = None,
    *,
    device: str | torch.device = "cpu",
    atlas: TerritoryAtlas | None = None,
    paint: Callable[[MrCanvas], None] | None = None,
) -> SimulatedStudy:
    """One study. The same anatomy, seed, settings, atlas and kind of device give the same study.

    A series does not depend on which others are asked for. paint: paints chosen findings into the healthy head, in
    place of drawn ones.
    """
    settings = settings or BrainMrSettings()
    device = torch.device(device)
    with torch.inference_mode():
        plan = draw_study(anatomy, np.random.default_rng([seed, 5]), settings)
        canvas = MrCanvas(anatomy, seed, device, plan.field_tesla)
        paint_findings(canvas, settings, atlas, paint)
        deformation = deform(canvas, canvas.uniform(settings.warp_mm))
        scene = Scene(canvas.shape, deformation, static_field(anatomy).to(device), plan.field_tesla)
        maker = _SeriesMaker(canvas, scene, plan, seed, settings)
        series = {role: made for role in series_roles(plan, settings) for made in maker.make(role)}
        truth = study_truth(canvas, scene, plan, series, seed, settings)
    return SimulatedStudy(series, plan, truth)


class _SeriesMaker:
    """Makes the series of one painted head."""

    def __init__(self, canvas: MrCanvas, scene: Scene, study: StudyPlan, seed: int, settings: BrainMrSettings) -> None:
        self.canvas, self.scene, self.study, self.seed, self.settings = canvas, scene, study, seed, settings
        self._inflow = self._csf_inflow()
        self._upper = canvas.uniform(study.profile.units)
        self._adc_unit = float(canvas.rng.choice(study.profile.adc_units_mm2_per_s))
        self._masks_background = canvas.chance(study.profile.masks_background)
        self._diffusion: dict[str, SimulatedSeries] = {}

    def _csf_inflow(self) -> tuple[tuple[torch.Tensor, ...], torch.Tensor]:
        """CSF near the midline ventricles and cisterns that flows in between inversion and echo, and how much of it."""
        canvas = self.canvas
        at = torch.from_numpy(
            np.concatenate(
                [
                    canvas.anatomy.points[name].astype(np.int64)
                    for name in ("third_ventricle", "fourth_ventricle", "cistern")
                ]
            )
        ).to(canvas.device)
        voxels = (at[:, 0], at[:, 1], at[:, 2])
        share = (canvas.noise_at(voxels, 14.0) + canvas.uniform((-1.5, 0.8))).clamp(0.0, 1.0)
        return voxels, share * canvas.uniform(FLAIR_INFLOW)

    def make(self, role: str) -> list[SimulatedSeries]:
        """The series of a role: a list of one."""
        if role in ("TRACE", "ADC"):
            if not self._diffusion:
                self._diffusion = self._make_diffusion()
            return [self._diffusion[role]]
        plan = draw_series(role, self.canvas.anatomy, self.study, self.seed, self.settings)
        sampler = SeriesSampler(self.scene, plan, float(plan.rng.uniform(0.0, np.pi)))
        rendered = self.canvas.render(plan.sequence)
        level = self._level(plan)
        if role == "FLAIR":
            voxels, share = self._inflow
            rendered[voxels] += share * level
        former = ImageFormer(plan, level)
        image = former.corrected(former.magnitude(sampler.image([rendered])[0]), sampler.coil())
        masks = masks_of(self.canvas, sampler)
        array = former.in_units(self._stripped(image, sampler), self._upper * plan.rng.uniform(0.6, 1.6))
        return [SimulatedSeries(role, self._volume(array, plan), masks, plan)]

    def _make_diffusion(self) -> dict[str, SimulatedSeries]:
        plan = draw_series("TRACE", self.canvas.anatomy, self.study, self.seed, self.settings)
        sampler = SeriesSampler(self.scene, plan, float(plan.rng.uniform(0.0, np.pi)))
        unweighted = dataclasses.replace(plan.sequence, b_s_per_mm2=0.0)
        sampled = sampler.image([self.canvas.render(unweighted), self.canvas.render(plan.sequence)])
        level = float(signals([self.canvas.materials[int(Tissue.WHITE)]], unweighted)[0])
        former = ImageFormer(plan, level)
        b0 = former.magnitude(sampled[0])
        trace = former.magnitude(sampled[1], averages=AVERAGED_DIRECTIONS)
        background = BACKGROUND_SHARE * level if self._masks_background else 0.0
        adc = adc_map(b0, trace, plan.sequence.b_s_per_mm2, background=background)
        adc = self._stripped(adc, sampler) / self._adc_unit
        values = adc.cpu().numpy().astype(np.float32)
        if self._adc_unit == 1e-6:
            values = values.round().astype(np.int16)
        masks = masks_of(self.canvas, sampler)
        corrected = self._stripped(former.corrected(trace, sampler.coil()), sampler)
        bright = former.in_units(2.0 * corrected, self._upper)
        other = dataclasses.replace(plan, role="ADC")
        return {
            "TRACE": SimulatedSeries("TRACE", self._volume(bright, plan), masks, plan),
            "ADC": SimulatedSeries("ADC", self._volume(values, plan), masks, other, self._adc_unit),
        }

    def _level(self, plan: SeriesPlan) -> float:
        """Signal of white matter."""
        return float(signals([self.canvas.materials[int(Tissue.WHITE)]], plan.sequence)[0])

    def _stripped(self, image: torch.Tensor, sampler: SeriesSampler) -> torch.Tensor:
        if not self.study.stripped:
            return image
        inside = sampler.shares([(self.canvas.depth > 0).float()])[0]
        return image * (inside > 0.5)

    def _volume(self, array: np.ndarray, plan: SeriesPlan) -> Volume:
        return Volume(array_kji=array, grid=plan.stack.grid, modality="MR", source=f"simulated, seed {self.seed}")
