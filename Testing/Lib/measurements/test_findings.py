"""What a reader is told about a reading."""

from __future__ import annotations

import numpy as np
import pytest

from NeuroTriageLib.core.codes import CT_HEMORRHAGE_CODES
from NeuroTriageLib.core.findings import Deliberation, Familiarity, ModelIdentity, Reading
from NeuroTriageLib.measurements.findings import could_not_look, measure
from Testing.Lib.measurements.shapes import make_grid

GRID = make_grid(shape_kji=(10, 30, 30), steps_mm=5.0)


def make_reading(boxes: dict[str, tuple[slice, slice, slice]], found: set[str], **changes) -> Reading:
    label = np.zeros(GRID.shape_kji, np.uint8)
    for code, where in boxes.items():
        label[where] = CT_HEMORRHAGE_CODES.index(code) + 1
    codes = ("any", *CT_HEMORRHAGE_CODES)
    values = {
        "system": "kuo2019",
        "codes": CT_HEMORRHAGE_CODES,
        "probability": {code: 0.9 if code in found else 0.1 for code in codes},
        "threshold": dict.fromkeys(codes, 0.5),
        "slice_probability": {code: np.linspace(0, 1, 10) ** 2 * 0.3 for code in codes},
        "label_kji": label,
        "heatmap_kji": np.zeros(GRID.shape_kji, np.float16),
        "model": ModelIdentity("test", "1", "0" * 64),
    }
    return Reading(**(values | changes))


def by_code(reading):
    findings, abc2 = measure(reading, GRID)
    return {finding.code: finding for finding in findings}, {item.code: item for item in abc2}


IPH_BOX = (slice(2, 6), slice(5, 15), slice(5, 15))  # 400 voxels of 5 mm3: 2 mL
SDH_BOX = (slice(4, 5), slice(15, 29), slice(20, 30))  # 140 voxels: 0.7 mL, touches the border


def test_findings_come_in_the_order_of_the_report():
    findings, _ = measure(make_reading({}, set()), GRID)
    assert [finding.code for finding in findings] == ["any", "IPH", "IVH", "SDH", "EDH", "SAH"]


def test_each_found_type_has_its_volume_parts_key_slice_and_class():
    findings, abc2 = by_code(make_reading({"IPH": IPH_BOX, "SDH": SDH_BOX}, {"any", "IPH", "SDH"}))
    iph = findings["IPH"]
    assert (iph.status, iph.components, iph.key_slice, iph.size_class) == ("found", 1, 3, "small")
    assert iph.volume_ml == pytest.approx(2.0)
    assert findings["SDH"].volume_ml == pytest.approx(0.7)
    assert findings["SDH"].key_slice == 4
    assert set(abc2) == {"IPH", "SDH"}


def test_any_is_the_union_of_the_types():
    findings, _ = by_code(make_reading({"IPH": IPH_BOX, "SDH": SDH_BOX}, {"any", "IPH", "SDH"}))
    assert findings["any"].volume_ml == pytest.approx(2.7)
    assert findings["any"].components == 2
    assert findings["any"].key_slice == 4  # both types bleed there: 240 pixels


def test_types_that_touch_are_one_part_in_any():
    touching = (slice(2, 6), slice(5, 15), slice(15, 20))
    findings, _ = by_code(make_reading({"IPH": IPH_BOX, "IVH": touching}, {"any", "IPH", "IVH"}))
    assert findings["any"].components == 1


def test_what_is_not_found_has_no_volume_no_slice_and_no_class():
    findings, abc2 = by_code(make_reading({}, set()))
    for finding in findings.values():
        assert (finding.status, finding.present) == ("not_found", False)
        assert (finding.volume_ml, finding.components, finding.key_slice, finding.size_class) == (0.0, 0, None, None)
    assert not abc2


def test_mask_of_a_type_below_its_threshold_does_not_count():
    findings, abc2 = by_code(make_reading({"IPH": IPH_BOX, "SDH": SDH_BOX}, {"any", "IPH"}))
    assert findings["SDH"].volume_ml == 0.0
    assert findings["any"].volume_ml == pytest.approx(2.0)
    assert set(abc2) == {"IPH"}


def test_found_without_a_mask_points_at_the_slice_with_the_highest_score():
    findings, abc2 = by_code(make_reading({}, {"any", "SAH"}))
    assert findings["SAH"].status == "found"
    assert (findings["SAH"].volume_ml, findings["SAH"].key_slice, findings["SAH"].size_class) == (0.0, 9, None)
    assert not abc2


