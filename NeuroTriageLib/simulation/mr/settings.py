"""Settings of the simulated brain MRI: how often what is found, and which profiles the scanners come from."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from ...core.errors import ConfigError
from ..setting_ranges import Range, check_ranges
from .profiles import EXTERNAL_PROFILES, ROLES, TRAINING_PROFILES, Profile


@dataclass(frozen=True)
class BrainMrSettings:
    """What one study is drawn from. Probabilities are per study; unless a source is given, a number is ours.

    Args:
        profiles: makers, drawn with equal weight.
        roles: the series to make; () takes a whole protocol: all roles, with either T2star or SWI by the profile.
        matrix: columns and rows of every series; anisotropic k-space is below it.
        normal_probability: studies without any abnormality (Nael 2021: 16 % inside).
        infarct_probability, hemorrhage_probability: of acute findings in studies that are not normal.
        hemorrhagic_infarct_probability: share of infarcts beyond 1 mL that bleed (Nael 2021: 195 of 533 hemorrhages
            came with an infarct).
        tumour_probability, chronic_infarct_probability, chronic_hemorrhage_probability, white_matter_probability,
        microbleed_probability, hydrocephalus_probability, atrophy_probability, cyst_probability, abscess_probability,
        demyelination_probability, hygroma_probability: of other abnormalities in studies that are not normal.
        small_infarct_probability: share of infarcts that are small (0.05 to 3 mL), alone or several.
        tumour_mm: radius of gliomas and lymphomas.
        thinning, sulcal_fill: as in HeadCtSettings.
        ventricle_mm: how far the ventricles' walls are moved in every study.
        scale: anisotropic scaling of the head.
        warp_mm: strength of the smooth elastic warp.
        head_rotation_deg: standard deviation of the head's rotation in the scanner about each axis.
        movement_probability, movement_mm, movement_deg: studies in which the patient moves between series, and by how
            much at most; the others move by still_mm and still_deg.
        still_mm, still_deg: standard deviations.
        motion_probability: series disturbed by motion.
        partial_probability: series that miss a part of the brain.
        stripped_probability: studies whose images are zero outside the brain's envelope, as public sets hold them.
        artefact_gain: factor on distortion, ghosts and signal loss.
        noise_gain: factor on noise.
    """

    profiles: tuple[Profile, ...] = TRAINING_PROFILES
    roles: tuple[str, ...] = ()
    matrix: int = 256
    normal_probability: float = 0.16
    infarct_probability: float = 0.12
    hemorrhage_probability: float = 0.05
    hemorrhagic_infarct_probability: float = 0.12
    tumour_probability: float = 0.09
    chronic_infarct_probability: float = 0.12
    chronic_hemorrhage_probability: float = 0.06
    white_matter_probability: float = 0.65
    microbleed_probability: float = 0.12
    hydrocephalus_probability: float = 0.03
    atrophy_probability: float = 0.15
    cyst_probability: float = 0.08
    abscess_probability: float = 0.01
    demyelination_probability: float = 0.05
    hygroma_probability: float = 0.02
    small_infarct_probability: float = 0.6
    tumour_mm: Range = (6.0, 28.0)
    thinning: Range = (0.3, 1.0)
    sulcal_fill: Range = (0.0, 0.35)
    ventricle_mm: Range = (-1.0, 1.0)
    scale: Range = (0.92, 1.08)
    warp_mm: Range = (0.0, 3.0)
    head_rotation_deg: float = 5.0
    movement_probability: float = 0.12
    movement_mm: float = 6.0
    movement_deg: float = 6.0
    still_mm: float = 0.4
    still_deg: float = 0.3
    motion_probability: float = 0.12
    partial_probability: float = 0.06
    stripped_probability: float = 0.05
    artefact_gain: Range = (0.4, 1.7)
    noise_gain: Range = (0.7, 1.5)

    def __post_init__(self) -> None:
        unknown = set(self.roles) - set(ROLES)
        if unknown:
            raise ConfigError(f"Unknown series: {', '.join(sorted(unknown))}.", where="roles")
        if not self.profiles:
            raise ConfigError("At least one profile is needed.", where="profiles")
        if self.matrix < 32:
            raise ConfigError("The matrix must be at least 32.", where="matrix")
        check_ranges(self)


REALISTIC_SETTINGS = BrainMrSettings()
"""About as often as in the paper's inside set: 84 % abnormal, 10 % infarct, 4.4 % hemorrhage, 4.5 % mass effect."""

BALANCED_SETTINGS = BrainMrSettings(
    infarct_probability=0.38,
    hemorrhage_probability=0.32,
    tumour_probability=0.28,
    abscess_probability=0.04,
    demyelination_probability=0.1,
    chronic_infarct_probability=0.2,
    chronic_hemorrhage_probability=0.15,
    microbleed_probability=0.2,
    hygroma_probability=0.05,
    hydrocephalus_probability=0.06,
)
"""For training: every finding and what is taken for it come often."""

EXTERNAL_SETTINGS = dataclasses.replace(
    BALANCED_SETTINGS,
    profiles=EXTERNAL_PROFILES,
    scale=(0.88, 1.12),
    warp_mm=(0.0, 4.0),
    head_rotation_deg=8.0,
    movement_probability=0.2,
    motion_probability=0.2,
    partial_probability=0.1,
    artefact_gain=(0.6, 2.2),
    noise_gain=(0.9, 2.0),
)
"""Held-out makers and wider ranges, for the outside test; never for training."""

SETTINGS = {"realistic": REALISTIC_SETTINGS, "balanced": BALANCED_SETTINGS, "external": EXTERNAL_SETTINGS}
