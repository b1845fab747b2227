"""Watched folders: what is dropped is taken when it is whole, moved aside, never lost and never followed elsewhere."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from NeuroTriageLib.service.data_folder import DataFolder
from NeuroTriageLib.service.exam_queue import ExamQueue
from NeuroTriageLib.service.folder_watch import REFUSED, FolderWatch
from NeuroTriageLib.service.inbox import Inbox
from NeuroTriageLib.service.ledger import Ledger
from NeuroTriageLib.service.site_config import Completeness, Limits, Order, Watch
from Testing.Lib.service.small_exams import PATIENT_NAME, as_bytes, small_image, study_uid


class Desk:
    """A watched folder whose clock the test turns."""

    def __init__(self, folder: Path, limits: Limits | None = None) -> None:
        self.drop, self.taken = folder / "drop", folder / "taken"
        self.drop.mkdir()
        self.taken.mkdir()
        data = DataFolder(folder / "data")
        data.make()
        self.seconds = 0.0
        self.ledger = Ledger(data.ledger)
        queue = ExamQueue(self.ledger, Completeness(), Order(), 3)
        inbox = Inbox(self.ledger, data, queue, limits or Limits(keep_free_gb=0.0))
        rule = Watch("desk", self.drop, self.taken, stable_s=10)
        self.watch = FolderWatch(rule, inbox, queue, data, self.ledger, lambda: self.seconds)

    def wait(self, seconds: float = 11.0) -> None:
        self.watch.look()
        self.seconds += seconds
        self.watch.look()

    def exams(self) -> list[tuple[str, str, str]]:
        rows = self.ledger.rows("SELECT study_uid, state, source FROM exam ORDER BY study_uid")
        return [tuple(row) for row in rows]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def write_study(folder: Path, study: int, count: int = 2) -> Path:
    folder.mkdir(parents=True)
    for number in range(count):
        (folder / f"{number}.dcm").write_bytes(as_bytes(small_image(study, number)))
    return folder


def test_a_dropped_folder_is_taken_when_it_is_stable_and_its_exam_is_complete_at_once(desk: Desk) -> None:
    write_study(desk.drop / "one" / "deep", 1)
    desk.wait(9)
    assert desk.exams() == []
    desk.seconds += 2
    desk.watch.look()
    assert desk.exams() == [(study_uid(1), "queued", "folder:desk")]
    assert sorted(p.name for p in desk.taken.rglob("*.dcm")) == ["0.dcm", "1.dcm"]
    assert list(desk.drop.iterdir()) == []


def test_what_still_changes_is_not_taken(desk: Desk) -> None:
    folder = write_study(desk.drop / "one", 1)
    for number in range(2, 5):
        desk.wait(9)
        (folder / f"{number}.dcm").write_bytes(as_bytes(small_image(1, number)))
    assert desk.exams() == []


def test_a_single_file_joins_an_exam_that_stays_open(desk: Desk) -> None:
    (desk.drop / "a.dcm").write_bytes(as_bytes(small_image(1, 1)))
    desk.wait()
    assert desk.exams() == [(study_uid(1), "receiving", "folder:desk")]


def test_an_archive_is_unpacked_and_kept(desk: Desk, tmp_path: Path) -> None:
    study = write_study(tmp_path / "study", 1)
    with zipfile.ZipFile(desk.drop / "study.zip", "w") as archive:
        for path in study.iterdir():
            archive.write(path, path.name)
        archive.writestr("README.txt", "no image")
    desk.wait()
    assert desk.exams() == [(study_uid(1), "queued", "folder:desk")]
    assert (desk.taken / "study.zip").is_file()


def test_an_archive_that_leads_out_of_its_folder_is_moved_aside_and_nothing_is_written(desk: Desk) -> None:
    with zipfile.ZipFile(desk.drop / "evil.zip", "w") as archive:
        archive.writestr("../../../evil.dcm", as_bytes(small_image(1, 1)))
    desk.wait()
    assert desk.exams() == []
    assert (desk.taken / REFUSED / "evil.zip").is_file()


def test_what_holds_no_image_is_moved_aside(desk: Desk) -> None:
    (desk.drop / "letter.txt").write_text("Dear colleague")
    desk.wait()
    assert (desk.taken / REFUSED / "letter.txt").read_text() == "Dear colleague"


def test_links_are_not_followed_and_hidden_files_are_left(desk: Desk, tmp_path: Path) -> None:
    secret = tmp_path / "secret.dcm"
    secret.write_bytes(as_bytes(small_image(1, 1)))
    (desk.drop / "link.dcm").symlink_to(secret)
    (desk.drop / ".hidden").write_bytes(as_bytes(small_image(2, 1)))
    folder = write_study(desk.drop / "folder", 3, 1)
    (folder / "link.dcm").symlink_to(secret)
    desk.wait()
    assert [exam[0] for exam in desk.exams()] == [study_uid(3)]
    assert secret.exists()


def test_nothing_that_was_taken_before_is_replaced(desk: Desk) -> None:
    for study in (1, 2):
        write_study(desk.drop / "same", study)
        desk.wait()
    assert len(list(desk.taken.iterdir())) == 2
    assert len(list(desk.taken.rglob("*.dcm"))) == 4


def test_without_room_it_stays_where_it_was_dropped(tmp_path: Path) -> None:
    desk = Desk(tmp_path, Limits(keep_free_gb=1e9))
    write_study(desk.drop / "one", 1)
    desk.wait()
    assert (desk.drop / "one" / "0.dcm").is_file()


def test_no_name_of_a_dropped_file_is_in_the_ledger(desk: Desk) -> None:
    write_study(desk.drop / PATIENT_NAME, 1)
    desk.wait()
    said = " ".join(row["detail"] for row in desk.ledger.rows("SELECT detail FROM audit"))
    assert "2 images" in said and "SECRET" not in said
