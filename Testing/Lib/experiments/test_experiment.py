"""A protocol carried out: folds by patients, going on after a stop, and one report with everything in it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from NeuroTriageLib.cli import main
from NeuroTriageLib.core.codes import MR_CODES
from NeuroTriageLib.core.errors import ConfigError
from NeuroTriageLib.core.volume import Volume
from NeuroTriageLib.datasets.case_source import CaseSource
from NeuroTriageLib.datasets.labelled_case import Case, LabelledCt, LabelledMr
from NeuroTriageLib.evaluation.exam_records import read_records
from NeuroTriageLib.evaluation.mr_tables import REQUIRED_ONLY
from NeuroTriageLib.experiments import case_reading, experiment
from NeuroTriageLib.experiments.case_reading import HeldOutCase, read_cases
from NeuroTriageLib.experiments.experiment import ExperimentOptions, run_experiment
from NeuroTriageLib.experiments.protocol import DataEntry, Protocol, SplitRule
from NeuroTriageLib.experiments.protocol_data import REQUIRED, required_only, sources_of
from NeuroTriageLib.experiments.simulated_cases import simulated_source
from NeuroTriageLib.inference.device import choose_device
from NeuroTriageLib.io.model_packs import load_model_pack
from NeuroTriageLib.systems.nael2021 import Nael2021System
from NeuroTriageLib.training import kuo2019_training
from Testing.Lib import tiny_nael2021
from Testing.Lib.datasets import ct_miniatures
from Testing.Lib.training.mr_bank import SPOT
from Testing.Lib.training.started_processes import run_together
from Testing.Lib.training.synthetic_bank import TINY, TINY_TRAINING

PATIENTS = 6
DATA = (DataEntry(simulated="phantom", exams=1),)  # replaced by made cases
PROTOCOL = Protocol("A trial", "kuo2019", SplitRule(folds=2, validation=0.3), DATA, notes=("A note.",))


def made_case(number: int) -> Case:
    """Two exams of each patient: one bleeds, the other does not."""
    bleeds = number % 2 == 0
    label = np.where(ct_miniatures.BLOOD & bleeds, 1 + number // 2 % 5, 0).astype(np.uint8)
    image = ct_miniatures.BLEEDING if bleeds else np.where(ct_miniatures.BLOOD, 30, ct_miniatures.BLEEDING)
    volume = Volume((image + number).astype(np.int16), ct_miniatures.GRID)
    return Case(f"made/{number}", f"made:{number // 2}", lambda: LabelledCt(volume, label))


def made_sources(protocol: Protocol, modality: str, cache: Path) -> tuple[CaseSource, ...]:
    """In place of the protocol's own."""
    return (CaseSource("made", "CT", ("masks",), "free", lambda: iter(map(made_case, range(2 * PATIENTS)))),)


@pytest.fixture
def tiny(monkeypatch):
    """A tiny recipe, and made cases in place of the protocol's data."""
    monkeypatch.setitem(kuo2019_training.VARIANTS, "compact", (TINY, TINY_TRAINING))
    monkeypatch.setattr(experiment, "sources_of", made_sources)


def run_one_of_several(out: Path) -> None:
    """What each of several processes does."""
    kuo2019_training.VARIANTS["compact"] = (TINY, TINY_TRAINING)
    experiment.sources_of = made_sources
    run_experiment(PROTOCOL, ExperimentOptions(out, "cpu", threads=1), lambda line: None)


@pytest.mark.slow
def test_several_processes_train_fold_after_fold_and_write_one_report(tmp_path):
    run_together(run_one_of_several, 2, tmp_path)
    assert len(read_records(tmp_path / "exams.jsonl")) == 2 * PATIENTS and (tmp_path / "report.html").exists()
    packs = [load_model_pack(path.parent) for path in tmp_path.glob("*/*/pack.json")]
    assert [pack.manifest.training["device"]["processes"] for pack in packs] == [2, 2]


def test_an_experiment_that_was_stopped_goes_on_and_ends_in_one_report(tiny, tmp_path, monkeypatch):
    options = ExperimentOptions(tmp_path / "out", "cpu")
    lines: list[str] = []
    keep, kept = case_reading.append_record, []

    def stopped(record, path):
        if len(kept) == 4:
            raise KeyboardInterrupt
        kept.append(record.exam)
        keep(record, path)

    with monkeypatch.context() as patch:
        patch.setattr(case_reading, "append_record", stopped)
        with pytest.raises(KeyboardInterrupt):
            run_experiment(PROTOCOL, options, lines.append)
    packs = {path: path.stat().st_mtime_ns for path in options.out.glob("*/*/pack.json")}
    assert len(packs) == 1 and len(read_records(options.out / "fold-1" / "tested.jsonl")) == 4
    with (options.out / "fold-1" / "tested.jsonl").open("a") as stream:
        stream.write('{"exam": "made/')  # a kill in the middle of a line

    report = run_experiment(PROTOCOL, options, lines.append)
    assert all(path.stat().st_mtime_ns == then for path, then in packs.items())  # a finished fold is not trained again
    records = read_records(options.out / "exams.jsonl")
    assert sorted(record.exam for record in records) == sorted(made_case(n).name for n in range(2 * PATIENTS))

    packs = {path.parents[1].name: load_model_pack(path.parent) for path in options.out.glob("*/*/pack.json")}
    assert set(packs) == {"fold-1", "fold-2"}
    for pack in packs.values():
        (source,) = pack.manifest.training["sources"]
        assert source["exams"] == {"train": 4, "validation": 2, "test": 6}
        assert pack.manifest.training["split"]["patients"] == {"train": 2, "validation": 1, "test": 3}
    tested = [{r.exam for r in read_records(options.out / name / "tested.jsonl")} for name in packs]
    assert tested[0].isdisjoint(tested[1])

    page = report.read_text()
    assert "http" not in page.replace("http://www.w3.org", "") and "<script" not in page  # nothing is loaded
    for said in ("A trial", "A note.", "fold-1", "fold-2", "mean of the parts", "all together", "Beside Kuo 2019",
                 "By type and size, balanced set", "By type and size, full set", "Training curves", "made", "free",
                 "curves of fold-2", packs["fold-1"].identity.sha256[:12]):  # fmt: skip
        assert said in page, said
    assert "made/3" not in page and "made:1" not in page  # counts and hashes, not names

    monkeypatch.setattr(experiment, "load_system", lambda **_: pytest.fail("everything has been read"))
    assert run_experiment(PROTOCOL, options, lines.append) == report


