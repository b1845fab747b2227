"""Errors that a user can act on: what happened, where, and what to do next."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from .findings import Familiarity

# EDQUOT, a user's share used up, is unknown to Windows.
_DISK_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


class NeuroTriageError(Exception):
    """Base of all errors that are shown to a user as one message.

    Args:
        what: what is wrong, one plain sentence without a patient's name or ID.
        where: the file, series or setting concerned ("" when there is none).
        next_step: what the user can do about it ("" when nothing helps).
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", next_step: str = "") -> None:
        self.what, self.where, self.next_step = what, str(where), next_step
        super().__init__(self.message())

    def message(self) -> str:
        """The whole message on one line: ``what [where] next step``."""
        where = f" [{self.where}]" if self.where else ""
        next_step = f" {self.next_step}" if self.next_step else ""
        return f"{self.what}{where}{next_step}"


class ConfigError(NeuroTriageError):
    """A wrong option, an unknown key, a setting out of its range: how the program was called."""

    exit_code = 2


class InputError(NeuroTriageError):
    """An input that cannot be read: missing, truncated, not an image, no rights."""

    exit_code = 3


class DicomError(InputError):
    """DICOM that cannot be understood: no pixel data, mixed patients, undecodable frames."""


class GeometryError(InputError):
    """Voxels whose place in the patient cannot be known."""


class SeriesSelectionError(NeuroTriageError):
    """A readable study without a suitable series: the program could not look."""

    exit_code = 4


class UnfamiliarExam(SeriesSelectionError):
    """An exam unlike those that the models learned from: no figure about it could be trusted.

    Args:
        familiarity: by how much, and in what.
    """

    def __init__(self, familiarity: Familiarity) -> None:
        self.familiarity = familiarity
        next_step = "It is not negative. To see the answer all the same, use --accept-unfamiliar."
        super().__init__(familiarity.message(), next_step=next_step)


class ModelError(NeuroTriageError):
    """A model pack that is missing, damaged or made for something else."""

    exit_code = 5


class OutputError(NeuroTriageError):
    """A result that cannot be written: no rights, full disk, something already there."""


class Cancelled(NeuroTriageError):
    """The user cancelled; nothing was written."""


def output_error(error: OSError, folder: Path) -> OutputError:
    """The message for what the operating system refused while something was written into a folder."""
    if error.errno in _DISK_FULL:
        return OutputError("The disk is full; nothing was written.", where=str(folder), next_step="Free some space.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return no_rights(folder)
    return OutputError(f"The result cannot be written: {error.strerror or error}.", where=str(error.filename or folder))


def no_rights(folder: Path) -> OutputError:
    """The message for a folder that may not be written to."""
    return OutputError("There is no right to write here.", where=str(folder), next_step="Name another output folder.")
