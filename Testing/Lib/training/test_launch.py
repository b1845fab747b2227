"""`--processes N` starts torchrun with the same command; two processes train to one pack within a wall-clock budget."""

from __future__ import annotations

import argparse
import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from NeuroTriageLib import cli
from NeuroTriageLib.core.errors import ConfigError
from NeuroTriageLib.io.model_packs import load_model_pack
from NeuroTriageLib.training import launch
from NeuroTriageLib.training.command import add_arguments, train_options
from NeuroTriageLib.training.exam_bank import exam_path
from Testing.Lib.training.synthetic_bank import synthetic_exam

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("option", [["--processes", "2"], ["--processes=2"], ["--proc", "2"]])
@pytest.mark.parametrize(
    "command", [["train", "kuo2019", "--simulate", "maps", "-o", "out"], ["experiment", "protocol.toml", "-o", "out"]]
)
def test_the_same_command_runs_in_several_processes(option, command, monkeypatch):
    started = []
    monkeypatch.setattr(launch, "run_in_processes", lambda *arguments: started.append(arguments))
    assert cli.main([*command[:2], *option, *command[2:], "--threads", "1"]) == 0
    assert started == [(2, [*command, "--threads", "1"], 1)]


@pytest.mark.parametrize(("count", "others"), [(0, "1"), (2, "4")])
def test_processes_are_not_started_by_processes(count, others, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", others)
    with pytest.raises(ConfigError, match="--processes"):
        launch.run_in_processes(count, [])


def test_a_consensus_is_fitted_in_one_process(capsys):
    arguments = ["train", "consensus", "--simulate", "maps", "-o", "out", "--processes", "2"]
    assert cli.main(arguments) == ConfigError.exit_code
    assert "one process" in capsys.readouterr().err


def write_bank(folder: Path) -> None:
    """As many exams of the compact variant's size as the command asks for."""
    for name, count in (("train", 8), ("validation", 80)):
        for number in range(count):
            exam = synthetic_exam(number, types=(1 + number % 5,) if number % 2 else (), slabs=3)
            dataclasses.replace(exam, image_size=256, corner=(100, 100)).save(exam_path(folder / name, number))


@pytest.mark.slow
def test_two_processes_train_one_pack_within_a_budget_and_go_on(tmp_path):
    write_bank(tmp_path / "bank")
    out = tmp_path / "run"
    command = [
        sys.executable, "-m", "NeuroTriageLib.cli", "train", "kuo2019", "--simulate", str(tmp_path), "--exams", "8",
        "--bank", str(tmp_path / "bank"), "-o", str(out), "--minutes", "0.1", "--device", "cpu", "--processes", "2",
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("model pack written") == 1  # the first process alone speaks
    pack = load_model_pack(out / "kuo2019-compact")
    assert pack.manifest.training["device"]["processes"] == 2

    again = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900)
    assert again.returncode == 0 and "going on from step" in again.stdout
    assert load_model_pack(out / "kuo2019-compact").manifest == pack.manifest


def test_the_seed_of_the_command_is_that_of_the_run(tmp_path):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    asked = parser.parse_args(["kuo2019", "--simulate", str(tmp_path), "-o", str(tmp_path), "--seed", "7"])
    assert train_options(asked).seed == 7