def test_hemorrhage_of_undetermined_type_keeps_its_place_and_volume():
    findings, abc2 = by_code(make_reading({"IPH": IPH_BOX}, {"any"}))
    assert findings["any"].volume_ml == pytest.approx(2.0)
    assert findings["any"].key_slice == 3
    assert findings["IPH"].status == "not_found"
    assert not abc2


def test_probability_at_its_threshold_is_found():
    reading = make_reading({}, {"any"})
    reading.probability["SAH"] = reading.threshold["SAH"] = 0.37
    assert by_code(reading)[0]["SAH"].status == "found"


def test_sah_has_no_abc2():
    _, abc2 = by_code(make_reading({"SAH": IPH_BOX}, {"any", "SAH"}))
    assert not abc2


def test_what_could_not_be_looked_at_is_not_a_negative():
    findings = could_not_look("kuo2019", ("any", "IPH"), "No head in the image.")
    assert [finding.code for finding in findings] == ["any", "IPH"]
    for finding in findings:
        assert finding.present is None
        assert finding.reason == "No head in the image."
        assert finding.probability is finding.volume_ml is finding.key_slice is None


def test_a_system_that_draws_no_masks_has_no_volumes_but_a_slice_to_look_at():
    findings, abc2 = by_code(make_reading({}, {"any", "IPH"}, segments=False))
    assert (findings["IPH"].status, findings["IPH"].volume_ml, findings["IPH"].components) == ("found", None, None)
    assert findings["IPH"].key_slice == 9 and findings["IPH"].size_class is None
    assert (findings["SDH"].status, findings["SDH"].volume_ml, findings["SDH"].components) == ("not_found", None, None)
    assert not abc2


def test_a_type_that_was_left_unanswered_could_not_be_looked_at():
    reading = make_reading({}, set())
    del reading.probability["IVH"]
    findings, _ = by_code(reading)
    assert findings["IVH"].status == "could_not_look" and findings["IVH"].reason
    assert findings["SAH"].status == "not_found"


def test_subdural_or_epidural_stands_where_the_two_stand():
    codes = ("IPH", "SDH+EDH", "SAH")
    said = dict.fromkeys(("any", *codes), 0.9)
    threshold, scores = dict.fromkeys(said, 0.5), {code: np.zeros(10) for code in said}
    changes = {"codes": codes, "probability": said, "threshold": threshold, "slice_probability": scores}
    findings, _ = measure(make_reading({"IVH": IPH_BOX}, set(), **changes), GRID)  # value 2: its second type
    assert [finding.code for finding in findings] == ["any", "IPH", "SDH+EDH", "SAH"]
    assert findings[2].volume_ml == pytest.approx(2.0)


def test_doubt_and_agreement_come_from_the_deliberation():
    codes = ("any", *CT_HEMORRHAGE_CODES)
    doubt, agreement = dict.fromkeys(codes, 0.2) | {"EDH": None}, dict.fromkeys(codes, "split") | {"EDH": None}
    told = Deliberation((), {}, doubt, agreement, Familiarity(1.0, 2.0))
    findings, _ = by_code(make_reading({"IPH": IPH_BOX}, {"any", "IPH"}, deliberation=told))
    assert {findings[code].doubt for code in ("any", "IPH", "SAH")} == {0.2}
    assert findings["EDH"].doubt is findings["EDH"].agreement is None
    assert findings["IPH"].agreement == findings["SAH"].agreement == "split"


def test_every_finding_says_on_which_slices_its_mask_lies_and_what_each_slice_scored():
    reading = make_reading({"IPH": IPH_BOX, "SDH": SDH_BOX}, {"any", "IPH", "SDH"})
    reading.slice_probability["SAH"] = np.zeros(0)
    findings, _ = by_code(reading)
    assert findings["IPH"].slices == findings["any"].slices == (2, 3, 4, 5) and findings["SDH"].slices == (4,)
    assert findings["EDH"].slices == ()
    assert findings["EDH"].slice_scores == pytest.approx(tuple(np.linspace(0, 1, 10) ** 2 * 0.3))
    assert findings["SAH"].slice_scores is None


def test_a_system_without_masks_has_slice_scores_alone():
    findings, _ = by_code(make_reading({}, {"any", "IPH"}, segments=False))
    for code in ("IPH", "SAH"):
        assert findings[code].slices is None and len(findings[code].slice_scores) == 10
