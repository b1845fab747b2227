"""Written series read back with pydicom: same Hounsfield units, same places, valid attributes."""

import json
from types import SimpleNamespace

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from NeuroTriageLib.core.errors import ConfigError, InputError, OutputError
from NeuroTriageLib.core.geometry import SliceGrid
from NeuroTriageLib.simulation import exam_folders
from NeuroTriageLib.simulation.dicom_export import CtSeriesDescription, write_dicom_study
from NeuroTriageLib.simulation.dicom_objects import TRANSFER_SYNTAXES
from NeuroTriageLib.simulation.exam_folders import simulate_to_folder, write_exam


@pytest.fixture(scope="module")
def tilted(simulate):
    return simulate(
        7,
        tilt_probability=1.0,
        tilt_deg=(14.0, 15.0),
        positive_probability=1.0,
        slice_spacings_mm=(8.0,),
        matrix=64,
        padding_hu=(-1024.0,),
    )


@pytest.mark.parametrize("syntax", TRANSFER_SYNTAXES)
@pytest.mark.parametrize("padding_hu", [None, -2000.0])
def test_a_written_series_reads_back_with_the_same_hu(tilted, tmp_path, syntax, padding_hu):
    description = CtSeriesDescription(padding_hu=padding_hu)
    paths = write_dicom_study(tilted.volume, tmp_path, transfer_syntax=syntax, description=description)
    for k, path in enumerate(paths):
        dataset = pydicom.dcmread(path)
        assert dataset.file_meta.TransferSyntaxUID == TRANSFER_SYNTAXES[syntax][0]
        hu = dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
        expected = tilted.volume.array_kji[k]
        if padding_hu is not None:
            padded = hu == padding_hu
            assert padded[0, 0]
            assert dataset.PixelPaddingValue == padding_hu + 1024
            hu = np.where(padded, -1024, hu)
        assert np.array_equal(hu, expected)


def test_a_picture_that_is_padded_with_less_than_air_keeps_its_padding(simulate, tmp_path):
    volume = simulate(2, slice_spacings_mm=(8.0,), matrix=64, padding_hu=(-3024.0,)).volume
    for k, path in enumerate(write_dicom_study(volume, tmp_path)):
        dataset = pydicom.dcmread(path)
        assert dataset.PixelPaddingValue == -2000
        hu = dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
        assert np.array_equal(hu, volume.array_kji[k])


def test_a_written_series_keeps_the_place_of_every_slice(tilted, tmp_path):
    grid = tilted.volume.grid
    datasets = [pydicom.dcmread(path) for path in write_dicom_study(tilted.volume, tmp_path)]
    for k, dataset in enumerate(datasets):
        assert [float(v) for v in dataset.ImagePositionPatient] == pytest.approx(list(grid.origins_lps_mm[k]), abs=1e-3)
        orientation = [float(v) for v in dataset.ImageOrientationPatient]
        assert orientation == pytest.approx([*grid.direction_i, *grid.direction_j], abs=1e-6)
        assert abs(float(dataset.GantryDetectorTilt)) == pytest.approx(grid.tilt_deg, abs=0.01)
        assert float(dataset.SliceThickness) == pytest.approx(8.0)
    assert len({d.SOPInstanceUID for d in datasets}) == len(datasets)
    assert len({d.SeriesInstanceUID for d in datasets}) == 1
    assert all(d.PatientID.startswith("SIM") and d.Modality == "CT" and d.BodyPartExamined == "HEAD" for d in datasets)


def test_uids_come_from_the_seed(tilted, tmp_path):
    def uids(seed, folder):
        paths = write_dicom_study(tilted.volume, tmp_path / folder, description=CtSeriesDescription(seed=seed))
        return [pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID for path in paths]

    assert uids(1, "a") == uids(1, "b")
    assert not set(uids(1, "a")) & set(uids(2, "c"))
    assert all(uid.startswith("2.25.") and len(uid) <= 64 for uid in uids(1, "a"))


def test_an_unknown_transfer_syntax_is_refused(tilted, tmp_path):
    with pytest.raises(ConfigError):
        write_dicom_study(tilted.volume, tmp_path, transfer_syntax="mpeg")


@pytest.fixture
def small_phantom(anatomy, monkeypatch):
    monkeypatch.setattr(exam_folders, "phantom_anatomy", lambda: anatomy)


def test_exams_are_written_with_label_and_truth_on_the_same_grid(small_phantom, tmp_path):
    options = SimpleNamespace(output=tmp_path / "out", maps=None, count=2, seed=11, matrix=64, format="dicom")
    steps = []
    folders = simulate_to_folder(options, progress=lambda stage, fraction: steps.append(fraction))
    assert [folder.name for folder in folders] == ["exam_000011", "exam_000012"]
    assert steps == [0.0, 0.5, 1.0]
    for folder in folders:
        truth = json.loads((folder / "truth.json").read_text())
        label = np.load(folder / "label.npz")["label_kji"]
        grid = SliceGrid.from_json(truth["grid"])
        assert label.shape == grid.shape_kji
        assert len(list((folder / "dicom").glob("*.dcm"))) == grid.shape_kji[0]
        voxels = (label > 0).sum((1, 2)) @ grid.voxel_volumes_ml
        assert sum(truth["volume_ml"].values()) == pytest.approx(voxels, abs=1e-2)
    with pytest.raises(OutputError):
        simulate_to_folder(options)


def test_nifti_exams_lie_where_the_truth_says(small_phantom, tmp_path):
    options = SimpleNamespace(output=tmp_path, maps=None, count=1, seed=3, matrix=64, format="nifti")
    (folder,) = simulate_to_folder(options)
    image = sitk.ReadImage(str(folder / "ct.nii.gz"))
    grid = SliceGrid.from_json(json.loads((folder / "truth.json").read_text())["grid"])
    last = np.array(grid.shape_kji[::-1]) - 1
    corner = image.TransformIndexToPhysicalPoint([int(n) for n in last])
    assert corner == pytest.approx(tuple(grid.voxel_to_lps(last.astype(float))), abs=0.05)


def test_a_tilted_stack_is_not_written_as_one_image(tilted, tmp_path):
    with pytest.raises(InputError):
        write_exam(tilted, tmp_path / "exam", image_format="nifti")


def test_a_folder_without_maps_is_refused(tmp_path):
    options = SimpleNamespace(output=tmp_path / "out", maps=tmp_path, count=1, seed=0, matrix=64, format="dicom")
    with pytest.raises(InputError):
        simulate_to_folder(options)
