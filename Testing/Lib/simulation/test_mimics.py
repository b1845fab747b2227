"""Mimics and changes: named in truth when they can be seen, at their place, and never in the mask."""

import numpy as np
import pytest

from NeuroTriageLib.simulation import mimics, tumours
from NeuroTriageLib.simulation.canvas import HeadCanvas
from NeuroTriageLib.simulation.head_ct import simulate_head_ct
from NeuroTriageLib.simulation.settings import HeadCtSettings

NOTHING = {
    "positive_probability": 0.0,
    "mimic_probability": 0.0,
    "leukoaraiosis_probability": 0.0,
    "hydrocephalus_probability": 0.0,
    "tumour_probability": 0.0,
    "surgery_probability": 0.0,
    "contrast_probability": 0.0,
    "metal_probability": 0.0,
    "old_infarct_probability": 0.0,
    "acute_infarct_probability": 0.0,
    "oedema_probability": 0.0,
    "hygroma_probability": 0.0,
    "motion_probability": 0.0,
    "coverage_below_mm": (10.0, 10.0),
    "noise_hu": (0.0, 0.0),
}
CALM = NOTHING | {"scale": (1.0, 1.0), "warp_mm": (0.0, 0.0), "beam_hardening": (0.0, 0.0), "bone_halo_hu": (0.0, 0.0)}


def test_a_head_without_mimics_names_none(simulate):
    truth = simulate(1, **NOTHING).truth
    assert truth["mimics"] == []
    assert set(truth["changes"]) <= {"lacune"}


@pytest.mark.parametrize(
    "setting", ["tumour", "surgery", "metal", "contrast", "old_infarct", "acute_infarct", "oedema", "hygroma"]
)
def test_what_is_asked_for_is_painted_named_and_leaves_the_mask_empty(simulate, setting):
    named = 0
    for seed in range(3):
        exam = simulate(seed, **(NOTHING | {f"{setting}_probability": 1.0}))
        assert not exam.label_kji.any()
        named += bool(set(exam.truth["mimics"]) | (set(exam.truth["changes"]) - {"lacune"}))
    assert named >= 2


def test_a_calcified_pineal_is_found_at_the_place_that_truth_names(anatomy):
    settings = HeadCtSettings(matrix=128, slice_spacings_mm=(2.0,), **(CALM | {"mimic_probability": 0.5}))
    checked = 0
    for seed in range(6):
        exam = simulate_head_ct(anatomy, seed, settings)
        grid = exam.volume.grid
        for entry in exam.truth["mimics_at"]:
            if entry["kind"] != "pineal" or entry["mm3"] < 15:
                continue
            i, j, k = np.round(grid.lps_to_voxel(np.array(entry["at_lps_mm"]))).astype(int)
            around = exam.volume.array_kji[max(0, k - 2) : k + 3, j - 3 : j + 4, i - 3 : i + 4]
            assert around.max() > 55
            checked += 1
    assert checked


def test_metal_is_brighter_than_bone_and_named_among_the_artefacts(simulate):
    for seed in range(6):
        exam = simulate(seed, **(NOTHING | {"metal_probability": 1.0}))
        if set(exam.truth["mimics"]) & {"coils"}:
            assert exam.volume.array_kji.max() == 3071
            assert "metal streaks" in exam.truth["artefacts"]
            return
    pytest.fail("no coils were drawn")


@pytest.mark.parametrize("kind", tumours.KINDS)
def test_every_tumour_can_be_drawn(anatomy, monkeypatch, kind):
    monkeypatch.setattr(tumours, "KINDS", {kind: 1.0})
    notes = []
    monkeypatch.setattr(HeadCanvas, "note", lambda self, *entry: notes.append(entry))
    for seed in range(3):
        simulate_head_ct(
            anatomy,
            seed,
            HeadCtSettings(matrix=32, slice_spacings_mm=(8.0,), **(NOTHING | {"tumour_probability": 1.0})),
        )
    assert kind in {name for _, name, _, _ in notes}


def test_the_common_calcifications_are_drawn_about_as_often_as_published():
    settings = HeadCtSettings()
    assert 0.6 <= settings.mimic_probability * mimics.KINDS["pineal"] <= 0.75
    assert 0.55 <= settings.mimic_probability * mimics.KINDS["choroid"] <= 0.7
