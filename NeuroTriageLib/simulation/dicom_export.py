"""Writes a volume as a classic CT series, one DICOM file per slice, with the true position of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import FileDataset
from pydicom.uid import CTImageStorage

from ..core.errors import InputError
from ..core.volume import Volume
from .dicom_objects import SeriesDescription, decimal, new_slice, place_slice, save_slices

LOWEST_HU = -3024  # the lowest value that scanners pad with
INTERCEPT_HU = -1024.0  # most vendors' rescale intercept for CT


@dataclass(frozen=True)
class CtSeriesDescription(SeriesDescription):
    """What the headers of a written CT series say.

    Args:
        convolution_kernel, kvp, tube_current_ma: scan parameters.
        padding_hu: Hounsfield units written outside the reconstruction circle (-1500 and -2000 occur); None: as it is.
    """

    study_description: str = "Head CT without contrast"
    series_description: str = "HEAD H31s"
    protocol_name: str = "HeadRoutine"
    convolution_kernel: str = "H31s"
    kvp: float = 120.0
    tube_current_ma: int = 250
    padding_hu: float | None = None


def write_dicom_study(
    volume: Volume,
    folder: str | Path,
    *,
    transfer_syntax: str = "explicit",
    description: CtSeriesDescription | None = None,
    thicknesses_mm: Sequence[float] | np.ndarray | None = None,
) -> list[Path]:
    """Write one CT image per slice into a folder (made if needed) and return the files in the order of k.

    Args:
        volume: CT with whole Hounsfield units between LOWEST_HU and 3071; below -1024 only as padding.
        transfer_syntax: a key of dicom_objects.TRANSFER_SYNTAXES.
        thicknesses_mm: of each slice; default: the grid's nominal thickness.

    Raises:
        ConfigError: unknown transfer syntax.
        InputError: no CT, or values that do not fit.
        OutputError: the folder cannot be written.
    """
    about = description or CtSeriesDescription()
    array = np.asarray(volume.array_kji)
    if volume.modality != "CT" or array.min() < LOWEST_HU or array.max() > 3071:
        raise InputError(f"Only CT between {LOWEST_HU} and 3071 HU can be written as a simulated series.")
    thicknesses = [volume.grid.slice_thickness_mm] * len(array) if thicknesses_mm is None else thicknesses_mm
    slices = (_slice_dataset(volume, k, float(thicknesses[k]), about) for k in range(len(array)))
    return save_slices(slices, folder, transfer_syntax)


def _slice_dataset(volume: Volume, k: int, thickness_mm: float, about: CtSeriesDescription) -> FileDataset:
    dataset = new_slice(CTImageStorage, about, "CT", k)
    dataset.KVP = decimal(about.kvp)
    dataset.XRayTubeCurrent = about.tube_current_ma
    dataset.ConvolutionKernel = about.convolution_kernel
    grid = volume.grid
    dataset.PositionReferenceIndicator = "OM"
    place_slice(dataset, grid, k, thickness_mm)
    dataset.SliceLocation = decimal(round(float(grid.origins_lps_mm[k][2]), 4))
    # The sign as GE writes it: positive when the planes rise towards the front.
    tilt = np.degrees(np.arctan2(-grid.direction_j[2], grid.direction_j[1])) if grid.tilt_deg > 0.01 else 0.0
    dataset.GantryDetectorTilt = decimal(round(float(tilt), 3))
    dataset.ReconstructionDiameter = decimal(round(grid.spacing_i_mm * grid.shape_kji[2], 3))
    _pixels(dataset, np.asarray(volume.array_kji[k]), about.padding_hu)
    return dataset


def _pixels(dataset: FileDataset, hu: np.ndarray, padding_hu: float | None) -> None:
    stored = np.round(hu.astype(np.float64) - INTERCEPT_HU)
    rows, columns = stored.shape
    if padding_hu is None and stored.min() < 0.0:  # the picture itself is padded with less than air
        dataset.add_new("PixelPaddingValue", "SS", int(stored.min()))
    signed = padding_hu is not None or stored.min() < 0.0
    if padding_hu is not None:
        y, x = np.linspace(-1, 1, rows)[:, None], np.linspace(-1, 1, columns)[None, :]
        padding = round(padding_hu - INTERCEPT_HU)
        stored[x * x + y * y > 1.0] = padding
        dataset.add_new("PixelPaddingValue", "SS", padding)
    dataset.Rows, dataset.Columns = rows, columns
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = 16
    dataset.BitsStored = 16 if signed else 12
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(signed)
    dataset.RescaleIntercept = decimal(INTERCEPT_HU)
    dataset.RescaleSlope = "1"
    dataset.RescaleType = "HU"
    dataset.WindowCenter, dataset.WindowWidth = "40", "80"
    dataset.PixelData = stored.astype("<i2" if signed else "<u2").tobytes()
