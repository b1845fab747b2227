"""Passwords, tokens and sessions: who comes in, for how long, and how often a wrong one may be tried."""

from __future__ import annotations

import pytest

from NeuroTriageLib.core.errors import ConfigError
from NeuroTriageLib.service import http_access
from NeuroTriageLib.service.http_access import Access, TooManyTries
from NeuroTriageLib.service.http_passwords import password_fits, password_hash, token_hash
from NeuroTriageLib.service.site_config import HttpUser
from Testing.Lib.service.made_node import PASSWORD, READ_TOKEN, USER, USERS

HERE = "10.0.0.1"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_kept_password_fits_only_itself_and_is_kept_differently_each_time():
    first, second = (password_hash("secret", cost=2**10) for _ in range(2))
    assert first != second and "secret" not in first
    assert password_fits("secret", first) and password_fits("secret", second) and not password_fits("Secret", first)


@pytest.mark.parametrize(
    "kept", ["secret", "", "scrypt$2$8$1$AAAA$AAAA", "md5$1$1$1$AAAA$AAAA", "scrypt$32768$8$3$%$%"]
)
def test_a_password_that_is_not_kept_our_way_is_an_error_at_the_start(kept: str):
    with pytest.raises(ConfigError):
        Access((HttpUser("reader", kept),))


def test_the_right_name_and_password_open_a_session_and_no_other_does():
    access = Access(USERS)
    secret = access.log_in(USER, PASSWORD, HERE)
    assert secret is not None and access.by_session(secret) is USERS[0]
    assert access.log_in(USER, "wrong", HERE) is None and access.log_in("nobody", PASSWORD, HERE) is None
    assert access.log_in("modality", "", HERE) is None, "who has only a token has no empty password"
    assert access.by_session("") is None and access.by_session(token_hash(secret)) is None


def test_a_session_ends_when_it_is_left_idle_when_it_is_old_and_when_its_user_logs_out():
    clock = Clock()
    access = Access(USERS, clock)
    idle, old, left = (access.log_in(USER, PASSWORD, HERE) for _ in range(3))
    assert idle and old and left
    access.log_out(left)
    assert access.by_session(left) is None
    while clock.now < http_access.SESSION_S - http_access.SESSION_IDLE_S / 2:
        clock.now += http_access.SESSION_IDLE_S / 2
        assert access.by_session(old) is not None
    assert access.by_session(idle) is None
    clock.now += http_access.SESSION_IDLE_S
    assert access.by_session(old) is None


def test_after_five_wrong_tries_even_the_right_password_must_wait_and_other_users_need_not():
    clock = Clock()
    access = Access((*USERS, HttpUser("second", USERS[0].password_hash)), clock)
    for n in range(http_access.MOST_FAILURES):
        assert access.log_in(USER, "wrong", f"10.0.0.{n}") is None
    with pytest.raises(TooManyTries):
        access.log_in(USER, PASSWORD, "10.0.1.1")
    assert access.log_in("second", PASSWORD, "10.0.1.1")
    clock.now += http_access.FAILURE_WINDOW_S
    assert access.log_in(USER, PASSWORD, "10.0.1.1")


def test_wrong_tokens_from_one_address_stop_its_tokens_and_no_other_addresss():
    access = Access(USERS, Clock())
    for _ in range(http_access.MOST_FAILURES):
        assert access.by_token("guess", HERE) is None
    with pytest.raises(TooManyTries):
        access.by_token(READ_TOKEN, HERE)
    assert access.by_token(READ_TOKEN, "10.0.0.2") is USERS[0]


def test_a_programs_password_is_hashed_once_and_forgotten_in_time(monkeypatch: pytest.MonkeyPatch):
    clock, hashed = Clock(), []
    access = Access(USERS, clock)

    def counted(password: str, stored: str) -> bool:
        hashed.append(password)
        return password_fits(password, stored)

    monkeypatch.setattr(http_access, "password_fits", counted)
    for _ in range(3):
        assert access.by_password(USER, PASSWORD, HERE) is USERS[0]
    assert hashed == [PASSWORD]
    clock.now += http_access.VERIFIED_S
    assert access.by_password(USER, PASSWORD, HERE) is USERS[0] and len(hashed) == 2


def test_made_up_names_do_not_fill_the_memory():
    failures = http_access.Failures(Clock())
    for n in range(http_access.MOST_REMEMBERED + 5):
        failures.note(f"name {n}")
    assert len(failures._times) == http_access.MOST_REMEMBERED
