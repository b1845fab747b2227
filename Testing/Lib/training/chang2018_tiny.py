"""A tiny Chang 2018: settings and recipe for the made-up banks of synthetic_bank.py."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from NeuroTriageLib.systems.chang2018_config import COMPACT
from NeuroTriageLib.training.chang2018_pack import view_of
from NeuroTriageLib.training.chang2018_recipe import COMPACT_TRAINING, LossWeights
from NeuroTriageLib.training.exam_bank import ExamBank
from NeuroTriageLib.training.kuo2019_recipe import PatchAugmentation
from NeuroTriageLib.training.windowed_exam import WindowedExam

TINY = dataclasses.replace(
    COMPACT,
    width=0.125,
    blocks=(0, 1, 1, 1, 1),
    pyramid_channels=16,
    hidden=32,
    pixel_spacing_mm=3.6,
    image_size=64,
    anchor_sizes_mm=(28.8, 57.6, 115.2, 230.4),  # 8, 16, 32, 64 pixels: the banks' squares have 8
    candidates=40,
    proposals=12,
    mask_size=8,
    mask_layers=1,
    detections=6,
)

# Counted in steps and not in minutes, so that every run takes the same.
TINY_TRAINING = dataclasses.replace(
    COMPACT_TRAINING,
    steps=8,
    runs=4,
    run_slabs=2,
    crop=(64, 64),
    regions_sampled=12,
    weights=LossWeights(mask_overlap=0.5, pixels=1.0),
    augmentation=PatchAugmentation(noise_hu=0.0, rim_hu=0.0, blur=0.0, offset_hu=0.0, gain=0.0),
    shift=2.0,
    average_decay=0.95,
    minutes=None,
    bfloat16=False,
)


def loaded(folder: Path) -> ExamBank[WindowedExam]:
    """The bank of a folder with all its exams, as the detector sees them."""
    bank = ExamBank(folder, view_of(TINY))
    bank.refresh()
    return bank
