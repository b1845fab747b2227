"""MrCanvas: the head of one MRI study as layers of materials, from which every contrast is rendered."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from ..anatomy import Anatomy
from ..head_grid import Box, HeadGrid, Region, Voxels, kept
from ..tissue import BRAIN_TISSUES, Tissue
from .materials import Material, MaterialRange
from .signal_equations import PulseSequence, signals
from .tissue_materials import FIRST_LESION, NUCLEI, TISSUE_RANGES

FINDINGS = ("acute_infarct", "acute_hemorrhage")
"""Findings that are painted; mass effect follows from the deformation, abnormal is whatever is painted."""

PRESSING = "pressing"
"""Mask of whatever makes itself room: masses with their oedema, clots, collections, large infarcts."""

TEXTURE = 0.02
"""Standard deviation of tissue's own unevenness in every contrast (ours)."""

TEXTURE_PER_100_MS = 0.035
"""What each 100 ms of echo time add to it (ours, by eye on real FLAIR and T2 images)."""

LEAST_FRACTION = 0.01
"""Smaller shares of single voxels are not kept (ours)."""

BRAIN_CLASSES = tuple(int(t) for t in BRAIN_TISSUES) + tuple(NUCLEI.values())


@dataclass(frozen=True, eq=False)
class Layer:
    """That fraction of each voxel of a region is replaced by a material, or by one material per voxel.

    The region is a box, or the flat indices of voxels.
    """

    region: Box | torch.Tensor
    fraction: torch.Tensor
    material: int | torch.Tensor


