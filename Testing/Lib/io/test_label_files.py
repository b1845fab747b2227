"""Label maps in other voxel orders and on other grids; truth from geometry."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from NeuroTriageLib.core.errors import GeometryError, InputError
from NeuroTriageLib.core.geometry import SliceGrid
from NeuroTriageLib.io.label_files import on_grid, read_label, segment_values
from Testing.Lib.exam_builder import UNEVEN_STEPS_MM, ExamSettings, make_grid

OBLIQUE = np.linalg.qr(np.array([[0.9, 0.2, 0.1], [-0.1, 0.95, 0.2], [0.05, -0.15, 0.97]]))[0]
GRIDS = {
    "plain": make_grid(ExamSettings(shape_kji=(5, 6, 7))),
    "tilted": make_grid(ExamSettings(shape_kji=(5, 6, 7), tilt_deg=18.0)),
    "uneven": make_grid(ExamSettings(shape_kji=(12, 6, 7), steps_mm=UNEVEN_STEPS_MM)),
    "oblique": make_grid(ExamSettings(shape_kji=(5, 6, 7), axes=OBLIQUE * np.sign(np.diag(OBLIQUE)))),
}


def place_of_voxels(label_kji: np.ndarray, grid: SliceGrid) -> dict[tuple, int]:
    """Rounded LPS place of each voxel -> its value."""
    k, j, i = np.indices(grid.shape_kji)
    points = np.round(grid.voxel_to_lps(np.stack([i, j, k], axis=-1)), 3).reshape(-1, 3) + 0.0
    return dict(zip(map(tuple, points), label_kji.ravel().tolist(), strict=True))


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("flips", [(), (0,), (1,), (2,), (0, 1), (0, 1, 2)], ids=str)
@pytest.mark.parametrize("transposed", [False, True])
def test_every_voxel_keeps_its_place_when_a_program_turned_the_order_of_voxels(name, flips, transposed):
    grid = GRIDS[name]
    label = np.random.default_rng(0).integers(0, 6, grid.shape_kji).astype(np.uint8)
    corner = [n - 1 if axis in flips else 0 for axis, n in enumerate(grid.shape_kji)]
    signs = [-1 if axis in flips else 1 for axis in range(3)]
    k = np.arange(grid.shape_kji[0])[:: signs[0]]
    origins = grid.voxel_to_lps(np.column_stack([np.full(len(k), corner[2]), np.full(len(k), corner[1]), k]))
    turned = np.flip(label, flips) if flips else label
    axes = [(grid.direction_j * signs[1], grid.spacing_j_mm), (grid.direction_i * signs[2], grid.spacing_i_mm)]
    if transposed:
        turned, axes = turned.swapaxes(1, 2), axes[::-1]
    own = SliceGrid(turned.shape, origins, axes[1][0], axes[0][0], axes[1][1], axes[0][1], grid.slice_thickness_mm)
    assert place_of_voxels(turned, own) == place_of_voxels(label, grid)
    np.testing.assert_array_equal(on_grid(turned, own, grid), label)


def test_a_label_map_on_other_voxels_is_refused():
    grid = GRIDS["plain"]
    moved = SliceGrid.from_affine(grid.shape_kji, grid.affine_ijk_to_lps + np.diag([0, 0, 0, 0.0]))
    moved.origins_lps_mm[:] += 0.5 * grid.spacing_i_mm
    with pytest.raises(GeometryError, match="voxels of its image"):
        on_grid(np.zeros(grid.shape_kji, np.uint8), moved, grid)
    with pytest.raises(GeometryError, match="voxels of its image"):
        on_grid(np.zeros(GRIDS["uneven"].shape_kji, np.uint8), GRIDS["uneven"], grid)


def test_fractions_are_no_label_map(tmp_path):
    path = tmp_path / "fractions.nii.gz"
    sitk.WriteImage(sitk.GetImageFromArray(np.full((3, 4, 5), 0.5, np.float32)), str(path))
    with pytest.raises(InputError, match="whole numbers"):
        read_label(path)


def test_a_file_without_segments_names_none(tmp_path):
    path = tmp_path / "plain.nrrd"
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((3, 4, 5), np.uint8)), str(path))
    assert segment_values(path) == {}
