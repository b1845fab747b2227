"""Makes the simulated brain-MRI studies that Nael 2021's networks are trained on."""

from __future__ import annotations

import dataclasses

from ..simulation.mr.settings import BALANCED_SETTINGS
from ..simulation.mr.study import simulate_brain_mr
from .exam_producer import ProductionPlan, anatomy_and_seed
from .nael2021_bank import BankStudy

SETTINGS = dataclasses.replace(BALANCED_SETTINGS, normal_probability=0.3)
"""Half of what the abnormality network is shown is normal, so normal studies must not be few (ours)."""


def make_study(plan: ProductionPlan, name: str, number: int) -> BankStudy:
    """Simulate and prepare one study with every contrast; the same number always gives the same study."""
    return BankStudy.of(simulate_brain_mr(*anatomy_and_seed(plan, name, number), SETTINGS), plan.config)
