"""Makes the simulated brain-MRI studies that Nael 2021's networks are trained on."""

from __future__ import annotations

import dataclasses

from ..core.errors import ConfigError
from .exam_producer import ProductionPlan, anatomy_and_seed
from .nael2021_bank import BankStudy

NORMAL_PROBABILITY = 0.3
"""Half of what the abnormality network is shown is normal, so normal studies must not be few (ours)."""


def make_study(plan: ProductionPlan, name: str, number: int) -> BankStudy:
    """Simulate and prepare one study with every contrast; the same number always gives the same study.

    Raises:
        ConfigError: this copy of the library has no MRI simulator.
    """
    try:
        from ..simulation.mr.settings import BALANCED_SETTINGS  # type: ignore[import-not-found, unused-ignore]
        from ..simulation.mr.study import simulate_brain_mr  # type: ignore[import-not-found, unused-ignore]
    except ModuleNotFoundError as error:
        raise ConfigError(
            "There is no MRI simulator here.", next_step="Put prepared studies into the bank: --bank."
        ) from error
    settings = dataclasses.replace(BALANCED_SETTINGS, normal_probability=NORMAL_PROBABILITY)
    return BankStudy.of(simulate_brain_mr(*anatomy_and_seed(plan, name, number), settings), plan.config)
