"""Simulated exams: repeatable, on a true grid, with masks and truth that agree."""

import json

import numpy as np
import pytest

from NeuroTriageLib.core.codes import CT_HEMORRHAGE_CODES
from NeuroTriageLib.core.errors import ConfigError
from NeuroTriageLib.simulation.head_ct import simulate_head_ct
from NeuroTriageLib.simulation.hemorrhage_parenchymal import add_bleeding
from NeuroTriageLib.simulation.settings import HeadCtSettings


def test_the_same_seed_gives_the_same_exam_and_another_seed_another(simulate):
    first, again, other = simulate(4), simulate(4), simulate(5)
    assert np.array_equal(first.volume.array_kji, again.volume.array_kji)
    assert np.array_equal(first.label_kji, again.label_kji)
    assert first.volume.grid.same_as(again.volume.grid)
    assert first.truth == again.truth
    assert not first.volume.grid.same_as(other.volume.grid)


@pytest.mark.parametrize(
    ("seed", "mean_hu", "blood_voxels"), [(9, -759.0797, 845), (27, -820.4112, 3019), (39, -1043.2554, 356)]
)
def test_a_seed_gives_the_exam_that_it_gave_before(simulate, seed, mean_hu, blood_voxels):
    # What the CT and MRI simulators share must not change what a seed gives.
    rare = {"tumour_probability": 0.4, "surgery_probability": 0.3, "hygroma_probability": 0.2}
    exam = simulate(seed, positive_probability=1.0, **rare)
    assert exam.volume.array_kji.astype(float).mean() == pytest.approx(mean_hu, abs=0.05)
    assert int((exam.label_kji > 0).sum()) == pytest.approx(blood_voxels, abs=3)


@pytest.mark.parametrize("change", ["metal_probability", "contrast_probability", "surgery_probability"])
def test_exams_that_differ_in_one_thing_are_scanned_alike(simulate, change):
    without, with_it = (simulate(6, tilt_probability=1.0, **{change: probability}) for probability in (0.0, 1.0))
    assert without.volume.grid.same_as(with_it.volume.grid)
    assert without.truth["noise_hu"] == with_it.truth["noise_hu"]
    same = without.volume.array_kji == with_it.volume.array_kji
    assert 0.2 < same.mean() < 1.0


def test_an_exam_is_int16_hu_with_its_label_on_the_same_grid(simulate):
    exam = simulate(1, positive_probability=1.0, padding_hu=(-1500.0,))
    assert exam.volume.array_kji.dtype == np.int16
    assert exam.label_kji.dtype == np.uint8
    assert exam.label_kji.shape == exam.volume.array_kji.shape == exam.volume.grid.shape_kji
    assert exam.volume.array_kji.min() == -1500
    assert len(exam.thicknesses_mm) == len(exam.label_kji)


def test_exams_without_blood_have_an_empty_label_and_say_so(simulate):
    for seed in range(3):
        exam = simulate(seed, positive_probability=0.0)
        assert not exam.label_kji.any()
        assert exam.truth["positive"] is False
        assert exam.truth["types"] == []
        assert set(exam.truth["volume_ml"].values()) == {0.0}


@pytest.mark.parametrize("code", CT_HEMORRHAGE_CODES)
def test_a_type_that_is_asked_for_alone_is_the_only_one_in_the_mask(simulate, code):
    value = CT_HEMORRHAGE_CODES.index(code) + 1
    found = 0
    for seed in range(3):
        exam = simulate(seed, positive_probability=1.0, types=(code,))
        assert set(np.unique(exam.label_kji)) <= {0, value}
        found += bool(exam.label_kji.any())
        assert exam.truth["types"] == ([code] if exam.label_kji.any() else [])
    assert found


def test_the_true_volume_is_the_mask_times_the_voxel_volume(simulate):
    exam = simulate(2, positive_probability=1.0, slice_spacings_mm=(2.0, 5.0), mixed_stack_probability=1.0)
    grid = exam.volume.grid
    for value, code in enumerate(CT_HEMORRHAGE_CODES, start=1):
        expected = sum(
            int((exam.label_kji[k] == value).sum()) * grid.spacing_i_mm * grid.spacing_j_mm * extent / 1000
            for k, extent in enumerate(grid.slice_extents_mm)
        )
        assert exam.truth["volume_ml"][code] == pytest.approx(expected, abs=1e-3)


def test_chosen_bleedings_take_the_place_of_drawn_ones(anatomy):
    def paint(canvas):
        add_bleeding(canvas, "putamen", 2.0)

    settings = HeadCtSettings(matrix=96, slice_spacings_mm=(2.0,), positive_probability=0.0, scale=(1.0, 1.0))
    exam = simulate_head_ct(anatomy, 1, settings, paint_blood=paint)
    assert "IPH" in exam.truth["types"]
    assert not {"SDH", "EDH", "SAH"} & set(exam.truth["types"])
    assert 0.5 < exam.truth["volume_ml"]["IPH"] + exam.truth["volume_ml"]["IVH"] < 3.5


