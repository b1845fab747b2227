"""The process behind the panel's section Improve: what it asks of training and comparison, pausing, going on."""

from __future__ import annotations

import io
import json
import queue
from dataclasses import replace
from pathlib import Path

import pytest

from NeuroTriageLib import catalog, improvement
from NeuroTriageLib.datasets import case_source
from NeuroTriageLib.improvement import Improver, curves_of, run_folder, status_of
from NeuroTriageLib.io.model_packs import save_model_pack
from NeuroTriageLib.training import registry as trained
from Testing.Lib import tiny_nael2021, tiny_packs
from Testing.Lib.review.store_making import entry, open_store, small_exam, started


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pack that ships, a store with one approved exam, and a training that hands out a prepared pack."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(catalog, "models_folder", lambda: tmp_path / "Models")
    tiny_packs.save(tmp_path / "Models" / "kuo2019-compact")
    store = open_store(tmp_path / "store")
    case = started(store)
    store.add_version(case, store.label(case, 0), entry(status="approved"))
    (tmp_path / "images").mkdir()
    save_model_pack(tmp_path / "new", tiny_packs.manifest(name="new"), tiny_packs.weights(3))
    return tmp_path


def request(site: Path, **changes) -> dict:
    values = {"id": 1, "command": "improve", "system": "kuo2019", "store": str(site / "store")}
    values |= {"images": str(site / "images"), "maps": str(site), "minutes": 1, "exams": 2, "validation": 2}
    return values | {"compared": 2} | changes


