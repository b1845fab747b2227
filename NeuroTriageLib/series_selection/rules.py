"""Two literal tables: why a series is no readable head CT, and what orders the ones that are."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ..core.errors import NeuroTriageError
from ..io.image_files import ct_evidence
from .evidence import SeriesEvidence

# Limits of the rules. All are ours; adult heads measure about 220-240 mm from chin to vertex, the brain 130-150 mm.
MAX_ANGLE_TO_AXIAL_DEG = 35.0  # gantry tilt reaches 30 degrees, a turned or flexed head adds a little
MIN_SLICES = 10
MIN_COVERAGE_MM = 90.0  # below this a part of the brain is certainly missing
MAX_COVERAGE_MM = 320.0  # above this the scan is of the neck or the trunk too
MIN_FIELD_OF_VIEW_MM = 150.0  # narrower than a head: a targeted reconstruction
WHOLE_HEAD_MM = 120.0
MAX_SPACING_MM = 12.0  # slices farther apart leave most of the brain unseen
DYNAMIC_STACKS = 4  # that many acquisitions of one place are a perfusion study

_DOCUMENTS = {"SR", "KO", "PR", "DOC", "REG", "SEG", "RTSTRUCT", "OT"}
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_SCOUT = re.compile(r"SCOUT|TOPOGRAM|LOCALI[SZ]ER|SURVIEW|SCANOGRAM|\bSCANO\b|PILOT")
_CAPTURE = re.compile(
    r"DOSE (REPORT|INFO|RECORD|SHEET|SUMMARY|PAGE)|^DOSE\b|PATIENT PROTOCOL|EXAM\w* (SUMMARY|PROTOCOL)|SCREEN ?SAVE"
)
_PROJECTION = re.compile(r"\bMIP\b|\bMINIP\b|\bVRT?\b|\b3D\b|VOLUME REND|SURFACE|\bSSD\b|COLOU?R")
_REFORMAT = re.compile(r"REFORMAT|\bMPR\b|\bCOR(ONAL)?\b|\bSAG(ITTAL)?\b|OBLIQUE")
_SPECTRAL = re.compile(r"MONO ?E|\bKEV\b|IODINE|\bVNC\b|VIRTUAL|\bZ ?EFF|\bRHO\b|ELECTRON DENS")


@dataclass(frozen=True)
class Rule:
    """One reason for which a series cannot be read; `reject` returns the sentence, "" when the rule does not apply."""

    name: str
    reject: Callable[[SeriesEvidence], str]
    final: bool = False
    """True when the rules below it make no sense any more."""


def _not_an_image_of_ct(it: SeriesEvidence) -> str:
    modality = it.series.modality
    if modality in _DOCUMENTS:
        return f"It is a document or a derived object ({modality}), for instance a dose report, not a CT image."
    if modality not in ("CT", "") or (modality == "" and it.series.file_format == "dicom"):
        return f"Its modality is {modality or 'not stated'}, not CT."
    return ""


def _capture(it: SeriesEvidence) -> str:
    captured = it.text("SOPClassUID").startswith(_SECONDARY_CAPTURE) or it.number("SamplesPerPixel") == 3
    if captured or "SCREEN SAVE" in it.image_types or _CAPTURE.search(it.text("description")):
        return "It is a screen capture such as a dose report, not CT slices."
    return ""


def _scout(it: SeriesEvidence) -> str:
    if "LOCALIZER" in it.image_types or _SCOUT.search(it.text("description")):
        return "It is a scout (localizer), not slices."
    return ""


def _not_hounsfield(it: SeriesEvidence) -> str:
    unit = it.text("RescaleType")
    if unit not in ("", "HU", "US"):
        return f"Its values are {unit}, not Hounsfield units."
    if _SPECTRAL.search(it.text("description")):
        return "It is computed from a dual-energy scan, not a plain CT."
    return ""


def _values_not_hounsfield(it: SeriesEvidence) -> str:
    if it.series.file_format == "dicom":
        return ""
    try:
        shares = ct_evidence(it.series)
    except NeuroTriageError as error:
        return error.what
    if shares.looks_like_ct:
        return ""
    return "Its values are not Hounsfield units of a CT; it may be MR or a mask (the file does not name its modality)."


def no_geometry(it: SeriesEvidence) -> str:
    """The slices' places are not known."""
    return f"Its geometry cannot be known: {it.geometry_problem}" if it.grid is None else ""


def _not_axial(it: SeriesEvidence) -> str:
    if it.angle_to_axial_deg <= MAX_ANGLE_TO_AXIAL_DEG:
        return ""
    return f"It is not axial but a coronal, sagittal or oblique reformat ({it.angle_to_axial_deg:.0f} degrees off)."


def _projection(it: SeriesEvidence) -> str:
    words = " ".join([*it.image_types, it.text("description")])
    return "It is a projection or rendering (MIP, 3D), not slices." if _PROJECTION.search(words) else ""


def _sharp_kernel(it: SeriesEvidence) -> str:
    if it.sharpness != "sharp":
        return ""
    return (
        f"It is reconstructed for bone, with a sharp kernel ({it.text('ConvolutionKernel') or it.series.description})."
    )


def _with_contrast(it: SeriesEvidence) -> str:
    said, source = it.contrast
    return f"It was made with contrast agent or for vessels (says {source})." if said == "with" else ""


