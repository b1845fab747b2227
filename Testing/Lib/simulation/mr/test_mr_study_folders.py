"""Written studies: what is read back from DICOM and NIfTI is what was simulated."""

import json

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from NeuroTriageLib import cli
from NeuroTriageLib.core.geometry import SliceGrid
from NeuroTriageLib.simulation.mr.profiles import GE_LIKE, PHILIPS_LIKE
from NeuroTriageLib.simulation.mr.study_folders import MASKS_FILE, write_study


def _headers(folder):
    return [pydicom.dcmread(path) for path in sorted(folder.glob("*.dcm"))]


@pytest.mark.parametrize("profile", [GE_LIKE, PHILIPS_LIKE])
def test_dicom_files_hold_the_values_the_places_and_the_sequence(tmp_path, simulate_mr, profile):
    roles = ("ADC", "TRACE", "T1_post")
    study = simulate_mr(3, profiles=(profile,), infarct_probability=1.0, roles=roles)
    write_study(study, tmp_path / "study", transfer_syntax="explicit")
    for role in roles:
        series = study.series[role]
        headers = _headers(tmp_path / "study" / "dicom" / role)
        assert len(headers) == len(series.volume.array_kji)
        for k in (0, len(headers) - 1):
            header = headers[k]
            slope = float(header.get("RescaleSlope", 1.0))
            step = slope if series.adc_unit_mm2_per_s else 1.0
            assert header.pixel_array * slope == pytest.approx(series.volume.array_kji[k], abs=0.51 * step)
            position = [float(v) for v in header.ImagePositionPatient]
            assert position == pytest.approx(list(series.volume.grid.origins_lps_mm[k]), abs=1e-3)
        assert headers[0].EchoTime == pytest.approx(series.plan.sequence.te_ms)
        assert headers[0].MagneticFieldStrength == study.plan.field_tesla
    trace = _headers(tmp_path / "study" / "dicom" / "TRACE")[0]
    # One maker writes no b-value, and a trace image as a spin echo.
    assert ("DiffusionBValue" in trace) == (profile is GE_LIKE)
    assert list(np.atleast_1d(trace.ScanningSequence)) == (["EP", "SE"] if profile is GE_LIKE else ["SE"])
    assert "ContrastBolusAgent" in _headers(tmp_path / "study" / "dicom" / "T1_post")[0]


def test_truth_and_masks_lie_on_the_series_that_were_written(tmp_path, infarct_study):
    write_study(infarct_study, tmp_path / "study", image_format="nifti")
    truth = json.loads((tmp_path / "study" / "truth.json").read_text())
    masks = np.load(tmp_path / "study" / MASKS_FILE)
    for role, series in infarct_study.series.items():
        grid = SliceGrid.from_json(truth["grids"][role])
        assert grid.same_as(series.volume.grid)
        image = sitk.ReadImage(str(tmp_path / "study" / f"{role}.nii.gz"))
        assert image.GetSize()[::-1] == grid.shape_kji
        assert image.TransformIndexToPhysicalPoint((0, 0, 0)) == pytest.approx(grid.origins_lps_mm[0], abs=1e-2)
        mask = masks[f"{role}.acute_infarct"]
        volume = float((mask.sum((1, 2)) * grid.voxel_volumes_ml).sum())
        assert volume == pytest.approx(truth["series"][role]["mask_ml"]["acute_infarct"], abs=1e-3)


def test_the_command_line_refuses_unknown_series(tmp_path, capsys):
    assert cli.main(["simulate", "mr", "-o", str(tmp_path / "out"), "--contrasts", "FLAIR", "XYZ"]) != 0
    assert "XYZ" in capsys.readouterr().err
