"""Which variants of Chang 2018 can be trained, on how many exams, and by what."""

from __future__ import annotations

from ..systems.chang2018_config import COMPACT, PUBLISHED
from .chang2018_pack import export_pack
from .chang2018_recipe import COMPACT_TRAINING, PUBLISHED_TRAINING
from .chang2018_trainer import Chang2018Trainer
from .system_training import SystemTraining

VARIANTS = {"compact": (COMPACT, COMPACT_TRAINING), "published": (PUBLISHED, PUBLISHED_TRAINING)}
EXAMS = {
    "compact": 1200,  # ours
    "published": 10_159,  # Chang 2018: training cohort
}

train_chang2018 = SystemTraining(VARIANTS, EXAMS, Chang2018Trainer, export_pack)
"""(options, report of one line) -> the pack's folder; see SystemTraining."""
