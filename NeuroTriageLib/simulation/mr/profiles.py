"""Vendor-like profiles: the ranges of sequence parameters, grids, coils and noise that one site's studies come from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

Range = tuple[float, float]

ROLES = ("FLAIR", "ADC", "TRACE", "T2star", "SWI", "T1", "T1_sagittal", "T1_post", "T2")
"""The series that a study may hold; all are axial but T1_sagittal, and T1_post in some profiles."""


@dataclass(frozen=True)
class SequenceRange:
    """Ranges of one way to make a contrast. Milliseconds, degrees, millimetres.

    Args:
        technique: of signal_equations.
        tr_ms, te_ms, ti_ms, flip_deg: of the sequence; ti_ms (0, 0) without inversion.
        thickness_mm: slice thicknesses, drawn with equal weight.
        gap_share: gap between slices as a share of the thickness.
        acquired: columns of k-space along the frequency axis; the phase axis has phase_share of it.
        fat_suppressed: share of studies in which fat is suppressed.
        snr: of white matter at the middle one of these thicknesses.
        weight: how often this way is taken, relative to the others of the role.
        susceptibility_gain: of signal_equations.
    """

    technique: str
    tr_ms: Range
    te_ms: Range
    ti_ms: Range = (0.0, 0.0)
    flip_deg: Range = (90.0, 90.0)
    thickness_mm: tuple[float, ...] = (4.0, 5.0, 5.0, 5.0, 6.0)
    gap_share: Range = (0.0, 0.3)
    acquired: tuple[int, ...] = (224, 256, 256, 288)
    phase_share: Range = (0.7, 0.95)
    fat_suppressed: float = 0.0
    snr: Range = (25.0, 70.0)
    weight: float = 1.0
    susceptibility_gain: Range = (1.0, 1.0)


@dataclass(frozen=True)
class Profile:
    """One maker's habits.

    Args:
        name, manufacturer: for truth and headers; the maker is named only to shape headers as its scanners do.
        fields_tesla: field strengths, drawn with equal weight.
        ways: for each role the ways to make it; ADC and TRACE share one.
        echo_planar_readout_ms: time in which an echo-planar image is read along the phase axis, after acceleration.
        bias: strength of the coil's sensitivity left in the image (1: uncorrected).
        filter_strength: 0 none, 1 a full Hann window on k-space.
        ghost: strength of the echo-planar half-field ghost.
        units: the image's upper grey values.
        adc_units_mm2_per_s: units in which ADC maps are stored, drawn with equal weight.
        masks_background: share of studies whose ADC map is zero outside the head.
        field_of_view_mm, coverage_below_mm, coverage_above_mm: of the stack.
        sagittal_post: share of studies whose post-contrast series is sagittal.
        swi: share of studies with a susceptibility-weighted series in place of a T2* one.
        off_plane_deg: standard deviation of the slices' angle to the head's own axial plane.
    """

    name: str
    manufacturer: str
    fields_tesla: tuple[float, ...]
    ways: dict[str, tuple[SequenceRange, ...]] = field(repr=False)
    echo_planar_readout_ms: Range = (25.0, 70.0)
    bias: Range = (0.05, 0.6)
    filter_strength: Range = (0.0, 0.8)
    ghost: Range = (0.0, 0.03)
    units: Range = (300.0, 4000.0)
    adc_units_mm2_per_s: tuple[float, ...] = (1e-6,)
    masks_background: float = 0.7
    field_of_view_mm: Range = (215.0, 250.0)
    coverage_below_mm: Range = (-6.0, 22.0)
    coverage_above_mm: Range = (-2.0, 14.0)
    sagittal_post: float = 0.3
    swi: float = 0.4
    off_plane_deg: float = 5.0


# Repetition, echo and inversion times: 5th to 95th percentile of the public headers of SOOP and ARC (OpenNeuro
# ds004889, ds004884; GE, Philips and Siemens at 1.5 and 3 T), widened by usual protocol books; the shares are ours.
_FLAIR = SequenceRange(
    "inversion recovery", (7500.0, 11000.0), (85.0, 140.0), (2200.0, 2800.0), fat_suppressed=0.35, snr=(25.0, 60.0)
)
_FLAIR_VOLUME = replace(
    _FLAIR, tr_ms=(4800.0, 6500.0), te_ms=(120.0, 180.0), ti_ms=(1650.0, 1850.0), thickness_mm=(1.0, 1.8, 3.0),
    gap_share=(0.0, 0.0), fat_suppressed=0.8, weight=0.12,
)  # fmt: skip
# The echo time is that of a spin echo with the same contrast: long trains of varying flip angles are written with 290
# to 390 ms (same headers), which act like 120 to 180 ms (after Busse, Magn Reson Med 2006).
_T2 = SequenceRange("spin echo", (2800.0, 6000.0), (80.0, 122.0), acquired=(256, 288, 320), fat_suppressed=0.15)
_T1_SPIN_ECHO = SequenceRange("spin echo", (400.0, 700.0), (8.0, 15.0), acquired=(224, 256), phase_share=(0.65, 0.9))
_T1_INVERSION = SequenceRange("inversion recovery", (1700.0, 2600.0), (8.0, 26.0), (680.0, 950.0), weight=0.5)
_T1_GRADIENT = SequenceRange("gradient echo", (150.0, 260.0), (2.3, 5.0), flip_deg=(60.0, 80.0), weight=0.3)
_T1_VOLUME = SequenceRange(
    "magnetisation prepared", (1900.0, 2500.0), (2.0, 4.5), (850.0, 1100.0), (7.0, 12.0), (1.0, 1.0, 1.2),
    (0.0, 0.0), (224, 256), (0.85, 1.0), snr=(14.0, 30.0), weight=0.5,
)  # fmt: skip
_DIFFUSION = SequenceRange(
    "diffusion", (3000.0, 8300.0), (60.0, 119.0), thickness_mm=(4.0, 5.0, 5.0, 5.0), acquired=(96, 112, 128, 144),
    phase_share=(0.95, 1.0), fat_suppressed=1.0, snr=(18.0, 50.0),
)  # fmt: skip
_T2STAR = SequenceRange("gradient echo", (420.0, 850.0), (14.0, 26.0), flip_deg=(15.0, 25.0), acquired=(192, 224, 256))
_SWI = SequenceRange(
    "gradient echo", (27.0, 50.0), (20.0, 40.0), flip_deg=(12.0, 20.0), thickness_mm=(1.5, 2.0, 2.5, 3.0),
    gap_share=(0.0, 0.0), acquired=(224, 256, 288), snr=(18.0, 40.0), susceptibility_gain=(1.1, 1.8),
)  # fmt: skip


def _ways(**changed: tuple[SequenceRange, ...]) -> dict[str, tuple[SequenceRange, ...]]:
    post = (_T1_SPIN_ECHO, replace(_T1_SPIN_ECHO, fat_suppressed=1.0, weight=0.4), _T1_INVERSION, _T1_VOLUME)
    ways = {
        "FLAIR": (_FLAIR, _FLAIR_VOLUME),
        "DIFFUSION": (_DIFFUSION,),
        "T2star": (_T2STAR,),
        "SWI": (_SWI,),
        "T1": (_T1_SPIN_ECHO, _T1_INVERSION, _T1_GRADIENT),
        "T1_sagittal": (_T1_SPIN_ECHO, _T1_INVERSION, _T1_VOLUME),
        "T1_post": post,
        "T2": (_T2,),
    }
    return ways | changed


GE_LIKE = Profile(
    "ge-like", "GE MEDICAL SYSTEMS", (1.5, 1.5, 3.0),
    _ways(DIFFUSION=(replace(_DIFFUSION, tr_ms=(6000.0, 9000.0), te_ms=(70.0, 100.0), acquired=(112, 128, 160)),)),
    filter_strength=(0.2, 0.9), units=(1500.0, 9000.0), masks_background=0.85, swi=0.3,
)  # fmt: skip
SIEMENS_LIKE = Profile(
    "siemens-like", "SIEMENS", (1.5, 3.0), _ways(),
    bias=(0.03, 0.5), units=(250.0, 1200.0), masks_background=0.5, swi=0.6,
)  # fmt: skip
PHILIPS_LIKE = Profile(
    "philips-like", "Philips Medical Systems", (1.5, 3.0),
    _ways(
        FLAIR=(
            replace(_FLAIR, tr_ms=(9500.0, 12000.0), te_ms=(115.0, 150.0), ti_ms=(2700.0, 2950.0), fat_suppressed=0.6),
            replace(_FLAIR_VOLUME, weight=0.5),
        ),
        DIFFUSION=(replace(_DIFFUSION, te_ms=(55.0, 95.0), acquired=(104, 136, 152), snr=(14.0, 34.0)),),
        T2=(replace(_T2, te_ms=(75.0, 105.0)),),
    ),
    echo_planar_readout_ms=(18.0, 45.0), bias=(0.02, 0.35), filter_strength=(0.3, 1.0), units=(600.0, 2500.0),
    adc_units_mm2_per_s=(1e-3, 1e-6, 1.0), masks_background=0.5, field_of_view_mm=(220.0, 260.0),
    sagittal_post=0.5, swi=0.5,
    off_plane_deg=8.0,
)  # fmt: skip
CANON_LIKE = Profile(
    "canon-like", "TOSHIBA_MEC", (1.5, 1.5, 3.0),
    _ways(
        FLAIR=(replace(_FLAIR, te_ms=(95.0, 125.0), ti_ms=(2000.0, 2700.0), thickness_mm=(5.0, 6.0, 7.0)),),
        T1=(_T1_SPIN_ECHO, replace(_T1_GRADIENT, weight=1.0)),
        DIFFUSION=(
            replace(
                _DIFFUSION, te_ms=(85.0, 125.0), acquired=(80, 96, 128), thickness_mm=(5.0, 6.0, 7.0), snr=(12.0, 30.0)
            ),
        ),
        T2=(replace(_T2, te_ms=(85.0, 130.0), thickness_mm=(5.0, 6.0, 7.0)),),
    ),
    echo_planar_readout_ms=(40.0, 95.0), bias=(0.2, 0.9), ghost=(0.0, 0.06), units=(2000.0, 16000.0),
    adc_units_mm2_per_s=(1e-6, 1e-3), field_of_view_mm=(210.0, 265.0), coverage_below_mm=(-12.0, 25.0),
    off_plane_deg=8.0,
)  # fmt: skip
TRAINING_PROFILES = (GE_LIKE, SIEMENS_LIKE)
"""As in the paper's inside set, whose scanners were GE's and Siemens' (Nael 2021, Data)."""
EXTERNAL_PROFILES = (PHILIPS_LIKE, CANON_LIKE)
"""Never shown in training; the paper's outside set had a third maker (Nael 2021, Data)."""
