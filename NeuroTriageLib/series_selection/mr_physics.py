"""The contrast from the physics in a header: echo, repetition and inversion time, flip angle, readout, diffusion.

Limits without another source are ours. They follow what every MR textbook says of a spin echo (short TE and TR: T1,
long TE and TR: T2, short TE and long TR: proton density), and leave a margin to settings in use at 0.3 to 3 T.
"""

from __future__ import annotations

import re

from .mr_contrasts import Verdict
from .mr_facts import MrFacts

EPI_WATER_FAT_SHIFT_PX = 5.0
"""Only echo-planar readouts shift fat by more pixels (ours; 9-34 px in Philips diffusion, at most 3.1 px elsewhere)."""

EPI_BANDWIDTH_HZ = 900.0
"""A 2D readout at this bandwidth per pixel and a long echo time, without inversion, is echo-planar (ours)."""

LONG_ECHO_MS = 60.0  # T2 weighting of spin echoes; 3D turbo spin echoes give effective times up to 600 ms
SHORT_ECHO_MS = 45.0  # T1 or proton density weighting of spin echoes; T1 SPACE reaches 30 ms
T1_REPETITION_MS = 1200.0  # longer repetition of a spin echo loses T1 weighting
T2_REPETITION_MS = 1500.0
FLAIR_INVERSION_MS = 1200.0  # nulls fluid (T1 4 s): 1.2 s at TR 3 s to 2.9 s at TR 11 s
T1_INVERSION_REPETITION_MS = 4000.0  # T1 FLAIR with a short echo; fluid-attenuated T2 weighting repeats more slowly
STIR_INVERSION_MS = 300.0  # nulls fat (T1 0.25-0.35 s)
NO_DIFFUSION_B = 50.0  # s/mm2; scanners write small values for images that are not diffusion-weighted
T2STAR_ECHO_MS = 12.0  # gradient echoes: 15-30 ms at 1.5 T, from 12 ms at 3 T; T1 and angiography stay below 8 ms


def is_echo_planar(facts: MrFacts) -> bool:
    """True when the readout is echo-planar: said so, or only it has such a bandwidth or water-fat shift."""
    if "EP" in facts.sequences or "EPI_GEMS" in facts.options:
        return True
    if re.match(r"(EP|RE)(_|FID|SE|2D)", facts.sequence_name) or re.search(
        r"\b\w*EPI\d?\b|DWISE", facts.pulse_sequence
    ):
        return True
    if (facts.water_fat_shift_px or 0.0) >= EPI_WATER_FAT_SHIFT_PX:
        return True
    fast = (facts.bandwidth_hz_per_px or 0.0) > EPI_BANDWIDTH_HZ and (facts.echo_time_ms or 0.0) >= SHORT_ECHO_MS
    return fast and not has_inversion(facts) and facts.acquisition_type != "3D" and "GR" not in facts.sequences


def has_inversion(facts: MrFacts) -> bool:
    """True when an inversion pulse prepares the signal."""
    return "IR" in facts.sequences or bool(facts.inversion_times_ms)


def is_gradient_echo(facts: MrFacts) -> bool:
    """True for gradient echoes without a refocusing pulse."""
    return "GR" in facts.sequences and "SE" not in facts.sequences


