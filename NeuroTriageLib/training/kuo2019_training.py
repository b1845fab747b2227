"""Which variants of Kuo 2019 can be trained, on how many exams, and by what."""

from __future__ import annotations

from ..systems.kuo2019_config import COMPACT, PUBLISHED
from .case_exams import bleeding_exam
from .kuo2019_pack import export_pack
from .kuo2019_recipe import COMPACT_TRAINING, PUBLISHED_TRAINING
from .kuo2019_trainer import Kuo2019Trainer
from .system_training import SystemTraining

VARIANTS = {"compact": (COMPACT, COMPACT_TRAINING), "published": (PUBLISHED, PUBLISHED_TRAINING)}
EXAMS = {
    "compact": 1200,  # ours
    "published": 4396,  # Kuo 2019: training scans
}

train_kuo2019 = SystemTraining(VARIANTS, EXAMS, Kuo2019Trainer, export_pack, take=bleeding_exam)
"""(options, report of one line) -> the pack's folder; see SystemTraining."""
