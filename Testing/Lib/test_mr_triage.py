"""A brain MRI on disk becomes findings on its own series: from NIfTI or DICOM, alone or beside a head CT."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK

from NeuroTriageLib import catalog, cli
from NeuroTriageLib.core.codes import FINDING_CODES
from NeuroTriageLib.core.errors import ConfigError
from NeuroTriageLib.core.resources import sample_data_folder
from NeuroTriageLib.core.stage_clock import StageClock, no_progress
from NeuroTriageLib.core.volume import Volume
from NeuroTriageLib.io.inputs import open_input
from NeuroTriageLib.io.model_packs import read_manifest
from NeuroTriageLib.mr_pipeline import triage_mr_volume
from NeuroTriageLib.outputs.findings_json import findings_schema
from NeuroTriageLib.outputs.folder import write_outputs
from NeuroTriageLib.pipeline import Choices, Readers, triage_input
from NeuroTriageLib.series_selection.mr_study_images import choose_mr_study
from Testing.Lib import tiny_nael2021, tiny_packs
from Testing.Lib.ct_series import write_series
from Testing.Lib.mr_phantom import SHAPE, grid, head, write_nifti, write_study
from Testing.Lib.outputs.dicom.made_objects import HAS_DCIODVFY, errors_of, volume_ml

ALWAYS = dict.fromkeys(tiny_nael2021.CONFIG.codes, 0.0)
LOW = dict.fromkeys(tiny_nael2021.CONFIG.pixel_threshold, 0.01)  # random weights draw something above it


@pytest.fixture(scope="module")
def pack(tmp_path_factory) -> Path:
    config = dataclasses.replace(tiny_nael2021.CONFIG, pixel_threshold=LOW)
    return tiny_nael2021.save(tmp_path_factory.mktemp("packs") / "tiny", config, operating_points=ALWAYS)


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    return write_study(tmp_path_factory.mktemp("mr") / "study")


@pytest.fixture(scope="module")
def system(pack):
    return catalog.load_system(pack=pack, device="cpu")


def run(*arguments: object) -> int:
    return cli.main(["triage", *map(str, arguments), "--no-scene"])


def test_nifti_files_are_read_by_the_contrast_in_their_names(study, pack, tmp_path, capsys):
    write_nifti(study, "FLAIR_mask_acute_infarct.nii.gz", (head("FLAIR") > 100).astype(np.float32))
    out = tmp_path / "out"
    assert run(study, "-o", out, "--model", pack) == 0
    document = json.loads((out / "findings.json").read_text("utf-8"))
    assert document["contrast"] == "FLAIR" and document["further_series"][0]["contrast"] == "TRACE"
    said = [row for part in (document, *document["further_series"]) for row in part["findings"]]
    assert {row["code"]: row["status"] for row in said} == dict.fromkeys(ALWAYS, "found")
    assert {row["system"] for row in said} == {"nael2021"}
    names = {path.name for path in out.iterdir()}
    assert set(document["files"].values()) | set(document["further_series"][0]["files"].values()) <= names
    assert names >= {"report.html", "masks_FLAIR.seg.nrrd", "heatmap_TRACE_acute_infarct.nrrd"}
    assert "scene.mrb" not in names and capsys.readouterr().out.count("not for diagnosis") == 1
    volumes = {row["code"]: row["volume_ml"] for row in said}
    assert volumes["abnormal"] is None and volumes["acute_infarct"] is not None
    files = {Path(item["description"]).name for item in document["series"]["also_read"]}
    assert files == {"ADC.nii.gz", "TRACE.nii.gz", "T1.nii.gz"}


def test_findings_json_of_a_study_fits_the_schema(study, system, tmp_path):
    jsonschema = pytest.importorskip("jsonschema")
    write_outputs(triage_input(study, Readers(None, lambda: system)), tmp_path / "out")
    document = json.loads((tmp_path / "out" / "findings.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(findings_schema()).validate(document)


def test_masks_and_heatmaps_lie_on_the_series_own_voxels(study, system, tmp_path):
    results = triage_input(study, Readers(None, lambda: system))
    write_outputs(results, tmp_path / "out")
    for result in results:
        heat = SimpleITK.ReadImage(str(tmp_path / "out" / f"heatmap_{result.contrast}.nrrd"))
        assert heat.GetSize() == SHAPE[::-1]
        assert np.allclose(heat.GetSpacing(), (4.0, 4.0, 7.0))
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "MRI, FLAIR series" in page and "MRI, trace-weighted series" in page and "level 40" not in page


def test_a_missing_contrast_is_told_and_is_no_negative(pack, tmp_path, capsys):
    folder = write_study(tmp_path / "study", ("FLAIR", "T1"))
    assert run(folder, "-o", tmp_path / "out", "--model", pack) == 0
    document = json.loads((tmp_path / "out" / "findings.json").read_text("utf-8"))
    status = {row["code"]: row["status"] for row in document["findings"]}
    assert status == dict.fromkeys(ALWAYS, "could_not_look") | {"mass_effect": "found", "abnormal": "found"}
    reasons = {row["code"]: row["reason"] for row in document["findings"]}
    assert "ADC" in reasons["acute_infarct"] and reasons["mass_effect"] == ""
    assert reasons["abnormal"].startswith("Found without") and "ADC" in reasons["abnormal"]


def test_one_volume_in_memory_is_answered_as_the_contrast_that_the_user_states(system):
    volume = Volume(head("FLAIR"), grid(SHAPE), "MR")
    (result,) = triage_mr_volume(volume, "FLAIR", system, path="scene", clock=StageClock(no_progress))
    status = {finding.code: finding.status for finding in result.findings}
    assert status == dict.fromkeys(ALWAYS, "could_not_look") | {"mass_effect": "found", "abnormal": "found"}
    assert result.contrast == "FLAIR" and result.volume is volume and result.grid is volume.grid
    assert result.quality[0].code == "contrast_stated" and "stated" in result.quality[0].message
    (blind,) = triage_mr_volume(volume, "T2", system, path="scene", clock=StageClock(no_progress))
    assert {finding.status for finding in blind.findings} == {"could_not_look"} and not blind.readings
    with pytest.raises(ConfigError, match="T3"):
        triage_mr_volume(volume, "T3", system, path="scene", clock=StageClock(no_progress))


def test_a_study_without_a_needed_contrast_ends_with_4(pack, tmp_path, capsys):
    folder = write_study(tmp_path / "study", ("T1", "T2"))
    assert run(folder, "-o", tmp_path / "out", "--model", pack) == 4
    assert not (tmp_path / "out").exists()
    folder = write_study(tmp_path / "trace", ("TRACE",))
    assert run(folder, "-o", tmp_path / "answered", "--model", pack) == 4
    document = json.loads((tmp_path / "answered" / "findings.json").read_text("utf-8"))
    assert {row["status"] for row in document["findings"]} == {"could_not_look"}
    assert "not a negative result" in capsys.readouterr().err


def test_without_a_pack_the_user_is_told_what_to_do(study, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(catalog, "models_folder", lambda: tmp_path / "no packs")
    assert run(study, "-o", tmp_path / "out") == 5
    said = capsys.readouterr().err
    assert "no model for brain MRI" in said and "neurotriage train nael2021" in said
    assert not (tmp_path / "out").exists()


def test_an_optional_contrast_in_another_plane_says_in_which_it_would_be_read(tmp_path):
    folder = write_study(tmp_path / "study", ("FLAIR",))
    write_nifti(folder, "T1_post.nii.gz", head("T1"))
    with open_input(folder) as (found,):
        choice = choose_mr_study(found, {})
    assert set(choice.chosen) == {"FLAIR"}
    reasons = next(item.reasons for item in choice.judgements() if "T1_post" in item.description)
    assert reasons[0] == "T1post is read in sagittal slices or from a 3D volume; these slices are axial."


def test_a_role_can_be_given_to_a_file_by_its_path(system, tmp_path):
    folder = write_study(tmp_path / "study", ("FLAIR", "ADC"))
    elsewhere = write_nifti(tmp_path / "else", "series9.nii.gz", head("TRACE"))
    results = triage_input(folder, Readers(None, lambda: system), Choices(roles={"TRACE": str(elsewhere)}))
    assert [result.contrast for result in results] == ["FLAIR", "TRACE"]
    assert any("Chosen by the user." in item.reasons for item in results[0].judgements)


def test_a_ct_and_an_mri_in_one_input_are_both_read(study, system, tmp_path):
    ct_pack = tiny_packs.save(tmp_path / "ct-pack")
    write_series(tmp_path / "input" / "ct")
    write_study(tmp_path / "input" / "mr")
    ct = catalog.load_system(pack=ct_pack, device="cpu")
    results = triage_input(tmp_path / "input", Readers(lambda: ct, lambda: system))
    assert [(result.volume.modality, result.contrast) for result in results] == [
        ("CT", ""), ("MR", "FLAIR"), ("MR", "TRACE")
    ]  # fmt: skip
    paths = {path.name for path in write_outputs(results, tmp_path / "out")}
    assert {"masks.seg.nrrd", "masks_FLAIR.seg.nrrd"} <= paths
    document = json.loads((tmp_path / "out" / "findings.json").read_text("utf-8"))
    assert document["findings"][0]["code"] == "any" and len(document["further_series"]) == 2


def test_a_head_ct_is_still_read_when_no_mri_model_is_installed(tmp_path, monkeypatch):
    ct = catalog.load_system(pack=tiny_packs.save(tmp_path / "ct-pack"), device="cpu")
    write_series(tmp_path / "input" / "ct")
    write_study(tmp_path / "input" / "mr")
    monkeypatch.setattr(catalog, "models_folder", lambda: tmp_path / "no packs")
    reader = Readers(lambda: ct, lambda: catalog.load_system(catalog.MR_SYSTEM))
    (result,) = triage_input(tmp_path / "input", reader)
    assert result.readings and result.quality[0].code == "mri_not_read"


def test_movement_between_series_is_flagged_and_a_head_elsewhere_is_not_used(system, tmp_path):
    folder = write_study(tmp_path / "study", ("FLAIR", "ADC", "TRACE"))
    image = SimpleITK.ReadImage(str(folder / "TRACE.nii.gz"))
    image.SetOrigin((900.0, 0.0, 0.0))
    SimpleITK.WriteImage(image, str(folder / "TRACE.nii.gz"))
    results = triage_input(folder, Readers(None, lambda: system))
    assert [flag.code for flag in results[0].quality] == ["contrast_unusable", "required_contrast_missing"]
    status = {finding.code: finding.status for result in results for finding in result.findings}
    assert status["acute_infarct"] == "could_not_look" and status["mass_effect"] == "found"


def test_a_threshold_of_the_user_decides_and_is_told(study, pack, tmp_path, capsys):
    command = (study, "-o", tmp_path / "out", "--model", pack, "--threshold", "acute_infarct=1")
    assert run(*command, "--threshold", "mass_effect=0") == 0
    document = json.loads((tmp_path / "out" / "findings.json").read_text("utf-8"))
    trace = document["further_series"][0]
    assert [(row["status"], row["threshold"]) for row in trace["findings"]] == [("not_found", 1.0)]
    assert [flag["code"] for flag in trace["quality"]] == ["threshold_moved"]
    assert "threshold of acute infarct to 1" in capsys.readouterr().out
    for wrong in ("infarct=0.2", "acute_infarct", "acute_infarct=2", "IPH=0.5"):
        assert run(study, "-o", tmp_path / "no", "--model", pack, "--threshold", wrong) == 2
    assert not (tmp_path / "no").exists()


def test_the_abnormalitys_heatmap_is_written_on_the_voxels_of_every_contrast(system, tmp_path):
    folder = write_study(tmp_path / "study")
    finer = write_nifti(tmp_path / "else", "T1.nii.gz", head("T1", (44, 56, 48)))
    finer.replace(folder / "T1.nii.gz")
    write_outputs(triage_input(folder, Readers(None, lambda: system)), tmp_path / "out")
    document = json.loads((tmp_path / "out" / "findings.json").read_text("utf-8"))
    assert document["files"]["heatmap abnormal on T1"] == "heatmap_T1_abnormal.nrrd"
    for name, shape in {"T1": (44, 56, 48), "ADC": SHAPE, "FLAIR": SHAPE, "TRACE": SHAPE}.items():
        image = SimpleITK.ReadImage(str(tmp_path / "out" / f"heatmap_{name}_abnormal.nrrd"))
        assert image.GetSize() == shape[::-1]


def test_dicom_results_of_an_mri_lie_on_its_series_and_agree_with_findings_json(pack, tmp_path):
    sample = sample_data_folder() / "BrainMrSample"
    out = tmp_path / "out"
    assert run(sample, "-o", out, "--model", pack, "--dicom", "--contrasts", "FLAIR,ADC,TRACE") == 0
    document = json.loads((out / "findings.json").read_text("utf-8"))
    made = {path.name: pydicom.dcmread(path) for path in out.glob("*.dcm")}
    assert len({item.SOPInstanceUID for item in made.values()}) == len(made)
    assert len({item.SeriesNumber for item in made.values()}) == len({item.SeriesInstanceUID for item in made.values()})
    for part in (document, *document["further_series"]):
        report = made[f"structured_report_{part['contrast']}.dcm"]
        assert report.StudyInstanceUID == part["input"]["study_instance_uid"]
        evidence = report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
        assert part["input"]["series_instance_uid"] in {item.SeriesInstanceUID for item in evidence}
        heat = made[f"heatmap_{part['contrast']}.dcm"]
        types = [item.SegmentedPropertyTypeCodeSequence[0].CodeValue for item in heat.SegmentSequence]
        assert {FINDING_CODES[row["code"]].concept[0] for row in part["findings"]} <= set(types)
        told = {row["code"]: row["volume_ml"] for row in part["findings"] if row["volume_ml"]}
        masks = made.get(f"segmentation_{part['contrast']}.dcm")
        labels = [] if masks is None else [item.SegmentLabel for item in masks.SegmentSequence]
        assert labels == [FINDING_CODES[code].name for code in told]
        for number, ml in enumerate(told.values(), start=1):
            assert volume_ml(masks, number) == pytest.approx(ml, rel=1e-3)
    if HAS_DCIODVFY:
        assert [line for path in out.glob("*.dcm") for line in errors_of(path)] == []


def test_dicom_results_need_a_dicom_source(study, pack, tmp_path, capsys):
    assert run(study, "-o", tmp_path / "out", "--model", pack, "--dicom") == 2
    assert "does not say which patient" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_the_catalog_knows_what_reads_mri(pack):
    assert catalog.modality_read(None, pack) == "MR" and catalog.modality_read("kuo2019", None) == "CT"
    assert catalog.modality_read(None, None) is None
    assert read_manifest(pack).codes == tiny_nael2021.CONFIG.codes