def diffusion(facts: MrFacts) -> Verdict | None:
    """Diffusion weighting, by direction and b-value, whatever tag they stand in."""
    if facts.b_is_pair:
        map_name = f"Sequence {facts.sequence_name.lower()}: a map from two b-values"
        return Verdict("DIFFUSION_MAP", 0.7, f"{map_name}, ImageType does not say which.", ("ADC",))
    trace_type = bool(facts.image_types & {"TRACEW", "TRACE", "ISOTROPIC"})
    if facts.b_value is None and not trace_type:
        return None
    if facts.b_value is not None and facts.b_value <= NO_DIFFUSION_B:
        return _unweighted(facts, trace_type=trace_type)
    b_text = "" if facts.b_value is None else f" b = {facts.b_value:.0f} s/mm2."
    if trace_type:
        return Verdict("TRACE", 0.97, f"ImageType says trace-weighted.{b_text}")
    if facts.direction == "ISOTROPIC":
        return Verdict("TRACE", 0.96, f"Diffusion weighting without direction.{b_text}")
    if facts.direction == "DIRECTIONAL":
        return Verdict("DWI", 0.95, f"Diffusion weighting in one direction.{b_text}")
    if "DIFFUSION" in facts.image_types or facts.mosaic or (facts.volumes or 1) > 1:
        return Verdict("DWI", 0.85, f"Raw diffusion images.{b_text}", ("TRACE",))
    if facts.vendor == "Siemens":
        return Verdict("DWI", 0.75, f"Diffusion-weighted, not marked as trace.{b_text}", ("TRACE",))
    return Verdict("TRACE", 0.85, f"One diffusion-weighted volume, no direction noted.{b_text}", ("DWI",))


def _unweighted(facts: MrFacts, *, trace_type: bool) -> Verdict:
    """b = 0: the whole series when all of it is known, only its first image when one header stands for it."""
    if facts.images is not None and ((facts.volumes or 1) == 1 or trace_type):
        return Verdict("B0", 0.95, f"b = {facts.b_value:.0f} s/mm2: no diffusion weighting.")
    if facts.direction == "DIRECTIONAL" or "DIFFUSION" in facts.image_types or facts.mosaic:
        return Verdict("DWI", 0.9, f"A diffusion series whose first image has b = {facts.b_value:.0f} s/mm2.")
    reason = (
        f"A diffusion series whose first image has b = {facts.b_value:.0f} s/mm2; the header does not show the rest."
    )
    return Verdict("DWI", 0.7, reason, ("B0", "TRACE", "ADC"))


def raw_diffusion(facts: MrFacts) -> Verdict | None:
    """Diffusion that is said without a b-value."""
    said = "DIFFUSION" in facts.image_types or facts.acquisition == "DIFFUSION"
    if said and "DERIVED" in facts.image_types:
        if "RM" in facts.sequences:  # Philips: what is calculated from several images is no spin echo any more
            return Verdict("ADC", 0.8, "Calculated from diffusion images.", ("DIFFUSION_MAP", "TRACE"))
        return Verdict(
            "TRACE", 0.8, "Derived from diffusion images, and no map.", ("ADC", "B0", "DIFFUSION_MAP", "DWI")
        )
    if said:
        others = () if facts.mosaic else ("TRACE", "B0")
        return Verdict("DWI", 0.9 if facts.mosaic else 0.8, "The header says diffusion, without a b-value.", others)
    return None


def echo_planar(facts: MrFacts) -> Verdict | None:
    """Echo-planar series without any word of diffusion."""
    if not is_echo_planar(facts):
        return None
    gradient = "SE" not in facts.sequences and (facts.echo_time_ms or 0.0) < LONG_ECHO_MS
    return _gradient_epi(facts) if gradient or is_gradient_echo(facts) else _spin_epi(facts)


def _gradient_epi(facts: MrFacts) -> Verdict:
    if "IR" in facts.sequences:
        return Verdict("OTHER", 0.5, "Inversion with an echo-planar readout.", ("ASL", "T1", "BOLD"))
    if facts.agent:
        return Verdict("PERFUSION", 0.8, "Gradient-echo EPI with contrast agent.", ("T2star", "BOLD"))
    if facts.volumes == 1 and not facts.mosaic:
        return Verdict("T2star", 0.75, "One volume of gradient-echo EPI.", ("SWI", "SBREF", "BOLD", "PERFUSION"))
    known = facts.mosaic or (facts.volumes or 1) > 1
    others = ("PERFUSION", "ASL", "SBREF", *(() if known else ("T2star", "FIELDMAP")))
    return Verdict("BOLD", 0.9 if known else 0.7, "Gradient-echo EPI.", others)


