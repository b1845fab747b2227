"""Fitting a consensus end to end: the system that sees is believed, the one that guesses is not, and the pack reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from NeuroTriageLib.core.codes import ANY, CT_HEMORRHAGE_CODES
from NeuroTriageLib.core.errors import ConfigError, InputError
from NeuroTriageLib.core.findings import Reading
from NeuroTriageLib.io.model_packs import load_model_pack
from NeuroTriageLib.preprocessing.exam_features import exam_features
from NeuroTriageLib.systems.consensus import ConsensusSystem, consensus_config
from NeuroTriageLib.systems.consensus_config import GridSettings
from NeuroTriageLib.training.consensus_training import CACHE_FILE, shared_grid, train_consensus
from NeuroTriageLib.training.exam_bank import exam_path
from NeuroTriageLib.training.training_run import TrainOptions
from Testing.Lib.systems.stand_ins import StandIn, reading
from Testing.Lib.training.synthetic_bank import TINY, synthetic_exam, write_bank

GRID = GridSettings.of(TINY)
EXAMS = 24


class Seer(StandIn):
    """Sees the bright squares of the synthetic exams: 40 + 14 x type HU."""

    def __init__(self, name: str = "kuo2019") -> None:
        super().__init__(name, {}, grid=GRID)

    def read(self, volume: Any, *, progress: Any = None, prepared: Any = None) -> Reading:
        self.given.append(prepared)
        label = np.where(volume.array_kji > 35, np.rint((volume.array_kji - 40) / 14), 0).clip(0, 5)
        seen = {code: 0.9 for n, code in enumerate(CT_HEMORRHAGE_CODES, start=1) if (label == n).sum() > 20}
        seen = seen | {ANY: 0.9} if seen else {}
        return reading(self.name, seen, label=label, heat=np.where(label > 0, 0.55, 0.0))


class Guesser(StandIn):
    """Says anything, and draws no masks."""

    def __init__(self, name: str = "ye2019") -> None:
        super().__init__(name, {}, grid=GRID)
        self._rng = np.random.default_rng(0)

    def read(self, volume: Any, *, progress: Any = None, prepared: Any = None) -> Reading:
        self.given.append(prepared)
        said = {code: float(self._rng.uniform(0.05, 0.95)) for code in (ANY, *CT_HEMORRHAGE_CODES)}
        return reading(self.name, said, shape=volume.grid.shape_kji, segments=False)


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    return write_bank(tmp_path / "bank", EXAMS)


def options(bank: Path, out: Path) -> TrainOptions:
    return TrainOptions(simulate=bank / "nowhere", out=out, bank=bank, exams=EXAMS, validation_exams=EXAMS)


def silent(line: str) -> None:
    """Nobody follows."""


def test_the_system_that_sees_is_believed_and_the_pack_says_so(bank, tmp_path):
    path = train_consensus(options(bank, tmp_path / "run"), [Seer(), Guesser()], silent)
    pack = load_model_pack(path)
    config = consensus_config(pack)
    assert config.weights[ANY]["kuo2019"] > 2 * config.weights[ANY]["ye2019"], "24 exams say no more than that"
    assert config.mask_weights == {"kuo2019": 1.0} and config.pixel_threshold < 0.55
    assert [(m.system, m.pack) for m in config.members] == [("kuo2019", "kuo2019-tiny"), ("ye2019", "ye2019-tiny")]
    figures = pack.manifest.metrics["validation"]
    assert figures["exams"] == EXAMS and figures["auc"][ANY] == 1.0 and figures["dice"] == pytest.approx(1.0, abs=0.1)
    assert figures["auc_of_members"]["ye2019"][ANY] < 0.9
    card = (path / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "kuo2019-tiny" in card and "| any | " in card


def test_the_fitted_pack_reads_an_exam_of_its_bank(bank, tmp_path):
    members = [Seer(), Guesser()]
    pack = load_model_pack(train_consensus(options(bank, tmp_path / "run"), members, silent))
    system = ConsensusSystem.from_pack(pack, members)
    for types in ((), (1,)):
        exam = synthetic_exam(5, types=types)
        volume, prepared = exam.prepared(GRID)
        familiarity = system.judge(prepared)
        assert familiarity.is_familiar
        answer = system.combine([member.read(volume) for member in members], {}, familiarity)
        assert answer.is_present(ANY) == answer.is_present("IPH") == bool(types)
        assert not any(answer.is_present(code) for code in CT_HEMORRHAGE_CODES if code != "IPH")


def test_fitting_goes_on_after_a_kill_and_begins_anew_with_other_weights(bank, tmp_path):
    run = tmp_path / "run"
    first = train_consensus(options(bank, run), [Seer()], silent)
    manifest = load_model_pack(first).manifest
    cache = run / CACHE_FILE
    lines = cache.read_text(encoding="utf-8").splitlines()
    cache.write_text("\n".join([*lines[:-4], lines[-4][:30]]), encoding="utf-8")  # killed in the middle of a line
    again = Seer()
    second = train_consensus(options(bank, run), [again], silent)
    assert len(again.given) == 4
    assert load_model_pack(second).manifest == manifest
    assert len(cache.read_text(encoding="utf-8").splitlines()) == 1 + EXAMS
    other = Seer("chang2018")
    train_consensus(options(bank, run), [other], silent)
    assert len(other.given) == EXAMS
    assert json.loads(cache.read_text(encoding="utf-8").splitlines()[0])["packs"][0][0] == "chang2018-tiny"


def test_what_cannot_be_fitted_is_refused(bank, tmp_path):
    with pytest.raises(ConfigError, match="--packs"):
        shared_grid([])
    with pytest.raises(ConfigError, match="one model pack"):
        shared_grid([Seer(), Seer()])
    coarse = StandIn("ye2019", {}, grid=GridSettings(0.45, 512, 5.0))
    with pytest.raises(ConfigError, match="grids"):
        shared_grid([Seer(), coarse])
    few = tmp_path / "few"
    for name in ("train", "validation"):
        for number in range(12):
            synthetic_exam(number, types=()).save(exam_path(few / name, number))
    small = TrainOptions(simulate=few, out=tmp_path / "run", bank=few, exams=12, validation_exams=12)
    with pytest.raises(InputError, match="too few"):
        train_consensus(small, [Seer()], silent)


def test_a_bank_exam_comes_back_as_a_volume_and_its_preparation():
    exam = synthetic_exam(3, types=(2,))
    volume, prepared = exam.prepared(GRID)
    hu, brain, label = exam.whole()
    np.testing.assert_array_equal(volume.array_kji, hu)
    np.testing.assert_array_equal(prepared.hu_shw, hu)
    np.testing.assert_array_equal(prepared.labels_from_source(label), label)
    np.testing.assert_array_equal(prepared.to_source(brain[None].astype(np.float32))[0] > 0.5, brain)
    np.testing.assert_array_equal(prepared.slab_of_slice, np.arange(len(hu)))
    assert not prepared.image_shw[~brain].any() and prepared.image_shw.max() > 0
    with pytest.raises(ConfigError, match="64 pixels"):
        exam.prepared(GridSettings(0.9, 256, 5.0))


def test_figures_of_a_bank_exam_are_those_of_its_whole_image():
    exam = synthetic_exam(4, types=(1,))
    hu, brain, _ = exam.whole()
    np.testing.assert_allclose(
        exam_features(exam.hu_shw, exam.brain_shw, 3.6), exam_features(hu, brain, 3.6), atol=1e-9
    )
