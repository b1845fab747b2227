"""Prepared MRI studies on disk: the views that the networks see, contours on their voxels, and the truth."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..core.codes import ABNORMAL, MR_CODES
from ..core.errors import InputError
from ..core.geometry import SliceGrid
from ..core.mr_images import AXIAL_CONTRASTS, SAGITTAL_CONTRASTS, MrImage
from ..core.volume import Volume
from ..preprocessing.mr_grid import resample
from ..preprocessing.mr_views import MrView, make_view, scale_image
from ..systems.nael2021_config import REFERENCES, FindingNetwork, Nael2021Config

FULL = 255
"""Stored share of a voxel that a finding fills wholly."""

_CONTRAST_OF_ROLE = {"T1_post": "T1post_sagittal"}
"""The simulator's name of a role -> ours, where they differ."""


class MrTruthSeries(Protocol):
    """What training needs of one simulated series."""

    @property
    def volume(self) -> Volume:
        """The image on its true grid."""

    @property
    def masks(self) -> Mapping[str, np.ndarray]:
        """Code -> (K, J, I) mask of a finding on its voxels; a code that is missing is not there, or is not drawn."""

    @property
    def adc_unit_mm2_per_s(self) -> float:
        """What one grey value of an ADC map stands for."""


class MrTruthStudy(Protocol):
    """What training needs of one simulated study."""

    @property
    def series(self) -> Mapping[str, MrTruthSeries]:
        """Role -> series."""

    @property
    def truth(self) -> Mapping[str, Any]:
        """JSON values; holds a bool for each of MR_CODES."""


def simulated_images(study: MrTruthStudy) -> dict[str, MrImage]:
    """Contrast -> image, as series selection gives them; a post-contrast series is read when it is sagittal."""
    images = {}
    for role, series in study.series.items():
        contrast = _CONTRAST_OF_ROLE.get(role, role)
        if contrast in SAGITTAL_CONTRASTS and abs(series.volume.grid.normal[0]) < 0.7:
            continue
        images[contrast] = MrImage(contrast, series.volume, series.adc_unit_mm2_per_s if role == "ADC" else None)
    return images