def test_blood_that_bone_hides_is_not_in_the_mask(simulate):
    quiet = {"noise_hu": (0.0, 0.01), "offset_hu": (0.0, 0.0), "bone_halo_hu": (0.0, 0.0), "blur_mm": (0.0, 0.0)}
    quiet |= {"bone_glow_hu": (0.0, 0.0), "beam_hardening": (0.0, 0.0), "cupping_hu": (0.0, 0.0)}
    quiet |= {"metal_probability": 0.0, "motion_probability": 0.0, "sharp_kernel_probability": 0.0}
    exam = simulate(3, positive_probability=1.0, parts=("SDH",), slice_spacings_mm=(8.0,), **quiet)
    assert exam.label_kji.any()
    assert exam.volume.array_kji[exam.label_kji > 0].max() <= 151


def test_truth_is_json(simulate):
    truth = simulate(3, positive_probability=1.0).truth
    assert json.loads(json.dumps(truth))["seed"] == 3


def test_tilt_is_a_shear_planes_tilted_and_the_table_moving_along_z_only(simulate):
    exam = simulate(6, tilt_probability=1.0, tilt_deg=(18.0, 20.0))
    grid = exam.volume.grid
    steps = np.diff(grid.origins_lps_mm, axis=0)
    assert np.abs(steps[:, :2]).max() == 0
    assert (steps[:, 2] > 0).all()
    assert 18.0 <= grid.tilt_deg <= 20.0
    assert grid.tilt_deg == pytest.approx(exam.truth["tilt_deg"], abs=0.01)
    # The planes are 4 mm apart across themselves, so the table moves further than that.
    assert grid.slice_spacings_mm == pytest.approx(4.0, abs=1e-3)
    assert steps[:, 2] == pytest.approx(4.0 / np.cos(np.radians(grid.tilt_deg)), abs=1e-3)


def test_a_mixed_stack_is_thin_below_and_thick_above(simulate):
    for seed in range(8):
        exam = simulate(seed, mixed_stack_probability=1.0, slice_spacings_mm=(2.0, 6.0), tilt_probability=0.0)
        if exam.thicknesses_mm[0] != exam.thicknesses_mm[-1]:
            break
    spacings = exam.volume.grid.slice_spacings_mm
    assert not exam.volume.grid.is_regular
    assert spacings[0] == pytest.approx(2.0)
    assert spacings[-1] == pytest.approx(6.0)
    assert np.sort(np.unique(spacings.round(3))).tolist() == [2.0, 4.0, 6.0]


def test_brain_blood_and_bone_have_their_hounsfield_units(simulate):
    quiet = {"noise_hu": (0.1, 0.2), "offset_hu": (0.0, 0.0), "cupping_hu": (0.0, 0.0), "beam_hardening": (0.0, 0.0)}
    exam = simulate(0, positive_probability=1.0, types=("IPH",), mimic_probability=0.0, **quiet)
    hu, label = exam.volume.array_kji, exam.label_kji
    middle = hu[len(hu) // 2]
    brain = middle[(middle > 15) & (middle < 50)]
    assert 25 < np.median(brain) < 42
    assert hu.max() > 800
    for seed in range(6):
        exam = simulate(seed, positive_probability=1.0, types=("IPH",), mimic_probability=0.0, **quiet)
        if exam.truth["volume_ml"]["IPH"] > 2:
            blood = exam.volume.array_kji[exam.label_kji == 1]
            assert 45 < np.median(blood) < 90
            break
    else:
        pytest.fail("no exam with more than 2 mL")
    assert label.dtype == np.uint8


def test_thinner_slices_are_noisier(simulate):
    def noise(spacing):
        exam = simulate(9, positive_probability=0.0, slice_spacings_mm=(spacing,), noise_hu=(4.0, 4.0))
        middle = exam.volume.array_kji[len(exam.label_kji) // 2].astype(float)
        brain = (middle[:, 1:] > 10) & (middle[:, 1:] < 60) & (middle[:, :-1] > 10) & (middle[:, :-1] < 60)
        return np.diff(middle, axis=1)[brain].std()

    assert noise(1.0) > 1.2 * noise(6.0)


def test_settings_out_of_range_are_refused():
    with pytest.raises(ConfigError):
        HeadCtSettings(types=("IPH", "XYZ"))
    with pytest.raises(ConfigError):
        HeadCtSettings(positive_probability=1.5)
    with pytest.raises(ConfigError):
        HeadCtSettings(slice_spacings_mm=())
