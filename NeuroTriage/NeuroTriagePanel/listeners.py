"""Who wants to know when something changed."""

from __future__ import annotations

from collections.abc import Callable


class Listeners:
    """Functions that are called in the order in which they were added."""

    def __init__(self) -> None:
        self._functions: list[Callable[[], None]] = []

    def add(self, function: Callable[[], None]) -> None:
        """Call this one from now on."""
        self._functions.append(function)

    def tell(self) -> None:
        """Call all of them."""
        for function in tuple(self._functions):
            function()
