"""Work that pauses now and then: a generator that yields where an interface may answer, and returns the result."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

Result = TypeVar("Result")
Pausing = Generator[None, None, Result]
"""What a function with pauses returns; ``result = yield from ...`` goes on pausing."""


def without_pauses(work: Generator[None, None, Result]) -> Result:
    """Do all of it now."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: Result = end.value
            return result
