"""A simulated study of the bank: the simulator's truth has the form that training needs."""

from __future__ import annotations

import dataclasses

from NeuroTriageLib.core.codes import MR_CODES
from NeuroTriageLib.simulation.phantom import phantom_anatomy
from NeuroTriageLib.systems.nael2021_config import NETWORKS
from NeuroTriageLib.training import nael2021_producer
from NeuroTriageLib.training.exam_bank import exam_path
from NeuroTriageLib.training.exam_producer import ProductionPlan
from NeuroTriageLib.training.nael2021_bank import StudyEntry
from Testing.Lib.tiny_nael2021 import CONFIG

# What the assertions speak of.
ROLES = ("FLAIR", "ADC", "TRACE", "T2star", "T1", "T2")


def test_a_simulated_study_becomes_one_that_every_network_can_be_trained_on(tmp_path, monkeypatch):
    anatomy = phantom_anatomy(0.5)
    monkeypatch.setattr(nael2021_producer, "anatomy_and_seed", lambda plan, name, number: (anatomy, number))
    small = dataclasses.replace(nael2021_producer.SETTINGS, matrix=64, roles=ROLES)
    monkeypatch.setattr(nael2021_producer, "SETTINGS", small)
    plan = ProductionPlan(tmp_path, tmp_path, CONFIG, 1, 0, nael2021_producer.make_study)
    path = exam_path(tmp_path, 0)
    assert plan.make is not None
    plan.make(plan, "train", 3).save(path)
    entry = StudyEntry.read(path)
    assert set(entry.present) == set(MR_CODES)
    assert all(entry.fits(network) for network in NETWORKS.values())
    assert {"T1", "T2"} <= entry.contrasts["FLAIR"] and entry.contrasts["ADC"] & {"T2star", "SWI"}
