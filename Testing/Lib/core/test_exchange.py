"""Exchange folders: what is written comes back the same; damage is an input error."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from NeuroTriageLib.core.errors import GeometryError, InputError
from NeuroTriageLib.core.exchange import load_exam, load_volume, save_exam, save_volume
from NeuroTriageLib.core.findings import (
    Abc2,
    ExamResult,
    Familiarity,
    Finding,
    ModelIdentity,
    QualityFlag,
    Reading,
    Region,
    SeriesJudgement,
)
from NeuroTriageLib.core.geometry import SliceGrid
from NeuroTriageLib.core.midline import MidlinePoints, MidlineShift
from NeuroTriageLib.core.volume import Volume

SHAPE = (3, 4, 5)


@pytest.fixture
def volume() -> Volume:
    """A tilted, uneven series with UIDs."""
    tilted = SliceGrid(
        shape_kji=SHAPE,
        origins_lps_mm=np.array([[0, 0, 0], [0, 1, 5], [0, 2, 12.5]]),
        direction_i=np.array([1.0, 0, 0]),
        direction_j=np.array([0, 1.0, 0]),
        spacing_i_mm=0.4,
        spacing_j_mm=0.5,
        slice_thickness_mm=4.8,
    )
    array = np.arange(60, dtype=np.int16).reshape(SHAPE) - 30
    return Volume(array, tilted, "CT", "1.2.3", ("1.2.3.1", "1.2.3.2", "1.2.3.3"), (1, 2, 3), "scan")


@pytest.fixture
def result(volume) -> ExamResult:
    """An exam with every field in use."""
    reading = Reading(
        system="kuo2019",
        codes=("IPH", "SDH"),
        probability={"any": 0.9, "IPH": 0.8, "SDH": 0.1},
        threshold={"any": 0.5, "IPH": 0.5, "SDH": 0.5},
        slice_probability={"any": np.array([0.1, 0.2, 0.9], dtype=np.float32)},
        label_kji=np.ones(SHAPE, dtype=np.uint8),
        heatmap_kji=np.full(SHAPE, 0.25, dtype=np.float16),
        model=ModelIdentity("pack", "1.0", "ab" * 32),
        timings_s={"network": 0.5},
        regions=(Region("SDH", 0.3, False, 2, (0, 1, 2, 3)),),
        heatmap_source="mean of kuo2019",
    )
    opinion = dataclasses.replace(reading, system="ye2019", segments=False, regions=())
    ends = ((0.0, 1.0, 2.0), (3.0, 4.0, 5.0))
    return ExamResult(
        volume=volume,
        input="scan",
        study_instance_uid="1.2",
        judgements=(SeriesJudgement("1.2.3", "HEAD 5MM", "CT", 3, True, ("Axial.", "Soft kernel.")),),
        quality=(QualityFlag("tilt", "The gantry is tilted by 12 degrees.", 12.0),),
        readings=(reading, opinion),
        findings=(
            Finding("any", "kuo2019", "found", 0.9, 0.5, 3.0, 1, 2, "small", doubt=0.2, agreement="split"),
            Finding("EDH", "kuo2019", "could_not_look", reason="The series is incomplete."),
        ),
        abc2=(Abc2("IPH", 10.0, 8.0, 6.0, 0.24, 0.3, -20.0, 2, ends, ends, "multilobular"),),
        device="cpu",
        timings_s={"headers": 0.1},
        opinions=(Finding("any", "ye2019", "found", 0.8, 0.5),),
        familiarity=Familiarity(4.2, 3.0, ("the noise is high",), accepted=True),
        midline=MidlineShift(MidlinePoints(*ends, (1.5, 2.0, 3.0)), 6.5, "left", (8.0, 2.0, 3.0), 1, "Mind it."),
    )


def test_a_volume_comes_back_the_same(volume, tmp_path):
    save_volume(volume, tmp_path / "a" / "b")
    back = load_volume(tmp_path / "a" / "b")
    assert back.grid.same_as(volume.grid, tolerance_mm=1e-9)
    np.testing.assert_array_equal(back.array_kji, volume.array_kji)
    assert back.array_kji.dtype == np.int16
    for name in ("modality", "series_instance_uid", "sop_instance_uids", "frame_numbers", "source"):
        assert getattr(back, name) == getattr(volume, name)


def test_an_exam_comes_back_the_same(result, tmp_path):
    save_exam(result, tmp_path)
    back = load_exam(tmp_path)
    for name in (f.name for f in dataclasses.fields(ExamResult) if f.name not in ("volume", "readings")):
        assert getattr(back, name) == getattr(result, name), name
    ours, theirs = result.readings[0], back.readings[0]
    np.testing.assert_array_equal(theirs.label_kji, ours.label_kji)
    np.testing.assert_array_equal(theirs.heatmap_kji, ours.heatmap_kji)
    np.testing.assert_allclose(theirs.slice_probability["any"], ours.slice_probability["any"])
    for field in dataclasses.fields(Reading):
        if field.name not in ("label_kji", "heatmap_kji", "slice_probability"):
            assert getattr(theirs, field.name) == getattr(ours, field.name), field.name


def test_an_exam_that_an_earlier_version_kept_has_no_midline_shift(result, tmp_path):
    save_exam(result, tmp_path)
    path = tmp_path / "exam.json"
    kept = json.loads(path.read_text("utf-8"))
    del kept["midline"]
    path.write_text(json.dumps(kept), "utf-8")
    assert load_exam(tmp_path).midline is None


def test_of_the_opinions_everything_but_masks_and_heatmaps_comes_back(result, tmp_path):
    save_exam(result, tmp_path)
    _, opinion = load_exam(tmp_path).readings
    assert (
        opinion.system == "ye2019"
        and not opinion.segments
        and opinion.probability == {"any": 0.9, "IPH": 0.8, "SDH": 0.1}
    )
    assert not opinion.label_kji.any()


def test_a_finding_that_could_not_be_looked_at_is_neither_present_nor_absent(result, tmp_path):
    save_exam(result, tmp_path)
    assert [finding.present for finding in load_exam(tmp_path).findings] == [True, None]


def test_a_missing_or_damaged_folder_is_an_input_error(volume, tmp_path):
    with pytest.raises(InputError):
        load_volume(tmp_path / "nothing")
    save_volume(volume, tmp_path)
    arrays = tmp_path / "arrays.npz"
    arrays.write_bytes(arrays.read_bytes()[:100])
    with pytest.raises(InputError):
        load_volume(tmp_path)
    (tmp_path / "exam.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError):
        load_volume(tmp_path)


def test_an_image_that_does_not_fit_its_geometry_is_refused(volume):
    with pytest.raises(GeometryError, match="shape"):
        Volume(volume.array_kji[:2], volume.grid)
