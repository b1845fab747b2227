"""The tiny made-up bank as Ye 2019's training sees it, and recipes that take steps by the number."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from NeuroTriageLib.systems.ye2019_config import COMPACT, PUBLISHED
from NeuroTriageLib.training.exam_bank import ExamBank
from NeuroTriageLib.training.labelled_exam import LabelledExam
from NeuroTriageLib.training.ye2019_pack import view_of
from NeuroTriageLib.training.ye2019_recipe import (
    COMPACT_TRAINING,
    PUBLISHED_TRAINING,
    Replay,
    SliceStage,
    Stage,
)

TINY = dataclasses.replace(COMPACT, width=0.05, image_size=64, pixel_spacing_mm=3.6, margin_mm=3.6)
TINY_TRAINING = dataclasses.replace(
    COMPACT_TRAINING,
    stages=(Stage("slices", 2e-3, 2, 0.6), Stage("two_type", 2e-3, 1, 0.2), Stage("five_type", 2e-3, 1, 0.2)),
    slice_stage=SliceStage(batch_size=8, crop=32),
    replay=Replay(exams=20, batch_size=4, updates=2),
    minutes=None,
    bfloat16=False,
)

# As published but for width and size: separate networks, trained end to end.
TINY_PUBLISHED = dataclasses.replace(PUBLISHED, width=0.05, image_size=64, pixel_spacing_mm=3.6, slab_mm=5.0)
TINY_PUBLISHED_TRAINING = dataclasses.replace(
    PUBLISHED_TRAINING, stages=(Stage("two_type", 1e-3, 1, 0.5), Stage("five_type", 1e-3, 1, 0.5)), batch_size=3
)


def loaded(folder: Path, config=TINY) -> ExamBank[LabelledExam]:
    """The bank of a folder with all its exams."""
    bank = ExamBank(folder, view_of(config))
    bank.refresh()
    return bank
