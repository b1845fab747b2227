"""Bleedings have the density, the place and the bounds that their names promise."""

import numpy as np
import pytest
import torch

from NeuroTriageLib.simulation.bleeding_shapes import SUBARACHNOID_FORMS
from NeuroTriageLib.simulation.canvas import HeadCanvas
from NeuroTriageLib.simulation.crescent import make_crescent
from NeuroTriageLib.simulation.head_tissue import paint_head
from NeuroTriageLib.simulation.hemorrhage_extraaxial import add_convexity_sdh, add_lens
from NeuroTriageLib.simulation.hemorrhage_intraventricular import add_ivh
from NeuroTriageLib.simulation.hemorrhage_parenchymal import add_bleeding
from NeuroTriageLib.simulation.hemorrhage_subarachnoid import add_sah
from NeuroTriageLib.simulation.settings import HeadCtSettings
from NeuroTriageLib.simulation.tissue import Tissue


def _canvas(anatomy, seed=1):
    canvas = HeadCanvas(anatomy, seed, torch.device("cpu"))
    canvas.truth = {"lesions": [], "allowed": ("IPH", "IVH", "SDH", "EDH", "SAH")}
    paint_head(canvas, HeadCtSettings())
    return canvas


def _blood_hu(canvas, code):
    return float(canvas.hu[canvas.blood[code] > 0.95].median())


@pytest.mark.parametrize(
    ("age", "low", "high"), [("acute", 46, 84), ("isodense", 28, 48), ("chronic", 10, 48), ("mixed", 25, 84)]
)
def test_subdural_blood_has_the_density_of_its_age(anatomy, age, low, high):
    for seed in range(3):
        canvas = _canvas(anatomy, seed)
        add_convexity_sdh(canvas, 9.0, age)
        assert low <= _blood_hu(canvas, "SDH") <= high
        assert canvas.truth["lesions"][0]["age"] == age


def test_a_subdural_collection_lies_on_one_side_above_the_tentorium(anatomy):
    canvas = _canvas(anatomy)
    add_convexity_sdh(canvas, 8.0, "acute")
    filled = (canvas.blood["SDH"] > 0.5).numpy()
    assert len(np.unique(anatomy.side[filled])) == 1
    assert anatomy.supratentorial[filled].all()


def test_the_brain_under_a_collection_is_pressed_and_not_lost(anatomy):
    canvas = _canvas(anatomy, 3)
    before = canvas.tissue.clone()
    cortex = [int((before == Tissue.CORTEX).sum())]
    crescent = make_crescent(canvas, 9.0, 0.0)
    cortex.append(int((canvas.tissue == Tissue.CORTEX).sum()))
    outside = before.clone()
    outside[crescent.voxels] = Tissue.CSF  # what painting over would leave
    lost = cortex[0] - int((outside == Tissue.CORTEX).sum())
    under = canvas.tissue.clone()
    under[crescent.voxels] = torch.where(crescent.fraction > 0.5, int(Tissue.CSF), under[crescent.voxels].long()).to(
        under.dtype
    )
    left = int((under == Tissue.CORTEX).sum())
    assert lost > 0
    assert left > int((outside == Tissue.CORTEX).sum()) - lost * 0.5
    # The anatomy that other exams share stays as it was.
    assert torch.equal(torch.from_numpy(anatomy.tissue), before)


def test_an_epidural_lens_stays_on_its_side_of_the_midline_and_is_as_deep_as_drawn(anatomy):
    for seed in range(4):
        canvas = _canvas(anatomy, seed)
        add_lens(canvas, 9.0)
        if not canvas.truth["lesions"]:
            continue
        filled = (canvas.blood["EDH"] > 0.5).numpy()
        spot = np.array(canvas.truth["lesions"][0]["center_kji"])
        places = np.argwhere(filled)
        off_midline = (places[:, 2] - anatomy.brain_center_kji[2]) * np.sign(spot[2] - anatomy.brain_center_kji[2])
        assert np.quantile(off_midline, 0.02) > -1.0
        depth = anatomy.depth[filled] * 0.25
        assert 6.0 < depth.max() < 12.5


def test_large_bleedings_push_and_small_ones_do_not(anatomy):
    small, large = _canvas(anatomy), _canvas(anatomy)
    add_bleeding(small, "lobar", 0.2)
    add_bleeding(large, "lobar", 20.0)
    assert not small.swellings
    assert large.swellings[0].to_mm > large.swellings[0].from_mm


def test_an_old_clot_is_darker_than_a_fresh_one_and_never_as_dark_as_brain_s_white_matter(anatomy):
    seen = {"fading": [], "plain": []}
    painted = _canvas(anatomy)
    for seed in range(40):
        canvas = _fresh(painted, anatomy, seed)
        add_bleeding(canvas, "putamen", 4.0)
        look = canvas.truth["lesions"][0]["look"]
        if look in seen and float(canvas.blood["IPH"].max()) > 0.95:
            seen[look].append(_blood_hu(canvas, "IPH"))
    assert seen["fading"]
    assert np.median(seen["fading"]) < np.median(seen["plain"]) - 3
    assert min(seen["fading"]) > 32


def _fresh(canvas, anatomy, seed):
    """Another canvas over the same painted head, which takes a second to paint."""
    other = HeadCanvas(anatomy, seed, torch.device("cpu"))
    other.truth = canvas.truth | {"lesions": []}
    other.hu, other.csf_share, other.sulcal_hu = canvas.hu.clone(), canvas.csf_share, canvas.sulcal_hu
    return other


def test_a_ventricular_level_lies_behind_and_a_trace_is_less_of_it(anatomy):
    filled = {}
    for kind in ("level", "trace"):
        canvas = _canvas(anatomy, 2)
        add_ivh(canvas, kind)
        filled[kind] = canvas.blood["IVH"] > 0.5
        places = np.argwhere(filled[kind].numpy())
        assert places[:, 1].mean() > np.argwhere(anatomy.tissue == Tissue.VENTRICLE)[:, 1].mean()
    assert 0 < filled["trace"].sum() < filled["level"].sum() * 1.2


@pytest.mark.parametrize("form", SUBARACHNOID_FORMS)
def test_subarachnoid_blood_takes_the_place_of_csf_only(anatomy, form):
    canvas = _canvas(anatomy)
    share = canvas.csf_share.clone()
    add_sah(canvas, form)
    assert (canvas.blood["SAH"] <= share + 1e-4).all()
    deep = canvas.depth > 16  # 4 mm from the bone, which would lend voxels its own density
    assert float(canvas.hu[(canvas.blood["SAH"] > 0.05) & deep].max()) < 95.0
