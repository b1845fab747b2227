"""Where a volume node's voxels lie: SliceGrid to IJKToRAS and acquisition transform, and back.

The scene is RAS, the library LPS; the sign of the first two coordinates changes here and nowhere else.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import slicer
import vtk
from vtk.util import numpy_support

from NeuroTriageLib.core.errors import GeometryError, InputError
from NeuroTriageLib.core.geometry import SliceGrid

# Voxel centres that an IJKToRAS matrix alone would misplace by more than this get an acquisition transform.
PLACEMENT_TOLERANCE_MM = 0.001  # as Slicer's DICOM reader
# A slice whose points lie farther than this from one rigid plane grid is bent or stretched (ours: a tenth of a pixel).
RIGID_TOLERANCE_MM = 0.05

# Marks the transforms that are made here; one of the user's own stays where the user has put it.
ACQUISITION_ATTRIBUTE = "NeuroTriage.acquisition_transform"


def flip_lps_ras(points: np.ndarray) -> np.ndarray:
    """LPS points (..., 3) as RAS, or RAS points as LPS."""
    return np.asarray(points, dtype=np.float64) * (-1.0, -1.0, 1.0)


def place_volume(volume_node: slicer.vtkMRMLVolumeNode, grid: SliceGrid) -> None:
    """Put the node's voxels where the grid has them.

    A stack that one right-angled matrix can place gets that matrix. A tilted or unevenly spaced one gets the
    regularised matrix and, as from Slicer's own DICOM reader, a grid transform above it that moves every slice to its
    true place. The node must be in the scene.
    """
    affine = _regular_ijk_to_ras(grid)
    volume_node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(affine))
    displacement = _corners_ras(grid) - _affine_corners(affine, grid.shape_kji)
    if np.abs(displacement).max() > PLACEMENT_TOLERANCE_MM:
        transform_node = _acquisition_transform(volume_node, grid.shape_kji, displacement)
        volume_node.SetAndObserveTransformNodeID(transform_node.GetID())


def grid_of_volume(volume_node: slicer.vtkMRMLVolumeNode) -> SliceGrid:
    """The true place of every slice of the node, all its parent transforms included.

    Raises:
        InputError: the node holds no image.
        GeometryError: a parent transform bends or stretches the slices, or they are no longer parallel.
    """
    image = volume_node.GetImageData()
    if image is None or 0 in image.GetDimensions():
        raise InputError("The selected volume holds no image.", where=volume_node.GetName())
    columns, rows, slices = image.GetDimensions()
    samples_ij = _plane_samples(columns, rows)
    index_kp = np.concatenate(
        [np.broadcast_to(samples_ij, (slices, *samples_ij.shape)), _slice_numbers(slices, len(samples_ij))], axis=-1
    )
    matrix = vtk.vtkMatrix4x4()
    volume_node.GetIJKToRASMatrix(matrix)
    affine = slicer.util.arrayFromVTKMatrix(matrix)
    points_ras = index_kp @ affine[:3, :3].T + affine[:3, 3]  # (K, P, 3)
    points_lps = flip_lps_ras(_to_world(volume_node, points_ras))
    grid = _grid_through(points_lps, samples_ij, (slices, rows, columns), volume_node.GetName())
    # A single slice has no neighbour to tell its thickness: the node's own spacing does.
    return grid if slices > 1 else replace(grid, slice_thickness_mm=volume_node.GetSpacing()[2])


def _regular_ijk_to_ras(grid: SliceGrid) -> np.ndarray:
    """(4, 4) right-angled matrix: first slice at its place, the others straight above it at their mean distance."""
    normal = grid.normal
    run = grid.origins_lps_mm[-1] - grid.origins_lps_mm[0]
    if run @ normal < 0:
        normal = -normal
    count = grid.shape_kji[0]
    spacing = float(run @ normal) / (count - 1) if count > 1 else grid.slice_thickness_mm
    affine = np.eye(4)
    affine[:3, 0] = grid.direction_i * grid.spacing_i_mm
    # Rows and columns may differ from a right angle by a rounding error, which slicer's oriented images do not allow.
    affine[:3, 1] = np.cross(grid.normal, grid.direction_i) * grid.spacing_j_mm
    affine[:3, 2] = normal * spacing
    affine[:3, 3] = grid.origins_lps_mm[0]
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine


def _corners_ras(grid: SliceGrid) -> np.ndarray:
    """(K, 2, 2, 3) true RAS points at i in (0, I), j in (0, J) of each slice, ordered k, j, i."""
    return flip_lps_ras(grid.voxel_to_lps(_corner_indices(grid.shape_kji)))


def _affine_corners(affine: np.ndarray, shape_kji: tuple[int, int, int]) -> np.ndarray:
    return _corner_indices(shape_kji) @ affine[:3, :3].T + affine[:3, 3]


def _corner_indices(shape_kji: tuple[int, int, int]) -> np.ndarray:
    slices, rows, columns = shape_kji
    k, j, i = np.meshgrid(np.arange(slices), (0, rows), (0, columns), indexing="ij")
    return np.stack([i, j, k], axis=-1)


def _acquisition_transform(
    volume_node: slicer.vtkMRMLVolumeNode, shape_kji: tuple[int, int, int], displacement_kji_ras: np.ndarray
) -> slicer.vtkMRMLGridTransformNode:
    """A grid transform with one vector at each corner of each slice of the regularised volume (K, 2, 2, 3)."""
    slices, rows, columns = shape_kji
    spacing = volume_node.GetSpacing()
    vectors = vtk.vtkImageData()
    vectors.SetDimensions(2, 2, slices)
    vectors.SetOrigin(volume_node.GetOrigin())
    vectors.SetSpacing(spacing[0] * columns, spacing[1] * rows, spacing[2])
    vectors.AllocateScalars(vtk.VTK_DOUBLE, 3)
    numpy_support.vtk_to_numpy(vectors.GetPointData().GetScalars())[:] = displacement_kji_ras.reshape(-1, 3)
    direction = vtk.vtkMatrix4x4()
    volume_node.GetIJKToRASDirectionMatrix(direction)
    transform = slicer.vtkOrientedGridTransform()
    transform.SetGridDirectionMatrix(direction)
    transform.SetDisplacementGridData(vectors)
    node = slicer.mrmlScene.AddNewNodeByClass(
        "vtkMRMLGridTransformNode", f"{volume_node.GetName()} acquisition transform"
    )
    node.SetAndObserveTransformToParent(transform)
    node.SetAttribute(ACQUISITION_ATTRIBUTE, "true")
    return node


def _plane_samples(columns: int, rows: int) -> np.ndarray:
    """(P, 2) indices i, j spread over a slice, at which its flatness is judged; the first three span it."""
    i, j = np.linspace(0, max(columns - 1, 1), 5), np.linspace(0, max(rows - 1, 1), 5)
    grid = np.stack(np.meshgrid(i, j), axis=-1).reshape(-1, 2)
    return np.concatenate([[[i[0], j[0]], [i[-1], j[0]], [i[0], j[-1]]], grid])


def _slice_numbers(slices: int, samples: int) -> np.ndarray:
    return np.broadcast_to(np.arange(slices, dtype=float)[:, None, None], (slices, samples, 1))


def _to_world(node: slicer.vtkMRMLTransformableNode, points_ras: np.ndarray) -> np.ndarray:
    """The node's local points (..., 3) in the world, through every transform above it."""
    parent = node.GetParentTransformNode()
    if parent is None:
        return points_ras
    to_world = vtk.vtkGeneralTransform()
    parent.GetTransformToWorld(to_world)
    flat = points_ras.reshape(-1, 3)
    return np.array([to_world.TransformPoint(point) for point in flat]).reshape(points_ras.shape)


