"""The exams that a comparison is made on: local ones that no model trained on, and simulated ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import ConfigError, InputError
from ..datasets.case_source import CaseSource
from ..datasets.labelled_case import Case, Labelled
from ..datasets.split import Split
from ..io.model_packs import PackManifest, trainings_of
from ..simulation.anatomy import load_anatomy
from ..simulation.mr.settings import BrainMrSettings
from ..simulation.phantom_heads import heads_folder, maps_named
from ..simulation.settings import HeadCtSettings
from ..training.exam_producer import SETTINGS, label_maps
from ..training.nael2021_producer import SETTINGS as MR_SETTINGS
from ..training.simulated_labels import labelled_ct, labelled_mr

LOCAL, SIMULATED = "this site", "simulated"
TEST_MAPS = range(19, 21)  # maps 01-16 train, 17-18 validate (training/exam_producer.py)
TEST_SEED = 3_000_000  # seeds of simulated test exams start here, far from those of training and validation


@dataclass(frozen=True)
class HeldOut:
    """A set of exams with their truth.

    Args:
        name: LOCAL or SIMULATED.
        cases: exams; each is read when its turn comes.
    """

    name: str
    cases: tuple[Case, ...]


def local_cases(sources: Sequence[CaseSource], splits: Sequence[Split], modality: str = "CT") -> HeldOut:
    """The cases of the patients whom every one of the splits keeps for the test; without a split, all cases.

    Raises:
        ConfigError: a source of another modality. InputError: it cannot be opened.
    """
    cases: list[Case] = []
    for source in sources:
        if source.modality != modality:
            raise ConfigError(f"The models read {modality}; these exams are {source.modality}.", where=source.name)
        kept = [case for case in source.cases() if all(split.part_of(case.patient) == "test" for split in splits)]
        # A folder of one's own names its files as it likes, perhaps after people.
        shown = [f"{source.name}/{n:04d}" for n in range(1, len(kept) + 1)] if source.name == "masks" else None
        cases += kept if shown is None else [Case(name, c.patient, c.read) for name, c in zip(shown, kept, strict=True)]
    return HeldOut(LOCAL, tuple(cases))


def splits_of(manifests: Sequence[PackManifest], named: Split | None) -> tuple[Split, ...]:
    """The splits that keep the models' own training exams apart: those that their packs tell, and the one named.

    Packs tell the splits of the models that they went on from too.

    () when the models learned from simulated exams alone: then every exam of a site is new to them.

    Raises:
        ConfigError: a model learned from other exams than simulated ones, and nothing says which patients it saw.
    """
    found = []
    for manifest, training in ((each, told) for each in manifests for told in trainings_of(each.training)):
        told = training.get("split")
        if told is not None and told.keys() == {"train", "validation", "seed"}:  # not a fold of an experiment
            found.append(Split(told["train"], told["validation"], told["seed"]))
        elif training.get("sources") and named is None:
            raise ConfigError(
                f"{manifest.name} does not say which patients it was trained on.",
                next_step="Name the split of its training with --split.",
            )
    if named is not None:
        found.append(named)
    return tuple(dict.fromkeys(found))


def simulated_cases(
    maps: Path | str,
    exams: int,
    *,
    modality: str = "CT",
    settings: HeadCtSettings | None = None,
    first_seed: int = TEST_SEED,
    cache: Path | None = None,
) -> HeldOut:
    """Simulated exams of heads that no training uses; every second CT has a hemorrhage, MRI is as training draws it.

    Args:
        maps: folder of head label maps, or "phantom".
        exams: how many.
        modality: "CT" or "MR".
        settings: what CT is drawn from; training's unless named.
        first_seed: of the first exam; the others count up.
        cache: folder in which prepared heads are kept; the user's own unless named.
    """
    heads = label_maps(maps_named(maps), TEST_MAPS)
    cases = []
    for number in range(exams):
        positive = float((number // len(heads)) % 2 == 0)
        chosen = dataclasses.replace(settings or SETTINGS, positive_probability=positive)
        seed, head = first_seed + number, heads[number % len(heads)]
        read = _Simulation(head, cache or heads_folder(), seed, chosen if modality == "CT" else MR_SETTINGS)
        cases.append(Case(f"{SIMULATED}/{seed}", f"{SIMULATED}:{seed}", read))
    return HeldOut(SIMULATED, tuple(cases))


@dataclass(frozen=True)
class _Simulation:
    """Makes one exam when it is called."""

    head: Path
    cache: Path
    seed: int
    settings: HeadCtSettings | BrainMrSettings

    def __call__(self) -> Labelled:
        head = load_anatomy(self.head, self.cache)
        if isinstance(self.settings, BrainMrSettings):
            return labelled_mr(head, self.seed, self.settings)
        return labelled_ct(head, self.seed, self.settings)


def need_exams(sets: Sequence[HeldOut]) -> None:
    """Raise InputError when there is nothing at all to compare on."""
    if not any(each.cases for each in sets):
        raise InputError(
            "There is no exam to compare on: no patient is kept for the test.",
            next_step="Add exams, or compare on simulated ones (--simulate).",
        )
