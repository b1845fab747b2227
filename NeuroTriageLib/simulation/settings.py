"""Settings of the simulated head CT: every range that an exam is drawn from, training's and a wider one."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.errors import ConfigError
from .setting_ranges import Range, check_ranges


@dataclass(frozen=True)
class HeadCtSettings:
    """Ranges that one exam is drawn from, uniformly unless said otherwise. Millimetres, degrees, Hounsfield units.

    A range whose ends are equal, or a probability of 0 or 1, fixes a factor (docs/simulation.md lists them). No paper
    states these for simulated exams: unless a source is given, a number is ours.

    Args:
        positive_probability: share of exams that are given blood.
        types: types of blood that may be drawn; leave some out to make exams without them.
        parts: what every positive exam is given, in place of a drawn mixture: types, or "contusions"; () draws.
        matrix: rows and columns of a slice, 256 or 512.
        slice_spacings_mm: distances between planes, drawn with equal weight (0.6 to 10 mm are in clinical use; the
            real negative scan at hand has 4 mm below and 7 mm above).
        mixed_stack_probability: thin slices in the posterior fossa, thick ones above, as on older scanners.
        gap_probability, overlap_probability: slices thinner, or thicker, than their distance.
        helical_probability: slices whose profile is a trapezoid with wide flanks, not a box.
        tilt_probability, tilt_deg: gantry tilt (scanners reach +-30 degrees; head protocols use 10-25).
        field_of_view_mm: of the reconstruction. It is widened to hold the skull, up to the range's end or the skull's
            own size, unless cut_off_probability says that the head's edge may be lost.
        cut_off_probability: share of exams that keep the drawn field of view even when the head is larger.
        pitch_deg, yaw_deg, roll_deg: standard deviation of the head's rotation about x, z and y.
        extra_rotation_deg: a further rotation of that size about an axis drawn at random.
        off_center_mm: standard deviation of the head's centre from the centre of the field of view.
        scale: anisotropic scaling of the head, per axis.
        warp_mm: strength of the smooth elastic warp.
        coverage_below_mm, coverage_above_mm: how far the stack reaches beyond the brain (negative: parts missing).
        noise_hu: standard deviation at 5 mm with a soft kernel, that is by dose (measured on a real 4-7 mm scan:
            3.5-5); thin slices and sharp kernels have more.
        soft_kernel_per_mm, sharp_kernel_per_mm, sharp_kernel_probability: frequency at which the kernel's modulation
            transfer falls to one half, 1/mm.
        denoising: 0 filtered back-projection, 1 strong iterative reconstruction.
        blur_mm: Gaussian width of further blur (focal spot, resampling).
        beam_hardening: share of the error of the polychromatic beam in bone that the scanner leaves uncorrected.
        scatter: scattered photons that its grid and correction leave, as a share of the open beam.
        metal_artefact: share of the streaks of metal that it leaves.
        cupping_hu: darkening of the head's middle beyond what the beam's physics gives.
        bone_glow_hu: brightening near bone over 2-5 mm (measured: +21 HU at 3 mm from the table on 7 mm slices, none
            at 5 mm).
        bone_halo_hu: the same over 7-14 mm, which also lifts whole slices near the vertex (that scan: 42 HU 3 mm from
            the table, 28 HU at 14 mm, and 10 HU more in all of its uppermost slices).
        rim_hu, rim_mm: bright inner rim (dura, partial volume), its strength and decay length.
        offset_hu: calibration error of the whole image.
        motion_probability, motion_mm: the head moves between and during slices, by up to so much.
        head_rest_probability, wire_probability: share of exams that show the head holder, or tubes and wires.
        padding_hu: values outside the scanned circle, drawn with equal weight; 0 means that nothing is padded
            (-1500: the real scan at hand; -2000, -3024: other makers').
        thinning: range of the share of the label map's convexity CSF that is replaced by brain.
        sulcal_fill: share of brain, pia and vessels in what the label map calls CSF of the sulci.
        white_contrast: factor on the difference between grey and white matter.
        ventricle_mm: how far the ventricles' walls are moved outwards in every exam (negative: narrow ventricles).
        hydrocephalus_probability: share of exams in which they are moved by 3 to 8 mm.
        mimic_probability: chance of each kind of mimic, times its own factor (mimics.KINDS).
        tumour_probability, surgery_probability, contrast_probability: tumours and cysts; craniotomy, drains, air;
            contrast medium in the vessels.
        metal_probability: clips, coils or plates in the head.
        old_infarct_probability, acute_infarct_probability, leukoaraiosis_probability, oedema_probability,
        hygroma_probability: changes without blood.
    """

    positive_probability: float = 0.5
    types: tuple[str, ...] = ("IPH", "IVH", "SDH", "EDH", "SAH")
    parts: tuple[str, ...] = ()
    matrix: int = 256
    slice_spacings_mm: tuple[float, ...] = (0.625, 1.0, 1.25, 2.0, 2.5, 3.0, 4.0, 4.5, 5.0, 5.0, 5.0, 6.0, 7.0, 8.0)
    mixed_stack_probability: float = 0.15
    gap_probability: float = 0.1
    overlap_probability: float = 0.1
    helical_probability: float = 0.5
    tilt_probability: float = 0.5
    tilt_deg: Range = (-25.0, 25.0)
    field_of_view_mm: Range = (190.0, 260.0)
    cut_off_probability: float = 0.08
    pitch_deg: float = 8.0
    yaw_deg: float = 5.0
    roll_deg: float = 4.0
    extra_rotation_deg: Range = (0.0, 0.0)
    off_center_mm: float = 5.0
    scale: Range = (0.9, 1.1)
    warp_mm: Range = (0.0, 3.0)
    coverage_below_mm: Range = (-8.0, 20.0)
    coverage_above_mm: Range = (0.0, 14.0)
    noise_hu: Range = (1.8, 5.5)
    soft_kernel_per_mm: Range = (0.26, 0.45)
    sharp_kernel_per_mm: Range = (0.46, 0.7)
    sharp_kernel_probability: float = 0.12
    denoising: Range = (0.0, 1.0)
    blur_mm: Range = (0.0, 0.4)
    beam_hardening: Range = (0.05, 0.8)
    scatter: Range = (0.0, 2e-4)
    metal_artefact: Range = (0.2, 1.0)
    cupping_hu: Range = (-2.0, 3.0)
    bone_glow_hu: Range = (5.0, 26.0)
    bone_halo_hu: Range = (0.0, 80.0)
    rim_hu: Range = (0.0, 50.0)
    rim_mm: Range = (0.8, 3.0)
    offset_hu: Range = (-3.0, 5.0)
    motion_probability: float = 0.1
    motion_mm: Range = (0.5, 4.0)
    head_rest_probability: float = 0.8
    wire_probability: float = 0.15
    padding_hu: tuple[float, ...] = (-1024.0, -1024.0, -1000.0, -1500.0, -2000.0, -3024.0, 0.0)
    thinning: Range = (0.3, 1.0)
    sulcal_fill: Range = (0.0, 0.55)
    white_contrast: Range = (0.55, 1.1)
    ventricle_mm: Range = (-1.0, 1.5)
    hydrocephalus_probability: float = 0.06
    mimic_probability: float = 0.4
    tumour_probability: float = 0.06
    surgery_probability: float = 0.06
    contrast_probability: float = 0.04
    metal_probability: float = 0.05
    old_infarct_probability: float = 0.12
    acute_infarct_probability: float = 0.1
    leukoaraiosis_probability: float = 0.4
    oedema_probability: float = 0.06
    hygroma_probability: float = 0.04

    def __post_init__(self) -> None:
        unknown = (set(self.types) | set(self.parts) - {"contusions"}) - {"IPH", "IVH", "SDH", "EDH", "SAH"}
        if unknown:
            raise ConfigError(f"Unknown types of hemorrhage: {', '.join(sorted(unknown))}.", where="types")
        if self.matrix < 16:
            raise ConfigError("The matrix must be at least 16.", where="matrix")
        if not self.slice_spacings_mm or min(self.slice_spacings_mm) <= 0:
            raise ConfigError("Slice spacings must be positive.", where="slice_spacings_mm")
        if not self.padding_hu:
            raise ConfigError("At least one padding value is needed.", where="padding_hu")
        check_ranges(self)


WIDER_SETTINGS = HeadCtSettings(
    slice_spacings_mm=(0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0),
    mixed_stack_probability=0.25,
    gap_probability=0.2,
    overlap_probability=0.2,
    tilt_deg=(-30.0, 30.0),
    field_of_view_mm=(180.0, 280.0),
    cut_off_probability=0.12,
    pitch_deg=12.0,
    yaw_deg=9.0,
    roll_deg=8.0,
    off_center_mm=10.0,
    scale=(0.85, 1.15),
    warp_mm=(0.0, 4.0),
    coverage_below_mm=(-12.0, 30.0),
    coverage_above_mm=(-4.0, 25.0),
    noise_hu=(1.5, 8.0),
    soft_kernel_per_mm=(0.22, 0.45),
    sharp_kernel_per_mm=(0.46, 0.85),
    sharp_kernel_probability=0.25,
    blur_mm=(0.0, 0.7),
    beam_hardening=(0.0, 1.2),
    scatter=(0.0, 4e-4),
    cupping_hu=(-4.0, 5.0),
    bone_glow_hu=(0.0, 32.0),
    bone_halo_hu=(0.0, 95.0),
    rim_hu=(0.0, 60.0),
    rim_mm=(0.6, 3.5),
    offset_hu=(-6.0, 8.0),
    motion_probability=0.2,
    motion_mm=(0.5, 6.0),
    thinning=(0.15, 1.0),
    sulcal_fill=(0.0, 0.7),
    white_contrast=(0.4, 1.25),
    ventricle_mm=(-2.0, 3.0),
    hydrocephalus_probability=0.1,
    mimic_probability=0.5,
    tumour_probability=0.1,
    surgery_probability=0.1,
    contrast_probability=0.06,
    metal_probability=0.1,
    old_infarct_probability=0.18,
    acute_infarct_probability=0.15,
    oedema_probability=0.1,
    hygroma_probability=0.06,
)
"""Wider than training's, so that a test on it asks for more than training showed (all ours)."""
