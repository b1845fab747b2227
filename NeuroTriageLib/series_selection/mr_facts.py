"""The facts about an MR series that its header holds, in one form: DICOM (milliseconds) and BIDS sidecars (seconds)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ..io.private_tags import comment_values
from .evidence import NO_AGENT

Plane = Literal["axial", "sagittal", "coronal", "oblique", "3D", "unknown"]

MAX_ANGLE_TO_AXIS_DEG = 35.0
"""Slices whose normal is farther from every body axis are oblique (ours; the same limit as for head CT)."""

MAX_VOLUMETRIC_SLICE_MM = 2.0
"""A 3D acquisition with slices up to this thick can be reformatted to any plane (ours; 1.8 mm that overlap by half are
usual)."""

_VENDORS = (
    ("Siemens", r"SIEMENS"),
    ("Philips", r"PHILIPS"),
    ("GE", r"^GE\b|GENERAL ELECTRIC|GEMS"),
    ("Canon", r"CANON|TOSHIBA"),
    ("Hitachi", r"HITACHI|FUJIFILM"),
    ("UIH", r"UIH|UNITED IMAGING"),
)
_SIDECAR_KEYS = {"ConversionSoftware", "ImageOrientationPatientDICOM", "ManufacturersModelName", "PulseSequenceDetails"}
_DICOM_KEYS = {"SOPClassUID", "ImageOrientationPatient", "ManufacturerModelName", "TransferSyntaxUID"}
_SIEMENS_DIFFUSION = re.compile(r"\*?(?:EP|RE)_(?:CALC_)?B(\d+)(?:_(\d+))?(T)?(#)?")


@dataclass(frozen=True)
class MrFacts:
    """One series as its header describes it; nothing here reads pixels, and nothing is guessed.

    Args:
        modality, vendor: "MR"; "Siemens", "Philips", "GE", "Canon", "Hitachi", "UIH" or "".
        image_types: words of ImageType, upper case, Philips' "M_SE" as two words.
        sequences, variants, options: words of ScanningSequence, SequenceVariant and ScanOptions. Enhanced objects' own
            attributes (EchoPulseSequence, EchoPlanarPulseSequence, InversionRecovery) are put into these words.
        sequence_name: SequenceName, upper case, without the star that Siemens puts before it.
        pulse_sequence: names of the pulse sequence in any other entry, upper case.
        acquisition: AcquisitionContrast of enhanced objects, upper case, "" when it says nothing.
        acquisition_type: "2D", "3D" or "".
        echo_time_ms, repetition_time_ms, inversion_times_ms, flip_angle_deg: None or () when not given.
        bandwidth_hz_per_px, water_fat_shift_px, echo_train: None when not given.
        b_value: s/mm2, None when not given; b_is_pair for a map made from two b-values.
        direction: "ISOTROPIC", "DIRECTIONAL", "NONE" or "" of the diffusion weighting.
        agent: contrast agent is noted; angio: the angiography flag is set; single_band: the header says so.
        description, protocol, study_description: free text, upper case.
        orientation: six cosines, row and column direction in LPS, or ().
        slice_thickness_mm: None when not given.
        mosaic: all slices of a volume are tiles of one image.
        volumes: how many volumes the series holds; None when one header stands for an unknown number.
        images: how many images it holds; None likewise.
    """

    modality: str = "MR"
    vendor: str = ""
    image_types: frozenset[str] = frozenset()
    sequences: frozenset[str] = frozenset()
    variants: frozenset[str] = frozenset()
    options: frozenset[str] = frozenset()
    sequence_name: str = ""
    pulse_sequence: str = ""
    acquisition: str = ""
    acquisition_type: str = ""
    echo_time_ms: float | None = None
    repetition_time_ms: float | None = None
    inversion_times_ms: tuple[float, ...] = ()
    flip_angle_deg: float | None = None
    bandwidth_hz_per_px: float | None = None
    water_fat_shift_px: float | None = None
    echo_train: float | None = None
    b_value: float | None = None
    b_is_pair: bool = False
    direction: str = ""
    agent: bool = False
    angio: bool = False
    single_band: bool = False
    description: str = ""
    protocol: str = ""
    study_description: str = ""
    orientation: tuple[float, ...] = ()
    slice_thickness_mm: float | None = None
    mosaic: bool = False
    volumes: int | None = None
    images: int | None = None

    @property
    def plane(self) -> Plane:
        """The plane of the slices; "3D" when a 3D acquisition does not say how it lies."""
        if len(self.orientation) != 6:
            return "3D" if self.acquisition_type == "3D" else "unknown"
        normal = np.cross(self.orientation[:3], self.orientation[3:])
        length = float(np.linalg.norm(normal))
        if length < 0.5:
            return "unknown"
        cosines = np.abs(normal) / length
        axis = int(cosines.argmax())
        if np.degrees(np.arccos(min(1.0, float(cosines[axis])))) > MAX_ANGLE_TO_AXIS_DEG:
            return "oblique"
        return ("sagittal", "coronal", "axial")[axis]  # type: ignore[return-value]

    @property
    def is_volumetric(self) -> bool:
        """True for a 3D acquisition with thin slices, which can be reformatted to any plane."""
        return self.acquisition_type == "3D" and 0 < (self.slice_thickness_mm or 0) <= MAX_VOLUMETRIC_SLICE_MM


def facts_of(header: Mapping[str, Any], *, volumes: int | None = None, images: int | None = None) -> MrFacts:
    """Read a header: DICOM keywords with DICOM's units, or a BIDS sidecar with seconds.

    Args:
        header: keyword -> value. dcm2niix' guess of the contrast (BidsGuess) is not looked at.
            ImageComments are looked through for what Canon and multi-band sequences write there.
        volumes, images: what the series holds, when more than one header is known.
    """
    scale = 1000.0 if _in_seconds(header) else 1.0
    header = comment_values(str(header.get("ImageComments") or "")) | dict(header)
    name = _text(header, "SequenceName").lstrip("*")
    b_value, pair, direction = _diffusion(header, name)
    times = [_number(header, "InversionTime"), *_numbers(header.get("InversionTimes"))]
    types = _words(header, "ImageType")
    return MrFacts(
        modality=_text(header, "Modality"),
        vendor=_vendor(_text(header, "Manufacturer")),
        image_types=types,
        sequences=_sequences(header),
        variants=_words(header, "SequenceVariant"),
        options=_words(header, "ScanOptions", at_underscore=False),
        sequence_name=name,
        pulse_sequence=_pulse_sequence(header),
        acquisition=_text(header, "AcquisitionContrast").replace("UNKNOWN", ""),
        acquisition_type=_text(header, "MRAcquisitionType"),
        echo_time_ms=_scaled(_number(header, "EchoTime") or _number(header, "EffectiveEchoTime"), scale),
        repetition_time_ms=_scaled(_number(header, "RepetitionTime"), scale),
        inversion_times_ms=tuple(sorted({value * scale for value in times if value})),
        flip_angle_deg=_number(header, "FlipAngle"),
        bandwidth_hz_per_px=_number(header, "PixelBandwidth"),
        water_fat_shift_px=_number(header, "WaterFatShift"),
        echo_train=_number(header, "EchoTrainLength") or _number(header, "RFEchoTrainLength"),
        b_value=b_value,
        b_is_pair=pair,
        direction=direction,
        agent=_text(header, "ContrastBolusAgent").strip() not in NO_AGENT,
        angio=_text(header, "AngioFlag") == "Y",
        single_band=header.get("SingleBandReference") is True,
        description=_text(header, "SeriesDescription"),
        protocol=_text(header, "ProtocolName"),
        study_description=" ".join(
            _text(header, key)
            for key in ("StudyDescription", "RequestedProcedureDescription", "ProcedureStepDescription")
        ).strip(),
        orientation=tuple(
            _numbers(header.get("ImageOrientationPatient") or header.get("ImageOrientationPatientDICOM"))
        ),
        slice_thickness_mm=_number(header, "SliceThickness"),
        mosaic="MOSAIC" in types,
        volumes=volumes,
        images=images,
    )


def _in_seconds(header: Mapping[str, Any]) -> bool:
    """True for the header of a BIDS sidecar; without any sign of either form the echo time tells.

    No brain series has an echo time of a second, and only research sequences have one below a millisecond.
    """
    if _SIDECAR_KEYS & header.keys():
        return True
    if _DICOM_KEYS & header.keys():
        return False
    return 0 < (_number(header, "EchoTime") or 0.0) < 1.0


def _vendor(manufacturer: str) -> str:
    return next((name for name, pattern in _VENDORS if re.search(pattern, manufacturer)), "")


def _sequences(header: Mapping[str, Any]) -> frozenset[str]:
    """ScanningSequence, with the words of enhanced MR (PS3.3 C.8.13.4) in its vocabulary."""
    found = set(_words(header, "ScanningSequence"))
    echo = _text(header, "EchoPulseSequence")
    found |= {"SE"} if echo in ("SPIN", "BOTH") else set()
    found |= {"GR"} if echo in ("GRADIENT", "BOTH") else set()
    found |= {"EP"} if _text(header, "EchoPlanarPulseSequence") == "YES" else set()
    found |= {"IR"} if _text(header, "InversionRecovery") == "YES" else set()
    return frozenset(found)


def _pulse_sequence(header: Mapping[str, Any]) -> str:
    keys = ("PulseSequenceName", "PulseSequenceDetails", "InternalPulseSequenceName", "ScanningTechnique")
    return " ".join(filter(None, (_text(header, key) for key in keys)))


def _diffusion(header: Mapping[str, Any], sequence_name: str) -> tuple[float | None, bool, str]:
    """b-value, whether it is a map from two of them, and the direction: tags first, then the sequence's name."""
    b_value = _number(header, "DiffusionBValue")
    direction = _text(header, "DiffusionDirectionality").replace("BMATRIX", "DIRECTIONAL")
    pair = False
    if named := _SIEMENS_DIFFUSION.match(sequence_name):
        pair = bool(named[2])
        b_value = float(named[1]) if b_value is None and not pair else b_value
        direction = direction or ("ISOTROPIC" if named[3] else "DIRECTIONAL" if named[4] else "")
    return b_value, pair, direction


def _text(header: Mapping[str, Any], key: str) -> str:
    value = header.get(key)
    if value is None:
        return ""
    return " ".join(map(str, value)).upper() if isinstance(value, list) else str(value).upper()


def _words(header: Mapping[str, Any], key: str, *, at_underscore: bool = True) -> frozenset[str]:
    """The values of a multi-valued entry, one "\\" separated string (sidecars) included."""
    value = header.get(key) or []
    parts = [part for item in (value if isinstance(value, list) else [value]) for part in str(item).split("\\")]
    if at_underscore:
        parts = [*parts, *(piece for part in parts for piece in part.split("_"))]
    return frozenset(part.strip().upper() for part in parts if part.strip())


def _number(header: Mapping[str, Any], key: str) -> float | None:
    return next(iter(_numbers(header.get(key))), None)


def _numbers(value: Any) -> list[float]:
    found = []
    for item in value if isinstance(value, list) else [value]:
        try:
            number = float(item)
        except (TypeError, ValueError):
            continue
        if np.isfinite(number):
            found.append(number)
    return found


def _scaled(value: float | None, scale: float) -> float | None:
    return None if value is None else value * scale
