"""Every voxel of a DICOM series lies where its tags say: tilted, flipped, oblique, uneven, in any order of files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from NeuroTriageLib.core.errors import GeometryError, InputError
from NeuroTriageLib.core.volume import Volume
from NeuroTriageLib.io.inputs import open_input, read_volume
from Testing.Lib.io.dicom_builder import AXIAL, RAMP_HU_PER_MM, CtStack, axial, every, without, write_stack

HALF_ROUNDING_HU = 0.5 + 1e-6


def read_one(folder: Path) -> tuple[Volume, set[str]]:
    """The only series below a folder, and the codes of its flags."""
    with open_input(folder) as (study,):
        assert len(study.series) == 1
        volume, flags = read_volume(study.series[0])
    return volume, {flag.code for flag in flags}


def assert_every_voxel_is_where_the_tags_say(volume: Volume) -> None:
    """The value of each voxel is the ramp at the place that the volume's grid gives it."""
    index_kji = np.indices(volume.grid.shape_kji)
    points = volume.grid.voxel_to_lps(np.stack([index_kji[2], index_kji[1], index_kji[0]], axis=-1))
    exact = points @ RAMP_HU_PER_MM
    assert np.abs(volume.array_kji - exact).max() <= HALF_ROUNDING_HU


def turned(x_deg: float, y_deg: float, z_deg: float) -> np.ndarray:
    """Rotation matrix about x, then y, then z."""
    a, b, c = np.radians([x_deg, y_deg, z_deg])
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def tilted() -> CtStack:
    """Gantry tilt of 18.5 degrees: the table moves along z, the slices stand oblique."""
    angle = np.radians(18.5)
    origins = np.array([[-3.0, -6.0, 4.4 * k] for k in range(12)])
    return CtStack(origins, directions=((1, 0, 0), (0, float(np.cos(angle)), -float(np.sin(angle)))))


def oblique() -> CtStack:
    matrix = turned(12, -8, 25)
    origins = np.array([matrix @ [-3.0, -6.0, 5.0 * k] for k in range(12)])
    return CtStack(origins, directions=(tuple(matrix[:, 0]), tuple(matrix[:, 1])))


def uneven() -> CtStack:
    steps = [4, 4, 4, 4, 1.08, 7, 7, 7, 14, 7]
    heights = np.concatenate([[0.0], np.cumsum(steps)])
    return CtStack(np.array([[-3.0 + 0.2 * k, -6.0, z] for k, z in enumerate(heights)]))


def flipped_in_plane() -> CtStack:
    return CtStack(np.array([[3.0, 6.0, 5.0 * k] for k in range(12)]), directions=((-1, 0, 0), (0, -1, 0)))


def mirrored() -> CtStack:
    """The normal points to the feet."""
    return CtStack(np.array([[3.0, -6.0, 5.0 * k] for k in range(12)]), directions=((-1, 0, 0), (0, 1, 0)))


def head_first_downwards() -> CtStack:
    return CtStack(np.array([[-3.0, -6.0, 100 - 5.0 * k] for k in range(12)]), directions=AXIAL)


def coronal() -> CtStack:
    return CtStack(np.array([[-3.0, 2.0 * k, 8.0] for k in range(12)]), directions=((1, 0, 0), (0, 0, -1)))


def sagittal() -> CtStack:
    return CtStack(np.array([[2.0 * k, -3.0, 8.0] for k in range(12)]), directions=((0, 1, 0), (0, 0, -1)))


@pytest.mark.parametrize(
    "make",
    [axial, tilted, oblique, uneven, flipped_in_plane, mirrored, head_first_downwards, coronal, sagittal],
    ids=lambda make: make.__name__,
)
def test_each_voxel_keeps_its_place(make, tmp_path):
    volume, _ = read_one(write_stack(tmp_path, make()))
    assert_every_voxel_is_where_the_tags_say(volume)


