"""Pixels tell bright from dark fluid in every orientation, confirm or change weak answers, never overrule sure ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from NeuroTriageLib.series_selection.mr_contrast import Identification, identify
from NeuroTriageLib.series_selection.mr_facts import MrFacts, facts_of
from NeuroTriageLib.series_selection.mr_pixels import look_at, weigh_pixels
from Testing.Lib.mr_phantom import grid, head


def weak(contrast: str, *others: str, confidence: float = 0.7) -> Identification:
    return Identification(contrast, "axial", confidence, ("header",), others, MrFacts())


@pytest.mark.parametrize(
    ("contrast", "first"), [("T1", "T1"), ("T2", "T2"), ("FLAIR", "FLAIR"), ("ADC", "ADC"), ("B0", "T2")]
)
def test_what_the_pixels_can_tell_comes_first(contrast, first):
    look = look_at(head(contrast), grid())
    assert look is not None and look.contrasts[0] == first and contrast in look.contrasts


def test_a_trace_image_fits_and_no_image_with_bright_fluid_does():
    look = look_at(head("TRACE"), grid())
    assert look is not None and "TRACE" in look.contrasts and not {"T2", "B0", "ADC"} & set(look.contrasts)


@pytest.mark.parametrize("contrast", ["T1", "T2", "FLAIR", "ADC"])
def test_flipped_and_turned_stacks_look_the_same(contrast):
    values, plain = head(contrast), look_at(head(contrast), grid())
    flipped = look_at(values[::-1], grid(axes=np.diag([1.0, 1.0, -1.0])))
    turned = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]).T  # k runs along x, i along y, j along z
    sagittal = look_at(values.transpose(2, 0, 1), grid((48, 22, 56), axes=turned))
    assert plain is not None and flipped is not None and sagittal is not None
    assert flipped.median == pytest.approx(plain.median, rel=0.02)
    assert flipped.contrasts == plain.contrasts == sagittal.contrasts


def test_a_weak_trace_with_bright_fluid_is_the_image_without_weighting():
    look = look_at(head("B0"), grid())
    assert look is not None
    known = weigh_pixels(weak("TRACE", "B0", "DWI"), look)
    assert known.contrast == "B0" and len(known.reasons) == 2


def test_a_weak_answer_that_fits_is_confirmed_and_one_that_does_not_is_doubted():
    dark, bright = look_at(head("TRACE"), grid()), look_at(head("T2"), grid())
    assert dark is not None and bright is not None
    assert weigh_pixels(weak("TRACE", "B0"), dark).confidence == pytest.approx(0.8)
    doubted = weigh_pixels(weak("FLAIR", "DIR"), bright)
    assert doubted.contrast == "FLAIR" and doubted.confidence == pytest.approx(0.5)


def test_a_trace_image_whose_header_an_adc_map_could_share_is_checked_however_sure_its_name():
    look = look_at(head("ADC"), grid())
    assert look is not None
    assert weigh_pixels(weak("TRACE", "B0", "ADC", confidence=0.9), look).contrast == "ADC"
    dark = look_at(head("TRACE"), grid())
    assert dark is not None
    assert weigh_pixels(weak("TRACE", "B0", "ADC", confidence=0.9), dark).confidence == 0.9


def test_a_sure_answer_is_not_touched_and_a_silent_header_gets_half_a_confidence():
    look = look_at(head("T2"), grid())
    assert look is not None
    sure = weak("FLAIR", confidence=0.95)
    assert weigh_pixels(sure, look) is sure
    nothing = identify(facts_of({"Modality": "MR"}))
    assert nothing.contrast == "OTHER"
    found = weigh_pixels(nothing, look)
    assert (found.contrast, found.confidence) == ("T2", 0.5)


def test_an_empty_image_says_nothing():
    assert look_at(np.zeros((5, 20, 20), np.float32), grid((5, 20, 20))) is None
    assert weigh_pixels(weak("TRACE"), replace(_look("T2"), median=0.0)).contrast == "TRACE"


def _look(contrast: str):
    look = look_at(head(contrast), grid())
    assert look is not None
    return look
