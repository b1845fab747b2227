"""Settings of the Ye 2019 system: the published ones and the compact variant that ships; needs no torch."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from ..core.codes import CT_HEMORRHAGE_CODES
from ..core.errors import ConfigError

Windows = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Ye2019Config:
    """Everything that fixes what the networks see and what is made of their answers; it travels in the model pack.

    Args:
        codes: hemorrhage types, the outputs of the five-type network.
        width: factor on the channels of the convolutions and of the fully connected layer.
        batch_norm: normalisation after each convolution.
        shared_cnn: both networks have the same convolutions.
        pooling: how the last maps reach the fully connected layer, see networks.cnn_rnn.CnnRnn.
        pixel_spacing_mm: in-plane spacing that every slice is resampled to.
        image_size: rows and columns of the network's image, a multiple of 32, centred on the intracranial space.
        slab_mm: thinner slices are averaged in whole groups up to about this thickness before the network.
        windows_hu: lower and upper HU of each channel, mapped to 0 and 1 (clipped).
        field: "image": all of it; "brain": slabs with brain, cut to the box of the intracranial space and its margin,
            everything beyond the margin blanked.
        margin_mm: width of that margin, so that the inner skull stays in view.
        gate: raw two-type score of the subject from which on the five-type network is asked.
        unasked_share: a type's score as a share of the two-type score when the five-type network is not asked.
    """

    codes: tuple[str, ...] = CT_HEMORRHAGE_CODES  # Ye 2019: CPH (here IPH), IVH, SDH, EDH, SAH
    width: float = 1.0  # Ye 2019: the full VGG16 and 256 features
    batch_norm: bool = False  # VGG16 has none
    shared_cnn: bool = False  # Ye 2019: two networks
    pooling: Literal["flatten", "global"] = "flatten"  # VGG16
    pixel_spacing_mm: float = 0.9  # 512 pixels over a usual 230 mm field of view, halved (Ye 2019, Data pre-processing)
    image_size: int = 256  # Ye 2019, Data pre-processing
    slab_mm: float = 0.1  # Ye 2019: the slice number of each scan is kept; no slices are thin enough to be averaged
    windows_hu: Windows = ((-50.0, 150.0), (100.0, 300.0), (250.0, 450.0))  # Ye 2019, supplement 2
    field: Literal["image", "brain"] = "image"  # Ye 2019 does not strip the skull
    margin_mm: float = 0.0  # of no meaning without a field
    gate: float = 0.5  # Ye 2019, Statistical analysis: 0.5 and more is positive
    unasked_share: float = 0.2  # Ye 2019 gives no type then; one of five, ours

    def __post_init__(self) -> None:
        if self.image_size % 32:
            raise ConfigError("image_size must be a multiple of 32.")
        if not (self.width > 0 and self.pixel_spacing_mm > 0 and self.slab_mm > 0 and self.margin_mm >= 0):
            raise ConfigError("width, pixel_spacing_mm and slab_mm must be positive, margin_mm not negative.")
        if len(self.windows_hu) != 3 or not all(low < high for low, high in self.windows_hu):
            raise ConfigError("windows_hu must hold three pairs of a lower and a higher value.")
        if not (0 <= self.gate <= 1 and 0 <= self.unasked_share <= 1):
            raise ConfigError("gate and unasked_share must lie in 0-1.")
        if self.pooling not in ("flatten", "global") or self.field not in ("image", "brain"):
            raise ConfigError("pooling must be flatten or global, field must be image or brain.")
        if self.pooling == "flatten" and self.field == "brain":
            raise ConfigError("pooling must be global when the field is the brain, whose size varies.")

    @property
    def window_hu(self) -> tuple[float, float]:
        """The first window, through which preprocessing makes the windowed image that other systems use."""
        return self.windows_hu[0]

    @property
    def margin_pixels(self) -> int:
        """The margin in whole pixels."""
        return round(self.margin_mm / self.pixel_spacing_mm)

    @property
    def layers(self) -> dict[str, Any]:
        """The arguments of networks.cnn_rnn.CnnRnnShape."""
        return {name: getattr(self, name) for name in ("width", "batch_norm", "pooling", "image_size")}

    def to_json(self) -> dict[str, Any]:
        """Plain values for pack.json."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Ye2019Config:
        """The inverse of to_json. Raises ConfigError for an unknown or missing key or a value of the wrong kind."""
        names = {entry.name for entry in dataclasses.fields(cls)}
        if values.keys() != names:
            wrong = sorted(values.keys() ^ names)
            raise ConfigError(f"Settings of ye2019 that are unknown or missing: {', '.join(wrong)}.")
        try:
            first, second, third = ((float(low), float(high)) for low, high in values["windows_hu"])
            if not all(isinstance(values[name], bool) for name in ("batch_norm", "shared_cnn")):
                raise TypeError("batch_norm and shared_cnn must be true or false")
            return cls(
                codes=tuple(map(str, values["codes"])),
                width=float(values["width"]),
                batch_norm=values["batch_norm"],
                shared_cnn=values["shared_cnn"],
                pooling=values["pooling"],
                pixel_spacing_mm=float(values["pixel_spacing_mm"]),
                image_size=int(values["image_size"]),
                slab_mm=float(values["slab_mm"]),
                windows_hu=(first, second, third),
                field=values["field"],
                margin_mm=float(values["margin_mm"]),
                gate=float(values["gate"]),
                unasked_share=float(values["unasked_share"]),
            )
        except (TypeError, ValueError) as error:
            raise ConfigError(f"A setting of ye2019 is of the wrong kind: {error}.") from error


PUBLISHED = Ye2019Config()

# The variant that ships: fewer channels, one set of convolutions for both networks, slabs as slices, and the brain with
# 5 mm around it instead of the whole head, so that two cores read an exam in about two seconds and an hour on a
# processor teaches it something. Of each map its maximum alone goes on: with the mean beside it, the highest point of
# Grad-CAM lay on blood in 56 % of the bleeding slabs of 60 validation exams, without it in 81 %, at the same AUC.
# Its grid is that of kuo2019's COMPACT: an exam is prepared once for both.
COMPACT = Ye2019Config(
    width=0.3125, batch_norm=True, shared_cnn=True, pooling="global", slab_mm=5.0, field="brain", margin_mm=5.0
)
