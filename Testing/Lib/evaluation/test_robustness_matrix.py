"""The robustness matrix: what its cells fix, and which of them it marks."""

from __future__ import annotations

import pytest

from NeuroTriageLib.evaluation.exam_records import GroupAnswer
from NeuroTriageLib.simulation.settings import HeadCtSettings
from Testing.Benchmarks import robustness_matrix as program
from Testing.Benchmarks import simulated_exams
from Testing.Lib.evaluation.exam_making import called, exam, row, truth
from Testing.Lib.evaluation.test_evaluate_simulated import records, tables


@pytest.mark.parametrize("factor", program.FACTORS)
def test_every_level_can_be_set_and_differs_from_the_others(factor):
    settings = [HeadCtSettings(**level.changes) for level in program.FACTORS[factor]]
    assert len(settings) >= 3 and all(one != other for one in settings for other in settings if one is not other)


def test_the_asked_for_levels_are_there():
    spacings = [level.changes["slice_spacings_mm"] for level in program.FACTORS["slice thickness, mm"]]
    assert spacings == [(1.0,), (2.5,), (5.0,), (8.0,)]
    assert program.FACTORS["rotation, degrees"][-1].changes["extra_rotation_deg"] == (25.0, 25.0)


def test_all_cells_hold_the_same_heads_and_seeds_half_of_them_with_hemorrhage(maps):
    heads = simulated_exams.label_maps(maps)
    jobs = program.plan(
        heads, ["metal", "motion, mm"], exams=8, first_seed=3, matrix=256, settings="training"
    )  # fmt: skip
    assert len(jobs) == 8 * 6 and len({job.exam for job in jobs}) == len(jobs)
    cells = {}
    for job in jobs:
        cell = (job.conditions["factor"], job.conditions["level"])
        cells.setdefault(cell, []).append((job.label_map, job.seed, job.settings.positive_probability))
    assert len(set(map(tuple, cells.values()))) == 1
    assert sum(positive for _, _, positive in next(iter(cells.values()))) == 4


def test_a_cell_that_falls_more_than_the_allowed_below_the_mean_is_marked():
    cells = []
    for level, right in (("1", True), ("2.5", True), ("5", True), ("8", False)):
        conditions = {"factor": "slice thickness, mm", "level": level}
        for number in range(4):
            answer = called(9.0, 9.0) if right else GroupAnswer(0.05, False, 0.0, 0.0)
            positive = exam(f"p{level}{number}", truth(9.0), {"fake": answer}, conditions=conditions)
            cells += [positive, exam(f"n{level}{number}", conditions=conditions)]
    rows = program.matrix_table(cells, "fake").to_json()["rows"]
    assert [line["mark"] for line in rows] == ["", "", "", "below"]
    assert row(rows, level="8")["AUC"]["value"] == 0.0 and row(rows, level="1")["AUC"]["value"] == 1.0
    fall = row(rows, level="8")["AUC against the mean"]
    assert fall["value"] == fall["low"] == fall["high"] == -0.75, "the same exams are wrong in every draw"


def test_a_run_writes_the_matrix(systems, maps, tmp_path):
    output = tmp_path / "out"
    command = [str(maps), "-o", str(output), "--exams", "4", "--systems", "right", "--factors", "thickness", "tilt"]
    assert program.main(command) == 0
    rows = tables(output, "Matrix")["Robustness of right"]
    assert [line["level"] for line in rows] == ["1", "2.5", "5", "8", "0", "-20", "15", "25"]
    assert {line["AUC"]["value"] for line in rows} == {1.0}
    spacing = {r.conditions["level"]: r.slice_spacing_mm for r in records(output) if "thickness" in r.exam}
    assert spacing == {"1": 1.0, "2.5": 2.5, "5": 5.0, "8": 8.0}
