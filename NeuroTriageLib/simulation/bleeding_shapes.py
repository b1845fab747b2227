"""Shapes of blood in brain, ventricles and cisterns, the same for every scanner."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from .head_grid import Box, HeadGrid, Swelling
from .tissue import BRAIN_TISSUES, Tissue

# Share of sites of intraparenchymal hemorrhage: deep 0.5, lobar 0.35, cerebellum 0.1, brain stem 0.05 (the usual
# epidemiology of spontaneous bleeding, rounded: Qureshi 2001), contusions come with trauma.
SITES = {"putamen": 0.28, "thalamus": 0.17, "caudate": 0.05, "lobar": 0.35, "cerebellum": 0.1, "brainstem": 0.05}
LARGEST_ML = {"brainstem": 8.0, "cerebellum": 30.0, "thalamus": 35.0, "caudate": 15.0, "contusion": 20.0}
LARGEST_OTHER_ML = 110.0

# Shares of forms (ours): blood mostly sinks to the occipital horns when the patient lies.
VENTRICULAR_FORMS = {"level": 0.5, "cast": 0.18, "side": 0.18, "middle": 0.08, "trace": 0.06}

# Shares of forms (ours): aneurysms fill cisterns and fissures, trauma and vessel disease a few sulci; about one in ten
# without trauma stays round the brain stem (van Gijn and Rinkel 2001).
SUBARACHNOID_FORMS = {
    "cisterns": 0.3,
    "sylvian": 0.17,
    "sulci": 0.27,
    "brainstem": 0.08,
    "interhemispheric": 0.08,
    "thin": 0.1,
}
# Where the blood of a form with one place lies, and the range of its radii in mm (ours).
SUBARACHNOID_PLACES = {
    "sylvian": ("sylvian", 12.0, 28.0),
    "brainstem": ("cistern", 9.0, 18.0),
    "interhemispheric": ("falx", 12.0, 35.0),
    "thin": ("sulcus", 5.0, 14.0),
}


@dataclass(frozen=True, eq=False)
class ClotShape:
    """A clot in the brain.

    Args:
        center: (3,) map voxels k, j, i.
        radius_mm: of a ball of its volume.
        grown: how much of that radius it makes by pushing (1: nothing).
        box: where it lies.
        relative: 1 on its surface, in the box.
        clot: how much of each voxel is clot.
        spilled: how much of each voxel is ventricle that it reaches into.
    """

    center: np.ndarray
    radius_mm: float
    grown: float
    box: Box
    relative: torch.Tensor
    clot: torch.Tensor
    spilled: torch.Tensor

    def swell(self, grid: HeadGrid) -> None:
        """Make room for the clot by pressing the brain round it."""
        if self.grown != 1.0:
            grid.swellings.append(Swelling(self.center, self.radius_mm / self.grown, self.radius_mm))


def make_clot(grid: HeadGrid, site: str, volume_ml: float, center_kji: np.ndarray | None = None) -> ClotShape | None:
    """A clot of about that volume at a drawn place of a site, or round a centre; None where there is none."""
    center = grid.place(site) if center_kji is None else center_kji
    if center is None:
        return None
    radius = (volume_ml * 1000.0 * 3.0 / (4.0 * np.pi)) ** (1.0 / 3.0)
    swollen = radius > 6.0 and site != "contusion"
    # How much of its room the clot makes by pushing: 1.45 in radius is two thirds of its volume (ours).
    grown = min(grid.uniform((1.05, 1.45)), radius / max(radius - 8.0, 1.0)) if swollen else 1.0
    stretch = np.exp(grid.rng.normal(0.0, 0.25, 3))
    radii = radius / grown * stretch / stretch.prod() ** (1.0 / 3.0)
    found = grid.blob(center, radii, rough=grid.uniform((0.1, 0.65)) if radius > 2.5 else 0.1)
    if found is None:
        return None
    box, fraction, relative = found
    brain = grid.is_tissue(box, *BRAIN_TISSUES, Tissue.CSF) & (grid.depth_mm(box) > 1.0)
    ventricle = grid.is_tissue(box, Tissue.VENTRICLE)
    # A ventricle deep inside the clot cannot be told from it; what reaches in from the side is ventricular blood.
    clot = (brain | ventricle & (relative < 0.6)).float()
    return ClotShape(center, radius, grown, box, relative, fraction * clot, fraction * (ventricle & (relative >= 0.6)))


def ventricular_points(grid: HeadGrid) -> np.ndarray:
    """(N, 3) voxels of all ventricles."""
    names = ("ventricle", "third_ventricle", "fourth_ventricle")
    return np.concatenate([grid.anatomy.points[name] for name in names])


def ventricles_box(grid: HeadGrid) -> Box | None:
    """The box round all ventricles; None when the map has none."""
    points = ventricular_points(grid)
    if not len(points):
        return None
    low, high = points.min(0).astype(int) - 2, points.max(0).astype(int) + 3
    return tuple(slice(max(0, int(a)), int(b)) for a, b in zip(low, high, strict=True))  # type: ignore[return-value]


def draw_ventricular_form(grid: HeadGrid) -> str:
    """One of VENTRICULAR_FORMS by its share."""
    return str(grid.rng.choice(list(VENTRICULAR_FORMS), p=list(VENTRICULAR_FORMS.values())))


def ventricular_form(grid: HeadGrid, box: Box, mask: torch.Tensor, kind: str) -> torch.Tensor:
    """The part of the ventricles (mask, in a box) that blood of a form fills."""
    center = grid.anatomy.brain_center_kji
    k, j, i = grid.offsets(box, center)
    shape = tuple(mask.shape)
    if kind in ("level", "trace"):
        lateral = grid.anatomy.points["ventricle"]
        lateral = lateral if len(lateral) else grid.anatomy.points["third_ventricle"]
        down = np.array([grid.rng.normal(-0.1, 0.1), 1.0, grid.rng.normal(0.0, 0.08)])
        part = grid.log_uniform(0.03, 0.45) if kind == "level" else grid.uniform((0.008, 0.03))
        level = float(np.quantile((lateral - center) @ down, 1.0 - part))
        surface = k * float(down[0]) + j + i * float(down[2]) + grid.uniform((0.0, 1.5)) * grid.noise(shape, 8.0)
        return mask * (0.5 + surface - level).clamp(0.0, 1.0)
    if kind in ("side", "cast"):
        if kind == "side":
            mask = mask * (grid.field("side")[box] == int(grid.rng.choice([-1, 1]))).float()
        patchy = grid.noise(shape, 10.0) + grid.uniform((-0.3, 1.6))
        return mask * (0.5 + 3.0 * patchy).clamp(0.0, 1.0)
    middle = np.concatenate([grid.anatomy.points["third_ventricle"], grid.anatomy.points["fourth_ventricle"]])
    reach = middle.max(0) + 2 if len(middle) else center
    return mask * (k <= float(reach[0] - center[0])) * (i.abs() < 8.0)


def draw_subarachnoid_form(grid: HeadGrid) -> str:
    """One of SUBARACHNOID_FORMS by its share."""
    shares = np.array(list(SUBARACHNOID_FORMS.values()))
    return str(grid.rng.choice(list(SUBARACHNOID_FORMS), p=shares / shares.sum()))


def csf_places(grid: HeadGrid, form: str) -> Iterator[tuple[str, float, float]]:
    """The places that blood of a form fills, one after the other, and the range of its radii in mm."""
    if form == "cisterns":
        yield "cistern", 22.0, 42.0
        for _ in range(int(grid.rng.integers(0, 4))):
            yield "sylvian", 14.0, 30.0
    elif form == "sulci":
        for _ in range(int(grid.rng.choice([1, 2, 3, 4]))):
            yield "sulcus", 7.0, 22.0
    else:
        yield SUBARACHNOID_PLACES[form]


def make_csf_patch(
    grid: HeadGrid, place: str, radii_mm: np.ndarray, *, thin: bool = False
) -> tuple[np.ndarray, Box, torch.Tensor] | None:
    """Blood in the CSF near a drawn place, patchy, diluted at the region's edge: centre, box, share of each voxel."""
    center = grid.place(place)
    if center is None:
        return None
    found = grid.blob(center, radii_mm, rough=0.6)
    if found is None:
        return None
    box, _, relative = found
    region = ((1.05 - relative) * 6.0).clamp(0.0, 1.0)
    dense = grid.uniform((0.1, 0.8)) if thin else grid.uniform((0.8, 3.2))
    patchy = (dense + (0.5 if thin else 1.8) * grid.noise(tuple(relative.shape), 7.0)).clamp(0.0, 1.0)
    csf = grid.csf_share[box] * grid.is_tissue(box, Tissue.CSF, Tissue.CORTEX, Tissue.CEREBELLUM)
    return center, box, region * patchy * csf * (grid.depth[box] > 0)
