"""Which variants of Ye 2019 can be trained, on how many exams, and by what."""

from __future__ import annotations

from ..systems.ye2019_config import COMPACT, PUBLISHED
from .case_exams import labelled_exam
from .system_training import MASKS, SystemTraining
from .ye2019_pack import export_pack
from .ye2019_recipe import COMPACT_TRAINING, PUBLISHED_TRAINING, SUB_LAB_TRAINING
from .ye2019_trainer import Ye2019Trainer

VARIANTS = {
    "compact": (COMPACT, COMPACT_TRAINING),
    "published": (PUBLISHED, PUBLISHED_TRAINING),
    "published-sub-lab": (PUBLISHED, SUB_LAB_TRAINING),  # subject labels alone
}
EXAMS = {
    "compact": 1200,  # ours
    "published": 2255,
    "published-sub-lab": 2255,  # Ye 2019, supplementary table 2: training subjects
}

train_ye2019 = SystemTraining(
    VARIANTS,
    EXAMS,
    Ye2019Trainer,
    export_pack,
    labels=MASKS | {"slice labels", "exam labels"},
    take=labelled_exam,
)
"""(options, report of one line) -> the pack's folder; see SystemTraining."""
