"""Makes the simulated brain-MRI studies that Nael 2021's networks are trained on."""

from __future__ import annotations

import dataclasses

from ..simulation.mr.settings import BALANCED_SETTINGS
from ..simulation.mr.study import simulate_brain_mr
from .exam_producer import ProductionPlan, anatomy_and_seed
from .nael2021_bank import BankStudy

SETTINGS = dataclasses.replace(BALANCED_SETTINGS, normal_probability=0.3)
"""Half of what the abnormality network is shown is normal, so normal studies must not be few (ours)."""

MASSES = dataclasses.replace(
    SETTINGS,
    normal_probability=0.1,
    tumour_probability=0.75,
    abscess_probability=0.15,
    hygroma_probability=0.1,
    tumour_mm=(16.0, 32.0),
)
"""Every third training study: with the settings above one in eight shows mass effect, with these about one in three."""

INFARCTS = dataclasses.replace(SETTINGS, infarct_probability=0.6, small_infarct_probability=0.75)
"""Another third: most of what the infarct network misses is small, and it takes many to learn them."""


def make_study(plan: ProductionPlan, name: str, number: int) -> BankStudy:
    """Simulate and prepare one study with every contrast; the same number always gives the same study."""
    settings = (SETTINGS, INFARCTS, MASSES)[number % 3] if name == "train" else SETTINGS
    return BankStudy.of(simulate_brain_mr(*anatomy_and_seed(plan, name, number), settings), plan.config)