def _dynamic(it: SeriesEvidence) -> str:
    values = {flag.code: flag.value or 0 for flag in it.series.flags}
    repeats = 1 + values.get("duplicate_slices", 0) / it.slice_count
    if max(repeats, values.get("split_series", 0)) < DYNAMIC_STACKS:
        return ""
    return "It shows each place many times: a dynamic (perfusion) acquisition."


def other_body_part(it: SeriesEvidence) -> str:
    """The header names another body part."""
    part, source = it.body_part
    name = "SeriesDescription" if source == "description" else source
    return f"It shows another body part or only a part of the head (says {name})." if part == "other" else ""


def too_few(it: SeriesEvidence) -> str:
    """Fewer slices than a head needs."""
    if it.slice_count >= MIN_SLICES:
        return ""
    count = "one slice" if it.slice_count == 1 else f"{it.slice_count} slices"
    return f"It has too few slices: {count}, at least {MIN_SLICES} are needed."


def partial(it: SeriesEvidence) -> str:
    """A part of the head only, or slices so far apart that most of it is not seen."""
    if it.coverage_mm < MIN_COVERAGE_MM:
        return f"It covers only {it.coverage_mm:.0f} mm: a partial head ({MIN_COVERAGE_MM:.0f} mm are needed)."
    if it.spacing_mm > MAX_SPACING_MM:
        return f"Its slices are {it.spacing_mm:.0f} mm apart: most of the brain is not shown."
    return ""


def _too_much(it: SeriesEvidence) -> str:
    if it.coverage_mm <= MAX_COVERAGE_MM:
        return ""
    return f"It covers {it.coverage_mm:.0f} mm: more than a head."


def _narrow(it: SeriesEvidence) -> str:
    if it.field_of_view_mm >= MIN_FIELD_OF_VIEW_MM:
        return ""
    return f"Its field of view is {it.field_of_view_mm:.0f} mm: a targeted reconstruction, not the whole head."


RULES = (
    Rule("modality", _not_an_image_of_ct, final=True),
    Rule("screen capture", _capture, final=True),
    Rule("scout", _scout, final=True),
    Rule("geometry", no_geometry, final=True),
    Rule("values", _values_not_hounsfield, final=True),
    Rule("unit", _not_hounsfield),
    Rule("orientation", _not_axial),
    Rule("projection", _projection),
    Rule("kernel", _sharp_kernel),
    Rule("contrast", _with_contrast),
    Rule("dynamic", _dynamic),
    Rule("body part", other_body_part),
    Rule("slice count", too_few),
    Rule("partial head", partial),
    Rule("more than a head", _too_much),
    Rule("field of view", _narrow),
)
"""Why a series is rejected, in the order in which the reasons are given."""


@dataclass(frozen=True)
class Preference:
    """A reason to prefer a series among the suitable ones: points (ours) and the sentence."""

    points: int
    applies: Callable[[SeriesEvidence], bool]
    sentence: Callable[[SeriesEvidence], str]


PREFERENCES = (
    Preference(30, lambda it: it.sharpness == "soft", lambda it: f"Soft kernel ({it.text('ConvolutionKernel')})."),
    Preference(20, lambda it: it.body_part[0] == "head", lambda it: "The header says head."),
    Preference(20, lambda it: it.contrast[0] == "without", lambda it: f"Without contrast (says {it.contrast[1]})."),
    Preference(0, lambda it: it.contrast[0] == "unknown", lambda it: "Nothing in the header says contrast."),
    Preference(
        20,
        lambda it: it.coverage_mm >= WHOLE_HEAD_MM,
        lambda it: f"{it.slice_count} axial slices cover {it.coverage_mm:.0f} mm.",
    ),
    Preference(15, lambda it: not _is_reformat(it), lambda it: "Slices as acquired, not a reformat."),
    Preference(
        12,
        lambda it: 2.0 <= it.spacing_mm <= 6.5,
        lambda it: f"Slices {it.spacing_mm:.1f} mm apart, as head CT is usually read.",
    ),
    Preference(6, lambda it: it.spacing_mm < 2.0, lambda it: f"Thin slices ({it.spacing_mm:.1f} mm apart)."),
    Preference(4, lambda it: it.field_of_view_mm <= 300, lambda it: "Field of view of a head."),
)
"""What orders the suitable series; the sum of the points decides, then the later series of equal ones.

Of two equal acquisitions the later one is taken because scans are repeated when the first one moved."""


def _is_reformat(it: SeriesEvidence) -> bool:
    return bool(_REFORMAT.search(" ".join([*it.image_types, it.text("description")])))


def reasons_against(it: SeriesEvidence) -> tuple[str, ...]:
    """Every reason against a series, () when it is suitable."""
    reasons = []
    for rule in RULES:
        if sentence := rule.reject(it):
            reasons.append(sentence)
            if rule.final:
                break
    return tuple(reasons)


def reasons_for(it: SeriesEvidence) -> tuple[str, ...]:
    """What speaks for a suitable series."""
    return tuple(preference.sentence(it) for preference in PREFERENCES if preference.applies(it))


def points(it: SeriesEvidence) -> int:
    """Sum of the points of the preferences that apply."""
    return sum(preference.points for preference in PREFERENCES if preference.applies(it))
