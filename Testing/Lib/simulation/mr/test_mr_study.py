"""Simulated brain MRI: repeatable, with masks, labels and images that agree."""

import json
from functools import partial

import numpy as np
import pytest
import torch

from NeuroTriageLib.core.errors import ConfigError
from NeuroTriageLib.simulation.bleeding_shapes import make_clot
from NeuroTriageLib.simulation.head_grid import Swelling
from NeuroTriageLib.simulation.mr.canvas import PRESSING, MrCanvas
from NeuroTriageLib.simulation.mr.infarcts import add_acute_infarct
from NeuroTriageLib.simulation.mr.lesion_materials import TUMOURS
from NeuroTriageLib.simulation.mr.masses import _add_mass
from NeuroTriageLib.simulation.mr.profiles import EXTERNAL_PROFILES, ROLES, TRAINING_PROFILES
from NeuroTriageLib.simulation.mr.settings import (
    BALANCED_SETTINGS,
    EXTERNAL_SETTINGS,
    REALISTIC_SETTINGS,
    BrainMrSettings,
)


def _values(study, role):
    return study.series[role].volume.array_kji.astype(float)


def _brain(study, role):
    """Voxels whose signal is that of tissue, by the series' own median."""
    values = _values(study, role)
    inside = values > 0.3 * np.percentile(values, 95)
    return inside


def test_the_same_seed_gives_the_same_study_and_another_seed_another(simulate_mr):
    roles = ("FLAIR", "TRACE")
    first, again, other = (simulate_mr(seed, roles=roles, white_matter_probability=1.0) for seed in (4, 4, 6))
    for role in roles:
        assert np.array_equal(first.series[role].volume.array_kji, again.series[role].volume.array_kji)
        assert first.series[role].volume.grid.same_as(again.series[role].volume.grid)
    assert first.truth == again.truth
    assert not first.series["FLAIR"].volume.grid.same_as(other.series["FLAIR"].volume.grid)


def test_a_series_does_not_depend_on_which_others_are_made(simulate_mr, infarct_study, large_infarct):
    alone = simulate_mr(3, paint=large_infarct, roles=("ADC",))
    assert np.array_equal(_values(alone, "ADC"), _values(infarct_study, "ADC"))
    assert np.array_equal(
        alone.series["ADC"].masks["acute_infarct"], infarct_study.series["ADC"].masks["acute_infarct"]
    )


def test_a_normal_study_has_every_series_no_mask_and_no_abnormality(normal_study):
    other = {"SWI", "T2star"} & set(normal_study.series)
    assert len(other) == 1
    assert set(normal_study.series) == set(ROLES) - {"SWI", "T2star"} | other
    truth = normal_study.truth
    assert not any(truth[code] for code in ("abnormal", "acute_infarct", "acute_hemorrhage", "mass_effect"))
    assert truth["lesions"] == [] and truth["changes"] == []
    assert truth["volume_ml"] == {"acute_infarct": 0.0, "acute_hemorrhage": 0.0, "displaced": 0.0}
    assert all(series.masks == {} for series in normal_study.series.values())


def test_series_have_grids_of_their_own(normal_study):
    grids = {role: series.volume.grid for role, series in normal_study.series.items()}
    assert grids["ADC"].same_as(grids["TRACE"])
    assert not grids["ADC"].same_as(grids["FLAIR"])
    assert abs(grids["T1_sagittal"].normal[0]) > 0.9
    assert abs(grids["FLAIR"].normal[2]) > 0.9


def test_an_acute_infarct_is_dark_on_adc_and_bright_on_trace_where_its_mask_lies(infarct_study):
    mask = infarct_study.series["ADC"].masks["acute_infarct"] > 0
    assert mask.sum() > 10
    adc, trace = _values(infarct_study, "ADC"), _values(infarct_study, "TRACE")
    inside = _brain(infarct_study, "TRACE")
    assert np.median(adc[mask]) < 0.8 * np.median(adc[inside & ~mask])
    assert np.median(trace[mask]) > 1.1 * np.median(trace[inside & ~mask])
    assert infarct_study.truth["acute_infarct"] and infarct_study.truth["abnormal"]


def test_the_masks_of_all_series_have_about_the_true_volume(infarct_study):
    true = infarct_study.truth["volume_ml"]["acute_infarct"]
    assert true > 1.0
    for role in ("FLAIR", "ADC", "T1_sagittal"):
        assert infarct_study.truth["series"][role]["mask_ml"]["acute_infarct"] == pytest.approx(true, rel=0.4)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_hemorrhage_is_darker_than_brain_in_t2star_and_has_a_mask_there(simulate_mr, seed):
    study = simulate_mr(seed, hemorrhage_probability=1.0, roles=("FLAIR", "T2star"))
    truth = study.truth
    assert truth["abnormal"]
    assert truth["acute_hemorrhage"] == any("acute_hemorrhage" in s.masks for s in study.series.values())
    assert {lesion["type"] for lesion in truth["lesions"]} == {"acute_hemorrhage"}
    assert truth["volume_ml"]["acute_hemorrhage"] > 0.0


def test_microbleeds_show_in_t2star_and_are_no_acute_hemorrhage(simulate_mr):
    study = simulate_mr(8, microbleed_probability=1.0, roles=("T2star",))
    assert study.truth["abnormal"] and not study.truth["acute_hemorrhage"]
    assert study.truth["changes"] == ["microbleeds"]


