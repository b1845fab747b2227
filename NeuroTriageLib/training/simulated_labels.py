"""A simulated exam as a labelled case: what comparisons and experiments test on."""

from __future__ import annotations

from ..core.codes import MR_CODES
from ..datasets.labelled_case import LabelledCt, LabelledMr
from ..simulation.anatomy import Anatomy
from ..simulation.head_ct import simulate_head_ct
from ..simulation.mr.settings import BrainMrSettings
from ..simulation.mr.study import simulate_brain_mr
from ..simulation.settings import HeadCtSettings
from .nael2021_bank import simulated_images


def labelled_ct(head: Anatomy, seed: int, settings: HeadCtSettings) -> LabelledCt:
    """A head CT with its true mask."""
    exam = simulate_head_ct(head, seed, settings)
    return LabelledCt(exam.volume, exam.label_kji)


def labelled_mr(head: Anatomy, seed: int, settings: BrainMrSettings) -> LabelledMr:
    """A brain MRI with the true masks on every series; of each finding it is known whether it is there."""
    study = simulate_brain_mr(head, seed, settings)
    images = simulated_images(study)
    masks = {contrast: study.series[contrast].masks for contrast in images if contrast in study.series}
    drawn = {name: {code: mask > 0 for code, mask in found.items()} for name, found in masks.items()}
    return LabelledMr(images, drawn, {code: bool(study.truth[code]) for code in MR_CODES})