class Events(io.StringIO):
    """Collects events, and says when one of a kind was written."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: queue.Queue[str] = queue.Queue()

    def write(self, text: str) -> int:
        event = json.loads(text)
        self.seen.put("paused" if event.get("stage") == "paused" else event["event"])
        return super().write(text)

    def wait_for(self, *kinds: str) -> None:
        while self.seen.get(timeout=20) not in kinds:
            pass


def served(*requests: dict) -> list[dict]:
    """The events of requests that are asked one after the other; the input ends when all are answered."""
    events = Events()

    def lines():
        for each in requests:
            yield json.dumps(each)
            events.wait_for("status", "compared", "accepted", "back", "error", "cancelled")

    Improver(lines(), events).serve()
    return [json.loads(line) for line in events.getvalue().splitlines()]


def test_the_status_counts_signed_exams_by_their_part_and_names_the_model(site):
    said = status_of("kuo2019", str(site / "store"))
    assert said["signed"] == 1 == said["train"] + said["validation"] + said["test"]
    assert said["in_use"]["name"] == "tiny" and not said["can_go_back"] and said["reader"] == "kuo2019"
    assert status_of("kuo2019", "")["signed"] == 0
    assert status_of("kuo2019", str(site / "nowhere"))["signed"] == 0


def test_masks_on_mri_count_for_the_system_that_reads_mri(site):
    tiny_nael2021.save(site / "Models" / "nael2021-compact")
    store = open_store(site / "store")
    exam = small_exam("1.2.9")
    other = exam.volume.array_kji + 1
    case = started(store, replace(exam, volume=replace(exam.volume, modality="MR", array_kji=other)))
    store.add_version(case, store.label(case, 0), entry(status="approved"))
    counts = [status_of(system, str(site / "store"))["signed"] for system in ("kuo2019", "nael2021")]
    assert counts == [1, 1]
    ours = [run_folder(request(site, system=name), catalog.find_pack(name)) for name in ("kuo2019", "nael2021")]
    assert ours[0] != ours[1]


def test_a_run_has_the_same_folder_until_a_label_or_a_wish_changes(site):
    start = catalog.find_pack("kuo2019")
    first = run_folder(request(site), start)
    assert run_folder(request(site), start) == first != run_folder(request(site, minutes=2), start)
    store = open_store(site / "store")
    (case,) = store.cases()
    store.add_version(case, store.label(case, 0), entry(status="approved", based_on=1))
    assert run_folder(request(site), start) != first


def train_with(monkeypatch, site: Path, lines) -> list:
    """A training that reports these lines; the options that it was given."""
    asked: list = []

    def train(options, report):
        asked.append(options)
        for line in lines:
            report(line)
        return site / "new"

    monkeypatch.setitem(trained.TRAINED_SYSTEMS, "kuo2019", lambda: train)
    return asked


def test_training_starts_from_the_model_in_use_on_the_signed_exams(site, monkeypatch):
    asked = train_with(monkeypatch, site, ["joint step 3  0.5 min left"])
    monkeypatch.setattr(Improver, "_compare", lambda self, request, pack: ({"advice": "accept"}, pack))
    events = served(request(site))
    (options,) = asked
    assert options.start == site / "Models" / "kuo2019-compact" and options.simulate == site
    assert [source.name for source in options.sources] == ["labels"] and isinstance(
        options.sources[0], case_source.CaseSource
    )
    progress = [event for event in events if event["event"] == "progress"]
    assert progress[-1]["fraction"] == 0.5
    assert events[-1]["event"] == "compared" and events[-1]["pack"] == str(site / "new")


def test_a_paused_training_waits_and_goes_on(site, monkeypatch):
    train_with(monkeypatch, site, [f"step {n}" for n in range(3)])
    monkeypatch.setattr(Improver, "_compare", lambda self, request, pack: ({}, pack))
    monkeypatch.setattr(improvement, "PAUSE_POLL_S", 0.01)
    events = Events()

    def requests():
        yield json.dumps({"command": "pause"})
        yield json.dumps(request(site))
        events.wait_for("paused")
        yield json.dumps({"command": "resume"})
        events.wait_for("compared")

    Improver(requests(), events).serve()
    told = [json.loads(line) for line in events.getvalue().splitlines()]
    assert told[-1]["event"] == "compared" and "step 2" in [event.get("stage") for event in told]


def test_a_cancelled_run_ends_at_its_next_step_also_while_it_is_paused(site, monkeypatch):
    train_with(monkeypatch, site, [f"step {n}" for n in range(3)])
    monkeypatch.setattr(improvement, "PAUSE_POLL_S", 0.01)
    events = Events()

    def requests():
        yield json.dumps({"command": "pause"})
        yield json.dumps(request(site))
        events.wait_for("paused")
        yield json.dumps({"command": "cancel"})
        events.wait_for("cancelled")

    Improver(requests(), events).serve()
    assert "compared" not in events.getvalue()


def test_accepting_and_going_back_are_told(site, monkeypatch):
    events = served(
        {"id": 1, "command": "accept", "system": "kuo2019", "pack": str(site / "new"), "reader": "auto", "despite": ""},
        {
            "id": 2,
            "command": "accept",
            "system": "kuo2019",
            "pack": str(site / "new"),
            "reader": "auto",
            "despite": "x",
        },
        {"id": 3, "command": "status", "system": "kuo2019", "store": ""},
        {"id": 4, "command": "back", "system": "kuo2019"},
        {"id": 5, "command": "status", "system": "kuo2019", "store": ""},
    )
    kinds = [event["event"] for event in events]
    assert kinds == ["ready", "error", "accepted", "status", "back", "status"]
    assert "was not compared" in events[1]["what"]
    assert (events[3]["can_go_back"], events[5]["can_go_back"]) == (True, False)
    assert events[3]["in_use"]["name"] == "new" and events[5]["in_use"]["name"] == "tiny"


def test_the_curves_are_those_that_the_run_has_written(tmp_path):
    assert curves_of(tmp_path) is None
    lines = ("step,stage,pixel_loss,patch_loss", "2,segmentation,0.1,", "5,joint,0.5,0.25", "9,joint,0.25,", "")
    (tmp_path / "curves.csv").write_text("\n".join(lines))
    (tmp_path / "validation.csv").write_text("step,merit,dice_any,auc_any\n9,1,0.5,\n")
    assert curves_of(tmp_path) == {"losses": [[5, 0.75], [9, 0.25]], "validations": [[9, 0.5, None]]}
    (tmp_path / "validation.csv").write_text("step,merit,auc_acute_infarct,dice_acute_infarct\n9,1,0.5,\n")
    assert curves_of(tmp_path)["validations"] == [[9, None, 0.5]], "on MRI of the finding that is trained"
