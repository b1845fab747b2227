"""Settings of the Nael 2021 system: its four networks, the published and the compact variant; needs no torch."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

from ..core.codes import ABNORMAL, ACUTE_HEMORRHAGE, ACUTE_INFARCT, MASS_EFFECT, MR_CODES
from ..core.errors import ConfigError
from ..core.mr_images import AXIAL_CONTRASTS, SAGITTAL_CONTRASTS

Scaling = Literal["min_max", "brain_median"]

CRITICAL_CODES = (ACUTE_INFARCT, ACUTE_HEMORRHAGE, MASS_EFFECT)
"""Findings whose places were contoured (Nael 2021, Data)."""


@dataclass(frozen=True)
class FindingNetwork:
    """One of the four networks (Nael 2021, table 1, and Image analysis for the reference grids).

    Args:
        code: the finding.
        required: contrasts without which it cannot look.
        optional: contrasts that it reads when they are there.
        reference: contrast whose grid its images are resampled to.
        shown_on: contrast on whose voxels its answer is given; one of the required ones.
        maps: findings that its localization draws.
        asserts_with: contrasts with which it may say that the finding is there although a required one is missing; that
            it is absent it cannot say then (ours). None: all required ones.
    """

    code: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    reference: str
    shown_on: str
    maps: tuple[str, ...]
    asserts_with: tuple[str, ...] | None = None

    @property
    def least(self) -> tuple[str, ...]:
        """Contrasts without which it is not asked at all."""
        return self.required if self.asserts_with is None else self.asserts_with

    @property
    def axial(self) -> tuple[str, ...]:
        """Its axial contrasts, in the order of core.mr_images."""
        return tuple(name for name in AXIAL_CONTRASTS if name in (*self.required, *self.optional))

    @property
    def sagittal(self) -> tuple[str, ...]:
        """Its sagittal contrasts, likewise."""
        return tuple(name for name in SAGITTAL_CONTRASTS if name in self.optional)


# SWI stands beside T2* (ours). The table's row of T2* names abnormality and hemorrhage.
NETWORKS: dict[str, FindingNetwork] = {
    network.code: network
    for network in (
        FindingNetwork(
            ABNORMAL, ("FLAIR", "ADC", "TRACE"), ("T2star", "SWI", "T1", "T2", "T1_sagittal", "T1post_sagittal"),
            reference="ADC", shown_on="FLAIR", maps=(ABNORMAL,),  # what it draws is not said: ours
            asserts_with=("FLAIR",),
        ),
        # The contours were drawn on trace images (Nael 2021, Data): infarcts are shown there.
        FindingNetwork(
            ACUTE_INFARCT, ("ADC", "TRACE"), ("T1", "T2"),
            reference="ADC", shown_on="TRACE", maps=(ACUTE_INFARCT,),
        ),
        FindingNetwork(
            ACUTE_HEMORRHAGE, ("FLAIR", "ADC", "TRACE"), ("T2star", "SWI", "T1", "T2"),
            reference="FLAIR", shown_on="FLAIR", maps=(ACUTE_HEMORRHAGE,),
        ),
        FindingNetwork(
            MASS_EFFECT, ("FLAIR",), ("T1", "T2"), reference="FLAIR", shown_on="FLAIR", maps=(MASS_EFFECT,)
        ),
    )
}  # fmt: skip

REQUIRED = frozenset(name for network in NETWORKS.values() for name in network.required)
"""Contrasts that one of the networks cannot do without."""

REFERENCES = ("ADC", "FLAIR")
"""Contrasts on whose grids studies are prepared."""


@dataclass(frozen=True)
class Nael2021Config:
    """Everything that fixes what the networks see and what is made of their answers; it travels in the model pack.

    Args:
        codes: the findings that the pack has a network for.
        in_plane: rows and columns of the networks' images, depth times a power of two.
        depth: their slices, a multiple of 4.
        scaling: "min_max": each image's minimum and maximum become 0 and 1; "brain_median": weighted images by their
            inner head's median, ADC by its unit (see preprocessing.mr_intensity).
        width: factor on the channels of the networks.
        dropout: share of channels dropped in each convolution layer.
        map_peaks: the study's score is also made of the highest values of the localization maps.
        pixel_threshold: code -> probability of the localization from which on a pixel belongs to the mask.
    """

    codes: tuple[str, ...] = MR_CODES
    in_plane: int = 256  # Nael 2021, Image analysis
    depth: int = 32  # Nael 2021, Image analysis
    scaling: Scaling = "min_max"  # Nael 2021, Image analysis
    width: float = 1.0  # the supplement with widths is not at hand: ours, see networks.lfe_classifier
    dropout: float = 0.1  # Nael 2021: in each convolution layer; its share is not stated, ours
    map_peaks: bool = False  # Nael 2021: the classifier sees the maps beside the images
    pixel_threshold: dict[str, float] = field(default_factory=lambda: dict.fromkeys(CRITICAL_CODES, 0.5))  # not stated

    def __post_init__(self) -> None:
        if not self.codes or not set(self.codes) <= set(MR_CODES) or len(set(self.codes)) != len(self.codes):
            raise ConfigError(f"codes must be some of {', '.join(MR_CODES)}.")
        if self.depth % 4 or self.depth < 4 or self.in_plane != self.depth * 2**self.strides or self.strides < 1:
            raise ConfigError("depth must be a multiple of 4, in_plane depth times a power of two.")
        if self.scaling not in ("min_max", "brain_median"):
            raise ConfigError("scaling must be min_max or brain_median.")
        if not (self.width > 0 and 0 <= self.dropout < 1):
            raise ConfigError("width must be positive, dropout in 0-1.")
        values = self.pixel_threshold
        if set(values) != set(CRITICAL_CODES) or not all(0 < value < 1 for value in values.values()):
            raise ConfigError(f"pixel_threshold must give a probability for {', '.join(CRITICAL_CODES)}.")

    @property
    def networks(self) -> tuple[FindingNetwork, ...]:
        """The networks of the pack, in the order of its codes."""
        return tuple(NETWORKS[code] for code in self.codes)

    @property
    def strides(self) -> int:
        """In-plane strided convolutions that make the classifier's maps isotropic."""
        return max(0, round(self.in_plane / self.depth).bit_length() - 1)

    @property
    def shape_dhw(self) -> tuple[int, int, int]:
        """Slices, rows and columns of an axial image."""
        return self.depth, self.in_plane, self.in_plane

    @property
    def layers(self) -> dict[str, dict[str, Any]]:
        """Code -> the arguments of networks.lfe_classifier.LfeClassifierSettings."""
        return {network.code: self._layers(network) for network in self.networks}

    def _layers(self, network: FindingNetwork) -> dict[str, Any]:
        return {
            "axial": len(network.axial),
            "sagittal": len(network.sagittal),
            "maps": len(network.maps),
            "strides": self.strides,
            "width": self.width,
            "dropout": self.dropout,
            "map_peaks": self.map_peaks,
        }

    def to_json(self) -> dict[str, Any]:
        """Plain values for pack.json."""
        return dataclasses.asdict(self) | {"codes": list(self.codes)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Nael2021Config:
        """The inverse of to_json. Raises ConfigError for an unknown or missing key or a value of the wrong kind."""
        names = {entry.name for entry in dataclasses.fields(cls)}
        if values.keys() != names:
            wrong = sorted(values.keys() ^ names)
            raise ConfigError(f"Settings of nael2021 that are unknown or missing: {', '.join(wrong)}.")
        try:
            if not isinstance(values["map_peaks"], bool):
                raise TypeError("map_peaks must be true or false")
            return cls(
                codes=tuple(map(str, values["codes"])),
                in_plane=int(values["in_plane"]),
                depth=int(values["depth"]),
                scaling=values["scaling"],
                width=float(values["width"]),
                dropout=float(values["dropout"]),
                map_peaks=values["map_peaks"],
                pixel_threshold={str(code): float(value) for code, value in values["pixel_threshold"].items()},
            )
        except (TypeError, ValueError, AttributeError) as error:
            raise ConfigError(f"A setting of nael2021 is of the wrong kind: {error}.") from error


PUBLISHED = Nael2021Config()

# The variant for processors: half the pixels in plane (about 1.8 mm), fewer channels, intensities by the brain's own
# median, and the peaks of the localization maps in the score, so that a lesion of a few pixels needs no long way.
COMPACT = Nael2021Config(in_plane=128, scaling="brain_median", width=0.5, dropout=0.05, map_peaks=True)
