"""The sample that ships: complete, small, and its truth agrees with its files."""

import json
from pathlib import Path

import numpy as np
import pydicom
import pytest

from NeuroTriageLib.core.geometry import SliceGrid

SAMPLE = Path(__file__).parents[3] / "Resources" / "SampleData" / "HeadCtSample"


def test_the_sample_has_forty_tilted_slices_in_less_than_five_megabytes():
    files = sorted((SAMPLE / "dicom").glob("*.dcm"))
    assert len(files) == 40
    assert sum(path.stat().st_size for path in SAMPLE.rglob("*") if path.is_file()) < 5_000_000
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in files]
    assert {(h.Rows, h.Columns, str(h.PatientName)) for h in headers} == {(512, 512, "Simulated^Head")}
    assert float(headers[0].GantryDetectorTilt) == pytest.approx(12, abs=1)


def test_the_samples_truth_lies_on_its_slices_and_counts_its_voxels():
    truth = json.loads((SAMPLE / "truth.json").read_text())
    label = np.load(SAMPLE / "label.npz")["label_kji"]
    grid = SliceGrid.from_json(truth["grid"])
    assert truth["types"] == ["IPH", "IVH", "SAH"]
    for code, value in truth["label_values"].items():
        volume = (label == value).sum((1, 2)) @ grid.voxel_volumes_ml
        assert truth["volume_ml"][code] == pytest.approx(volume, abs=1e-3)
    for k, path in enumerate(sorted((SAMPLE / "dicom").glob("*.dcm"))):
        header = pydicom.dcmread(path, stop_before_pixels=True)
        position = [float(v) for v in header.ImagePositionPatient]
        assert position == pytest.approx(list(grid.origins_lps_mm[k]), abs=1e-3)