class MrCanvas(HeadGrid):
    """Tissue classes, layers of materials over them, masks of findings, and what disturbs the static field.

    Args:
        anatomy, seed, device: as in HeadGrid.
        field_tesla: of the scanner.
    """

    def __init__(self, anatomy: Anatomy, seed: int, device: torch.device, field_tesla: float) -> None:
        super().__init__(anatomy, seed, device)
        self.field_tesla = field_tesla
        draw = np.random.default_rng([seed, 1])  # of its own: tissue does not depend on what is painted
        self.materials = [TISSUE_RANGES[n].draw(draw, field_tesla) for n in range(FIRST_LESION)]
        self.layers: list[Layer] = []
        self.masks: dict[str, torch.Tensor] = {}
        self.blooming = torch.zeros(0)  # 1/s that is added to 1/T2' round iron and calcium; empty while there is none
        self.pressed = torch.zeros(self.shape, dtype=torch.bool, device=device)
        self.truth = {"lesions": []}
        self._marked: str | None = None
        self._texture = torch.zeros(0)
        self._index = torch.zeros(0)
        self._brain_share = torch.zeros(0)

    def resampled(self, voxels: Voxels, source: torch.Tensor) -> None:
        """Fill some voxels with the tissue at source; layers must be painted later, and find there what was pressed."""
        super().resampled(voxels, source)
        self.pressed[voxels] = True

    def material(self, kind: MaterialRange) -> int:
        """Draw a lesion's material; its number."""
        return self.new_material(kind.draw(self.rng, self.field_tesla))

    def new_material(self, material: Material) -> int:
        """Keep a material; its number."""
        self.materials.append(material)
        return len(self.materials) - 1

    def paint(self, region: Region, fraction: torch.Tensor, material: int | torch.Tensor) -> float:
        """Replace that fraction of each voxel by a material. Return the volume in mm3 of the map."""
        for mask in self.masks.values():
            mask[region] *= 1.0 - fraction
        self.overpaint(region, fraction, material)
        if self._marked is not None:
            self.mark(self._marked, region, fraction)
        return float(fraction.sum())

    @contextmanager
    def marking(self, code: str) -> Iterator[None]:
        """All that is painted meanwhile belongs to this mask too."""
        self._marked = code
        try:
            yield
        finally:
            self._marked = None

    def overpaint(self, region: Region, fraction: torch.Tensor, material: int | torch.Tensor) -> None:
        """The same for what shows within a finding and leaves its mask as it is."""
        if isinstance(region[0], slice):
            self.layers.append(Layer(region, fraction, material))  # type: ignore[arg-type]
            return
        some = fraction > LEAST_FRACTION
        k, j, i = kept(region, some)  # type: ignore[arg-type]
        fraction = fraction[some]
        material = material[some] if isinstance(material, torch.Tensor) else material
        self.layers.append(Layer((k * self.shape[1] + j) * self.shape[2] + i, fraction, material))

    def paint_finding(self, code: str, region: Region, fraction: torch.Tensor, material: int | torch.Tensor) -> float:
        """The same for what belongs to a finding's mask."""
        volume = self.paint(region, fraction, material)
        self.mark(code, region, fraction)
        return volume

    def mark(self, code: str, region: Region, fraction: torch.Tensor) -> None:
        """Add that fraction of each voxel to a finding's mask; the mask never exceeds the voxel."""
        if code not in self.masks:
            self.masks[code] = torch.zeros(self.shape, device=self.device)
        self.masks[code][region] = (self.masks[code][region] + fraction).clamp(max=1.0)

    def changed(self, region: Region, change: Callable[[Material], Material]) -> torch.Tensor:
        """One material per voxel of a region: that of the brain tissue there, changed; other tissue stays as it is."""
        table = torch.arange(256, device=self.device)
        for number in BRAIN_CLASSES:
            table[number] = self.new_material(change(self.materials[number]))
        return table[self.tissue[region].long()]

    def is_tissue(self, region: Region, *tissues: Tissue) -> torch.Tensor:
        """Bool mask of some tissue classes in a region; the nuclei are part of DEEP."""
        nuclei = tuple(NUCLEI.values()) if Tissue.DEEP in tissues else ()
        return self.is_class(region, *(int(tissue) for tissue in tissues), *nuclei)

    def is_class(self, region: Region, *numbers: int) -> torch.Tensor:
        """Bool mask of tissue numbers, those of the nuclei included, in a region."""
        table = torch.zeros(256, dtype=torch.bool, device=self.device)
        table[list(numbers)] = True
        return table[self.tissue[region].long()]

    def is_brain(self, region: Region) -> torch.Tensor:
        """Bool mask of brain in a region."""
        return self.is_class(region, *BRAIN_CLASSES)

    def brain_share(self) -> torch.Tensor:
        """(k, j, i) brain without masses and hemorrhages, 0-1; computed once, when all is painted."""
        if not len(self._brain_share):
            brain = self.is_brain((slice(None), slice(None), slice(None))).float()
            for code in ("mass", "acute_hemorrhage"):
                if code in self.masks:
                    brain = brain * (1.0 - self.masks[code])
            self._brain_share = brain
        return self._brain_share

    def bloom(self, box: Box, fraction: torch.Tensor, rate_per_s: float, reach_mm: int = 2) -> None:
        """Iron or calcium in a box disturbs the field in and round itself: 1/T2' grows, in proportion to the field.

        rate_per_s: at 1.5 T where all of a voxel is filled.
        """
        if not len(self.blooming):
            self.blooming = torch.zeros(self.shape, device=self.device)
        wide = tuple(slice(max(0, s.start - reach_mm), s.stop + reach_mm) for s in box)
        pads = [p for s, w in zip(reversed(box), reversed(wide), strict=True) for p in (s.start - w.start, reach_mm)]
        filled = F.pad(fraction, pads)
        spread = filled
        for _ in range(reach_mm):  # a smooth halo that falls off within about reach_mm beyond the edge
            spread = F.avg_pool3d(spread[None], 3, 1, 1)[0]
        target = self.blooming[wide]
        cut = tuple(slice(0, n) for n in target.shape)
        target += rate_per_s * self.field_tesla / 1.5 * torch.maximum(spread, filled)[cut]

    def texture(self) -> torch.Tensor:
        """(k, j, i) tissue's unevenness: about standard normal, fine and coarse."""
        if not len(self._texture):
            self._texture = 0.6 * self.noise(self.shape, 4.0) + self.noise(self.shape, 22.0)
        return self._texture

    def render(self, sequence: PulseSequence) -> torch.Tensor:
        """(k, j, i) float32 signal of every voxel of the map, before coil and noise; when all is painted."""
        if not len(self._index):
            self._index = self.tissue.flatten().int()
        table = torch.from_numpy(signals(self.materials, sequence)).to(self.device)
        image = table.index_select(0, self._index).view(self.shape)
        flat = image.view(-1)
        for layer in self.layers:
            value = table[layer.material]
            if isinstance(layer.region, torch.Tensor):
                here = flat[layer.region]
                flat[layer.region] = here + layer.fraction * (value - here)
            else:
                image[layer.region] += layer.fraction * (value - image[layer.region])
        uneven = TEXTURE + TEXTURE_PER_100_MS * min(sequence.te_ms, 120.0) / 100.0
        image.addcmul_(image, self.texture(), value=uneven)
        if len(self.blooming) and sequence.static_dephasing_s > 0.0:
            image *= torch.exp(-sequence.static_dephasing_s * self.blooming)
        return image

    def volume_ml(self, code: str) -> float:
        """Of a finding, in the undeformed map."""
        return float(self.masks[code].sum()) / 1000.0 if code in self.masks else 0.0


def radius_of_ml(volume_ml: float) -> float:
    """Radius in mm of a ball of that volume."""
    return float((volume_ml * 1000.0 * 3.0 / (4.0 * math.pi)) ** (1.0 / 3.0))
