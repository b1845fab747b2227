"""Settings of the simulated head CT: every range that an exam is drawn from."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.errors import ConfigError

Range = tuple[float, float]


@dataclass(frozen=True)
class HeadCtSettings:
    """Ranges that one exam is drawn from, uniformly unless said otherwise. Millimetres, degrees, Hounsfield units.

    No paper states these for simulated exams: unless a source is given, a number is ours.

    Args:
        positive_probability: share of exams that are given blood.
        types: types of blood that may be drawn; leave some out to make exams without them.
        parts: what every positive exam is given, in place of a drawn mixture: types, or "contusions"; () draws.
        matrix: rows and columns of a slice, 256 or 512.
        slice_spacings_mm: distances between planes, drawn with equal weight (1 to 8 mm are in clinical use; the
            real negative scan at hand has 4 mm below and 7 mm above).
        mixed_stack_probability: thin slices in the posterior fossa, thick ones above, as on older scanners.
        gap_probability: slices thinner than their distance.
        tilt_probability, tilt_deg: gantry tilt (scanners reach +-30 degrees; head protocols use 10-25).
        field_of_view_mm: of the reconstruction.
        pitch_deg, yaw_deg, roll_deg: standard deviation of the head's rotation about x, z and y.
        off_center_mm: standard deviation of the head's centre from the centre of the field of view.
        scale: anisotropic scaling of the head, per axis.
        warp_mm: strength of the smooth elastic warp.
        coverage_below_mm, coverage_above_mm: how far the stack reaches beyond the brain (negative: parts missing).
        noise_hu: standard deviation at 5 mm (measured on a real 4-7 mm scan: 3.5-5); thinner slices have more.
        noise_correlation_mm: Gaussian width of the noise's texture (that scan: neighbours 0.49 mm apart correlate
            with 0.6-0.74, the next with 0.1-0.3).
        blur_mm: extra in-plane blur of the kernel.
        cupping_hu: centre darker than the rim by up to this.
        bone_glow_hu: brightening of tissue beside bone (that scan: 60-80 HU 2.5 mm from the table, normal at 5 mm).
        bone_halo_hu: the same over 7-14 mm, which also lifts whole slices near the vertex (that scan: 42 HU 3 mm from
            the table, 28 HU at 14 mm, and 10 HU more in all of its uppermost slices).
        streak_hu: dark bands and streaks between dense bones.
        rim_hu, rim_mm: bright inner rim (dura, partial volume), its strength and decay length.
        offset_hu: calibration error of the whole image.
        thinning: range of the share of the label map's convexity CSF that is replaced by brain.
        white_contrast: factor on the difference between grey and white matter.
        head_rest_probability: share of exams that show the head rest.
        mimic_probability: chance of each kind of mimic.
        old_infarct_probability, acute_infarct_probability, leukoaraiosis_probability: brain changes without blood.
    """

    positive_probability: float = 0.5
    types: tuple[str, ...] = ("IPH", "IVH", "SDH", "EDH", "SAH")
    parts: tuple[str, ...] = ()
    matrix: int = 256
    slice_spacings_mm: tuple[float, ...] = (1.0, 1.25, 2.0, 2.5, 3.0, 4.0, 5.0, 5.0, 6.0, 7.0, 8.0)
    mixed_stack_probability: float = 0.15
    gap_probability: float = 0.1
    tilt_probability: float = 0.5
    tilt_deg: Range = (-25.0, 25.0)
    field_of_view_mm: Range = (200.0, 260.0)
    pitch_deg: float = 8.0
    yaw_deg: float = 5.0
    roll_deg: float = 4.0
    off_center_mm: float = 5.0
    scale: Range = (0.9, 1.1)
    warp_mm: Range = (0.0, 3.0)
    coverage_below_mm: Range = (-8.0, 20.0)
    coverage_above_mm: Range = (0.0, 14.0)
    noise_hu: Range = (2.0, 6.0)
    noise_correlation_mm: Range = (0.3, 0.6)
    blur_mm: Range = (0.1, 0.8)
    cupping_hu: Range = (0.0, 4.0)
    bone_glow_hu: Range = (5.0, 26.0)
    bone_halo_hu: Range = (0.0, 80.0)
    streak_hu: Range = (0.0, 14.0)
    rim_hu: Range = (0.0, 50.0)
    rim_mm: Range = (0.8, 3.0)
    offset_hu: Range = (-3.0, 5.0)
    thinning: Range = (0.3, 1.0)
    white_contrast: Range = (0.55, 1.1)
    head_rest_probability: float = 0.6
    mimic_probability: float = 0.4
    old_infarct_probability: float = 0.12
    acute_infarct_probability: float = 0.08
    leukoaraiosis_probability: float = 0.4

    def __post_init__(self) -> None:
        unknown = (set(self.types) | set(self.parts) - {"contusions"}) - {"IPH", "IVH", "SDH", "EDH", "SAH"}
        if unknown:
            raise ConfigError(f"Unknown types of hemorrhage: {', '.join(sorted(unknown))}.", where="types")
        if self.matrix < 16:
            raise ConfigError("The matrix must be at least 16.", where="matrix")
        if not 0.0 <= self.positive_probability <= 1.0:
            raise ConfigError("A probability lies between 0 and 1.", where="positive_probability")
        if not self.slice_spacings_mm or min(self.slice_spacings_mm) <= 0:
            raise ConfigError("Slice spacings must be positive.", where="slice_spacings_mm")