def _grid_through(
    points_lps: np.ndarray, samples_ij: np.ndarray, shape_kji: tuple[int, int, int], name: str
) -> SliceGrid:
    """The SliceGrid on which the sampled points (K, P, 3) lie. Raises GeometryError where there is none."""
    design = np.column_stack([np.ones(len(samples_ij)), samples_ij])
    fit = np.linalg.pinv(design) @ points_lps  # (K, 3, 3): origin, step per i, step per j
    origins, step_i, step_j = fit[:, 0], fit[:, 1].mean(0), fit[:, 2].mean(0)
    plane = samples_ij @ np.stack([step_i, step_j])  # the same in every slice
    if np.abs(origins[:, None] + plane - points_lps).max() > RIGID_TOLERANCE_MM:
        raise GeometryError(
            "The volume is under a transform that bends, stretches or turns its slices against each other.",
            where=name,
            next_step="Take it out of that transform, or harden the transform on a copy and select the copy.",
        )
    spacing_i, spacing_j = float(np.linalg.norm(step_i)), float(np.linalg.norm(step_j))
    normal = np.cross(step_i, step_j) / (spacing_i * spacing_j)
    steps = np.abs(np.diff(origins @ normal))
    return SliceGrid(
        shape_kji=shape_kji,
        origins_lps_mm=origins,
        direction_i=step_i,
        direction_j=step_j,
        spacing_i_mm=spacing_i,
        spacing_j_mm=spacing_j,
        slice_thickness_mm=float(np.median(steps)) if len(steps) else 1.0,
    )
