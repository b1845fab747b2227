"""Work that pauses: the same result in pieces and at once, errors at the place where they happen."""

from __future__ import annotations

import pytest

from NeuroTriageLib.core.pauses import Pausing, without_pauses


def counting(up_to: int) -> Pausing[int]:
    total = 0
    for number in range(up_to):
        total += number
        yield
    return total


def twice(up_to: int) -> Pausing[int]:
    first = yield from counting(up_to)
    return first + (yield from counting(up_to))


def test_the_result_is_that_of_all_pieces():
    assert without_pauses(twice(5)) == 20


def test_each_piece_is_one_step():
    work = twice(3)
    assert sum(1 for _ in work) == 6


def test_an_error_comes_out_as_it_is():
    def failing() -> Pausing[None]:
        yield
        raise KeyError("here")

    with pytest.raises(KeyError, match="here"):
        without_pauses(failing())
