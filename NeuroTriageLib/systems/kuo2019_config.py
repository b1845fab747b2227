"""Settings of the Kuo 2019 system: the published ones and the compact variant that ships; needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.codes import CT_HEMORRHAGE_CODES


@dataclass(frozen=True)
class Kuo2019Config:
    """Everything that fixes what the network sees and what is made of its answer; it travels in the model pack.

    Args:
        codes: hemorrhage types in label order.
        width: factor on the network's channels.
        slices: neighbouring slices given as channels.
        pixel_spacing_mm: in-plane spacing that every slice is resampled to.
        image_size: rows and columns of the network's image, a multiple of 8, centred on the intracranial space.
        slab_mm: thinner slices are averaged in whole groups up to about this thickness before the network.
        window_hu: lower and upper HU that are mapped to 0 and 1 (clipped).
        patch_size: rows and columns of a patch, a multiple of 8.
        patch_overlap: share of a patch that its neighbour overlaps.
        pixel_threshold: mask where the probability of any hemorrhage is at least this.
    """

    codes: tuple[str, ...] = CT_HEMORRHAGE_CODES
    width: float = 1.0  # Kuo 2019: the full DRN-38
    slices: int = 3  # Kuo 2019, Methods: the slice and its two neighbours
    pixel_spacing_mm: float = 0.45  # 512 pixels over a usual 230 mm field of view; Kuo 2019 does not resample
    image_size: int = 512  # Kuo 2019: native matrix
    slab_mm: float = 5.0  # Kuo 2019: stacks of 27-38 slices, about 5 mm
    window_hu: tuple[float, float] = (-20.0, 120.0)  # not stated; ours
    patch_size: int = 240  # Kuo 2018 preprint arXiv 1806.03265, best near 240 of 512
    patch_overlap: float = 2 / 3  # Kuo 2019, Methods
    pixel_threshold: float = 0.5  # Kuo 2019, figure 5


PUBLISHED = Kuo2019Config()

# The variant that ships: five sixteenths of the channels at twice the pixel spacing, the same patch in millimetres.
COMPACT = Kuo2019Config(width=0.3125, pixel_spacing_mm=0.9, image_size=256, patch_size=120)
