"""Made MRI studies with known findings, and small banks and recipes of them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from NeuroTriageLib.core.codes import MR_CODES
from NeuroTriageLib.core.volume import Volume
from NeuroTriageLib.training.exam_bank import ExamBank, exam_path
from NeuroTriageLib.training.nael2021_bank import BankStudy, StudyEntry
from NeuroTriageLib.training.nael2021_recipe import MrAugmentation, Nael2021Training, Stage
from Testing.Lib.tiny_nael2021 import CONFIG, study

TINY = CONFIG
STAGES = tuple(
    stage
    for code in MR_CODES
    for stage in (Stage(code, "lfe", 3e-3, 1, 0.125, (8, 16, 16), 2), Stage(code, "study", 3e-3, 1, 0.125))
)
TINY_TRAINING = Nael2021Training(
    stages=STAGES, patience_epochs=None, keep_optional=0.7, positive_weight=10.0, lfe_weight=0.5,
    augmentation=MrAugmentation(rotation_deg=5.0, gain=0.1), average_decay=0.5, bfloat16=True,
)  # fmt: skip
SPOT = (slice(9, 13), slice(20, 30), slice(14, 22))
"""Voxels of the phantom, in front of the ventricles on the patient's right, that hold a finding."""


@dataclass(frozen=True)
class MadeSeries:
    """What the simulator gives of one series."""

    volume: Volume
    masks: dict[str, np.ndarray] = field(default_factory=dict)
    adc_unit_mm2_per_s: float = 0.0


@dataclass(frozen=True)
class MadeStudy:
    """What the simulator gives of one study."""

    series: dict[str, MadeSeries]
    truth: dict[str, Any]


def made_study(found: tuple[str, ...] = (), seed: int = 0) -> MadeStudy:
    """The phantom with a bright spot (dark in ADC) in every axial series when anything is found."""
    rng = np.random.default_rng(seed)
    series = {}
    for contrast, image in study().items():
        array = image.volume.array_kji * rng.uniform(0.9, 1.1)
        masks = {}
        if found and not contrast.endswith("_sagittal"):
            spot = np.zeros(array.shape, np.uint8)
            spot[SPOT] = 1
            array = np.where(spot > 0, 0.35 if contrast == "ADC" else 2.5 * np.percentile(array, 90), array)
            masks = {code: spot for code in found if code != "abnormal"}
        role = "T1_post" if contrast == "T1post_sagittal" else contrast
        volume = Volume(array.astype(np.float32), image.volume.grid, "MR")
        series[role] = MadeSeries(volume, masks, 1e-3 if contrast == "ADC" else 0.0)
    present = {code: code in found or (code == "abnormal" and bool(found)) for code in MR_CODES}
    return MadeStudy(series, {"seed": seed, **present})


def write_bank(folder: Path, count: int) -> None:
    """Training and validation studies: every second one has all findings."""
    for name in ("train", "validation"):
        for number in range(count):
            made = made_study(MR_CODES[1:] if number % 2 else (), number)
            BankStudy.of(made, TINY).save(exam_path(folder / name, number))


def loaded(folder: Path) -> ExamBank[StudyEntry]:
    """The bank of a folder."""
    bank = ExamBank(folder, lambda entry: entry, StudyEntry.read)
    bank.refresh()
    return bank


def with_contrasts(entry: StudyEntry, *without: str) -> StudyEntry:
    """An entry that says that contrasts are missing."""
    there = {name: names - set(without) for name, names in entry.contrasts.items()}
    return dataclasses.replace(entry, contrasts=there)
