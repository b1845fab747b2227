"""Arterial territories: grown from a head's own shape, and carried over from an atlas."""

import numpy as np
import pytest
import torch

from NeuroTriageLib.simulation.head_grid import HeadGrid
from NeuroTriageLib.simulation.mr import territories
from NeuroTriageLib.simulation.mr.territories import ATLAS_NAMES, NAMES, TerritoryAtlas, territory_field
from NeuroTriageLib.simulation.tissue import BRAIN_TISSUES, Tissue


def _number(name):
    return 1 + NAMES.index(name)


@pytest.fixture(scope="module")
def grown(anatomy):
    return territory_field(HeadGrid(anatomy, 1, torch.device("cpu"))).numpy()


def test_every_voxel_of_the_brain_belongs_to_an_artery_of_its_side_of_the_tentorium(anatomy, grown):
    brain = np.isin(anatomy.tissue, BRAIN_TISSUES)
    assert (grown[brain] > 0).all()
    fossa = np.isin(grown, [_number(name) for name in ("basilar", "SCA", "AICA", "PICA")])
    assert (fossa[brain] == ~anatomy.supratentorial[brain]).mean() > 0.95


def test_arteries_lie_where_textbooks_draw_them(anatomy, grown):
    brain = np.isin(anatomy.tissue, BRAIN_TISSUES)
    center = anatomy.brain_center_kji

    def middle(name):
        at = np.argwhere(brain & (grown == _number(name)))
        return np.abs(at[:, 2] - center[2]).mean(), at[:, 1].mean() - center[1]

    aside, depth = zip(*(middle(name) for name in ("ACA", "MCA frontal", "MCA temporal", "PCA")), strict=True)
    assert aside[0] < min(aside[1:3])  # the anterior artery is medial
    assert depth[3] > max(depth[:3])  # the posterior one lies behind
    deep = {name: (anatomy.tissue[brain & (grown == _number(name))] == Tissue.DEEP).mean() for name in NAMES[:7]}
    assert deep["lenticulostriate"] > 3.0 * deep["MCA parietal"]


def test_two_studies_of_one_head_have_different_borders(anatomy, grown):
    other = territory_field(HeadGrid(anatomy, 2, torch.device("cpu"))).numpy()
    brain = np.isin(anatomy.tissue, BRAIN_TISSUES)
    assert 0.6 < (other == grown)[brain].mean() < 0.99


def test_an_atlas_of_the_head_itself_is_carried_over_unchanged(anatomy, grown, monkeypatch):
    monkeypatch.setattr(territories, "BORDER_MM", 0.0)
    straight = territory_field(HeadGrid(anatomy, 1, torch.device("cpu"))).numpy()
    numbers = np.zeros(anatomy.shape_kji, dtype=np.int16)
    # AICA has no number of its own in the atlas.
    for number, name in ATLAS_NAMES.items():
        numbers[straight == _number(name)] = number
    numbers[straight == _number("AICA")] = 29
    atlas = TerritoryAtlas(numbers, territories._landmarks_of(anatomy))
    carried = territory_field(HeadGrid(anatomy, 1, torch.device("cpu")), atlas).numpy()
    same = (carried == straight) | (straight == _number("AICA"))
    assert same[np.isin(anatomy.tissue, BRAIN_TISSUES)].mean() > 0.97
