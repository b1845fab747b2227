"""How a learning rate runs through a stage."""

from __future__ import annotations

WARM_UP = 0.08  # share of a stage; ours


def one_cycle(highest: float, fraction: float) -> float:
    """The rate after this fraction (0-1) of a stage: up from a tenth, then down to a hundredth of it (ours)."""
    if fraction < WARM_UP:
        return highest * (0.1 + 0.9 * fraction / WARM_UP)
    rest = (min(fraction, 1.0) - WARM_UP) / (1 - WARM_UP)
    return float(highest * (0.01 + 0.99 * (1 - rest) ** 1.2))
