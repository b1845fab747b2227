"""The consensus: known opinions make a known answer, the exam is prepared once, and who fails or objects is named."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from NeuroTriageLib.core.codes import CT_HEMORRHAGE_CODES
from NeuroTriageLib.core.errors import Cancelled, ConfigError, ModelError, SeriesSelectionError, UnfamiliarExam
from NeuroTriageLib.core.volume import Volume
from NeuroTriageLib.pipeline import ExamContext, triage_volume
from NeuroTriageLib.simulation.phantom import phantom_head_ct
from NeuroTriageLib.systems import consensus as consensus_module
from NeuroTriageLib.systems.consensus_config import ConsensusConfig, GridSettings
from Testing.Lib.systems.head_phantom import head, stack
from Testing.Lib.systems.stand_ins import CHANG_CODES, Failing, StandIn, consensus, consensus_config

HEAD = head(stack(steps_mm=np.full(15, 10.0)), lesion=False)


def odds(probability: float) -> float:
    return probability / (1 - probability)


def test_the_answer_is_the_weighted_pool_of_the_opinions_calibrated():
    members = StandIn("kuo2019", {"any": 0.9, "IPH": 0.8}), StandIn("ye2019", {"any": 0.6, "IPH": 0.3}, segments=False)
    weights = {key: {"kuo2019": 0.75, "ye2019": 0.25} for key in ("any", *CT_HEMORRHAGE_CODES)}
    reading = consensus(*members, weights=weights).read(HEAD)
    assert odds(reading.probability["any"]) == pytest.approx(odds(0.9) ** 0.75 * odds(0.6) ** 0.25)
    assert odds(reading.probability["IPH"]) == pytest.approx(odds(0.8) ** 0.75 * odds(0.3) ** 0.25)
    assert reading.system == "consensus" and reading.is_present("IPH")


def test_opinions_doubt_and_disagreement_stay_visible():
    members = StandIn("kuo2019", {"any": 0.9, "SDH": 0.8}), StandIn("ye2019", {"any": 0.7, "SDH": 0.2}, segments=False)
    told = consensus(*members).read(HEAD).deliberation
    assert [opinion.system for opinion in told.opinions] == ["kuo2019", "ye2019"]
    assert told.doubt["any"] == pytest.approx(0.1) and told.agreement["any"] == "agree"
    assert told.doubt["SDH"] == pytest.approx(0.3) and told.agreement["SDH"] == "split"
    assert told.doubt["SAH"] == pytest.approx(0.0) and told.agreement["SAH"] == "agree"


def test_an_opinion_on_subdural_or_epidural_moves_both_but_neither_agrees_nor_disagrees():
    kuo = StandIn("kuo2019", {"any": 0.9, "SDH": 0.5, "EDH": 0.5})
    chang = StandIn("chang2018", {"any": 0.9, "SDH+EDH": 0.9}, codes=CHANG_CODES)
    reading = consensus(kuo, chang).read(HEAD)
    for code in ("SDH", "EDH"):
        assert odds(reading.probability[code]) == pytest.approx(math.sqrt(odds(0.9)))
        assert reading.deliberation.doubt[code] is None and reading.deliberation.agreement[code] is None
    assert reading.probability["IVH"] == pytest.approx(0.05)  # kuo2019 alone answers it


def test_a_type_is_never_found_without_hemorrhage():
    member = StandIn("kuo2019", {"any": 0.3, "IPH": 0.95})
    reading = consensus(member).read(HEAD)
    assert reading.probability["IPH"] == reading.probability["any"] == pytest.approx(0.3)
    assert not reading.is_present("IPH") and not reading.label_kji.any()


def test_systems_on_one_grid_share_one_preparation(monkeypatch):
    made = []
    original = consensus_module.prepare
    monkeypatch.setattr(consensus_module, "prepare", lambda v, grid: made.append(grid) or original(v, grid))
    other = GridSettings(pixel_spacing_mm=3.6, image_size=64, slab_mm=5.0)
    members = StandIn("kuo2019", {}), StandIn("ye2019", {}), StandIn("chang2018", {}, grid=other, codes=CHANG_CODES)
    consensus(*members).read(HEAD)
    assert made == [GridSettings.of(members[0].config), other]
    assert members[0].given[0] is members[1].given[0] is not members[2].given[0]
    assert members[2].given[0].hu_shw.shape[1:] == (64, 64)


def test_a_member_that_fails_is_named_and_the_others_answer():
    members = Failing("chang2018", {}), StandIn("kuo2019", {"any": 0.8, "IPH": 0.7})
    reading = consensus(*members).read(HEAD)
    assert reading.probability["any"] == pytest.approx(0.8)
    assert "out of memory" in reading.deliberation.failures["chang2018"]
    assert reading.deliberation.doubt["any"] is None


def test_when_every_member_fails_there_is_no_answer():
    with pytest.raises(ModelError, match="out of memory"):
        consensus(Failing("kuo2019", {}), Failing("ye2019", {})).read(HEAD)


def test_a_type_that_nobody_left_answers_could_not_be_looked_at():
    members = Failing("kuo2019", {}), StandIn("chang2018", {"any": 0.9, "IPH": 0.9}, codes=CHANG_CODES)
    result = triage_volume(phantom_head_ct(), consensus(*members), context=ExamContext("test"))
    status = {finding.code: finding.status for finding in result.findings}
    assert status["IVH"] == "could_not_look" and status["IPH"] == "found" and status["EDH"] == "not_found"
    assert any(flag.code == "system_failed" and "kuo2019" in flag.message for flag in result.quality)
    assert [(o.system, o.status) for o in result.opinions if o.system == "kuo2019"] == [("kuo2019", "could_not_look")]


def test_an_unfamiliar_exam_is_not_scored_and_its_findings_say_why():
    member = StandIn("kuo2019", {"any": 0.99})
    system = consensus(member, familiarity_threshold=1e-3)
    with pytest.raises(UnfamiliarExam):
        system.read(HEAD)
    assert not member.given, "nobody was asked"
    result = triage_volume(phantom_head_ct(), system, context=ExamContext("test"))
    assert {finding.status for finding in result.findings} == {"could_not_look"}
    assert all("unlike" in finding.reason and finding.probability is None for finding in result.findings)
    assert not result.readings and not result.familiarity.is_familiar
    assert result.quality[0].code == "unfamiliar"


def test_who_insists_gets_an_answer_that_stays_flagged():
    system = consensus(StandIn("kuo2019", {"any": 0.99}), familiarity_threshold=1e-3)
    result = triage_volume(phantom_head_ct(), system.with_choices(accept_unfamiliar=True), context=ExamContext("test"))
    assert result.findings[0].status == "found"
    assert result.familiarity.accepted and result.quality[0].code == "unfamiliar"


def test_the_pipeline_lists_the_answer_first_and_each_opinion_after_it():
    members = StandIn("kuo2019", {"any": 0.9, "IPH": 0.8}), StandIn("ye2019", {"any": 0.2}, segments=False)
    result = triage_volume(phantom_head_ct(), consensus(*members), context=ExamContext("test"))
    assert [reading.system for reading in result.readings] == ["consensus", "kuo2019", "ye2019"]
    assert {finding.system for finding in result.findings} == {"consensus"}
    assert [o.system for o in result.opinions] == ["kuo2019"] * 6 + ["ye2019"] * 6
    assert result.findings[0].agreement == "split" and result.findings[0].doubt == pytest.approx(0.35)
    assert all(o.doubt is None for o in result.opinions)
    assert {o.volume_ml for o in result.opinions if o.system == "ye2019"} == {None}, "it draws no masks"
    assert result.timings_s["kuo2019"] == 0.5


def test_the_heatmap_is_the_mean_or_that_of_ones_choice():
    shape = HEAD.grid.shape_kji
    maps = {name: np.full(shape, value) for name, value in (("kuo2019", 0.8), ("chang2018", 0.4), ("ye2019", 0.1))}
    system = consensus(
        StandIn("kuo2019", {}, heat=maps["kuo2019"]),
        StandIn("chang2018", {}, heat=maps["chang2018"], codes=CHANG_CODES),
        StandIn("ye2019", {}, heat=maps["ye2019"], segments=False),
        mask_weights={"kuo2019": 0.75, "chang2018": 0.25},
    )
    mean = system.read(HEAD)
    assert mean.heatmap_kji[0, 0, 0] == pytest.approx(0.7, abs=1e-3)
    assert mean.heatmap_source == "mean of kuo2019, chang2018"
    chosen = system.with_choices("ye2019").read(HEAD)
    assert chosen.heatmap_kji[0, 0, 0] == pytest.approx(0.1, abs=1e-3) and chosen.heatmap_source == "ye2019"
    with pytest.raises(ConfigError, match="heatmap"):
        system.with_choices("nael2021")


def test_an_image_without_a_head_was_not_looked_at():
    grid = HEAD.grid
    with pytest.raises(SeriesSelectionError, match="not negative"):
        consensus(StandIn("kuo2019", {})).read(Volume(np.full(grid.shape_kji, -1000, np.int16), grid))


def test_progress_never_falls_and_cancel_is_heard():
    heard: list[tuple[str, float]] = []
    members = [StandIn(name, {}) for name in ("kuo2019", "ye2019")]
    consensus(*members).read(HEAD, progress=lambda *step: heard.append(step))
    stages = ["prepare", "network", "decode"]
    assert list(dict.fromkeys(stage for stage, _ in heard)) == stages
    for stage in stages:
        fractions = [fraction for name, fraction in heard if name == stage]
        assert fractions == sorted(fractions) and fractions[0] == 0.0 and fractions[-1] == 1.0

    def cancel(stage: str, fraction: float) -> None:
        if stage == "network" and fraction > 0:
            raise Cancelled("The run was cancelled.")

    with pytest.raises(Cancelled):
        consensus(*members).read(HEAD, progress=cancel)


def test_settings_there_and_back_and_out_of_range():
    config = consensus_config(("kuo2019", "ye2019"))
    assert ConsensusConfig.from_json(config.to_json()) == config
    with pytest.raises(ConfigError):
        ConsensusConfig.from_json(config.to_json() | {"surprise": 1})
    for wrong in (
        {"members": ()},
        {"mask_weights": {"stranger": 1.0}},
        {"mask_weights": {"kuo2019": 0.4}},
        {"mask_weights": {"kuo2019": 1.5, "ye2019": -0.5}},
        {"pixel_threshold": 1.0},
        {"familiarity_threshold": 0.0},
    ):
        with pytest.raises(ConfigError):
            replace(config, **wrong)
