"""Label maps on disk, brought onto another grid when both put every voxel at the same place."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..core.errors import GeometryError, InputError
from ..core.geometry import SliceGrid
from .image_files import read_image_values, series_of_image

LABEL_SUFFIXES = (".nii.gz", ".nii", ".seg.nrrd", ".nrrd")

# Voxels closer than this share of the smallest pixel are the same voxel (ours: headers round to 0.001-0.1 mm).
SAME_PLACE_SHARE = 0.25


def read_label(path: Path) -> tuple[np.ndarray, SliceGrid]:
    """(K, J, I) uint8 label map of a NIfTI or NRRD file and where it lies.

    Raises:
        InputError: unreadable, or not whole numbers from 0 to 255.
        GeometryError: the header does not say where the voxels lie.
    """
    file_format = "nrrd" if path.name.endswith(".nrrd") else "nifti"
    values, grid = read_image_values(series_of_image(path, file_format))
    label = np.clip(values, 0, 255).astype(np.uint8)
    if not np.array_equal(label, values):
        raise InputError("A label map holds whole numbers from 0 to 255.", where=str(path))
    return label, grid


def segment_values(path: Path) -> dict[int, str]:
    """Voxel value -> segment ID of a Slicer segmentation file (.seg.nrrd); {} when the file names no segments."""
    fields = nrrd_fields(path)
    values = {}
    for number in itertools.takewhile(lambda n: f"Segment{n}_ID" in fields, itertools.count()):
        values[int(fields.get(f"Segment{number}_LabelValue", number + 1))] = fields[f"Segment{number}_ID"]
    return values


def nrrd_fields(path: Path) -> dict[str, str]:
    """The key := value pairs of a NRRD file's header. Raises InputError when it cannot be read."""
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise InputError("The file's header cannot be read.", where=str(path)) from error
    return {key: reader.GetMetaData(key) for key in reader.GetMetaDataKeys()}


def on_grid(label_kji: np.ndarray, own: SliceGrid, grid: SliceGrid) -> np.ndarray:
    """The label map with its voxels in the order of another grid of the same voxels.

    Programs turn rows, columns and slices round when they convert a series; the voxels stay where they are. No voxel
    is moved or interpolated here.

    Raises:
        GeometryError: the two grids do not put their voxels at the same places.
    """
    tolerance_mm = SAME_PLACE_SHARE * min(grid.spacing_i_mm, grid.spacing_j_mm)
    for transposed, turned_k, turned_j, turned_i in itertools.product((False, True), repeat=4):
        candidate, array = own, label_kji
        if transposed:
            candidate, array = _transposed(candidate), array.swapaxes(1, 2)
        if turned_k:
            candidate = dataclasses.replace(candidate, origins_lps_mm=candidate.origins_lps_mm[::-1])
            array = array[::-1]
        if turned_j:
            candidate, array = _transposed(_turned_i(_transposed(candidate))), array[:, ::-1]
        if turned_i:
            candidate, array = _turned_i(candidate), array[:, :, ::-1]
        if candidate.same_as(grid, tolerance_mm):
            return np.ascontiguousarray(array)
    raise GeometryError("A label map does not lie on the voxels of its image.")


def _transposed(grid: SliceGrid) -> SliceGrid:
    k, j, i = grid.shape_kji
    return dataclasses.replace(
        grid,
        shape_kji=(k, i, j),
        direction_i=grid.direction_j,
        direction_j=grid.direction_i,
        spacing_i_mm=grid.spacing_j_mm,
        spacing_j_mm=grid.spacing_i_mm,
    )


def _turned_i(grid: SliceGrid) -> SliceGrid:
    reach = (grid.shape_kji[2] - 1) * grid.spacing_i_mm * grid.direction_i
    return dataclasses.replace(grid, origins_lps_mm=grid.origins_lps_mm + reach, direction_i=-grid.direction_i)
