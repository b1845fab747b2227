"""HeadCanvas: the head of one exam on its 1 mm grid, in which tissue, lesions and blood are painted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from .anatomy import DISTANCE_STEP_MM, Anatomy
from .tissue import Tissue

Box = tuple[slice, slice, slice]
Voxels = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
Region = Box | Voxels
"""A part of the grid: a box, or a list of voxels (their k, j and i)."""


VISIBLE_HU = 8.0
"""A change of this many Hounsfield units can be seen in a brain window (ours)."""


SHIFT_RAMP_MM = 30.0
"""A Shift grows from nothing at the inner table to all of it at this depth (ours)."""


@dataclass(frozen=True)
class Swelling:
    """A lesion that takes room: what lay within from_mm of the centre lies within to_mm afterwards."""

    center_kji: np.ndarray
    from_mm: float
    to_mm: float


@dataclass(frozen=True)
class Shift:
    """Brain pushed away from a collection: by up to amount_mm, along direction_kji, within reach_mm of the centre."""

    center_kji: np.ndarray
    direction_kji: np.ndarray
    amount_mm: float
    reach_mm: float


@dataclass(frozen=True)
class Note:
    """Something that was painted and is no blood: a mimic or a change, its place (None: all over) and its size."""

    group: str
    kind: str
    center_kji: np.ndarray | None
    mm3: float


class HeadCanvas:
    """Hounsfield units and blood fractions on the anatomy's grid, with the exam's random numbers.

    Args:
        anatomy: the head.
        seed: of every random number of the exam.
        device: where the arrays live.
    """

    def __init__(self, anatomy: Anatomy, seed: int, device: torch.device) -> None:
        self.anatomy, self.device = anatomy, device
        self.rng = np.random.default_rng(seed)
        self.shape = anatomy.shape_kji
        self.tissue = self._tensor(anatomy.tissue)
        self.depth = self._tensor(anatomy.depth)
        self.hu = torch.zeros(self.shape, device=device)
        self.csf_share = torch.zeros(0)  # set by head_tissue.paint
        self.blood: dict[str, torch.Tensor] = {}
        self.swellings: list[Swelling] = []
        self.shifts: list[Shift] = []
        self.ventricle_mm = 0.0  # how far the ventricles' wall is moved outwards
        self.sulcal_hu = 0.0  # what CSF of the sulci has more than CSF; set by head_tissue.paint_head
        self.notes: list[Note] = []
        self._tissue_is_own = False  # until then it shares the anatomy's memory
        self.truth: dict[str, Any] = {}

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(self.device)

    def field(self, name: str) -> torch.Tensor:
        """A field of the anatomy (depth, falx_distance, ...) as a tensor."""
        return self._tensor(getattr(self.anatomy, name))

    def uniform(self, low_high: tuple[float, float]) -> float:
        """One number from a range."""
        return float(self.rng.uniform(*low_high))

    def log_uniform(self, low: float, high: float) -> float:
        """One number between low and high, each octave as likely as the next."""
        return float(np.exp(self.rng.uniform(np.log(low), np.log(high))))

    def chance(self, probability: float) -> bool:
        """True with that probability."""
        return bool(self.rng.random() < probability)

    def place(self, name: str) -> np.ndarray | None:
        """(3,) a voxel (k, j, i) drawn from the anatomy's named list; None when the list is empty."""
        points = self.anatomy.points[name]
        return points[self.rng.integers(len(points))].astype(np.float64) if len(points) else None

    def noise(self, shape: tuple[int, ...], scale_mm: float) -> torch.Tensor:
        """Smooth noise of a shape: about standard normal at nodes scale_mm apart, linear between them."""
        nodes = [max(2, int(np.ceil(n / scale_mm)) + 1) for n in shape]
        coarse = torch.from_numpy(self.rng.standard_normal(nodes, dtype=np.float32)).to(self.device)
        return self.stretched(coarse, shape)

    def noise_at(self, voxels: Voxels, scale_mm: float) -> torch.Tensor:
        """(N,) the same noise over the whole grid, at some voxels only; cheaper for less than a million."""
        nodes = [max(2, int(np.ceil(n / scale_mm)) + 1) for n in self.shape]
        coarse = torch.from_numpy(self.rng.standard_normal(nodes, dtype=np.float32)).to(self.device)
        return self.stretched_at(coarse, voxels)

    def stretched_at(self, coarse: torch.Tensor, voxels: Voxels) -> torch.Tensor:
        """(N,) a coarse field that spans the whole grid, interpolated at some voxels."""
        place = torch.stack([voxels[axis] * (2.0 / (self.shape[axis] - 1)) - 1.0 for axis in (2, 1, 0)], -1)
        return F.grid_sample(coarse[None, None], place[None, None, None], align_corners=True).flatten()

    def noise_in(self, region: Region, scale_mm: float) -> torch.Tensor:
        """Smooth noise in a box (as noise) or at voxels (as noise_at)."""
        if isinstance(region[0], slice):
            return self.noise(tuple(s.stop - s.start for s in region), scale_mm)  # type: ignore[union-attr]
        return self.noise_at(region, scale_mm)  # type: ignore[arg-type]

    @staticmethod
    def stretched(coarse: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        """A coarse field (k, j, i) interpolated linearly so that its corners are the corners of the shape.

        As three matrix products, which on a CPU is several times faster than torch's own interpolation.
        """
        for axis in (2, 1, 0):
            matrix = _interpolation(coarse.shape[axis], shape[axis], coarse.device)
            if axis == 0:
                coarse = (matrix @ coarse.reshape(coarse.shape[0], -1)).reshape(shape)
            elif axis == 1:
                coarse = matrix @ coarse
            else:
                coarse = coarse @ matrix.T
        return coarse

    def box(self, center_kji: np.ndarray, radius_mm: float) -> Box | None:
        """The part of the grid within radius_mm of a centre, axis by axis; None when nothing is left."""
        low = [max(0, int(c - radius_mm)) for c in center_kji]
        high = [min(n, int(c + radius_mm) + 2) for c, n in zip(center_kji, self.shape, strict=True)]
        if any(h - low_ < 2 for low_, h in zip(low, high, strict=True)):
            return None
        return tuple(slice(a, b) for a, b in zip(low, high, strict=True))  # type: ignore[return-value]

    def offsets(self, box: Box, center_kji: np.ndarray) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Millimetres from a centre along k, j and i in a box, as broadcastable tensors."""
        axes = [
            torch.arange(s.start, s.stop, device=self.device, dtype=torch.float32) - float(c)
            for s, c in zip(box, center_kji, strict=True)
        ]
        return axes[0][:, None, None], axes[1][None, :, None], axes[2][None, None, :]

    def blob(
        self, center_kji: np.ndarray, radii_mm: np.ndarray, rough: float = 0.3
    ) -> tuple[Box, torch.Tensor, torch.Tensor] | None:
        """An irregular ellipsoid in random orientation: its box, its fraction (0-1) and its relative radius.

        The fraction has an edge 1 mm wide; the relative radius is 1 on the surface.
        """
        box = self.box(center_kji, float(radii_mm.max()) * (1.25 + rough) + 2)
        if box is None:
            return None
        k, j, i = self.offsets(box, center_kji)
        rotation, _ = np.linalg.qr(self.rng.standard_normal((3, 3)))
        squared = torch.zeros(1, device=self.device)
        for axis in range(3):
            a, b, c = (float(v) for v in rotation[axis] / radii_mm[axis])
            squared = squared + (k * a + j * b + i * c) ** 2
        relative = squared.sqrt()
        if rough > 0:
            shape = tuple(relative.shape)
            least = float(radii_mm.min())
            relative = relative + rough * 0.5 * self.noise(shape, max(3.0, least * 0.8))
            relative = relative + rough * 0.25 * self.noise(shape, max(2.0, least * 0.3))
        fraction = (0.5 + (1.0 - relative) * float(radii_mm.min())).clamp(0.0, 1.0)
        return box, fraction, relative

    def is_tissue(self, region: Region, *tissues: Tissue) -> torch.Tensor:
        """Bool mask of some tissue classes in a region."""
        table = torch.zeros(256, dtype=torch.bool, device=self.device)
        table[[int(t) for t in tissues]] = True
        return table[self.tissue[region].long()]

    def depth_mm(self, region: Region) -> torch.Tensor:
        """Distance to the inner table in a region; 0 outside the intracranial space."""
        return self.depth[region].float() * DISTANCE_STEP_MM

    def paint_blood(
        self,
        code: str,
        region: Region,
        fraction: torch.Tensor,
        blood_hu: torch.Tensor | float,
        replaced_hu: float | torch.Tensor | None = None,
    ) -> None:
        """Replace that fraction of each voxel of a region by blood; older blood there gives way.

        replaced_hu: what the blood takes the place of when that is one part of the voxel only (CSF in a sulcus);
        None: of all that is there.
        """
        for layer in self.blood.values():
            layer[region] *= 1.0 - fraction
        if code not in self.blood:
            self.blood[code] = torch.zeros(self.shape, device=self.device)
        self.blood[code][region] += fraction
        self.hu[region] += fraction * (blood_hu - (self.hu[region] if replaced_hu is None else replaced_hu))

    def paint(self, region: Region, fraction: torch.Tensor, hu: torch.Tensor | float) -> float:
        """Replace that fraction of each voxel of a region by something that is no blood.

        Return the volume in mm3 in which that can be seen: by more than VISIBLE_HU.
        """
        for layer in self.blood.values():
            layer[region] *= 1.0 - fraction
        change = fraction * (hu - self.hu[region])
        self.hu[region] += change
        return float((change.abs() > VISIBLE_HU).sum())

    def add_lesion(self, code: str, center_kji: np.ndarray | None, **drawn: Any) -> None:
        """Remember a bleeding and what was drawn for it in truth; its centre becomes LPS when the pose is known."""
        center = None if center_kji is None else [float(v) for v in center_kji]
        self.truth["lesions"].append({"type": code, **drawn, "center_kji": center})

    def note(self, group: str, kind: str, center_kji: np.ndarray | None, mm3: float) -> None:
        """Remember what was painted; group is "mimics" or "changes"."""
        self.notes.append(Note(group, kind, None if center_kji is None else np.array(center_kji, dtype=float), mm3))

    def resampled(self, voxels: Voxels, source: torch.Tensor) -> None:
        """Fill some voxels with what lies at source (N, 3) k, j, i: Hounsfield units, tissue, CSF and blood."""
        size = torch.tensor(self.shape, dtype=torch.float32, device=self.device) - 1.0
        place = (source / size * 2.0 - 1.0).flip(-1)[None, None, None]
        layers = torch.stack([self.hu, self.csf_share, *self.blood.values()])[None]
        values = F.grid_sample(layers, place, padding_mode="border", align_corners=True)[0, :, 0, 0]
        nearest = source.round().long()
        tissue = self.tissue[nearest[:, 0], nearest[:, 1], nearest[:, 2]]
        for layer, value in zip((self.hu, self.csf_share, *self.blood.values()), values, strict=True):
            layer[voxels] = value
        self.own_tissue()[voxels] = tissue

    def own_tissue(self) -> torch.Tensor:
        """The tissue classes as a copy that this exam may change."""
        if not self._tissue_is_own:
            self.tissue, self._tissue_is_own = self.tissue.clone(), True
        return self.tissue

    def clot_hu(self, region: Region, mean_hu: float, texture_hu: float = 3.0) -> torch.Tensor:
        """Blood's Hounsfield units in a region: a mean with two scales of texture."""
        coarse, fine = self.noise_in(region, 8.0), self.noise_in(region, 3.0)
        return mean_hu + texture_hu * coarse + 0.5 * texture_hu * fine


def _interpolation(nodes: int, count: int, device: torch.device) -> torch.Tensor:
    """(count, nodes) weights of linear interpolation from nodes to count places, first on first and last on last."""
    place = torch.linspace(0, nodes - 1, count, device=device)[:, None]
    return (1.0 - (place - torch.arange(nodes, device=device)).abs()).clamp(min=0.0)


def voxels_of(mask: torch.Tensor) -> Voxels:
    """The voxels where a mask over the whole grid is true."""
    return mask.nonzero(as_tuple=True)  # type: ignore[return-value]
