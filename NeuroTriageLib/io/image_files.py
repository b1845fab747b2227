"""NIfTI and NRRD files as series of their own, and their voxels as a Volume in LPS."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import SimpleITK

from ..core.errors import GeometryError, InputError, SeriesSelectionError
from ..core.findings import QualityFlag
from ..core.geometry import SliceGrid
from ..core.study import Instance, Series
from ..core.volume import Volume
from .hounsfield import AIR_HU, ValueShares, guess_intercept, value_shares
from .nifti import read_nifti, read_nifti_header

MAX_VOXELS = 2**31
"""Images larger than this are refused before memory is asked for (ours)."""


def image_format(path: Path, start: bytes) -> str:
    """ "nifti", "nrrd" or "" for a file that begins with these bytes (at least 352 where it has them)."""
    if start[:4] == b"NRRD":
        return "nrrd"
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz")) or start[344:347] in (b"n+1", b"ni1"):
        return "nifti"
    return ""


def series_of_image(path: Path, file_format: str) -> Series:
    """A file as a Series; reads its header only.

    Raises:
        InputError: the header is damaged, or the image is not a stack of slices with one value per voxel.
        GeometryError: the header does not say where the voxels lie.
    """
    shape_kji, grid = _nifti_header(path) if file_format == "nifti" else _nrrd_header(path)
    if np.prod(shape_kji, dtype=np.int64) > MAX_VOXELS:
        raise InputError(f"The image dimensions are absurd: {shape_kji}.", where=str(path))
    header = {
        "Rows": shape_kji[1],
        "Columns": shape_kji[2],
        "NumberOfFrames": shape_kji[0],
        "PixelSpacing": [grid.spacing_j_mm, grid.spacing_i_mm],
        "SliceThickness": grid.slice_thickness_mm,
        "ImageOrientationPatient": [*map(float, grid.direction_i), *map(float, grid.direction_j)],
        "ImagePositionPatient": [*map(float, grid.origins_lps_mm[0])],
        "LastImagePositionPatient": [*map(float, grid.origins_lps_mm[-1])],
    }
    return Series(
        series_instance_uid=f"file:{hashlib.blake2b(path.name.encode(), digest_size=12).hexdigest()}",
        modality="",
        description=path.name,
        file_format=file_format,
        instances=(Instance(path=path, header=header),),
    )


def _nifti_header(path: Path) -> tuple[tuple[int, int, int], SliceGrid]:
    header = read_nifti_header(path)
    return header.shape_kji, SliceGrid.from_affine(header.shape_kji, header.affine_ijk_to_lps)


def _nrrd_header(path: Path) -> tuple[tuple[int, int, int], SliceGrid]:
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise InputError("The NRRD header cannot be read.", where=str(path), next_step="Copy it again.") from error
    if reader.GetDimension() != 3 or reader.GetNumberOfComponents() != 1:
        raise InputError(
            f"The image has {reader.GetDimension()} dimensions and {reader.GetNumberOfComponents()} values per voxel; "
            "a stack of slices with one value is needed.",
            where=str(path),
        )
    if "NRRD_space" not in reader.GetMetaDataKeys():
        raise GeometryError("The NRRD header does not say in which space the voxels lie.", where=str(path))
    i, j, k = reader.GetSize()
    affine = np.eye(4)
    # ITK gives LPS, and keeps sheared space directions as they are.
    affine[:3, :3] = np.array(reader.GetDirection()).reshape(3, 3) * np.array(reader.GetSpacing())
    affine[:3, 3] = reader.GetOrigin()
    return (k, j, i), SliceGrid.from_affine(
        (k, j, i), affine, abs(float(np.linalg.det(affine[:3, :3]))) / _area(affine)
    )


def _area(affine: np.ndarray) -> float:
    return float(np.linalg.norm(np.cross(affine[:3, 0], affine[:3, 1])))


def read_image_values(series: Series) -> tuple[np.ndarray, SliceGrid]:
    """(K, J, I) values as the file means them (its slope and offset applied) and where they lie.

    Raises:
        InputError: truncated, damaged, or not one value per voxel.
    """
    path = series.instances[0].path
    if series.file_format == "nifti":
        array, header = read_nifti(path)
        return array, SliceGrid.from_affine(header.shape_kji, header.affine_ijk_to_lps)
    _, grid = _nrrd_header(path)
    try:
        array = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
    except RuntimeError as error:
        raise InputError(
            "The NRRD file is truncated or damaged.", where=str(path), next_step="Copy it again."
        ) from error
    return array, grid


def ct_evidence(series: Series) -> ValueShares:
    """What the values of an image file look like, with the offset that guess_intercept finds."""
    array, _ = read_image_values(series)
    intercept = guess_intercept(array)
    return value_shares(array, intercept or 0.0)


def read_image_volume(series: Series) -> tuple[Volume, tuple[QualityFlag, ...]]:
    """The voxels in HU (int16 where they are whole numbers).

    Raises:
        InputError, GeometryError: as read_image_values.
        SeriesSelectionError: the values are not HU, so that it is no CT.
    """
    path = series.instances[0].path
    array, grid = read_image_values(series)
    intercept = guess_intercept(array)
    if intercept is None:
        raise SeriesSelectionError(
            "The image's values are not Hounsfield units; it may be MR, a mask, or a CT cut to its brain.",
            where=str(path),
            next_step="Give the CT itself, as DICOM or in Hounsfield units.",
        )
    flags = [QualityFlag("modality_inferred", "The file format does not say CT; its values do.")]
    if intercept:
        message = f"The values are offset; {intercept:.0f} was added to make them Hounsfield units."
        flags.append(QualityFlag("rescale_missing", message, intercept))
    volume = Volume(
        array_kji=_as_hounsfield(array, intercept),
        grid=grid,
        modality="CT",
        series_instance_uid=series.series_instance_uid,
        source=str(path),
    )
    return volume, tuple(flags)


def _as_hounsfield(array: np.ndarray, intercept: float) -> np.ndarray:
    values = np.nan_to_num(array.astype(np.float32) + np.float32(intercept), nan=AIR_HU, posinf=32767, neginf=AIR_HU)
    np.clip(values, AIR_HU, 32767, out=values)
    rounded = np.rint(values)
    return rounded.astype(np.int16) if np.abs(rounded - values).max() < 1e-3 else values
