"""HeadCanvas: the head of one CT exam, in which tissue, lesions and blood are painted in Hounsfield units."""

from __future__ import annotations

import torch

from .anatomy import Anatomy
from .head_grid import HeadGrid, Region

VISIBLE_HU = 8.0
"""A change of this many Hounsfield units can be seen in a brain window (ours)."""


class HeadCanvas(HeadGrid):
    """Hounsfield units and blood fractions on the anatomy's grid, with the exam's random numbers."""

    def __init__(self, anatomy: Anatomy, seed: int, device: torch.device) -> None:
        super().__init__(anatomy, seed, device)
        self.hu = torch.zeros(self.shape, device=device)
        self.blood: dict[str, torch.Tensor] = {}
        self.sulcal_hu = 0.0  # what CSF of the sulci has more than CSF; set by head_tissue.paint_head

    def painted(self) -> list[torch.Tensor]:
        """Hounsfield units, CSF and blood."""
        return [self.hu, self.csf_share, *self.blood.values()]

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

    def clot_hu(self, region: Region, mean_hu: float, texture_hu: float = 3.0) -> torch.Tensor:
        """Blood's Hounsfield units in a region: a mean with two scales of texture."""
        coarse, fine = self.noise_in(region, 8.0), self.noise_in(region, 3.0)
        return mean_hu + texture_hu * coarse + 0.5 * texture_hu * fine