def test_a_point_marked_in_the_patient_lands_in_its_voxel(tmp_path):
    stack = tilted()
    hu = np.full((12, 14, 10), -1000)
    hu[7, 3, 6] = 500
    point = stack.points()[7, 3, 6]
    volume, _ = read_one(write_stack(tmp_path, CtStack(stack.origins_lps_mm, stack.directions, hu=hu)))
    i, j, k = np.rint(volume.grid.lps_to_voxel(point)).astype(int)
    assert volume.array_kji[k, j, i] == 500


def test_the_order_of_the_files_does_not_matter(tmp_path):
    stack = uneven()
    rank = np.random.default_rng(1).permutation(11)
    stack = CtStack(stack.origins_lps_mm[rank], stack.directions)
    volume, _ = read_one(write_stack(tmp_path, stack))
    assert_every_voxel_is_where_the_tags_say(volume)


@pytest.mark.parametrize("make", [axial, tilted, mirrored, head_first_downwards], ids=lambda make: make.__name__)
def test_axial_slices_run_from_inferior_to_superior(make, tmp_path):
    volume, _ = read_one(write_stack(tmp_path, make()))
    assert (np.diff(volume.grid.origins_lps_mm[:, 2]) > 0).all()


def test_instance_uids_follow_the_slices(tmp_path):
    stack = head_first_downwards()
    uids = {}

    def note(k, item):
        uids[round(float(item.ImagePositionPatient[2]), 3)] = item.SOPInstanceUID

    volume, _ = read_one(write_stack(tmp_path, stack, note))
    assert list(volume.sop_instance_uids) == [uids[round(z, 3)] for z in volume.grid.origins_lps_mm[:, 2]]


def test_tilt_and_spacing_are_those_that_were_written(tmp_path):
    volume, _ = read_one(write_stack(tmp_path, tilted()))
    assert volume.grid.tilt_deg == pytest.approx(18.5, abs=1e-4)
    assert volume.grid.slice_spacings_mm == pytest.approx(4.4 * np.cos(np.radians(18.5)), abs=1e-4)


def test_missing_positions_are_taken_from_the_slice_location_and_flagged(tmp_path):
    def change(k, item):
        item.SliceLocation = float(item.ImagePositionPatient[2])
        del item.ImagePositionPatient

    volume, codes = read_one(write_stack(tmp_path, axial(), change))
    assert codes == {"position_from_slice_location"}
    assert volume.grid.origins_lps_mm[:, 2] == pytest.approx(10 + 5.0 * np.arange(12))
    middle = volume.grid.voxel_to_lps(np.array([4.5, 6.5, 0]))
    assert middle[:2] == pytest.approx([0, 0])


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (without("ImagePositionPatient"), "position"),
        (without("ImageOrientationPatient"), "orientation"),
        (without("PixelSpacing"), "spacing"),
        (every(PixelSpacing=[0.0, 0.5]), "spacing"),
        (every(ImageOrientationPatient=[1, 0, 0, 0.3, 0.9539392, 0]), "perpendicular"),
        (every(ImageOrientationPatient=[0, 0, 0, 0, 1, 0]), "orientation"),
    ],
    ids=["no position", "no orientation", "no spacing", "zero spacing", "not perpendicular", "zero direction"],
)
def test_unknown_geometry_is_refused(spoil, word, tmp_path):
    with pytest.raises(GeometryError, match=word) as caught:
        read_one(write_stack(tmp_path, axial(), spoil))
    assert "Head 5.0" in caught.value.where


def test_some_slices_without_position_are_refused(tmp_path):
    def change(k, item):
        if k == 5:
            del item.ImagePositionPatient

    with pytest.raises(GeometryError), open_input(write_stack(tmp_path, axial(), change)) as (study,):
        for series in study.series:
            read_volume(series)


def test_geometry_errors_count_as_unreadable_input():
    assert issubclass(GeometryError, InputError) and GeometryError.exit_code == 3
