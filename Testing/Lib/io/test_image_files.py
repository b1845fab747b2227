"""NIfTI and NRRD keep the place of every voxel, sheared and flipped ones too, and only CT values are taken for CT."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from NeuroTriageLib.core.errors import GeometryError, InputError, SeriesSelectionError
from NeuroTriageLib.io.image_files import read_image_values
from NeuroTriageLib.io.inputs import open_input, read_volume
from Testing.Lib.io.nifti_builder import write_nifti

SHAPE_KJI = (6, 9, 8)
SHEAR = np.array([[0.5, 0, 0, 10.0], [0, 0.6, 5 * np.tan(np.radians(15)), -20.0], [0, 0, 5, 30.0], [0, 0, 0, 1]])
FLIPPED = np.diag([-0.5, 0.6, 5.0, 1.0]) + np.array([[0, 0, 0, 12.0], [0, 0, 0, 5.0], [0, 0, 0, 3.0], [0] * 4])
TURNED = np.array([[0, -0.6, 0, 1.0], [0.5, 0, 0, 2.0], [0, 0, 5, 3.0], [0, 0, 0, 1]])
RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def ct_values(shape_kji=SHAPE_KJI) -> np.ndarray:
    """Air, soft tissue and bone, every voxel with another value within its kind."""
    array = np.full(shape_kji, -1000.0)
    array[:, 2:7, 1:7] = 800
    array[:, 3:6, 2:6] = 30
    return (array + np.arange(array.size).reshape(shape_kji) % 17).astype(np.int16)


def only_series(path: Path):
    with open_input(path) as (study,):
        (series,) = study.series
        return series


def assert_placed(grid, affine_lps: np.ndarray) -> None:
    """The grid puts the corners where the affine does."""
    corners = np.array([[i, j, k] for i in (0, 7) for j in (0, 8) for k in range(6)], dtype=float)
    expected = corners @ affine_lps[:3, :3].T + affine_lps[:3, 3]
    assert np.abs(grid.voxel_to_lps(corners) - expected).max() < 1e-4


@pytest.mark.parametrize("affine", [SHEAR, FLIPPED, TURNED], ids=["sheared", "flipped", "turned"])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "without_suffix"])
def test_an_sform_places_every_voxel(affine, name, tmp_path):
    if name == "without_suffix":
        path = write_nifti(tmp_path / "b.nii", ct_values(), affine).rename(tmp_path / name)
    else:
        path = write_nifti(tmp_path / name, ct_values(), affine)
    volume, flags = read_volume(only_series(path))
    assert_placed(volume.grid, RAS_TO_LPS @ affine)
    assert np.array_equal(volume.array_kji, ct_values())
    assert {flag.code for flag in flags} == {"modality_inferred"}


def test_a_tilted_sform_keeps_its_tilt_although_the_qform_has_none(tmp_path):
    path = write_nifti(tmp_path / "a.nii", ct_values(), SHEAR, (0, 0, 0, 10, -20, 30))
    volume, _ = read_volume(only_series(path))
    assert volume.grid.tilt_deg == pytest.approx(15, abs=1e-3)


def test_the_qform_counts_when_the_sform_code_is_zero(tmp_path):
    half = float(np.sqrt(0.5))  # quarter turn about z: i runs along +y, j along -x
    path = write_nifti(tmp_path / "a.nii", ct_values(), FLIPPED, (0, 0, half, 1, 2, 3), sform_code=0)
    volume, _ = read_volume(only_series(path))
    assert_placed(volume.grid, RAS_TO_LPS @ TURNED)


@pytest.mark.parametrize("quaternion", [(0, 0, 0, 1, 2, 3), (0.1, 0.2, 0.3, -4, 5, 6), (0, 1, 0, 9, 9, 9)])
@pytest.mark.parametrize("qfac", [1.0, -1.0])
def test_a_qform_is_read_as_itk_reads_it(quaternion, qfac, tmp_path):
    path = write_nifti(tmp_path / "a.nii", ct_values(), None, quaternion, qfac=qfac)
    image = sitk.ReadImage(str(path))
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    assert_placed(read_volume(only_series(path))[0].grid, affine)


def test_a_header_that_does_not_place_the_voxels_is_refused(tmp_path):
    with pytest.raises(GeometryError, match="neither by sform nor by qform"):
        open_input(write_nifti(tmp_path / "a.nii", ct_values()))


def test_slope_and_intercept_of_the_header_are_applied(tmp_path):
    stored = (ct_values() + 1024).astype(np.uint16)
    volume, _ = read_volume(only_series(write_nifti(tmp_path / "a.nii", stored, TURNED, scale=(1.0, -1024.0))))
    assert np.array_equal(volume.array_kji, ct_values()) and volume.array_kji.dtype == np.int16


def test_values_stored_unsigned_without_an_intercept_are_mended_and_flagged(tmp_path):
    stored = (ct_values() + 1024).astype(np.uint16)
    volume, flags = read_volume(only_series(write_nifti(tmp_path / "a.nii", stored, TURNED)))
    assert np.array_equal(volume.array_kji, ct_values())
    assert "rescale_missing" in {flag.code for flag in flags}


def test_fractions_stay_and_no_number_becomes_air(tmp_path):
    values = ct_values().astype(np.float32) + 0.25
    values[0, 0, 0] = np.nan
    volume, _ = read_volume(only_series(write_nifti(tmp_path / "a.nii", values, TURNED)))
    assert volume.array_kji.dtype == np.float32 and volume.array_kji[0, 0, 0] == -1024
    assert volume.array_kji[1, 1, 1] == values[1, 1, 1]


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
def test_values_that_are_no_hounsfield_units_are_no_ct(suffix, tmp_path):
    mr = np.random.default_rng(0).integers(0, 900, SHAPE_KJI).astype(np.int16)
    if suffix == ".nrrd":
        sitk.WriteImage(sitk.GetImageFromArray(mr), str(tmp_path / "a.nrrd"))
        path = tmp_path / "a.nrrd"
    else:
        path = write_nifti(tmp_path / "a.nii.gz", mr, TURNED)
    with pytest.raises(SeriesSelectionError, match="not Hounsfield units") as caught:
        read_volume(only_series(path))
    assert caught.value.exit_code == 4 and caught.value.next_step


@pytest.mark.parametrize("dims", [(8, 9, 3, 2), (8, 54)])
def test_what_is_no_stack_is_refused(dims, tmp_path):
    with pytest.raises(InputError, match="one 3D stack"):
        open_input(write_nifti(tmp_path / "a.nii", ct_values(), TURNED, dims=dims))


def test_a_fourth_dimension_of_one_is_read(tmp_path):
    volume, _ = read_volume(only_series(write_nifti(tmp_path / "a.nii", ct_values(), TURNED, dims=(8, 9, 6, 1))))
    assert volume.grid.shape_kji == SHAPE_KJI


def test_colour_is_refused(tmp_path):
    with pytest.raises(InputError, match="colour"):
        open_input(write_nifti(tmp_path / "a.nii", ct_values(), TURNED, datatype=128))


def test_a_header_without_its_image_is_refused(tmp_path):
    path = write_nifti(tmp_path / "a.nii", ct_values(), TURNED)
    path.write_bytes(path.read_bytes().replace(b"n+1\0", b"ni1\0"))
    with pytest.raises(InputError, match="without its image"):
        open_input(path)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_truncated_nifti_is_refused(name, tmp_path):
    path = write_nifti(tmp_path / name, np.random.default_rng(0).integers(0, 99, SHAPE_KJI).astype("i2"), TURNED)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match="truncated"):
        read_volume(only_series(path))


def nrrd_text(directions: str, space: str = "left-posterior-superior") -> str:
    return (
        f"NRRD0004\ntype: short\ndimension: 3\nspace: {space}\nsizes: 8 9 6\nspace directions: {directions}\n"
        "kinds: domain domain domain\nendian: little\nencoding: raw\nspace origin: (10,-20,30)\n\n"
    )


@pytest.mark.parametrize(("space", "to_lps"), [("left-posterior-superior", np.eye(4)), ("RAS", RAS_TO_LPS)])
def test_a_sheared_nrrd_keeps_its_tilt(space, to_lps, tmp_path):
    directions = f"(0.5,0,0) (0,0.6,0) (0,{SHEAR[1, 2]},5)"
    (tmp_path / "a.nrrd").write_bytes(nrrd_text(directions, space).encode() + ct_values().astype("<i2").tobytes())
    volume, _ = read_volume(only_series(tmp_path / "a.nrrd"))
    assert_placed(volume.grid, to_lps @ SHEAR)
    assert volume.grid.slice_thickness_mm == pytest.approx(5)
    assert np.array_equal(volume.array_kji, ct_values())


def test_an_nrrd_without_a_space_is_refused(tmp_path):
    text = "NRRD0004\ntype: short\ndimension: 3\nsizes: 8 9 6\nspacings: 1 1 5\nendian: little\nencoding: raw\n\n"
    (tmp_path / "a.nrrd").write_bytes(text.encode() + ct_values().astype("<i2").tobytes())
    with pytest.raises(GeometryError, match="space"):
        open_input(tmp_path / "a.nrrd")


def test_a_truncated_nrrd_is_refused(tmp_path):
    text = nrrd_text("(0.5,0,0) (0,0.6,0) (0,0,5)")
    (tmp_path / "a.nrrd").write_bytes(text.encode() + ct_values().tobytes()[:-99])
    with pytest.raises(InputError, match="truncated"):
        read_volume(only_series(tmp_path / "a.nrrd"))


def test_an_nrrd_of_several_values_per_voxel_is_refused(tmp_path):
    image = sitk.GetImageFromArray(np.zeros((6, 9, 8, 3), np.uint8), isVector=True)
    sitk.WriteImage(image, str(tmp_path / "a.nrrd"))
    with pytest.raises(InputError, match="values per voxel"):
        open_input(tmp_path / "a.nrrd")


def test_image_files_of_one_folder_are_one_study(tmp_path):
    write_nifti(tmp_path / "ct.nii.gz", ct_values(), TURNED)
    write_nifti(tmp_path / "mask.nii.gz", (ct_values() > 500).astype(np.uint8), TURNED)
    with open_input(tmp_path) as (study,):
        assert [series.description for series in study.series] == ["ct.nii.gz", "mask.nii.gz"]
        array, _ = read_image_values(study.series[1])
        assert set(np.unique(array)) == {0, 1}
