"""A run's state by itself: the bar never falls, times are told only when they can be, nothing unknown breaks it."""

from __future__ import annotations

import pytest

from NeuroTriagePanel.run_state import STAGES, Notice, RunState


def test_the_stages_add_up_to_the_whole_run():
    assert sum(stage.share for stage in STAGES.values()) == pytest.approx(1.0)


def test_the_share_done_grows_through_the_stages_and_never_falls():
    state, shares = RunState().begun(0.0), []
    for name in ("model", "quality", "prepare", "network", "decode", "measurements", "show"):
        for fraction in (0.0, 0.5, 1.0, 0.2):
            state = state.progressed(name, fraction)
            shares.append(state.share_done)
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1.0)


def test_a_stage_that_is_not_known_is_named_and_moves_nothing():
    state = RunState().begun(0.0).progressed("network", 0.5)
    later = state.progressed("registration", 0.9)
    assert later.stage_text == "Registration" and later.share_done == state.share_done


def test_the_time_left_is_told_once_a_quarter_is_done():
    state = RunState().begun(100.0)
    assert state.progressed("model", 0.5).time_text(103.0) == "3 s"
    state = state.progressed("network", 1.0)
    left = 10.0 * (1 - state.share_done) / state.share_done
    assert state.time_text(110.0) == f"10 s, about {left:.0f} s left"


def test_each_run_has_a_number_of_its_own():
    first = RunState().begun(0.0)
    second = first.ended(Notice("Cancelled.")).begun(1.0)
    assert second.run == first.run + 1 and second.notice.text == ""
