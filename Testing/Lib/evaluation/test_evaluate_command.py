"""`neurotriage evaluate` from result folders and truth to tables, files and exit codes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from NeuroTriageLib import cli
from NeuroTriageLib.core.errors import InputError
from NeuroTriageLib.core.findings import ExamResult
from NeuroTriageLib.core.resources import sample_data_folder
from NeuroTriageLib.evaluation import plots
from NeuroTriageLib.evaluation.evaluate_folders import compare_folders
from NeuroTriageLib.evaluation.slice_tables import by_slice
from NeuroTriageLib.evaluation.truth_folders import find_truth
from NeuroTriageLib.io.inputs import open_input, read_volume
from NeuroTriageLib.outputs.findings_json import write_findings_json
from NeuroTriageLib.outputs.segmentation import write_masks
from NeuroTriageLib.simulation.exam_folders import write_image
from Testing.Lib.exam_builder import IPH, IPH_AND_SDH, UNEVEN_STEPS_MM, ExamSettings, build_exam

GEOMETRIES = {
    "plain": ExamSettings(blood=IPH_AND_SDH),
    "tilted": ExamSettings(blood=IPH_AND_SDH, tilt_deg=20.0),
    "uneven": ExamSettings(blood=IPH_AND_SDH, steps_mm=UNEVEN_STEPS_MM),
}


def write_results(result: ExamResult, folder: Path) -> None:
    """What of a result folder is evaluated."""
    folder.mkdir(parents=True)
    write_findings_json(result, folder / "findings.json")
    write_masks(result, folder / "masks.seg.nrrd")


def write_simulated_truth(result: ExamResult, folder: Path) -> None:
    """A truth that is exactly what the reading says, in the simulator's layout."""
    folder.mkdir(parents=True)
    values = {"IPH": 1, "IVH": 2, "SDH": 3, "EDH": 4, "SAH": 5}
    document = {"anatomy": "built", "mimics": ["falx"], "label_values": values, "grid": result.grid.to_json()}
    (folder / "truth.json").write_text(json.dumps(document))
    np.savez_compressed(folder / "label.npz", label_kji=result.readings[0].label_kji)


@pytest.fixture
def folders(tmp_path) -> tuple[Path, Path]:
    """Two exams, one of them negative, answered rightly; one without truth and one without results."""
    for name, settings in {"bleeding": ExamSettings(blood=IPH), "negative": ExamSettings()}.items():
        write_results(build_exam(settings), tmp_path / "out" / name)
        write_simulated_truth(build_exam(settings), tmp_path / "truth" / name)
    write_results(build_exam(ExamSettings()), tmp_path / "out" / "unknown")
    write_simulated_truth(build_exam(ExamSettings()), tmp_path / "truth" / "unread")
    return tmp_path / "out", tmp_path / "truth"


@pytest.mark.parametrize("name", GEOMETRIES)
def test_a_right_answer_has_the_true_volume_and_dice_one_on_every_grid(name, tmp_path):
    result = build_exam(GEOMETRIES[name])
    write_results(result, tmp_path / "out" / "exam")
    write_simulated_truth(result, tmp_path / "truth" / "exam")
    (record,) = compare_folders(tmp_path / "out", tmp_path / "truth").records
    true_ml = (result.readings[0].label_kji == 1).sum((1, 2)) @ result.grid.voxel_volumes_ml
    found = record.answers["kuo2019"].groups["IPH"]
    assert record.truth["IPH"].volume_ml == pytest.approx(true_ml) and true_ml > 0
    assert found.overlap_ml == pytest.approx(true_ml) == pytest.approx(found.volume_ml)
    assert found.abc2_ml == pytest.approx(record.truth["IPH"].abc2_ml)
    assert record.simulated and record.anatomy == "built" and record.conditions == {"mimics": ["falx"]}
    for code in ("any", "IPH", "SAH"):
        scores = result.readings[0].slice_probability[code]
        np.testing.assert_allclose(record.answers["kuo2019"].groups[code].slice_scores, scores, atol=1e-5)
    assert found.called_slices == record.truth["IPH"].slices


def test_the_tables_are_printed_and_unmatched_exams_are_named(folders, capsys):
    assert cli.main(["evaluate", *map(str, folders)]) == 0
    said = capsys.readouterr()
    assert "simulated exams, not patients" in said.out
    assert "Beside Chang 2018" in said.out and "ours: kuo2019" in said.out
    assert "No results, so missing in every figure: unread." in said.out
    assert "No truth, so not evaluated: unknown." in said.err


