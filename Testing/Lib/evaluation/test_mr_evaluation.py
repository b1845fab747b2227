"""Brain MRI evaluated from folders: truth as the simulator writes it, figures known beforehand, theirs beside ours."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from NeuroTriageLib import cli
from NeuroTriageLib.core.codes import MR_CODES
from NeuroTriageLib.core.findings import ExamResult, ModelIdentity, Reading
from NeuroTriageLib.core.geometry import SliceGrid
from NeuroTriageLib.core.volume import Volume
from NeuroTriageLib.evaluation.evaluate_folders import compare_folders
from NeuroTriageLib.evaluation.mr_tables import REQUIRED_ONLY, contribution, mr_tables
from NeuroTriageLib.evaluation.published_mr import NAEL_2021
from NeuroTriageLib.measurements.findings import could_not_look, measure
from NeuroTriageLib.outputs.folder import write_outputs

SHAPE = (6, 20, 20)
GRID = SliceGrid.from_affine(SHAPE, np.diag([2.0, 2.0, 5.0, 1.0]))  # 0.02 mL a voxel
FLAIR_CODES = ("abnormal", "acute_hemorrhage", "mass_effect")


def block(voxels: int) -> np.ndarray:
    """So many voxels, at most 64, within one slice."""
    mask = np.zeros(SHAPE, np.uint8)
    inside = np.zeros(64, np.uint8)
    inside[:voxels] = 1
    mask[2, 4:12, 4:12] = inside.reshape(8, 8)
    return mask


def write_truth(folder: Path, infarct: int) -> None:
    """A study whose infarct fills so many voxels."""
    folder.mkdir(parents=True)
    truth = dict.fromkeys(MR_CODES, False) | {"acute_infarct": infarct > 0, "abnormal": infarct > 0}
    grids = {"FLAIR": GRID.to_json(), "TRACE": GRID.to_json()}
    (folder / "truth.json").write_text(json.dumps({**truth, "anatomy": "made", "profile": "made", "grids": grids}))
    masks = {"TRACE.acute_infarct": block(infarct)} if infarct else {}
    np.savez_compressed(folder / "masks.npz", **masks)


def exam(
    contrast: str, codes: tuple[str, ...], probability: dict[str, float], label: np.ndarray, unseen=()
) -> ExamResult:
    volume = Volume(np.ones(SHAPE, np.float32), GRID, "MR")
    reading = Reading(
        "nael2021", codes, {code: probability[code] for code in codes}, dict.fromkeys(codes, 0.5), {}, label,
        np.zeros(SHAPE, np.float16), ModelIdentity("made", "1", "ab" * 32), {"network": 1.0},
    )  # fmt: skip
    findings = (*measure(reading, GRID)[0], *could_not_look("nael2021", unseen, "There is no ADC."))
    return ExamResult(
        volume, "made", "", (), (), (reading,), findings, (), "cpu", {"network": 1.0}, findings, contrast=contrast
    )


def write_answer(folder: Path, found: int, probability: float) -> None:
    """An answer whose infarct fills so many voxels."""
    said = dict.fromkeys(MR_CODES, 0.1) | {"acute_infarct": probability, "abnormal": probability}
    results = (
        exam("FLAIR", FLAIR_CODES, said, np.zeros(SHAPE, np.uint8)),
        exam("TRACE", ("acute_infarct",), said, block(found)),
    )
    write_outputs(results, folder)


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("mr")
    # voxels of the true infarct, of the found one, probability with all and with required contrasts
    cases = [(60, 60, 0.9, 0.9), (20, 10, 0.8, 0.3), (8, 0, 0.2, 0.2), (0, 0, 0.1, 0.4), (0, 0, 0.3, 0.1)]
    for number, (true, found, every, required) in enumerate(cases):
        write_truth(root / "truth" / f"s{number}", true)
        write_answer(root / "all" / f"s{number}", found, every)
        write_answer(root / "required" / f"s{number}", found, required)
    return root


@pytest.fixture(scope="module")
def records(folders):
    return compare_folders(folders / "all", folders / "truth", required=folders / "required").records


def test_volumes_and_overlap_are_those_of_the_masks(records):
    second = records[1]
    assert second.truth["acute_infarct"].volume_ml == pytest.approx(20 * 0.02)
    answer = second.answers["nael2021"].groups["acute_infarct"]
    assert answer.volume_ml == answer.overlap_ml == pytest.approx(10 * 0.02)
    assert second.answers["nael2021"].groups["abnormal"].volume_ml is None
    assert second.truth["abnormal"].volume_ml is None  # nothing outlines an abnormality
    assert set(second.answers) == {"nael2021", f"nael2021{REQUIRED_ONLY}"} and second.simulated


def test_our_figures_stand_below_theirs(records):
    tables = mr_tables(records)
    inside = next(table for table in tables if "table 2" in table.title)
    row = next(row for row in inside.rows if row[0] == "acute_infarct" and row[2] == "ours: nael2021")
    figures = dict(zip(inside.columns, row, strict=True))
    assert figures["cases with it"] == 3
    assert figures["sensitivity"] == pytest.approx(2 / 3) and figures["specificity"] == 1.0
    assert figures["AUC"] == pytest.approx(5 / 6)
    theirs = next(row for row in inside.rows if row[0] == "acute_infarct" and row[2].startswith("Nael 2021"))
    assert theirs[4] == 0.95


def test_sensitivity_by_volume_counts_the_smaller_infarcts(records):
    table = next(table for table in mr_tables(records) if "by volume" in table.title)
    ours = {row[1]: (row[3], row[4]) for row in table.rows if str(row[2]) == "ours: nael2021"}
    assert ours["below 0.5 mL"] == (2, 0.5) and ours["below 0.25 mL"] == (1, 0.0)
    assert ours["below 1 mL"] == (2, 0.5)


def test_table_4_is_the_gain_over_the_required_contrasts(records):
    table = contribution(records)
    row = next(row for row in table.rows if row[0] == "acute_infarct" and str(row[1]).startswith("ours"))
    assert row[2] == 5
    assert row[3] == pytest.approx(5 / 6 - 4 / 6) and row[4] == pytest.approx(1 / 3) and row[5] == 0.0
    assert contribution([record for record in records if len(record.answers) == 1]).rows == ()


def test_what_could_not_be_looked_at_is_in_no_figure(folders, tmp_path):
    said = dict.fromkeys(MR_CODES, 0.9)
    write_outputs(
        exam("FLAIR", ("mass_effect",), said, np.zeros(SHAPE, np.uint8), MR_CODES[:3]), tmp_path / "out" / "s0"
    )
    (record,) = compare_folders(tmp_path / "out", folders / "truth").records
    assert set(record.answers["nael2021"].groups) == {"mass_effect"}


def test_the_command_prints_the_papers_tables(folders, capsys):
    arguments = [str(folders / "all"), str(folders / "truth"), "--required", str(folders / "required")]
    assert cli.main(["evaluate", *arguments]) == 0
    said = capsys.readouterr().out
    for words in ("table 2", "table 3", "table 4", "infarcts by volume", "ours: nael2021", "simulated exams"):
        assert words in said
    assert "Kuo 2019" not in said


def test_a_table_of_ones_own_gives_truth_without_masks(folders, tmp_path):
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth" / "exams.csv").write_text("exam,acute_infarct,mass_effect\ns0,1,0\ns3,0,\n")
    records = compare_folders(folders / "all", tmp_path / "truth").records
    assert [record.truth["acute_infarct"].present for record in records] == [True, False]
    assert "mass_effect" not in records[1].truth and records[0].truth["acute_infarct"].volume_ml is None


def test_the_published_tables_name_findings_that_are_answered():
    assert {row.group for table in NAEL_2021 for row in table.rows} == set(MR_CODES)
    assert all(len(row.figures) == len(table.columns) for table in NAEL_2021 for row in table.rows)
