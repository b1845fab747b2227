"""Are these numbers Hounsfield units, and if not, which offset makes them so: evidence from the values themselves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

AIR_HU = -1024
"""What every voxel outside the scanner's reconstruction becomes (contract of Volume)."""

USUAL_INTERCEPT = -1024.0
"""The intercept of nearly all CT that is stored unsigned: 12 bits from -1024 (DICOM PS3.3 C.11.1.1.2 names HU; the
number itself is the vendors' habit)."""

# Shares of voxels that a head CT shows at least, whatever its field of view (real head CT: 25-70 % air, 15-40 % soft
# tissue, 3-10 % above 300 HU; the limits are ours and wide).
MIN_AIR, MIN_SOFT_TISSUE, MIN_BONE = 0.03, 0.03, 0.003


@dataclass(frozen=True)
class ValueShares:
    """Shares (0-1) of voxels at or below air's HU, in soft tissue's range and in bone's range."""

    air: float
    soft_tissue: float
    bone: float

    @property
    def looks_like_ct(self) -> bool:
        """True when air, soft tissue and bone are all there."""
        return self.air >= MIN_AIR and self.soft_tissue >= MIN_SOFT_TISSUE and self.bone >= MIN_BONE


def value_shares(values: np.ndarray, intercept: float = 0.0) -> ValueShares:
    """The shares if the intercept were added; values of any shape."""
    sample = values.ravel()[:: max(1, values.size // 400_000)].astype(np.float32) + np.float32(intercept)
    return ValueShares(
        air=float((sample < -900).mean()),
        soft_tissue=float(((sample > -20) & (sample < 100)).mean()),
        bone=float(((sample > 300) & (sample < 3500)).mean()),
    )


def guess_intercept(values: np.ndarray) -> float | None:
    """0 or -1024, whichever makes the values look like CT; None when neither does."""
    if value_shares(values).looks_like_ct:
        return 0.0
    if values.min() >= 0 and value_shares(values, USUAL_INTERCEPT).looks_like_ct:
        return USUAL_INTERCEPT
    return None