def test_json_is_printed_alone(folders, capsys):
    assert cli.main(["evaluate", *map(str, folders), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [section["title"] for section in document["sections"]] == ["Exams", "Beside the papers", "System kuo2019"]


def test_tables_records_and_plots_are_written_and_not_replaced_unasked(folders, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    out = tmp_path / "evaluation"
    command = ["evaluate", *map(str, folders), "-o", str(out)]
    assert cli.main(command) == 0
    written = {path.name for path in out.iterdir()}
    assert written == {"evaluation.md", "evaluation.json", "exams.jsonl", "roc.svg", "bland_altman_kuo2019.svg"}
    first = (out / "roc.svg").read_bytes()
    assert cli.main(command) == 1
    assert "--force" in capsys.readouterr().err
    assert cli.main([*command, "--force"]) == 0
    assert (out / "roc.svg").read_bytes() == first, "the same figures give the same file"


def test_everything_that_is_asked_of_an_evaluation_is_in_its_output(tmp_path):
    """Figures by type and size, on full and balanced sets, of exams and slices, with intervals; plots; points."""
    pytest.importorskip("matplotlib")
    for n, settings in enumerate([ExamSettings(blood=IPH_AND_SDH), ExamSettings(blood=IPH), ExamSettings()] * 2):
        write_results(build_exam(settings), tmp_path / "out" / f"exam{n}")
        write_simulated_truth(build_exam(settings), tmp_path / "truth" / f"exam{n}")
    assert cli.main(["evaluate", str(tmp_path / "out"), str(tmp_path / "truth"), "-o", str(tmp_path / "got")]) == 0
    sections = json.loads((tmp_path / "got" / "evaluation.json").read_text())["sections"]
    ours = {t["title"]: t["rows"] for s in sections if s["title"] == "System kuo2019" for t in s["tables"]}
    rates = {"accuracy", "AUC", "sensitivity", "specificity", "PPV", "NPV", "F1"}
    for title in ("Is it there?", "By type and size, full set", "By type and size, balanced set"):
        iph = [row for row in ours[title] if row["finding"] == "IPH"]
        assert rates <= set(iph[0]) and all({"value", "low", "high"} == set(iph[0][rate]) for rate in rates), title
        assert iph[0]["sensitivity"]["value"] == 1.0 and iph[0]["AUC"]["low"] == 1.0
    sizes = {row["true size"] for row in ours["By type and size, balanced set"]}
    assert "all" in sizes and sizes & {"large", "medium", "small", "punctate"}
    points = [row for row in ours["Operating points"] if row["finding"] == "any"]
    assert len(points) == 3 and all(row["sensitivity"]["low"] is not None for row in points)
    slices = {row["finding"]: row for row in ours["On which slices?"]}
    assert {"any", "IPH", "SDH", "SAH"} <= set(slices) and slices["IPH"]["AUC"]["value"] > 0.95
    assert {"Dice, mean", "Dice, pooled voxels"} <= set(ours["Where is it?"][0])
    assert {"Pearson r", "bias, mL", "bias, %", "limits of agreement, mL"} <= set(ours["How much is it?"][0])
    sources = {row["volume from"] for row in ours["How much is it?"]}
    assert sources == {"voxels", "ABC/2 of the answer", "ABC/2 of the truth"}
    papers = next(s["tables"] for s in sections if s["title"] == "Beside the papers")
    assert {t["title"].split(":")[0].removeprefix("Beside ") for t in papers} == {"Kuo 2019", "Chang 2018", "Ye 2019"}
    for name in ("roc.svg", "bland_altman_kuo2019.svg"):
        assert "<svg" in (tmp_path / "got" / name).read_text()


def test_without_matplotlib_the_tables_still_come_and_one_message_says_so(folders, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(plots, "find_spec", lambda name: None)
    assert cli.main(["evaluate", *map(str, folders), "-o", str(tmp_path / "evaluation")]) == 0
    said = capsys.readouterr()
    assert said.err.count("Plots need matplotlib") == 1 and "### Is it there?" in said.out
    assert not list((tmp_path / "evaluation").glob("*.svg"))


def test_opinions_of_other_systems_are_evaluated_beside_the_answer(folders):
    path = folders[0] / "bleeding" / "findings.json"
    document = json.loads(path.read_text())
    document["findings"] = [row | {"system": "consensus"} for row in document["findings"]]
    kuo = [
        row | {"system": "kuo2019", "status": "not_found", "probability": 0.2, "slices": []}
        for row in document["findings"]
    ]
    chang = [row | {"system": "chang2018"} for row in document["findings"]]
    scores = [0.9 if k in (1, 2) else 0.1 for k in range(len(document["findings"][0]["slice_scores"]))]
    cam = {"slices": None, "volume_ml": None, "components": None, "slice_scores": scores}
    blind = {"status": "could_not_look", "probability": None}
    ye = [row | {"system": "ye2019"} | (blind if row["code"] == "SAH" else cam) for row in document["findings"]]
    path.write_text(json.dumps(document | {"opinions": kuo + chang + ye}))
    records = {record.exam: record for record in compare_folders(*folders).records}
    answers = records["bleeding"].answers
    assert answers["consensus"].groups["IPH"].called and answers["consensus"].groups["IPH"].overlap_ml > 0
    assert not answers["kuo2019"].groups["IPH"].called
    assert answers["kuo2019"].groups["IPH"].overlap_ml is None, "the masks on disk are those of the answer"
    assert not {"SAH", "SAH+IVH"} & set(answers["ye2019"].groups), "could not look is no negative answer"
    true = records["bleeding"].truth["IPH"].slices
    assert answers["chang2018"].groups["IPH"].called_slices == true, "where its mask lay is known without the mask"
    assert answers["kuo2019"].groups["IPH"].called_slices == ()
    assert answers["ye2019"].groups["IPH"].called_slices == (1, 2), "without masks the scores decide"
    slice_rows = {
        system: {row[0] for row in by_slice(list(records.values()), system).rows}
        for system in ("consensus", "kuo2019", "chang2018", "ye2019")
    }
    assert all({"any", "IPH", "SDH"} <= findings for findings in slice_rows.values()), slice_rows


def test_slices_that_the_geometry_does_not_have_make_an_exam_not_comparable(folders):
    path = folders[0] / "bleeding" / "findings.json"
    document = json.loads(path.read_text())
    document["findings"][0]["slice_scores"].append(0.5)
    path.write_text(json.dumps(document))
    assert "slices do not fit" in compare_folders(*folders).not_comparable["bleeding"]


def test_results_without_slice_scores_are_compared_by_their_masks(folders):
    path = folders[0] / "bleeding" / "findings.json"
    document = json.loads(path.read_text())
    document["findings"] = [
        {key: value for key, value in row.items() if key not in ("slices", "slice_scores")}
        for row in document["findings"]
    ]
    path.write_text(json.dumps(document))
    found = {record.exam: record for record in compare_folders(*folders).records}["bleeding"].answers["kuo2019"]
    assert found.groups["any"].slice_scores is None and found.groups["any"].called_slices


def test_an_answer_without_volumes_has_no_mask_instead_of_an_empty_one(folders):
    path = folders[0] / "bleeding" / "findings.json"
    document = json.loads(path.read_text())
    document["findings"] = [row | {"volume_ml": None} for row in document["findings"]]
    path.write_text(json.dumps(document))
    records = {record.exam: record for record in compare_folders(*folders).records}
    found = records["bleeding"].answers["kuo2019"].groups["IPH"]
    assert found.called and found.volume_ml is None and found.overlap_ml is None


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd"])
def test_label_maps_of_ones_own_with_other_values_and_turned_axes(ending, tmp_path):
    result = build_exam(ExamSettings(blood=IPH_AND_SDH))
    write_results(result, tmp_path / "out" / "case.7")
    label = np.array([0, 7, 0, 9], np.uint8)[result.readings[0].label_kji]
    truth = tmp_path / "truth"
    truth.mkdir()
    write_image(label, result.grid, truth / f"case.7{ending}")
    image = sitk.ReadImage(str(truth / f"case.7{ending}"))
    sitk.WriteImage(sitk.Flip(image, [True, True, False]), str(truth / f"case.7{ending}"))
    (truth / "labels.json").write_text('{"IPH": 7, "SDH": 9, "IVH": 1, "EDH": 2, "SAH": 3}')
    (record,) = compare_folders(tmp_path / "out", truth).records
    found = record.answers["kuo2019"].groups
    for code in ("IPH", "SDH"):
        assert found[code].overlap_ml == pytest.approx(record.truth[code].volume_ml) and found[code].overlap_ml > 0
    assert record.simulated is None and not record.truth["SAH"].present


def test_a_binary_mask_and_a_table_say_together_what_is_there(tmp_path):
    result = build_exam(ExamSettings(blood=IPH))
    write_results(result, tmp_path / "out" / "masked")
    write_results(result, tmp_path / "out" / "listed")
    truth = tmp_path / "truth"
    truth.mkdir()
    write_image((result.readings[0].label_kji > 0).astype(np.uint8), result.grid, truth / "masked.nii.gz")
    (truth / "labels.json").write_text('{"any": 1}')
    (truth / "exams.csv").write_text("exam,any,IPH,SAH,anatomy\nmasked,1,1,0,a\nlisted,0,,,b\n")
    records = {record.exam: record for record in compare_folders(tmp_path / "out", truth).records}
    assert records["masked"].truth["any"].volume_ml > 0 and records["masked"].truth["IPH"].volume_ml is None
    assert records["masked"].truth["IPH"].present and not records["masked"].truth["SAH"].present
    assert "EDH" not in records["masked"].truth
    assert not records["listed"].truth["EDH"].present and records["listed"].anatomy == "b"


def test_a_pair_that_does_not_fit_is_named_with_its_reason_and_the_others_count(folders):
    document = json.loads((folders[1] / "negative" / "truth.json").read_text())
    document["grid"]["origins_lps_mm"][0][2] -= 3.0
    (folders[1] / "negative" / "truth.json").write_text(json.dumps(document))
    matched = compare_folders(*folders)
    assert [record.exam for record in matched.records] == ["bleeding"]
    assert "voxels of its image" in matched.not_comparable["negative"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("labels.json", '{"IPH": 0}', "from 1 to 255"),
        ("labels.json", '{"tumour": 1}', "Codes are any, IPH"),
        ("labels.json", "[", "cannot be read"),
        ("exams.csv", "exam,IPH\na,yes\n", "Line 2"),
        ("exams.csv", "name,IPH\na,1\n", "Line 2"),
    ],
)
def test_a_truth_that_cannot_be_understood_is_an_input_error_that_says_what(folders, name, text, message, capsys):
    (folders[1] / name).write_text(text)
    assert cli.main(["evaluate", *map(str, folders)]) == InputError.exit_code
    assert message in capsys.readouterr().err


def test_folders_with_nothing_in_common_or_nothing_at_all_are_input_errors(folders, tmp_path, capsys):
    empty = tmp_path / "empty"
    empty.mkdir()
    for arguments in ((empty, folders[1]), (folders[0], empty), (folders[0], tmp_path / "absent")):
        assert cli.main(["evaluate", *map(str, arguments)]) == InputError.exit_code
    shutil.rmtree(folders[0] / "bleeding")
    shutil.rmtree(folders[0] / "negative")
    assert cli.main(["evaluate", *map(str, folders)]) == InputError.exit_code
    assert "No exam has both" in capsys.readouterr().err


def test_the_sample_study_as_the_simulator_wrote_it_is_understood():
    folder = sample_data_folder() / "HeadCtSample"
    with open_input(folder / "dicom") as (study,):
        volume, _ = read_volume(study.series[0])
    source, truth = find_truth(folder.parent)["HeadCtSample"].read(volume.grid)
    document = json.loads((folder / "truth.json").read_text())
    assert source.simulated and source.conditions["mimics"] == document["mimics"]
    for code, volume_ml in document["volume_ml"].items():
        true_ml = truth.labels.mask(code).sum(axis=(1, 2)) @ volume.grid.voxel_volumes_ml
        assert true_ml == pytest.approx(volume_ml, abs=1e-2)
    bright = volume.array_kji[truth.labels.mask("IPH")].mean()
    assert bright > 50, "the mask lies on the blood of the images"


def test_asking_for_help_imports_neither_torch_nor_simpleitk():
    script = (
        "import sys\nfrom NeuroTriageLib import cli\n"
        "try:\n    cli.main(['evaluate', '--help'])\nexcept SystemExit:\n    pass\n"
        "sys.exit(bool({'torch', 'SimpleITK', 'matplotlib'} & set(sys.modules)))\n"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True).returncode == 0
