"""Settings of the Kuo 2019 system: the published ones and the compact variant that ships; needs no torch."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.codes import CT_HEMORRHAGE_CODES
from ..core.errors import ConfigError


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
        patch_sharpness: pooling of the patch branch: 0 is the mean, higher leans to the maximum.
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
    patch_sharpness: float = 0.0  # Kuo 2019: global average pooling
    pixel_threshold: float = 0.5  # Kuo 2019, figure 5

    def __post_init__(self) -> None:
        if self.image_size % 8 or self.patch_size % 8 or not 0 < self.patch_size <= self.image_size:
            raise ConfigError("image_size and patch_size must be multiples of 8, patch_size at most image_size.")
        if self.slices < 1 or self.slices % 2 == 0:
            raise ConfigError("slices must be odd: a slice and as many neighbours on both sides.")
        if not (self.width > 0 and self.pixel_spacing_mm > 0 and self.slab_mm > 0):
            raise ConfigError("width, pixel_spacing_mm and slab_mm must be positive.")
        if not (0 <= self.patch_overlap < 1 and 0 < self.pixel_threshold < 1):
            raise ConfigError("patch_overlap must lie in 0-1 (1 excluded), pixel_threshold between 0 and 1.")
        if self.patch_sharpness < 0:
            raise ConfigError("patch_sharpness must be 0 or positive.")
        if self.window_hu[0] >= self.window_hu[1]:
            raise ConfigError("window_hu must hold a lower and a higher value.")

    @property
    def patch_stride(self) -> int:
        """Step between neighbouring patches in pixels, a multiple of 8 (patch_size 120, overlap 2/3: 40)."""
        return max(8, round(self.patch_size * (1 - self.patch_overlap) / 8) * 8)

    def to_json(self) -> dict[str, Any]:
        """Plain values for pack.json."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Kuo2019Config:
        """The inverse of to_json. Raises ConfigError for an unknown or missing key or a value of the wrong kind."""
        names = {entry.name for entry in dataclasses.fields(cls)}
        if values.keys() != names:
            wrong = sorted(values.keys() ^ names)
            raise ConfigError(f"Settings of kuo2019 that are unknown or missing: {', '.join(wrong)}.")
        try:
            low, high = (float(hu) for hu in values["window_hu"])
            return cls(
                codes=tuple(map(str, values["codes"])),
                width=float(values["width"]),
                slices=int(values["slices"]),
                pixel_spacing_mm=float(values["pixel_spacing_mm"]),
                image_size=int(values["image_size"]),
                slab_mm=float(values["slab_mm"]),
                window_hu=(low, high),
                patch_size=int(values["patch_size"]),
                patch_overlap=float(values["patch_overlap"]),
                patch_sharpness=float(values["patch_sharpness"]),
                pixel_threshold=float(values["pixel_threshold"]),
            )
        except (TypeError, ValueError) as error:
            raise ConfigError(f"A setting of kuo2019 is of the wrong kind: {error}.") from error


PUBLISHED = Kuo2019Config()

# The variant that ships: a quarter of the channels at twice the pixel spacing, the same patch in millimetres.
# Its patch branch is pooled more sharply than the paper's: with an hour of training on a CPU the mean of a patch hid
# small bleeds (exam AUC for any hemorrhage 0.63 on 30 validation exams).
COMPACT = Kuo2019Config(width=0.25, pixel_spacing_mm=0.9, image_size=256, patch_size=120, patch_sharpness=1.0)


def neighbour_slabs(count: int, slices: int) -> np.ndarray:
    """(count, slices) index of the slabs that are the network's channels; the outermost slab stands in beyond the ends.

    Kuo 2019 does not say what the first and last slice get as their missing neighbour; ours.
    """
    offsets = np.arange(slices) - slices // 2
    return np.clip(np.arange(count)[:, None] + offsets, 0, count - 1)
