"""HeadGrid: one exam's head on its 1 mm grid: random numbers, places, shapes, deformations; no physics."""

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


class HeadGrid:
    """What every simulated exam of a head has, whatever the scanner: shapes are drawn on it, a canvas paints them.

    Args:
        anatomy: the head.
        seed: of every random number of the exam.
        device: where the arrays live.
    """

    def __init__(self, anatomy: Anatomy, seed: int, device: torch.device) -> None:
        self.anatomy, self.device = anatomy, device
        self.seed = seed
        self.rng = np.random.default_rng(seed)
        self.shape = anatomy.shape_kji
        self.tissue = self._tensor(anatomy.tissue)
        self.depth = self._tensor(anatomy.depth)
        self.csf_share = torch.zeros(0)  # CSF of each voxel, 0-1; set when the healthy head is painted
        self.swellings: list[Swelling] = []
        self.shifts: list[Shift] = []
        self.ventricle_mm = 0.0  # how far the ventricles' wall is moved outwards
        self.notes: list[Note] = []
        self._tissue_is_own = False  # until then it shares the anatomy's memory
        self.truth: dict[str, Any] = {}

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(self.device)

    def field(self, name: str) -> torch.Tensor:
        """A field of the anatomy (depth, falx_distance, ...) as a tensor."""
        return self._tensor(getattr(self.anatomy, name))

    def draw_afresh(self, part: int) -> None:
        """What is drawn from here on is the same whatever was drawn before: with a clip or without one, the scan is."""
        self.rng = np.random.default_rng([self.seed, part])

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

    def painted(self) -> list[torch.Tensor]:
        """The dense fields that move with the tissue when a part of the head is pressed aside."""
        return []

    def add_lesion(self, code: str, center_kji: np.ndarray | None, **drawn: Any) -> None:
        """Remember a bleeding and what was drawn for it in truth; its centre becomes LPS when the pose is known."""
        center = None if center_kji is None else [float(v) for v in center_kji]
        self.truth["lesions"].append({"type": code, **drawn, "center_kji": center})

    def note(self, group: str, kind: str, center_kji: np.ndarray | None, mm3: float) -> None:
        """Remember what was painted; group is "mimics" or "changes"."""
        self.notes.append(Note(group, kind, None if center_kji is None else np.array(center_kji, dtype=float), mm3))

    def resampled(self, voxels: Voxels, source: torch.Tensor) -> None:
        """Fill some voxels with what lies at source (N, 3) k, j, i: tissue and all painted fields."""
        size = torch.tensor(self.shape, dtype=torch.float32, device=self.device) - 1.0
        fields = self.painted()
        if fields:
            place = (source / size * 2.0 - 1.0).flip(-1)[None, None, None]
            layers = torch.stack(fields)[None]
            values = F.grid_sample(layers, place, padding_mode="border", align_corners=True)[0, :, 0, 0]
        nearest = source.round().long()
        tissue = self.tissue[nearest[:, 0], nearest[:, 1], nearest[:, 2]]
        for layer, value in zip(fields, values if fields else [], strict=True):
            layer[voxels] = value
        self.own_tissue()[voxels] = tissue

    def own_tissue(self) -> torch.Tensor:
        """The tissue classes as a copy that this exam may change."""
        if not self._tissue_is_own:
            self.tissue, self._tissue_is_own = self.tissue.clone(), True
        return self.tissue


def _interpolation(nodes: int, count: int, device: torch.device) -> torch.Tensor:
    """(count, nodes) weights of linear interpolation from nodes to count places, first on first and last on last."""
    place = torch.linspace(0, nodes - 1, count, device=device)[:, None]
    return (1.0 - (place - torch.arange(nodes, device=device)).abs()).clamp(min=0.0)


def voxels_of(mask: torch.Tensor) -> Voxels:
    """The voxels where a mask over the whole grid is true."""
    return mask.nonzero(as_tuple=True)  # type: ignore[return-value]


def kept(voxels: Voxels, keep: torch.Tensor) -> Voxels:
    """Those voxels of a list for which a mask of its length is true."""
    return voxels[0][keep], voxels[1][keep], voxels[2][keep]
