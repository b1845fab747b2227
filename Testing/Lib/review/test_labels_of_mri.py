"""Label maps of findings on MRI: they stand alone, and abnormality as such is never outlined."""

from __future__ import annotations

import numpy as np

from NeuroTriageLib.core.codes import CT_HEMORRHAGE_CODES
from NeuroTriageLib.core.findings import ModelIdentity, Reading
from NeuroTriageLib.review.labels import (
    SEGMENT_CODES,
    SEGMENT_VALUES,
    finding_codes,
    finding_mask,
    label_of_reading,
    slice_areas,
    voxel_counts,
)
from NeuroTriageLib.review.live_measurements import measure_label, segment_volumes_ml
from Testing.Lib.mr_phantom import grid

SHAPE = (6, 20, 24)
CODES = ("abnormal", "acute_hemorrhage", "mass_effect")


def reading(**probability: float) -> Reading:
    label = np.zeros(SHAPE, np.uint8)
    label[2:4, 5:9, 5:9], label[1, 12:14, 12:18] = 2, 3
    return Reading(
        system="nael2021",
        codes=CODES,
        probability=dict.fromkeys(CODES, 0.9) | probability,
        threshold=dict.fromkeys(CODES, 0.5),
        slice_probability={},
        label_kji=label,
        heatmap_kji=np.zeros(SHAPE, np.float16),
        model=ModelIdentity("tiny", "1", "ab" * 32),
    )


def test_the_values_of_hemorrhage_types_are_those_of_the_stored_versions():
    assert SEGMENT_CODES[:7] == (*CT_HEMORRHAGE_CODES, "SDH+EDH", "any")  # values never change


def test_what_was_found_keeps_its_voxels_and_what_was_not_loses_them():
    label = label_of_reading(reading(mass_effect=0.1))
    assert np.count_nonzero(label == SEGMENT_VALUES["acute_hemorrhage"]) == 32
    assert finding_codes(label) == ("acute_hemorrhage",)  # without an "any"


def test_abnormality_has_no_voxels():
    label = label_of_reading(reading())
    assert not finding_mask(label, "abnormal").any()
    assert not slice_areas(voxel_counts(label), "abnormal").any()


def test_millilitres_and_measurements_name_the_findings_alone():
    label, on = label_of_reading(reading()), grid(SHAPE)
    voxel_ml = 7.0 * 4.0 * 4.0 / 1000
    expected = {"acute_hemorrhage": 32 * voxel_ml, "mass_effect": 12 * voxel_ml}
    volumes = segment_volumes_ml(label, on)
    assert volumes.keys() == expected.keys() and all(abs(volumes[c] - ml) < 1e-9 for c, ml in expected.items())
    measured = measure_label(label, on)
    assert measured.keys() == expected.keys() and all(item.abc2 is None for item in measured.values())
