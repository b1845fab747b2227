"""Writes the series of a simulated brain MRI as classic MR images, with the headers that its maker's scanners write."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import FileDataset
from pydicom.uid import MRImageStorage

from ..dicom_objects import SeriesDescription, decimal, new_slice, place_slice, save_slices
from .profiles import ROLES
from .study import SimulatedSeries, SimulatedStudy

DESCRIPTIONS = {
    "FLAIR": "AX FLAIR",
    "ADC": "AX DWI ADC",
    "TRACE": "AX DWI TRACE B1000",
    "T2star": "AX T2 GRE",
    "SWI": "AX SWI",
    "T1": "AX T1",
    "T1_sagittal": "SAG T1",
    "T1_post": "T1 POST",
    "T2": "AX T2 TSE",
}
IMAGE_TYPES = {
    "ADC": ("DERIVED", "PRIMARY", "DIFFUSION", "ADC"),
    "TRACE": ("DERIVED", "PRIMARY", "DIFFUSION", "TRACEW"),
    "SWI": ("ORIGINAL", "PRIMARY", "M", "SWI"),
}
SCANNING_SEQUENCES = {
    "spin echo": ["SE"],
    "inversion recovery": ["IR", "SE"],
    "gradient echo": ["GR"],
    "magnetisation prepared": ["GR", "IR"],
    "diffusion": ["EP", "SE"],
}
HERTZ_PER_TESLA = 42.577  # MHz per tesla, for the imaging frequency


@dataclass(frozen=True)
class MrSeriesDescription(SeriesDescription):
    """What the headers of a written MR series say: the common fields; the sequence's come from the series' plan."""

    study_description: str = "Simulated brain MRI, no patient"
    protocol_name: str = "BRAIN"
    image_type: tuple[str, ...] = ("ORIGINAL", "PRIMARY", "M", "ND")


def write_mr_study(
    study: SimulatedStudy, folder: str | Path, *, transfer_syntax: str = "explicit", patient_id: str = ""
) -> dict[str, list[Path]]:
    """Write each series into a folder of its role's name; return the files by role.

    Raises ConfigError for an unknown transfer syntax, OutputError when a folder cannot be written.
    """
    seed = int(study.truth["seed"])
    out = {}
    for role, series in study.series.items():
        number = ROLES.index(role) + 2
        about = MrSeriesDescription(
            seed=seed,
            patient_id=patient_id or f"SIM{seed:06d}",
            series_description=DESCRIPTIONS[role],
            manufacturer=study.plan.profile.manufacturer,
            model="NeuroTriage simulation",
            image_type=IMAGE_TYPES.get(role, ("ORIGINAL", "PRIMARY", "M", "ND")),
            series_number=number,
        )
        slices = (_slice(study, series, k, about) for k in range(len(series.volume.array_kji)))
        out[role] = save_slices(slices, Path(folder) / role, transfer_syntax)
    return out


def _slice(study: SimulatedStudy, series: SimulatedSeries, k: int, about: MrSeriesDescription) -> FileDataset:
    dataset = new_slice(MRImageStorage, about, "MR", k)
    grid = series.volume.grid
    place_slice(dataset, grid, k, grid.slice_thickness_mm)
    spacings = grid.slice_spacings_mm
    dataset.SpacingBetweenSlices = decimal(round(float(np.median(spacings)), 4)) if len(spacings) else None
    _sequence(dataset, study, series)
    _pixels(dataset, series, k)
    return dataset


def _sequence(dataset: FileDataset, study: SimulatedStudy, series: SimulatedSeries) -> None:
    plan, sequence = series.plan, series.plan.sequence
    # As in the public headers of SOOP: this maker writes a trace image as a plain spin echo without a b-value.
    silent = study.plan.profile.name == "philips-like" and sequence.technique == "diffusion"
    dataset.ScanningSequence = ["SE"] if silent else SCANNING_SEQUENCES[sequence.technique]
    dataset.SequenceVariant = "SK"
    dataset.ScanOptions = "FS" if sequence.fat_left < 1.0 else ""
    dataset.MRAcquisitionType = "3D" if series.volume.grid.slice_thickness_mm < 2.5 and not plan.readout_s else "2D"
    dataset.RepetitionTime = decimal(sequence.tr_ms)
    dataset.EchoTime = decimal(sequence.te_ms)
    if sequence.ti_ms > 0:
        dataset.InversionTime = decimal(sequence.ti_ms)
    dataset.FlipAngle = decimal(sequence.flip_deg)
    dataset.EchoTrainLength = 1 if sequence.reads_gradient_echoes else 12
    dataset.MagneticFieldStrength = decimal(study.plan.field_tesla)
    dataset.ImagingFrequency = decimal(round(HERTZ_PER_TESLA * study.plan.field_tesla, 4))
    dataset.ImagedNucleus = "1H"
    dataset.PercentSampling = "100"
    dataset.InPlanePhaseEncodingDirection = "COL" if plan.phase_axis == 0 else "ROW"
    if sequence.b_s_per_mm2 > 0 and not silent:
        dataset.add_new("DiffusionBValue", "FD", float(sequence.b_s_per_mm2))
    if sequence.contrast_medium:
        dataset.ContrastBolusAgent = "Simulated contrast medium"


def _pixels(dataset: FileDataset, series: SimulatedSeries, k: int) -> None:
    """Whole numbers; an ADC map in larger units is stored in 1e-6 mm2/s with a slope."""
    values = series.volume.array_kji[k].astype(np.float64)
    slope = 1e-6 / series.adc_unit_mm2_per_s if series.adc_unit_mm2_per_s else 1.0
    stored = np.clip(np.round(values / slope), 0, 32767).astype("<u2")
    dataset.Rows, dataset.Columns = stored.shape
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 0
    if series.role == "ADC":
        dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "0", decimal(slope), "US"
    upper = float(np.percentile(stored, 99.0)) or 1.0
    dataset.WindowCenter, dataset.WindowWidth = decimal(round(upper / 2, 1)), decimal(round(max(upper, 1.0), 1))
    dataset.PixelData = stored.tobytes()
