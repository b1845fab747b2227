"""What a result object is to those who send it, and how it can fail: refused by the other side, or nobody there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..core.errors import NeuroTriageError


class Unreachable(NeuroTriageError):
    """The other side could not be spoken to, or stopped answering: whatever was not answered is tried again later.

    Args:
        what: as of NeuroTriageError.
        wait_s: the other side has asked for so many seconds without a further try; 0 when it has said nothing.
    """

    def __init__(self, what: str, *, where: str = "", next_step: str = "", wait_s: float = 0.0) -> None:
        super().__init__(what, where=where, next_step=next_step)
        self.wait_s = wait_s


@dataclass(frozen=True)
class SentObject:
    """One DICOM file on its way.

    Args:
        path: the file; it does not change while it waits.
        sop_class_uid, sop_uid: what it is, and which; the same whenever the same models read the same images.
    """

    path: Path
    sop_class_uid: str
    sop_uid: str


@dataclass(frozen=True)
class Refusal:
    """Why the other side does not take an object, in one sentence without a patient's name or ID.

    Args:
        reason: the sentence.
        lasting: true for what does not pass by itself (it knows no such objects); false for a full disk or the like.
        wait_s: the other side has asked for so many seconds without a further try.
    """

    reason: str
    lasting: bool = False
    wait_s: float = 0.0


# First bytes and whole values of what passes and what does not (PS3.4, B.2.3; PS3.7, C; PS3.18, 10.5.3.3.1).
_PASSING = (0xA7, 0x01)  # out of resources; processing failure and others of the protocol
_LASTING = (0x0122, 0x0124)  # SOP class not supported, not authorised


def refused(status: int) -> Refusal:
    """What a failed status of C-STORE, or the same number as the failure reason of STOW-RS, says about an object."""
    lasting = status in _LASTING or status >> 8 not in _PASSING
    return Refusal(f"It refused the object (0x{status:04X}).", lasting=lasting)


Answered = Callable[[SentObject, Refusal | None], None]
"""Called with each object as soon as the other side has answered: None when it has taken it."""


class Sender(Protocol):
    """A way to one destination."""

    def send(self, objects: Sequence[SentObject], answered: Answered) -> None:
        """Send the objects in this order, and tell of each one's answer.

        Raises Unreachable: for all objects that answered was not called with.
        """

    def cancel(self) -> None:
        """End a send that another thread is in, which then raises Unreachable; soon, not at once."""