def _spin_epi(facts: MrFacts) -> Verdict:
    """Spin-echo EPI in a head study is diffusion. Siemens always names its b-value; the others may leave it out."""
    if facts.vendor == "Siemens":
        return Verdict("SBREF", 0.75, "Spin-echo EPI without diffusion weighting.", ("B0", "DWI", "TRACE", "FIELDMAP"))
    if (facts.volumes or 1) > 1 or facts.mosaic:
        return Verdict("DWI", 0.8, f"{facts.volumes or 'Several'} volumes of spin-echo EPI.", ("BOLD", "PERFUSION"))
    reason = (
        f"Spin-echo EPI (TE {facts.echo_time_ms or 0:.0f} ms) without a b-value: the trace image; "
        "the header cannot exclude the image without diffusion weighting."
    )
    return Verdict("TRACE", 0.75, reason, ("B0", "DWI", "SBREF", "ADC", "FIELDMAP", "DIFFUSION_MAP"))


def inversion(facts: MrFacts) -> Verdict | None:
    """Inversion recovery: fluid-attenuated, fat-attenuated or T1-weighted."""
    if not has_inversion(facts):
        return None
    times = facts.inversion_times_ms
    if is_gradient_echo(facts):
        return Verdict("T1", 0.95, "Inversion-prepared gradient echo (MPRAGE).", ("LOCALIZER",))
    said = f"Inversion recovery, TI {times[-1]:.0f} ms" if times else "Inversion recovery, TI not given"
    said += f", TE {facts.echo_time_ms:.0f} ms." if facts.echo_time_ms is not None else "."
    if len(times) > 1 and times[0] < FLAIR_INVERSION_MS <= times[-1]:
        return Verdict("DIR", 0.85, f"Two inversion times ({times[0]:.0f} and {times[-1]:.0f} ms).")
    return _spin_echo_inversion(facts, said)


def _spin_echo_inversion(facts: MrFacts, said: str) -> Verdict:
    echo = facts.echo_time_ms or 0.0
    repetition = facts.repetition_time_ms or 0.0
    if not facts.inversion_times_ms:
        if echo >= LONG_ECHO_MS and repetition >= 4000.0:
            return Verdict("FLAIR", 0.85, said, ("STIR", "DIR"))
        return Verdict("T1", 0.6, said, ("FLAIR", "STIR", "PD"))
    time = facts.inversion_times_ms[-1]
    if time < STIR_INVERSION_MS:
        return Verdict("STIR", 0.9, said)
    if echo >= LONG_ECHO_MS:
        return Verdict("FLAIR", 0.97 if time >= FLAIR_INVERSION_MS else 0.75, said, ("DIR", "T1"))
    if time < FLAIR_INVERSION_MS:
        return Verdict("T1", 0.9, said)
    if repetition < T1_INVERSION_REPETITION_MS:
        return Verdict("T1", 0.75, said, ("FLAIR", "PD"))
    return Verdict("FLAIR", 0.6, said, ("T1", "PD"))


def spin_echo(facts: MrFacts) -> Verdict | None:
    """Spin echoes by echo and repetition time."""
    if "SE" not in facts.sequences or facts.echo_time_ms is None:
        return None
    echo, repetition = facts.echo_time_ms, facts.repetition_time_ms
    if repetition is None:
        said, long_repetition = f"Spin echo, TE {echo:.0f} ms, TR not given.", echo >= LONG_ECHO_MS
    else:
        said, long_repetition = f"Spin echo, TE {echo:.0f} ms, TR {repetition:.0f} ms.", repetition >= T2_REPETITION_MS
    if echo >= LONG_ECHO_MS:
        if not long_repetition:
            return Verdict("T2", 0.65, said, ("LOCALIZER", "ANGIO", "T1"))
        return Verdict("T2", 0.95 if repetition else 0.75, said, ("SSFP",))
    if repetition is None:
        return Verdict("T1", 0.5, said, ("PD", "T2"))
    if repetition <= T1_REPETITION_MS:
        return Verdict("T1", 0.93 if echo <= SHORT_ECHO_MS else 0.6, said, ("ANGIO",))
    if echo <= SHORT_ECHO_MS:
        sure = repetition >= 2000.0
        return Verdict("PD" if sure else "T1", 0.85 if sure else 0.6, said, ("T2", "T1", "PD", "ANGIO"))
    return Verdict("T2", 0.6, said, ("PD", "T1"))


