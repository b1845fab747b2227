"""The inbox: an image that was acknowledged is on the disk and in the ledger; everything else leaves nothing behind."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian

from NeuroTriageLib.service import inbox as inbox_module
from NeuroTriageLib.service.accepted_images import ImageRefused
from NeuroTriageLib.service.data_folder import DataFolder
from NeuroTriageLib.service.exam_queue import Arrival, ExamQueue
from NeuroTriageLib.service.inbox import Inbox, NoRoom
from NeuroTriageLib.service.ledger import Ledger
from NeuroTriageLib.service.site_config import Completeness, Limits, Order
from Testing.Lib.service.small_exams import as_bytes, small_image, study_uid

CT1 = Arrival("CT1")


class Room:
    """An inbox with its folder and ledger."""

    def __init__(self, folder: Path, limits: Limits | None = None) -> None:
        self.data = DataFolder(folder / "data")
        self.data.make()
        self.ledger = Ledger(self.data.ledger)
        self.queue = ExamQueue(self.ledger, Completeness(), Order(), 3)
        self.inbox = Inbox(self.ledger, self.data, self.queue, limits or Limits(keep_free_gb=0.0))

    def files(self) -> list[str]:
        return sorted(str(p.relative_to(self.data.inbox)) for p in self.data.inbox.rglob("*") if p.is_file())

    def known(self) -> list[str]:
        return sorted(row["path"] for row in self.ledger.rows("SELECT path FROM image"))


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def test_an_image_is_on_the_disk_and_in_the_ledger_when_it_is_acknowledged(room: Room) -> None:
    content = as_bytes(small_image(1, 1))
    receipt = room.inbox.receive([content[:100], content[100:]], CT1)
    assert receipt.is_new
    assert room.files() == room.known() == [receipt.uids.file_name]
    assert (room.data.inbox / receipt.uids.file_name).read_bytes() == content
    assert list(room.data.arriving.iterdir()) == []


def test_an_image_that_comes_again_is_acknowledged_and_stands_once(room: Room) -> None:
    content = as_bytes(small_image(1, 1))
    assert [room.inbox.receive([content], CT1).is_new for _ in range(2)] == [True, False]
    assert len(room.known()) == 1


def test_the_first_of_two_images_with_the_same_uid_counts_and_the_other_is_noted(room: Room) -> None:
    first, second = as_bytes(small_image(1, 1)), as_bytes(small_image(1, 1, "OTHER"))
    name = room.inbox.receive([first], CT1).uids.file_name
    room.inbox.receive([second], CT1)
    assert (room.data.inbox / name).read_bytes() == first
    assert room.ledger.rows("SELECT 1 FROM audit WHERE event = 'image again'")


def test_a_result_of_ours_that_a_pacs_sends_back_is_acknowledged_and_opens_no_exam(room: Room) -> None:
    room.inbox.receive([as_bytes(small_image(1, 1))], CT1)
    with room.ledger.transaction() as db:
        db.execute("UPDATE exam SET state = 'done'")
        db.execute(
            "INSERT INTO delivery (exam_id, destination, sop_class_uid, sop_uid, path, state, next_try_at)"
            " VALUES (1, 'pacs', '1', ?, 'key_image_1.dcm', 'sent', 0)",
            (str(small_image(1, 2).SOPInstanceUID),),
        )
    assert not room.inbox.receive([as_bytes(small_image(1, 2))], CT1).is_new
    assert len(room.files()) == len(room.ledger.rows("SELECT 1 FROM exam")) == 1
    assert list(room.data.arriving.iterdir()) == []


def test_a_uid_of_another_studys_image_is_refused(room: Room) -> None:
    room.inbox.receive([as_bytes(small_image(1, 1))], CT1)
    other = small_image(1, 1)
    other.StudyInstanceUID = study_uid(2)
    with pytest.raises(ImageRefused, match="another study"):
        room.inbox.receive([as_bytes(other)], CT1)


def test_an_image_of_another_study_than_announced_is_refused(room: Room) -> None:
    with pytest.raises(ImageRefused, match="another study"):
        room.inbox.receive([as_bytes(small_image(1, 1))], Arrival("dicomweb:x", study_uid=study_uid(2)))


def deflated(image: Dataset) -> None:
    image.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian


SPOILED: list[tuple[Callable[[Dataset], Any], str]] = [
    (lambda image: setattr(image, "SOPInstanceUID", "../../etc/passwd"), "SOPInstanceUID"),
    (lambda image: setattr(image, "StudyInstanceUID", "1.2.3/../.."), "StudyInstanceUID"),
    (lambda image: setattr(image, "SeriesInstanceUID", "1" * 65), "SeriesInstanceUID"),
    (lambda image: delattr(image, "StudyInstanceUID"), "StudyInstanceUID"),
    (lambda image: setattr(image, "SOPClassUID", "1.2.840.10008.5.1.4.1.1.88.11"), "no image"),
    (deflated, "transfer syntax"),
]


@pytest.mark.parametrize(("spoil", "named"), SPOILED)
def test_what_is_no_image_of_ours_is_refused_and_leaves_nothing(room: Room, spoil: Callable, named: str) -> None:
    image = small_image(1, 1)
    spoil(image)
    with pytest.raises(ImageRefused, match=named):
        room.inbox.receive([as_bytes(image)], CT1)
    assert room.files() == room.known() == []
    assert list(room.data.arriving.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"no DICOM at all" * 20, bytes(128) + b"DICM" + b"\xff" * 300])
def test_bytes_that_are_no_dicom_are_refused(room: Room, content: bytes) -> None:
    with pytest.raises(ImageRefused):
        room.inbox.receive([content], CT1)


def test_an_image_over_the_limit_of_size_is_refused_while_it_comes(tmp_path: Path) -> None:
    room = Room(tmp_path, Limits(keep_free_gb=0.0, image_mb=0.0001))
    with pytest.raises(ImageRefused, match="larger"):
        room.inbox.receive([as_bytes(small_image(1, 1))], CT1)


def test_one_image_too_many_for_an_exam_is_refused(tmp_path: Path) -> None:
    room = Room(tmp_path, Limits(keep_free_gb=0.0, images_per_exam=2))
    for number in range(2):
        room.inbox.receive([as_bytes(small_image(1, number))], CT1)
    with pytest.raises(ImageRefused, match="2 images"):
        room.inbox.receive([as_bytes(small_image(1, 3))], CT1)
    room.inbox.receive([as_bytes(small_image(2, 1))], CT1)


def test_with_too_little_room_nothing_is_taken(tmp_path: Path) -> None:
    room = Room(tmp_path, Limits(keep_free_gb=1e9))
    with pytest.raises(NoRoom):
        room.inbox.receive([as_bytes(small_image(1, 1))], CT1)


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_disk_that_fills_up_meanwhile_leaves_nothing_behind(
    room: Room, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(inbox_module.os, step, full)
        with pytest.raises(NoRoom):
            room.inbox.receive([as_bytes(small_image(1, 1))], CT1)
    assert room.files() == room.known() == list(room.data.arriving.iterdir()) == []
    assert room.inbox.receive([as_bytes(small_image(1, 1))], CT1).is_new


def test_a_start_after_a_kill_removes_half_files_and_takes_in_what_the_ledger_missed(room: Room) -> None:
    (room.data.arriving / "abc.part").write_bytes(b"half")
    (room.data.arriving / "unpacked").mkdir()
    content = as_bytes(small_image(1, 1))
    name = room.inbox.receive([content], CT1).uids.file_name
    with room.ledger.transaction() as db:  # as if the process had ended between file and row
        db.execute("DELETE FROM image")
    (room.data.inbox / "no image").write_bytes(b"none")
    room.inbox.recover()
    assert room.files() == room.known() == [name]
    assert list(room.data.arriving.iterdir()) == []


def test_the_inbox_is_for_the_nodes_user_alone(room: Room) -> None:
    name = room.inbox.receive([as_bytes(small_image(1, 1))], CT1).uids.file_name
    assert os.stat(room.data.inbox).st_mode & 0o077 == 0
    assert os.stat((room.data.inbox / name).parent).st_mode & 0o077 == 0