@dataclass(frozen=True, eq=False)
class BankStudy:
    """One prepared study.

    Args:
        views: reference contrast -> what the networks see.
        shares: (reference, code) -> (d, h, w) uint8, how much of each voxel the finding fills, 0 to FULL; what is not
            there, or was not drawn, is missing.
        truth: what the simulation knows.
    """

    views: dict[str, MrView]
    shares: dict[tuple[str, str], np.ndarray]
    truth: dict[str, Any]

    @classmethod
    def of(cls, study: MrTruthStudy, config: Nael2021Config) -> BankStudy:
        """Prepare a study as inference does; where a reference contrast is missing, another one lends its grid.

        Raises:
            InputError: no axial contrast is there.
        """
        images = simulated_images(study)
        lenders = [name for name in AXIAL_CONTRASTS if name in images]
        if not lenders:
            raise InputError("The study has no contrast that is read in axial slices.")
        scaled = {name: scale_image(image, config.scaling) for name, image in images.items()}
        on = {name: name if name in images else lenders[0] for name in REFERENCES}
        views = {name: make_view(scaled, name, config, on[name]) for name in REFERENCES}
        shares = {}
        for name, view in views.items():
            source = study.series[on[name]]
            for code in MR_CODES:
                if code in source.masks:
                    filled = resample((source.masks[code] > 0).astype(np.float32), source.volume.grid, view.grid)
                    shares[name, code] = np.rint(filled.array_kji * FULL).astype(np.uint8)
        return cls(views, shares, dict(study.truth))

    def known(self, network: FindingNetwork) -> np.ndarray:
        """(maps,) bool: of which findings it is known where they are; what is abnormal is not always drawn."""
        return np.array(
            [
                self.truth.get(code) is not None
                and (code != ABNORMAL or not self.truth[code] or (network.reference, code) in self.shares)
                for code in network.maps
            ]
        )

    def share(self, network: FindingNetwork) -> np.ndarray:
        """(maps, d, h, w) float32 0-1: what the network's localization is to draw."""
        shape = self.views[network.reference].grid.shape_kji
        empty = np.zeros(shape, np.uint8)
        stored = [self.shares.get((network.reference, code), empty) for code in network.maps]
        return np.stack(stored).astype(np.float32) / FULL

    def save(self, path: Path) -> None:
        """Write the study in one step, so that a reader never meets half of it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        arrays: dict[str, np.ndarray] = {}
        about: dict[str, Any] = {"truth": self.truth, "grids": {}}
        for name, view in self.views.items():
            about["grids"][name] = view.grid.to_json()
            arrays |= {f"axial/{name}/{contrast}": array for contrast, array in view.axial.items()}
            arrays |= {f"sagittal/{name}/{contrast}": array for contrast, array in view.sagittal.items()}
        arrays |= {f"share/{name}/{code}": array for (name, code), array in self.shares.items()}
        with beside.open("wb") as stream:
            np.savez_compressed(stream, about=np.array(json.dumps(about)), **arrays)  # type: ignore[arg-type]
        beside.replace(path)

    @classmethod
    def load(cls, path: Path, network: FindingNetwork | None = None) -> BankStudy:
        """Read what save wrote: everything, or what one network is taught with, which is a fifth of it."""
        with np.load(path, allow_pickle=False) as stored:
            about = json.loads(str(stored["about"]))
            names = [name for name in stored.files if "/" in name and (network is None or _is_for(network, name))]
            arrays = {tuple(name.split("/")): stored[name] for name in names}
        views = {
            name: MrView(name, SliceGrid.from_json(grid), _of(arrays, "axial", name), _of(arrays, "sagittal", name))
            for name, grid in about["grids"].items()
            if network is None or name == network.reference
        }
        shares = {(name, code): array for (kind, name, code), array in arrays.items() if kind == "share"}
        return cls(views, shares, about["truth"])


def _is_for(network: FindingNetwork, name: str) -> bool:
    """True for a stored array that the network sees, or is to draw."""
    _, reference, content = name.split("/")
    return reference == network.reference and content in (*network.axial, *network.sagittal, *network.maps)


def _of(arrays: Mapping[tuple[str, ...], np.ndarray], kind: str, reference: str) -> dict[str, np.ndarray]:
    return {name[2]: array for name, array in arrays.items() if name[:2] == (kind, reference)}


@dataclass(frozen=True)
class StudyEntry:
    """A study of the bank that stays on disk until it is drawn: a thousand of them do not fit into memory.

    Args:
        path: where it lies.
        present: code -> is it there; None when that is not known.
        contrasts: reference -> the contrasts of its view.
    """

    path: Path
    present: dict[str, bool | None]
    contrasts: dict[str, frozenset[str]]

    @classmethod
    def read(cls, path: Path) -> StudyEntry:
        """Read what a sampler needs to know, without the images."""
        with np.load(path, allow_pickle=False) as stored:
            about = json.loads(str(stored["about"]))
            names = [tuple(name.split("/")) for name in stored.files if "/" in name]
        contrasts = {
            reference: frozenset(name[2] for name in names if name[0] != "share" and name[1] == reference)
            for reference in about["grids"]
        }
        return cls(path, {code: about["truth"].get(code) for code in MR_CODES}, contrasts)

    def load(self, network: FindingNetwork | None = None) -> BankStudy:
        """The whole study, or what one network is taught with."""
        return BankStudy.load(self.path, network)

    def fits(self, network: FindingNetwork) -> bool:
        """True when the network's required contrasts are there, so that it can be asked about the study."""
        return set(network.required) <= self.seen_by(network)

    def teaches(self, network: FindingNetwork) -> bool:
        """True when it is known whether the finding is there, and one of the network's axial contrasts shows it."""
        return self.present[network.code] is not None and bool(self.seen_by(network) & set(network.axial))

    def seen_by(self, network: FindingNetwork) -> frozenset[str]:
        """The contrasts of the network's view."""
        return self.contrasts.get(network.reference, frozenset())
