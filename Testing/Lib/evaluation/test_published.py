"""The papers' figures as they are written down."""

from __future__ import annotations

import pytest

from NeuroTriageLib.evaluation.exam_records import GROUPS
from NeuroTriageLib.evaluation.published import PUBLISHED, PUBLISHED_POINTS


@pytest.mark.parametrize("table", PUBLISHED, ids=lambda table: f"{table.paper} {table.where}"[:40])
def test_every_published_table_names_its_place_and_fits_its_columns(table):
    assert table.where and table.rows
    for row in table.rows:
        assert row.group in GROUPS and row.size in ("all", "large", "medium", "small", "punctate")
        assert len(row.figures) == len(table.columns)
        rates = [x for x, name in zip(row.figures, table.columns, strict=True) if x is not None and "bias" not in name]
        assert all(0 < x <= 1 for x in rates)


def test_the_published_figures_agree_with_the_counts_that_the_papers_give():
    detection = next(t for t in PUBLISHED if "full sets" in t.where)
    validated = {row.group: row.figures[2] for row in detection.rows if row.which.startswith("cross-validation")}
    for group, found, there in (("any", 875, 901), ("IPH", 353, 358), ("SDH+EDH", 311, 319), ("SAH", 211, 224)):
        assert validated[group] == pytest.approx(found / there, abs=1.5e-3)  # they round 311/319 down
    sensitivity = {row.group: row.figures[2] for row in detection.rows if row.which.startswith("test")}
    assert sensitivity["any"] == pytest.approx(78 / 82, abs=5e-4)  # Chang 2018: 4 hemorrhages missed
    assert sensitivity["SDH+EDH"] == pytest.approx(36 / 38, abs=5e-4)
    assert sensitivity["SAH"] == pytest.approx(19 / 21, abs=5e-4)
    assert {point.paper for point in PUBLISHED_POINTS} == {table.paper for table in PUBLISHED}


def test_published_predictive_values_of_the_balanced_set_follow_from_sensitivity_and_specificity():
    balanced = next(t for t in PUBLISHED if t.scope == "balanced")
    for row in balanced.rows:
        _, _, sensitivity, specificity, ppv, npv = row.figures
        if sensitivity is not None:
            assert ppv == pytest.approx(sensitivity / (sensitivity + 1 - specificity), abs=2e-3)
            assert npv == pytest.approx(specificity / (specificity + 1 - sensitivity), abs=2e-3)
