"""A head in MR contrasts drawn from geometry: skull, grey shell, white core and ventricles with a value per tissue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydicom.uid import generate_uid

from NeuroTriageLib.core.geometry import SliceGrid
from Testing.Lib.io.dicom_builder import CtStack, every, write_stack

SHAPE, VOXEL_MM = (22, 56, 48), (7.0, 4.0, 4.0)

# Signal of fluid, grey and white matter, and scalp; relative, as each contrast is known to order them.
TISSUES: dict[str, tuple[float, float, float, float]] = {
    "T1": (60, 190, 250, 260),
    "T2": (700, 300, 250, 200),
    "FLAIR": (40, 260, 200, 180),
    "TRACE": (40, 240, 190, 20),
    "B0": (800, 300, 250, 30),
    "ADC": (3.0, 0.8, 0.75, 0.0),
}

# Headers from which a contrast is known.
FLAIR = {"ScanningSequence": ["SE", "IR"], "EchoTime": 90, "RepetitionTime": 9000, "InversionTime": 2500}
EPI = {"ScanningSequence": ["EP", "SE"], "EchoTime": 80, "RepetitionTime": 5000, "Manufacturer": "Philips"}
ADC_TYPE = ["DERIVED", "PRIMARY", "ADC", "ADC"]

IN_UNIT = {"ADC": 1e3}  # files hold ADC in 1e-6 mm2/s


def head(contrast: str, shape_kji: tuple[int, int, int] = SHAPE, *, noise: float = 0.04) -> np.ndarray:
    """(K, J, I) float32 values, vertex at the last slice; noise as a share of grey matter's value."""
    k, j, i = (np.linspace(-1, 1, n) for n in shape_kji)
    radius2 = k[:, None, None] ** 2 + j[:, None] ** 2 + i**2
    fluid, grey, white, scalp = TISSUES[contrast]
    values = np.zeros(shape_kji)
    values[radius2 <= 0.95**2] = scalp
    values[radius2 <= 0.86**2] = fluid
    values[radius2 <= 0.82**2] = grey
    values[radius2 <= 0.62**2] = white
    ventricles = ((k[:, None, None] - 0.1) / 0.3) ** 2 + (j[:, None] / 0.4) ** 2 + ((np.abs(i) - 0.1) / 0.09) ** 2
    values[ventricles <= 1] = fluid
    spread = noise * grey * np.random.default_rng(3).normal(size=shape_kji)
    return np.where(values > 0, np.maximum(values + spread, 1e-3), 0).astype(np.float32)


def grid(shape_kji: tuple[int, int, int] = SHAPE, axes: np.ndarray | None = None) -> SliceGrid:
    """A regular grid; axes has the directions of i, j and k in its columns (default: axial, foot to head)."""
    affine = np.eye(4)
    affine[:3, :3] = (np.eye(3) if axes is None else axes) * np.array(VOXEL_MM[::-1])
    return SliceGrid.from_affine(shape_kji, affine)


def write_mr(
    folder: Path, description: str, *, study: str, contrast: str = "T2", scale: float = 1.0, **tags: Any
) -> str:
    """Write one MR series as DICOM and return its UID; see TISSUES for the contrast of its pixels."""
    series = generate_uid()
    values = head(contrast) * scale
    origins = np.array([[0.0, 0.0, VOXEL_MM[0] * k] for k in range(len(values))])
    stack = CtStack(
        origins,
        shape_ji=values.shape[1:],
        spacing_ji_mm=VOXEL_MM[1:],
        hu=values,
        study_uid=study,
        series_uid=series,
        thickness_mm=5.0,
    )
    made = {"Modality": "MR", "SeriesDescription": description, "RescaleType": "US"} | tags
    write_stack(folder / series[-8:], stack, every(**made), intercept=0.0)
    return series


def write_nifti(folder: Path, name: str, array: np.ndarray) -> Path:
    """One image file on the phantom's grid."""
    import SimpleITK

    folder.mkdir(parents=True, exist_ok=True)
    image = SimpleITK.GetImageFromArray(array)
    where = grid(array.shape)
    image.SetSpacing((where.spacing_i_mm, where.spacing_j_mm, float(where.slice_spacings_mm[0])))
    SimpleITK.WriteImage(image, str(folder / name))
    return folder / name


def write_study(folder: Path, contrasts: tuple[str, ...] = ("FLAIR", "ADC", "TRACE", "T1")) -> Path:
    """A study as image files that are named after their contrasts."""
    for name in contrasts:
        write_nifti(folder, f"{name}.nii.gz", head(name) * IN_UNIT.get(name, 1.0))
    return folder


def write_dicom_study(folder: Path) -> Path:
    """FLAIR, trace and ADC as DICOM series of one study."""
    study = generate_uid()
    write_mr(folder, "FLAIR", study=study, contrast="FLAIR", SeriesNumber=1, **FLAIR)
    write_mr(folder, "TRACE", study=study, contrast="TRACE", SeriesNumber=2, **EPI)
    write_mr(folder, "ADC", study=study, contrast="ADC", scale=1e3, SeriesNumber=3, ImageType=ADC_TYPE, **EPI)
    return folder
