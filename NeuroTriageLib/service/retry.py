"""When something that failed is tried again, and when no more."""

from __future__ import annotations

from .site_config import Retry

LASTING_TRIES = 5
"""After so many failures that do not pass by themselves an object is given up (ours): with waits of 30 s that double,
eight minutes, enough for a slip on the other side to be noticed and mended, and no night of vain tries."""


def next_try(retry: Retry, now: float, since: float, tries: int, *, lasting: bool = False) -> float | None:
    """When to try again after the given number of failures, in seconds since 1970; None: give up.

    Args:
        retry: the site's rule.
        now, since: this moment, and when it began to wait (s since 1970).
        tries: failures so far, this one too, at least 1.
        lasting: the failure will not pass by itself.
    """
    if now - since >= retry.give_up_h * 3600.0 or (lasting and tries >= LASTING_TRIES):
        return None
    # 64 doublings are more than any longest_s; without a limit the power overflows after a thousand tries.
    return now + min(retry.first_s * retry.factor ** min(tries - 1, 64), retry.longest_s)
