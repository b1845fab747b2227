"""Images and masks of a data set's case: CT in Hounsfield units, MR contrasts, masks on the voxels of their image."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..core.errors import GeometryError, InputError
from ..core.geometry import SliceGrid
from ..core.mr_images import MrImage
from ..core.volume import Volume
from ..io.image_files import read_image_values, read_image_volume, series_of_image
from ..io.label_files import on_grid
from ..io.nifti import read_nifti_header
from ..review.labels import SEGMENT_VALUES
from ..series_selection.adc_unit import adc_unit
from .folder_files import nifti_fault, real_file


def read_ct(path: Path) -> Volume:
    """A NIfTI head CT in Hounsfield units. Raises InputError, SeriesSelectionError (its values are no CT's)."""
    return read_image_volume(series_of_image(real_file(path), "nifti"))[0]


def read_mr(path: Path, contrast: str) -> MrImage:
    """A NIfTI image as one contrast; what is not a number becomes 0. Raises InputError, GeometryError.

    The unit of an ADC map is found from its values: centres write 1e-6, 1e-3 or 1 mm2/s.
    """
    values, grid = read_values(path)
    volume = Volume(values.astype(np.float32), grid, "MR", source=str(path))
    if contrast != "ADC":
        return MrImage(contrast, volume)
    unit = adc_unit({}, volume.array_kji, grid)
    return MrImage(contrast, volume, unit.mm2_per_s, "" if unit.mm2_per_s else unit.reason)


def read_values(path: Path) -> tuple[np.ndarray, SliceGrid]:
    """(K, J, I) values of a NIfTI file without NaN, and where they lie. Raises InputError, GeometryError."""
    values, grid = read_image_values(series_of_image(real_file(path), "nifti"))
    return (np.nan_to_num(values) if values.dtype.kind == "f" else values), grid


def read_mask(path: Path, grid: SliceGrid) -> np.ndarray:
    """(K, J, I) bool of a two-valued mask on an image's voxels: 0 and 1, 0 and 255, or shares from a half on.

    Raises:
        InputError: damaged. GeometryError: it lies elsewhere.
    """
    values, own = read_values(path)
    return _on_grid(np.asarray(values >= max(float(values.max(initial=0)), 1e-6) / 2, np.uint8), own, grid, path) > 0


def read_label(path: Path, grid: SliceGrid, codes: Mapping[int, str]) -> np.ndarray:
    """(K, J, I) uint8 in review.labels.SEGMENT_VALUES of a label map on an image's voxels.

    Args:
        codes: value in the file -> our code.

    Raises:
        InputError: damaged, or it holds a value without a meaning. GeometryError: it lies elsewhere.
    """
    values, own = read_values(path)
    used = np.unique(values)
    unknown = [f"{value:g}" for value in used if value != 0 and value not in codes]
    if unknown:
        raise InputError(f"The label map holds values without a meaning: {', '.join(unknown[:5])}.", where=str(path))
    meaning = np.zeros(256, np.uint8)
    for value, code in codes.items():
        meaning[value] = SEGMENT_VALUES[code]
    return _on_grid(meaning[values.astype(np.uint8)], own, grid, path)


def _on_grid(label_kji: np.ndarray, own: SliceGrid, grid: SliceGrid, path: Path) -> np.ndarray:
    try:
        return on_grid(label_kji, own, grid)
    except GeometryError as error:
        raise GeometryError("The mask does not lie on the voxels of its image.", where=str(path)) from error


def pair_faults(image: Path, label: Path, name: str) -> list[tuple[str, str]]:
    """(what is wrong, name of the case) for an image and its mask, from their headers and sizes alone."""
    faults = [(fault, name) for path in (image, label) if (fault := nifti_fault(path))]
    if faults:
        return faults
    try:
        grids = [_grid_of(path) for path in (image, label)]
        on_grid(np.broadcast_to(np.uint8(0), grids[1].shape_kji), grids[1], grids[0])
    except GeometryError:
        return [("The mask does not lie on the voxels of its image", name)]
    return []


def _grid_of(path: Path) -> SliceGrid:
    header = read_nifti_header(real_file(path))
    return SliceGrid.from_affine(header.shape_kji, header.affine_ijk_to_lps)
