"""What the bank of Nael 2021 keeps of a labelled brain MRI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.codes import ABNORMAL, MR_CODES
from ..core.errors import InputError
from ..core.geometry import SliceGrid
from ..core.mr_images import CONTRASTS
from ..core.volume import Volume
from ..datasets.labelled_case import Labelled, LabelledMr
from ..datasets.split import Part
from ..preprocessing.mr_grid import resample
from ..systems.nael2021_config import CRITICAL_CODES, Nael2021Config
from .nael2021_bank import BankStudy


@dataclass(frozen=True, eq=False)
class _Series:
    """One image with the masks on its voxels; see nael2021_bank.MrTruthSeries."""

    volume: Volume
    masks: Mapping[str, np.ndarray]
    adc_unit_mm2_per_s: float


@dataclass(frozen=True, eq=False)
class _Study:
    """See nael2021_bank.MrTruthStudy; a finding that is not in truth is unknown."""

    series: Mapping[str, _Series]
    truth: Mapping[str, Any]


def labelled_study(case: Labelled, part: Part, config: Nael2021Config, recipe: Any) -> BankStudy:
    """The study of the bank; findings that are not known are neither learned from nor counted.

    A network learns from a study that lacks contrasts which it requires to read: what there is goes through the same
    layers. Such a study does not validate.

    Raises:
        InputError: no brain MRI; no contrast that a network which could learn from it reads; a finding without a mask;
            or, for validation, a finding that is not known or a required contrast that is missing.
    """
    if not isinstance(case, LabelledMr):
        raise InputError("the case is no brain MRI")
    images = {
        contrast: image
        for contrast, image in case.images.items()
        if contrast in CONTRASTS and (contrast != "ADC" or image.mm2_per_s)
    }
    known = _known(case)
    if not any(network.code in known and set(images) & set(network.axial) for network in config.networks):
        raise InputError("no network that could learn from the study reads one of its contrasts")
    if part == "validation":
        if set(config.codes) - set(known):
            raise InputError("not every finding is known, so that the study cannot validate")
        if lacking := sorted({name for network in config.networks for name in network.required} - set(images)):
            raise InputError(f"the study has no {' and no '.join(lacking)}, so that it cannot validate")
    masks = _masks(case)
    if any(known.get(code) and code not in masks for code in CRITICAL_CODES):
        raise InputError("a finding has no mask")
    series = {
        contrast: _Series(image.volume, _on(masks, image.volume.grid), image.mm2_per_s or 0.0)
        for contrast, image in images.items()
    }
    return BankStudy.of(_Study(series, {code: known[code] for code in MR_CODES if code in known}), config)


def _known(case: LabelledMr) -> dict[str, bool]:
    """Finding -> is it there. That a study is abnormal because a mask of it is not empty teaches no abnormality.

    Nobody said of the others that they are normal, so that all abnormal studies would come from one scanner.
    """
    known = case.exam_presence()
    if ABNORMAL not in case.present and known.get(ABNORMAL):
        del known[ABNORMAL]
    return known


def _masks(case: LabelledMr) -> dict[str, tuple[np.ndarray, SliceGrid]]:
    """Critical finding -> its mask and where it was drawn."""
    return {
        code: (masks[code], case.images[contrast].volume.grid)
        for contrast, masks in case.masks.items()
        for code in CRITICAL_CODES
        if code in masks and masks[code].any()
    }


def _on(masks: Mapping[str, tuple[np.ndarray, SliceGrid]], grid: SliceGrid) -> dict[str, np.ndarray]:
    """The masks on another image's voxels, by its place: the patient is taken to have lain still."""
    return {
        code: mask if own is grid else np.asarray(resample(mask.astype(np.float32), own, grid).array_kji >= 0.5)
        for code, (mask, own) in masks.items()
    }
