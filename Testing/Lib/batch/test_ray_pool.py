"""The same command on a Ray cluster: the same table, also when an actor is lost in the middle."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from NeuroTriageLib import cli
from NeuroTriageLib.batch import ray_pool
from NeuroTriageLib.batch.ray_pool import RayPool, _gpu_share
from NeuroTriageLib.core.errors import ConfigError
from Testing.Lib import tiny_packs
from Testing.Lib.batch.small_archive import table, write_archive, write_damaged

EXAMS = 4


@pytest.mark.parametrize(
    ("gpus", "jobs", "share"), [(0, 3, 0), (8, 8, 1), (8, 4, 2), (8, 16, 0.5), (2, 3, 0.5), (1, 3, 1 / 3)]
)
def test_actors_share_gpus_so_that_all_find_a_place(gpus, jobs, share):
    assert _gpu_share(gpus, jobs) == pytest.approx(share)
    assert not gpus or share > 1 or jobs <= gpus * int(1 / share + 1e-9)


def test_a_machine_without_ray_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(ConfigError, match=r"neurotriage\[cluster\]"):
        ray_pool.join_cluster("local", "cpu", 1)


@pytest.mark.slow
def test_an_actor_that_is_lost_costs_no_exam_and_the_table_is_that_of_a_plain_run(tmp_path, monkeypatch):
    ray = pytest.importorskip("ray")
    archive = write_archive(tmp_path / "archive", EXAMS)
    write_damaged(archive / "damaged")
    pack = tiny_packs.save(tmp_path / "tiny")
    lost: list[int] = []

    class Losing(RayPool):
        """Ends the process of an actor once, right after it got its third exam."""

        count = 0

        def submit(self, slot, task):
            super().submit(slot, task)
            self.count += 1
            if self.count == 3 and not lost:
                lost.append(self.process_id(slot))
                os.kill(lost[0], signal.SIGKILL)

    monkeypatch.setattr(ray_pool, "RayPool", Losing)
    command = ["batch", str(archive), "--model", str(pack), "--device", "cpu", "--results", "findings"]
    assert cli.main([*command, "-o", str(tmp_path / "plain")]) == 1
    assert cli.main([*command, "-o", str(tmp_path / "ray"), "--cluster", "local", "--jobs", "1"]) == 1
    assert lost and not ray.is_initialized()
    assert table(Path(tmp_path / "ray")) == table(Path(tmp_path / "plain"))
