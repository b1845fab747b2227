"""The worker's protocol, spoken through pipes with a system that answers at once or slowly."""

import io
import json
import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from NeuroTriageLib import catalog
from NeuroTriageLib.core.exchange import load_exam, load_volume, save_volume
from NeuroTriageLib.core.findings import ModelIdentity, Reading
from NeuroTriageLib.core.geometry import SliceGrid
from NeuroTriageLib.core.resources import sample_data_folder
from NeuroTriageLib.core.volume import Volume
from NeuroTriageLib.simulation.phantom import phantom_head_ct
from NeuroTriageLib.worker import Worker

CODES = ("IPH", "IVH", "SDH", "EDH", "SAH")


class FixedSystem:
    """Finds one IPH of 10 voxels, in as many steps as asked."""

    name = "kuo2019"
    device_name = "cpu"

    def __init__(self, steps: int = 1) -> None:
        self.steps = steps

    def read(self, volume, *, progress=None):
        for step in range(self.steps):
            progress("network", step / self.steps)
            time.sleep(0.01)
        label = np.zeros(volume.array_kji.shape, np.uint8)
        label[3, 4, 5:15] = 1
        scores = dict.fromkeys(("any", *CODES), 0.1) | {"any": 0.9, "IPH": 0.9}
        return Reading(
            system=self.name,
            codes=CODES,
            probability=scores,
            threshold=dict.fromkeys(scores, 0.5),
            slice_probability={code: np.full(len(label), p) for code, p in scores.items()},
            label_kji=label,
            heatmap_kji=label.astype(np.float16),
            model=ModelIdentity("fixed", "1", "0" * 64),
        )


class Conversation:
    """A worker in a thread, with a pipe to write requests to and the events it has emitted."""

    def __init__(self) -> None:
        read_end, write_end = os.pipe()
        self._to_worker = os.fdopen(write_end, "w", buffering=1)
        self._events = _Events()
        self._thread = threading.Thread(target=Worker(os.fdopen(read_end), self._events).serve, daemon=True)
        self._thread.start()

    def say(self, **request) -> None:
        self._to_worker.write(json.dumps(request) + "\n")

    def say_line(self, line: str) -> None:
        self._to_worker.write(line + "\n")

    def wait_for(self, name: str, run: int | None = None) -> dict:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            for event in self._events.list():
                if event["event"] == name and (run is None or event["id"] == run):
                    return event
            time.sleep(0.005)
        raise AssertionError(f"no event {name} in {self._events.list()}")

    def end(self) -> None:
        self._to_worker.close()
        self._thread.join(10)
        assert not self._thread.is_alive()


class _Events(io.StringIO):
    def list(self) -> list[dict]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


@pytest.fixture
def conversation():
    talk = Conversation()
    yield talk
    talk.end()


@pytest.fixture
def head(tmp_path: Path) -> Path:
    folder = tmp_path / "volume"
    save_volume(phantom_head_ct(), folder)
    return folder


def test_an_exam_is_answered_with_progress_and_a_result_folder(conversation, head, tmp_path, monkeypatch):
    monkeypatch.setattr(catalog, "load_system", lambda name, **options: FixedSystem())
    conversation.wait_for("ready")
    conversation.say(id=7, command="triage", volume=str(head), result=str(tmp_path / "r"), system="kuo2019")
    event = conversation.wait_for("result", 7)
    exam = load_exam(Path(event["result"]))
    assert {f.code: f.status for f in exam.findings}["IPH"] == "found"
    assert conversation.wait_for("progress", 7)["fraction"] <= 1


def test_a_request_names_no_system_and_gets_the_default_one_with_the_users_choices(
    conversation, head, tmp_path, monkeypatch
):
    asked = []
    monkeypatch.setattr(catalog, "load_system", lambda name, **options: asked.append((name, options)) or FixedSystem())
    request = {"command": "triage", "volume": str(head), "system": None}
    conversation.say(id=1, result=str(tmp_path / "r1"), **request)
    conversation.wait_for("result", 1)
    conversation.say(id=2, result=str(tmp_path / "r2"), heatmap="ye2019", accept_unfamiliar=True, **request)
    conversation.wait_for("result", 2)
    plain = {"pack": None, "device": "auto", "heatmap": None, "accept_unfamiliar": False}
    assert asked == [(None, plain), (None, plain | {"heatmap": "ye2019", "accept_unfamiliar": True})]