def test_a_folder_with_another_experiment_is_refused(tiny, tmp_path):
    experiment._claim(tmp_path, PROTOCOL, ["made:1", "made:2"])
    with pytest.raises(ConfigError, match="other patients"):
        experiment._claim(tmp_path, PROTOCOL, ["made:1", "made:2", "made:3"])
    other = Protocol("A trial", "kuo2019", SplitRule(folds=3), DATA)
    with pytest.raises(ConfigError, match="another experiment"):
        run_experiment(other, ExperimentOptions(tmp_path), lambda line: None)
    assert json.loads((tmp_path / "experiment.json").read_text())["split"]["folds"] == 2


def test_the_command_says_what_is_wrong_with_a_protocol(tmp_path, capsys):
    path = tmp_path / "protocol.toml"
    path.write_text('title = "A"\nsystem = "resnet"\n[split]\nfolds = 2\n[[data]]\nmasks = "x"\n')
    assert main(["experiment", str(path), "-o", str(tmp_path / "out")]) == ConfigError.exit_code
    assert "A protocol's system is one of kuo2019" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_simulated_heads_are_patients_and_the_same_exam_comes_again(tmp_path):
    entry = DataEntry(simulated="phantom", exams=14, settings="wider")
    source = simulated_source(entry, None, "CT", tmp_path)
    cases = list(source.cases())
    assert len({case.name for case in cases}) == 14 and len({case.patient for case in cases}) == 12
    assert cases[0].patient == cases[12].patient
    with pytest.raises(ConfigError, match="realistic or balanced or external"):
        simulated_source(entry, None, "MR", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_simulated_cases_have_images_and_their_truth(modality, tmp_path):
    source = simulated_source(DataEntry(simulated="phantom", exams=1), None, modality, tmp_path)
    (case,) = source.cases()
    first, again = case.read(), case.read()
    if modality == "CT":
        assert first.has_types and np.array_equal(first.volume.array_kji, again.volume.array_kji)
        return
    assert set(first.images) >= REQUIRED and set(first.exam_presence()) == set(MR_CODES)
    assert np.array_equal(first.images["ADC"].volume.array_kji, again.images["ADC"].volume.array_kji)


def test_optional_contrasts_can_be_left_out_or_compared(tmp_path):
    images = tiny_nael2021.study()
    spot = np.zeros(images["FLAIR"].volume.array_kji.shape, bool)
    spot[SPOT] = True
    known = LabelledMr(images, {"FLAIR": {"acute_hemorrhage": spot}}, {"abnormal": True, "acute_infarct": False})
    assert set(images) - REQUIRED and set(required_only(known).images) == REQUIRED & set(images)

    pack = load_model_pack(tiny_nael2021.save(tmp_path / "tiny"))
    system = Nael2021System.from_pack(pack, choose_device("cpu"))
    tested = [HeldOutCase(Case("made/1", "made:1", lambda: known), simulated=False)]
    (record,), left_out = read_cases(tested, lambda: system, tmp_path / "tested.jsonl", lambda line: None, both=True)
    assert set(record.answers) == {"nael2021", "nael2021" + REQUIRED_ONLY} and not left_out
    assert record.truth["acute_hemorrhage"].present and record.truth["acute_hemorrhage"].volume_ml > 0
    assert record.truth["acute_infarct"].volume_ml == 0.0 and "mass_effect" not in record.truth


def test_a_protocol_without_optional_contrasts_never_shows_them(monkeypatch):
    known = LabelledMr(tiny_nael2021.study())
    source = CaseSource("made", "MR", ("masks",), "free", lambda: iter([Case("made/1", "made:1", lambda: known)]))
    monkeypatch.setattr("NeuroTriageLib.experiments.protocol_data.public_source", lambda name, path: source)
    data = (DataEntry(dataset="soop", path="x"),)
    protocol = Protocol("A", "nael2021", SplitRule(folds=2), data, optional_contrasts="without")
    (without,) = sources_of(protocol, "MR", Path("cache"))
    (case,) = without.cases()
    assert set(case.read().images) == REQUIRED & set(known.images)
