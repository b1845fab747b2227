"""How far the head moved between two series of a study: measured and told, never corrected silently."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ..core.errors import GeometryError
from ..core.findings import QualityFlag
from ..core.geometry import SliceGrid
from .mr_grid import reference_grid, resample

GRID_KJI = (32, 64, 64)
"""Voxels on which two series are compared (ours: about 4 mm, finer than the movement that matters)."""

MOVED_MM = 3.0
"""Mean displacement of the head from which a movement is told (ours): half of the usual 5-6 mm between slices."""

HEAD_RADIUS_MM = 75.0
"""Radius at which a rotation displaces (ours: half of an adult head's width)."""

MIN_OVERLAP = 0.3
"""Share of the reference's grid that both series must cover (ours)."""


@dataclass(frozen=True)
class Movement:
    """A rigid movement of the head between two series.

    Args:
        shift_lps_mm: translation of the head's middle, from the reference to the other series.
        rotation_deg: angle around whatever axis.
    """

    shift_lps_mm: tuple[float, float, float]
    rotation_deg: float

    @property
    def displacement_mm(self) -> float:
        """Mean displacement of the head's surface, shift and rotation together.

        A rotation by a moves a point at distance r from its axis by 2 r sin(a/2); the mean over a sphere is pi/4 of it.
        """
        turn = 2 * HEAD_RADIUS_MM * np.sin(np.radians(abs(self.rotation_deg)) / 2) * np.pi / 4
        return float(np.hypot(np.linalg.norm(self.shift_lps_mm), turn))

    def flag(self, contrast: str, reference: str) -> QualityFlag | None:
        """What a reader must know, None when the head hardly moved."""
        moved = self.displacement_mm
        if moved < MOVED_MM:
            return None
        message = (
            f"The head moved about {moved:.0f} mm between {reference} and {contrast}, turning {self.rotation_deg:.0f} "
            "degrees; the series were not registered."
        )
        return QualityFlag("movement", message, moved)


def measure_movement(
    reference_kji: np.ndarray, reference: SliceGrid, other_kji: np.ndarray, other: SliceGrid
) -> Movement:
    """Estimate the movement between two series of any contrast by mutual information.

    Raises:
        GeometryError: the two hardly overlap in the scanner's coordinates.
    """
    grid = reference_grid(reference, GRID_KJI)
    fixed, moving = resample(reference_kji, reference, grid), resample(other_kji, other, grid)
    both = fixed.covered_kji & moving.covered_kji
    if both.mean() < MIN_OVERLAP:
        raise GeometryError("Two series of the study hardly overlap.", next_step="Check that they show the same head.")
    transform = _register(_image(fixed.array_kji, grid), _image(moving.array_kji, grid), both)
    return Movement(_shift(transform, grid), _rotation_deg(transform))


def _image(array_kji: np.ndarray, grid: SliceGrid) -> sitk.Image:
    """An image whose coordinates are millimetres along the grid's own axes."""
    image = sitk.GetImageFromArray(np.sqrt(np.clip(array_kji, 0.0, None)))  # less weight for the brightest tissue
    image.SetSpacing((grid.spacing_i_mm, grid.spacing_j_mm, float(np.median(grid.slice_spacings_mm))))
    return image


def _register(fixed: sitk.Image, moving: sitk.Image, both_kji: np.ndarray) -> sitk.Euler3DTransform:
    mask = sitk.GetImageFromArray(both_kji.astype(np.uint8))
    mask.CopyInformation(fixed)
    size = np.array(fixed.GetSize()) * fixed.GetSpacing()
    transform = sitk.Euler3DTransform()
    transform.SetCenter((size / 2).tolist())
    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(1)  # the same answer every time
    method.SetMetricAsMattesMutualInformation(32)
    method.SetMetricFixedMask(mask)
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(0.3)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(4.0, 0.01, 150, 0.7)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([2, 1])
    method.SetSmoothingSigmasPerLevel([4.0, 2.0])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    method.SetInitialTransform(transform, inPlace=True)
    method.Execute(fixed, moving)
    return transform


def _shift(transform: sitk.Euler3DTransform, grid: SliceGrid) -> tuple[float, float, float]:
    """The translation of the middle in LPS; the grid's own axes may be oblique."""
    along_k = grid.affine_ijk_to_lps[:3, 2]
    axes = np.stack([grid.direction_i, grid.direction_j, along_k / np.linalg.norm(along_k)], axis=1)
    x, y, z = (float(value) for value in axes @ np.array(transform.GetTranslation()))
    return x, y, z


def _rotation_deg(transform: sitk.Euler3DTransform) -> float:
    trace = float(np.trace(np.array(transform.GetMatrix()).reshape(3, 3)))
    return float(np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1))))
