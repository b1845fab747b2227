"""Which variants of Nael 2021 can be trained, on how many studies, and by what."""

from __future__ import annotations

from ..systems.nael2021_config import COMPACT, PUBLISHED
from .case_studies import labelled_study
from .nael2021_pack import export_pack
from .nael2021_producer import make_study
from .nael2021_recipe import COMPACT_TRAINING, PUBLISHED_TRAINING
from .nael2021_trainer import Nael2021Trainer
from .system_training import MASKS, SystemTraining

VARIANTS = {
    "compact": (COMPACT, COMPACT_TRAINING),
    "published": (PUBLISHED, PUBLISHED_TRAINING),
}
EXAMS = {
    "compact": 1000,  # ours
    "published": 9845,  # Nael 2021, abstract: training studies
}

train_nael2021 = SystemTraining(
    VARIANTS,
    EXAMS,
    Nael2021Trainer,
    export_pack,
    make=make_study,
    data="simulated brain MRI",
    modality="MR",
    labels=MASKS | {"exam labels"},
    take=labelled_study,
)
"""(options, report of one line) -> the pack's folder; see SystemTraining."""