def test_the_second_exam_uses_the_system_that_is_already_loaded(conversation, head, tmp_path, monkeypatch):
    loaded = []
    monkeypatch.setattr(catalog, "load_system", lambda name, **options: loaded.append(name) or FixedSystem())
    for run in (1, 2):
        conversation.say(id=run, command="triage", volume=str(head), result=str(tmp_path / f"r{run}"), system="kuo2019")
        conversation.wait_for("result", run)
    assert loaded == ["kuo2019"]


def test_cancel_ends_the_run_and_the_next_one_works(conversation, head, tmp_path, monkeypatch):
    systems = [FixedSystem(steps=1000)]
    monkeypatch.setattr(catalog, "load_system", lambda name, **options: systems[0])
    conversation.say(id=1, command="triage", volume=str(head), result=str(tmp_path / "r1"), system="kuo2019")
    conversation.wait_for("progress", 1)
    conversation.say(command="cancel")
    conversation.wait_for("cancelled", 1)
    assert not (tmp_path / "r1").exists()
    systems[0].steps = 1
    conversation.say(id=2, command="triage", volume=str(head), result=str(tmp_path / "r2"), system="kuo2019")
    conversation.wait_for("result", 2)


def test_a_cancel_that_arrives_before_its_run_has_begun_is_not_lost(conversation, head, tmp_path, monkeypatch):
    monkeypatch.setattr(catalog, "load_system", lambda name, **options: FixedSystem(steps=300))
    for run in (1, 2):
        conversation.say(id=run, command="triage", volume=str(head), result=str(tmp_path / f"r{run}"), system="kuo2019")
    conversation.say(command="cancel")
    conversation.wait_for("cancelled", 1)
    conversation.wait_for("cancelled", 2)


def test_what_is_wrong_comes_back_as_an_error_event(conversation, tmp_path, monkeypatch):
    monkeypatch.setattr(catalog, "load_system", lambda name, **options: FixedSystem())
    conversation.say(id=1, command="triage", volume=str(tmp_path), result=str(tmp_path / "r"), system="kuo2019")
    assert conversation.wait_for("error", 1)["exit_code"] == 3
    conversation.say(id=2, command="dance")
    assert "dance" in conversation.wait_for("error", 2)["what"]
    conversation.say_line("no json at all")
    assert conversation.wait_for("error")["what"]


def test_an_image_that_is_no_head_is_refused_as_not_looked_at(conversation, tmp_path, monkeypatch):
    monkeypatch.setattr(catalog, "load_system", lambda name, **options: FixedSystem())
    water = np.zeros((20, 64, 64), np.int16)
    grid = SliceGrid.from_affine(water.shape, np.diag([4.0, 4.0, 5.0, 1.0]))
    save_volume(Volume(water, grid), tmp_path / "water")
    conversation.say(
        id=1, command="triage", volume=str(tmp_path / "water"), result=str(tmp_path / "r"), system="kuo2019"
    )
    assert conversation.wait_for("error", 1)["exit_code"] == 4


def sample_dicom() -> str:
    return str(sample_data_folder() / "HeadCtSample" / "dicom")


def test_describe_names_systems_packs_and_devices(conversation):
    conversation.say(id="d", command="describe")
    told = conversation.wait_for("described", "d")
    assert {entry["name"] for entry in told["systems"]} >= {"kuo2019", "consensus"}
    assert told["computer"]["missing_packages"] == [] and "cpu" in told["computer"]["devices"]


def test_a_study_is_inspected_without_its_pixels_and_a_series_loaded_at_its_place(conversation, tmp_path):
    conversation.say(id="i", command="inspect", paths=[sample_dicom()])
    (study,) = conversation.wait_for("inspected", "i")["studies"]
    (series,) = study["series"]
    assert series["chosen"] and series["reasons"] and len(series["files"]) == 40 and series["kernel"]
    uid = series["series_instance_uid"]
    conversation.say(id="l", command="load", paths=series["files"], series=uid, volume=str(tmp_path / "v"))
    conversation.wait_for("loaded", "l")
    volume = load_volume(tmp_path / "v")
    assert volume.series_instance_uid == uid and volume.grid.shape_kji == (40, 512, 512)
    conversation.say(id="n", command="load", paths=series["files"], series="1.2.9", volume=str(tmp_path / "w"))
    assert "No series in the input has this UID" in conversation.wait_for("error", "n")["what"]
