"""The inbox as the STOW-RS receiver sees it: a file in, a C-STORE status out."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from ..core.errors import OutputError
from .accepted_images import ImageRefused, ImageUids, read_image_uids
from .dicom_receiver import NOT_UNDERSTOOD, OUT_OF_RESOURCES, SUCCESS
from .exam_queue import Arrival
from .inbox import Inbox, NoRoom
from .ledger import Ledger
from .refusals import Rate, Refusals
from .site_config import HttpUser
from .stow_receiver import DICOMWEB, StoredImage, StoreImage

log = logging.getLogger(__name__)

_FAILURE = 0x0110  # Processing failure (PS3.7, C.4.2.1)


def stow_inbox(inbox: Inbox, ledger: Ledger, users: Iterable[HttpUser]) -> StoreImage:
    """What StowReceiver hands its parts to; an image that it calls stored is on the disk and in the ledger.

    Args:
        inbox: takes the images.
        ledger: keeps what was refused.
        users: how fast each may send.
    """
    rates = {DICOMWEB + user.name: Rate(user.images_per_minute) for user in users}
    refusals = Refusals(ledger)

    def store(path: Path, source: str, study_uid: str | None) -> StoredImage:
        if source in rates:
            rates[source].wait()
        try:
            uids = inbox.receive_file(path, Arrival(source, study_uid=study_uid)).uids
            return StoredImage(uids.sop_class, uids.sop, SUCCESS)
        except NoRoom:
            return _failed(path, OUT_OF_RESOURCES)
        except ImageRefused as refusal:
            refusals.note("refused image", f"{source}: {refusal.what}")
            return _failed(path, NOT_UNDERSTOOD)
        except (OutputError, OSError) as error:
            log.error("an image could not be stored: %s", type(error).__name__)
            return _failed(path, _FAILURE)
        finally:
            path.unlink(missing_ok=True)

    return store


def _failed(path: Path, status: int) -> StoredImage:
    """With the image's UIDs where it has proper ones: the sender must know which of its images it was."""
    try:
        uids = read_image_uids(path)
    except (ImageRefused, OSError):
        uids = ImageUids("", "", "", "")
    return StoredImage(uids.sop_class, uids.sop, status)
