"""Who may read, send or measure over HTTP: tokens, passwords, sessions, and how often a wrong one may be tried."""

from __future__ import annotations

import hmac
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .http_passwords import check_password_hash, new_token, password_fits, password_hash, token_hash
from .site_config import HttpUser

SESSION_IDLE_S = 1800.0  # a reading room's screen stays open; ours, as most PACS viewers lock after half an hour
SESSION_S = 12 * 3600.0  # a long shift; ours
MOST_SESSIONS = 500  # the oldest goes first; ours
VERIFIED_S = 300.0  # how long a program's password is not hashed again; ours
# NIST SP 800-63B, 3.2.2 asks for a limit on failed tries; five in five minutes, for one address
# or one name, are ours.
MOST_FAILURES, FAILURE_WINDOW_S = 5, 300.0
# Addresses and names whose failures are remembered; a flood of made-up names pushes out the oldest (ours).
MOST_REMEMBERED = 10_000


class TooManyTries(Exception):
    """Too many wrong passwords or tokens came from there; seconds until another may be tried."""

    def __init__(self, wait_s: float) -> None:
        super().__init__("too many tries")
        self.wait_s = wait_s


class Failures:
    """How often something failed lately, by address and by name.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._times: OrderedDict[str, list[float]] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, *keys: str) -> None:
        """Raises TooManyTries when one of them has failed too often."""
        with self._lock:
            waits = [self._wait_s(key) for key in keys]
        if max(waits, default=0.0) > 0:
            raise TooManyTries(max(waits))

    def note(self, *keys: str) -> None:
        """They have failed once more."""
        with self._lock:
            for key in keys:
                recent = [t for t in self._times.pop(key, []) if t > self._clock() - FAILURE_WINDOW_S]
                self._times[key] = [*recent, self._clock()][-MOST_FAILURES:]
            while len(self._times) > MOST_REMEMBERED:
                self._times.popitem(last=False)

    def _wait_s(self, key: str) -> float:
        times = self._times.get(key, [])
        return times[0] + FAILURE_WINDOW_S - self._clock() if len(times) >= MOST_FAILURES else 0.0


@dataclass
class _Session:
    user: HttpUser
    began: float
    used: float


def check_password_hashes(users: Sequence[HttpUser]) -> None:
    """Raises ConfigError when a password of the site's file is not kept as password_hash makes it."""
    for user in users:
        if user.password_hash is not None:
            check_password_hash(user.password_hash)


class Access:
    """Knows the users, and who is logged in; safe to use from several threads.

    Args:
        users: of the site's file.
        clock: seconds that only grow.

    Raises ConfigError when a password is not kept as password_hash makes it.
    """

    def __init__(self, users: Sequence[HttpUser], clock: Callable[[], float] = time.monotonic) -> None:
        check_password_hashes(users)
        self._by_name = {user.name: user for user in users}
        self._tokens = [(user.token_sha256, user) for user in users if user.token_sha256 is not None]
        self._clock = clock
        self._sessions: OrderedDict[str, _Session] = OrderedDict()
        self._lock, self._hashing = threading.Lock(), threading.Lock()
        self._failures = Failures(clock)
        self._nobody = next((u.password_hash for u in users if u.password_hash), None) or password_hash(new_token())
        self._secret = new_token()
        self._verified: OrderedDict[str, tuple[HttpUser, float]] = OrderedDict()

    def by_token(self, token: str, address: str) -> HttpUser | None:
        """Whose token it is; None when it is nobody's. Raises TooManyTries."""
        self._failures.check(f"address {address}")
        given, found = token_hash(token), None
        for kept, user in self._tokens:  # all of them, so that the time says nothing
            if hmac.compare_digest(given, kept):
                found = user
        if found is None:
            self._failures.note(f"address {address}")
        return found

    def by_password(self, name: str, password: str, address: str) -> HttpUser | None:
        """Whose name and password they are; None when they are nobody's. Raises TooManyTries.

        What was right a moment ago is right without hashing: programs send it with every request.
        """
        key = token_hash(f"{self._secret}{name}\0{password}")
        with self._lock:
            known = self._verified.get(key)
        if known is not None and known[1] > self._clock():
            return known[0]
        user = self._verify(name, password, address)
        if user is not None:
            with self._lock:
                self._verified[key] = (user, self._clock() + VERIFIED_S)
                while len(self._verified) > MOST_SESSIONS:
                    self._verified.popitem(last=False)
        return user

    def log_in(self, name: str, password: str, address: str) -> str | None:
        """A new session's secret; None for a wrong name or password. Raises TooManyTries."""
        user = self._verify(name, password, address)
        if user is None:
            return None
        secret = new_token()
        with self._lock:
            self._sessions[token_hash(secret)] = _Session(user, self._clock(), self._clock())
            while len(self._sessions) > MOST_SESSIONS:
                self._sessions.popitem(last=False)
        return secret

    def _verify(self, name: str, password: str, address: str) -> HttpUser | None:
        keys = (f"address {address}", f"name {name}")
        user = self._by_name.get(name)
        stored = user.password_hash if user is not None else None
        with self._hashing:  # one at a time: each takes 32 MiB, and a flood must not take the memory
            self._failures.check(*keys)
            fits = password_fits(password, stored or self._nobody)  # an unknown name takes as long as a known one
        if user is None or stored is None or not fits:
            self._failures.note(*keys)
            return None
        return user

    def by_session(self, secret: str) -> HttpUser | None:
        """Who is logged in with this secret; None when nobody is, or not any more."""
        with self._lock:
            session = self._sessions.get(token_hash(secret))
            now = self._clock()
            if session is None or now - session.began > SESSION_S or now - session.used > SESSION_IDLE_S:
                self._sessions.pop(token_hash(secret), None)
                return None
            session.used = now
            return session.user

    def log_out(self, secret: str) -> None:
        """The secret is worth nothing from now on."""
        with self._lock:
            self._sessions.pop(token_hash(secret), None)