def test_a_large_tumour_displaces_tissue_and_the_truth_says_so(simulate_mr):
    def paint(canvas):
        _add_mass(canvas, "glioma, high grade", "lobar", 18.0)

    study = simulate_mr(2, paint=paint, roles=("FLAIR",))
    series, (place,) = study.series["FLAIR"], study.truth["changes_at"]
    mask = series.masks["mass_effect"]
    i, j, k = np.rint(series.volume.grid.lps_to_voxel(np.array(place["at_lps_mm"]))).astype(int)
    assert study.truth["mass_effect"] and study.truth["volume_ml"]["displaced"] > 5.0
    assert mask[k, j, i] and mask.dtype == np.uint8
    assert study.truth["series"]["FLAIR"]["mask_ml"]["mass_effect"] > 4 / 3 * np.pi * 1.8**3


def test_the_mask_of_mass_effect_is_what_pushes_and_not_what_is_pushed(simulate_mr):
    def paint(canvas, press):
        center = canvas.anatomy.brain_center_kji + np.array([4.0, 0.0, 14.0])
        canvas.swellings.append(Swelling(center, 9.0, 17.0))
        box, fraction, _ = canvas.blob(center, np.full(3, 6.0), rough=0.0)
        canvas.paint(box, fraction, canvas.material(TUMOURS["glioma, high grade"]))
        if press:
            canvas.mark(PRESSING, box, fraction)

    masks = [
        simulate_mr(2, paint=partial(paint, press=press), roles=("FLAIR",)).series["FLAIR"].masks
        for press in (False, True)
    ]
    assert "mass_effect" not in masks[0] and (masks[1]["mass_effect"] <= masks[1]["abnormal"]).all()


def test_a_painted_infarct_takes_the_place_of_drawn_findings(simulate_mr):
    settings = BrainMrSettings(small_infarct_probability=1.0)
    study = simulate_mr(9, paint=lambda canvas: add_acute_infarct(canvas, settings, None), roles=("TRACE",))
    assert {lesion["type"] for lesion in study.truth["lesions"]} == {"acute_infarct"}
    artery = study.truth["lesions"][0]["artery"]
    assert isinstance(artery, str)


def test_skull_stripped_studies_are_zero_outside_the_brains_envelope(simulate_mr):
    study = simulate_mr(4, stripped_probability=1.0, roles=("T1",))
    values = _values(study, "T1")
    assert study.truth["stripped"]
    assert (values == 0).mean() > 0.5
    assert (values > 0).any()


def test_truth_is_json(infarct_study):
    assert json.loads(json.dumps(infarct_study.truth))["seed"] == 3


def test_adc_maps_come_in_each_unit_with_the_same_meaning(simulate_mr):
    low = {}  # a quarter of the brain lies below: tissue without CSF in these coarse voxels
    for seed in range(12):
        study = simulate_mr(seed, profiles=EXTERNAL_PROFILES, roles=("ADC", "TRACE"))
        series = study.series["ADC"]
        adc = series.volume.array_kji * series.adc_unit_mm2_per_s
        low[series.adc_unit_mm2_per_s] = float(np.percentile(adc[_brain(study, "TRACE")], 25))
        if len(low) == 3:
            break
    assert set(low) == {1e-3, 1e-6, 1.0}
    assert all(4e-4 < value < 1.6e-3 for value in low.values())  # a wrong unit is wrong a thousandfold


def test_the_external_settings_hold_other_makers_than_training():
    inside = {profile.name for profile in (*REALISTIC_SETTINGS.profiles, *BALANCED_SETTINGS.profiles)}
    assert inside == {profile.name for profile in TRAINING_PROFILES}
    assert not inside & {profile.name for profile in EXTERNAL_SETTINGS.profiles}


def test_settings_out_of_range_are_refused():
    with pytest.raises(ConfigError):
        BrainMrSettings(roles=("FLAIR", "PERFUSION"))
    with pytest.raises(ConfigError):
        BrainMrSettings(normal_probability=1.5)
    with pytest.raises(ConfigError):
        BrainMrSettings(profiles=())


def test_blooming_grows_with_the_field_and_reaches_beyond_the_iron(anatomy):
    rates = []
    for field_tesla in (1.5, 3.0):
        canvas = MrCanvas(anatomy, 1, torch.device("cpu"), field_tesla)
        box = canvas.box(anatomy.brain_center_kji, 2.0)
        canvas.bloom(box, torch.ones([s.stop - s.start for s in box]), 50.0)
        rates.append(canvas.blooming)
        assert int((canvas.blooming > 0).sum()) > np.prod([s.stop - s.start for s in box])
    assert float(rates[1].max()) == pytest.approx(2.0 * float(rates[0].max()))


def test_a_deep_clot_fills_the_nuclei_that_it_lies_in(anatomy, simulate_mr):
    filled = []

    def paint(canvas):
        center = np.median(anatomy.points["putamen"][anatomy.points["putamen"][:, 2] > anatomy.brain_center_kji[2]], 0)
        shape = make_clot(canvas, "putamen", 1.5, center)
        filled.append(float(shape.clot[shape.relative < 0.5].mean()))

    simulate_mr(1, paint=paint, roles=("T1",))
    assert filled[0] > 0.9
