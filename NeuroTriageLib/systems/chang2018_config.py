"""Settings of the Chang 2018 system: the published ones and the compact variant that ships; needs no torch."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.codes import CT_HEMORRHAGE_CODES
from ..core.errors import ConfigError
from ..core.opinions import SDH_OR_EDH

CODES = ("IPH", SDH_OR_EDH, "SAH")
"""The types that are answered, in label order (Chang 2018: IPH, EDH/SDH, SAH)."""

REGION_CODES = (*CODES, "IVH")
"""What a region can be taken for, in the order of the network's types.

Chang 2018 has no intraventricular type: exams were positive when they held IPH, EDH/SDH or SAH. A network that learned
that blood in a ventricle is nothing would call such an exam negative, and one that learned it as IPH would mix two
types. So it has a class of its own that counts for "any" and the heatmap, and is not one of the answered types (ours).
"""

TYPE_OF_LABEL = (
    0,
    *(REGION_CODES.index(code if code in REGION_CODES else SDH_OR_EDH) + 1 for code in CT_HEMORRHAGE_CODES),
)
"""The network's type (from 1) of every value of a label map in the order of CT_HEMORRHAGE_CODES; 0 stays 0."""


@dataclass(frozen=True)
class Chang2018Config:
    """Everything that fixes what the network sees and what is made of its answer; it travels in the model pack.

    Args:
        codes: hemorrhage types in label order.
        width: factor on the channels of the contracting arm.
        blocks: bottleneck blocks on the five levels of the contracting arm.
        pyramid_channels: channels of the expanding arm.
        bottleneck_ratio: channels of a bottleneck block per channel of its 3x3 convolution.
        slices: neighbouring slices of one slab, the one under evaluation in the middle.
        pixel_spacing_mm: in-plane spacing that every slice is resampled to.
        image_size: rows and columns of the network's image, centred on the intracranial space.
        slab_mm: thinner slices are averaged in whole groups up to about this thickness before the network.
        window_hu: lower and upper HU that are mapped to 0 and 1 (clipped).
        anchor_sizes_mm: square root of the anchors' area on the levels of stride 4, 8, 16 and 32.
        anchor_ratios: height / width of the anchors.
        candidates, proposals: boxes per slice before and after the first suppression.
        proposal_overlap, detection_overlap: largest intersection over union in the two suppressions.
        region_size, region_samples: bins of the classifier's regions, points per bin along a side.
        hidden: width of the classifier's two layers.
        mask_size: bins of the mask branch's regions; masks have twice as many pixels along a side.
        mask_layers: convolutions of the mask branch.
        detections: boxes per slice that are kept.
        region_threshold: a region of a present type is accepted from this confidence on.
        pixel_threshold: mask where an accepted region's mask probability is at least this.
        heat_floor: regions below this confidence draw no mask and no heat.
        rejected_regions: so many of the most confident rejected regions of an exam are told.
    """

    codes: tuple[str, ...] = CODES
    width: float = 1.0
    blocks: tuple[int, ...] = (1, 2, 2, 2, 2)  # not stated; ours
    pyramid_channels: int = 128  # Chang 2018, figure 2
    bottleneck_ratio: float = 4.0  # He 2016, which Chang 2018 follows "without iterative tuning"
    slices: int = 5  # not in the text; ours: 5 > 4 > 3 > 2 > 1 along z
    pixel_spacing_mm: float = 0.45  # 512 pixels over a usual 230 mm field of view; Chang 2018 names no resampling
    image_size: int = 512  # native matrix
    slab_mm: float = 5.0  # about 50 images an exam in training, 35 in the test set; their thickness is not stated; ours
    window_hu: tuple[float, float] = (-20.0, 120.0)  # not stated; ours
    anchor_sizes_mm: tuple[float, ...] = (5.4, 14.0, 32.0, 72.0)  # not stated; ours, after the simulated bleeds
    anchor_ratios: tuple[float, ...] = (0.5, 1.0, 2.0)  # "various shapes"; Ren 2015
    candidates: int = 1000  # not stated; Lin 2017 takes 1000 at test
    proposals: int = 256  # not stated; ours
    proposal_overlap: float = 0.7  # not stated; Ren 2015
    detection_overlap: float = 0.5  # not stated; He 2017
    region_size: int = 7  # not stated; He 2017
    region_samples: int = 2  # not stated; He 2017
    hidden: int = 1024  # not stated; Lin 2017
    mask_size: int = 14  # not stated; He 2017
    mask_layers: int = 4  # not stated; He 2017
    detections: int = 32  # not stated; ours
    region_threshold: float = 0.5  # not stated; ours
    pixel_threshold: float = 0.5  # He 2017
    heat_floor: float = 0.05  # He 2017 leaves out boxes below 0.05
    rejected_regions: int = 20  # ours

    def __post_init__(self) -> None:
        if self.codes != CODES:
            raise ConfigError(f"The types of chang2018 are {', '.join(CODES)}.")
        if self.image_size % 32 or self.image_size <= 0:
            raise ConfigError("image_size must be a multiple of 32.")
        if self.slices != 5:
            raise ConfigError("slices must be 5: the network's steps along z are made for it.")
        if len(self.blocks) != 5 or min(self.blocks) < 0:
            raise ConfigError("blocks needs a number of blocks, 0 or more, for each of the five levels.")
        if len(self.anchor_sizes_mm) != 4 or not self.anchor_ratios:
            raise ConfigError("anchor_sizes_mm needs one size for each of the four levels, anchor_ratios at least one.")
        if self.window_hu[0] >= self.window_hu[1]:
            raise ConfigError("window_hu must hold a lower and a higher value.")
        self._check_numbers()

    def _check_numbers(self) -> None:
        for entry in dataclasses.fields(self):
            value = getattr(self, entry.name)
            values = value if isinstance(value, tuple) else (value,)
            if entry.name in ("codes", "blocks", "window_hu", "rejected_regions"):
                continue
            if not all(v > 0 for v in values):
                raise ConfigError(f"{entry.name} must be positive.")
        for name in ("proposal_overlap", "detection_overlap", "region_threshold", "pixel_threshold", "heat_floor"):
            if not getattr(self, name) < 1:
                raise ConfigError(f"{name} must lie between 0 and 1.")
        if self.rejected_regions < 0:
            raise ConfigError("rejected_regions must not be negative.")

    @property
    def anchor_sizes(self) -> tuple[float, ...]:
        """In pixels."""
        return tuple(size / self.pixel_spacing_mm for size in self.anchor_sizes_mm)

    @property
    def network(self) -> dict[str, Any]:
        """What networks.hybrid_mask_rcnn.NetworkSettings takes."""
        names = (
            "width", "blocks", "pyramid_channels", "bottleneck_ratio", "anchor_sizes", "anchor_ratios",
            "candidates", "proposals", "proposal_overlap", "detection_overlap", "region_size", "region_samples",
            "hidden", "mask_size", "mask_layers", "detections",
        )  # fmt: skip
        return {"types": len(REGION_CODES)} | {name: getattr(self, name) for name in names}

    def to_json(self) -> dict[str, Any]:
        """Plain values for pack.json."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Chang2018Config:
        """The inverse of to_json. Raises ConfigError for an unknown or missing key or a value of the wrong kind."""
        defaults = {entry.name: entry.default for entry in dataclasses.fields(cls)}
        if values.keys() != defaults.keys():
            wrong = sorted(values.keys() ^ defaults.keys())
            raise ConfigError(f"Settings of chang2018 that are unknown or missing: {', '.join(wrong)}.")
        try:
            return cls(**{name: _like(default, values[name]) for name, default in defaults.items()})
        except (TypeError, ValueError) as error:
            raise ConfigError(f"A setting of chang2018 is of the wrong kind: {error}.") from error


def _like(default: Any, value: Any) -> Any:
    """The value in the kind of its default; JSON has lists for tuples and no difference between 1 and 1.0."""
    if isinstance(default, tuple):
        if isinstance(value, str):
            raise TypeError("text in place of a list")
        return tuple(type(default[0])(item) for item in value)
    if isinstance(value, (str, bool)):
        raise TypeError(f"{value!r} in place of a number")
    return type(default)(value)


PUBLISHED = Chang2018Config()

# The variant that ships: a quarter of the channels at twice the pixel spacing, fewer boxes, and finer masks than the
# paper's: a subdural hematoma's box is 100 mm long and its blood a few mm thin.
COMPACT = Chang2018Config(
    width=0.25,
    blocks=(0, 2, 2, 2, 2),
    pyramid_channels=40,
    bottleneck_ratio=2.0,
    pixel_spacing_mm=0.9,
    image_size=256,
    candidates=160,
    proposals=32,
    region_samples=1,
    hidden=128,
    mask_size=28,
    mask_layers=2,
    detections=12,
)

BOX_MULTIPLE = 32
"""Rows and columns that the network sees are a multiple of this, the stride of its coarsest map."""


def slab_span(has_brain_s: np.ndarray) -> range:
    """The slabs from the first to the last with brain; one of them at least."""
    used = np.flatnonzero(has_brain_s)
    return range(int(used[0]), int(used[-1]) + 1)


def slices_of(span: range, count: int, slices: int) -> np.ndarray:
    """(len(span) + slices - 1,) the slices for the slabs of a span; the outermost stands in beyond the ends (ours)."""
    context = slices // 2
    return np.clip(np.arange(span.start - context, span.stop + context), 0, count - 1)