def gradient_echo(facts: MrFacts) -> Verdict | None:
    """Gradient echoes by echo time, repetition time, flip angle and dimension."""
    if not is_gradient_echo(facts) or facts.echo_time_ms is None:
        return None
    echo, repetition, flip = facts.echo_time_ms, facts.repetition_time_ms or 0.0, facts.flip_angle_deg or 0.0
    said = f"Gradient echo, TE {echo:.1f} ms, TR {repetition:.0f} ms, flip angle {flip:.0f} degrees."
    if echo >= T2STAR_ECHO_MS:
        if facts.acquisition_type == "3D":
            return Verdict("SWI", 0.8, f"3D {said[0].lower()}{said[1:]}", ("T2star", "PERFUSION"))
        return Verdict("T2star", 0.93, said, ("SWI", "BOLD", "FIELDMAP"))
    if (facts.volumes or 1) > 8:
        return Verdict("PERFUSION", 0.75, f"{facts.volumes} volumes. {said}", ("ANGIO", "BOLD"))
    if facts.acquisition_type == "3D":
        return _gradient_3d(facts, said)
    return _gradient_2d(facts, said)


def _gradient_3d(facts: MrFacts, said: str) -> Verdict:
    echo, repetition, flip = facts.echo_time_ms or 0.0, facts.repetition_time_ms or 0.0, facts.flip_angle_deg or 0.0
    prepared = "MP" in facts.variants
    if repetition < 12.0 and flip >= 35.0 and not prepared:
        return Verdict("SSFP", 0.8, said, ("ANGIO", "T1"))
    if repetition < 16.0:
        quick = repetition < 6.0 and flip >= 18.0 and not prepared
        return Verdict(
            "ANGIO" if quick else "T1", 0.65 if quick else 0.93, said, ("T1", "ANGIO", "PERFUSION", "LOCALIZER")
        )
    if echo >= 7.0 and repetition >= 28.0 and flip <= 18.0:
        return Verdict("SWI", 0.65, said, ("T2star", "ANGIO", "T1", "FIELDMAP"))
    flow = facts.options & {"FC", "FC_SLICE_AX_GEMS", "MT"} or facts.variants & {"MTC"}
    if flow and repetition <= 60.0 and not prepared:
        return Verdict("ANGIO", 0.8, f"3D with flow compensation or magnetisation transfer. {said}", ("T1", "SWI"))
    return Verdict("T1", 0.75, said, ("ANGIO", "SWI", "FIELDMAP"))


def _gradient_2d(facts: MrFacts, said: str) -> Verdict:
    repetition, flip = facts.repetition_time_ms or 0.0, facts.flip_angle_deg or 0.0
    prepared = "MP" in facts.variants and (facts.slice_thickness_mm or 0.0) < 8.0
    if repetition < 40.0 and not prepared:
        if flip >= 40.0 and repetition >= 12.0:
            return Verdict("ANGIO", 0.7, said, ("LOCALIZER", "T1"))
        return Verdict("LOCALIZER", 0.75, said, ("T1", "ANGIO", "PERFUSION"))
    if repetition >= 80.0 and flip >= 50.0:
        sure = repetition <= 400.0
        return Verdict("T1", 0.93 if sure else 0.7, said, () if sure else ("FIELDMAP", "T2star"))
    if (facts.echo_time_ms or 0.0) >= 8.0:
        return Verdict("T2star", 0.65, said, ("FIELDMAP", "T1"))
    return Verdict("T1", 0.6, said, ("T2star", "FIELDMAP", "LOCALIZER", "ANGIO"))
