"""Simulated exams as cases of a data set: every head is a patient, so that no head is learned from and tested."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from ..core.errors import ConfigError, InputError
from ..datasets.case_source import CaseSource
from ..datasets.labelled_case import Case, LabelledCt, LabelledMr
from ..simulation.anatomy import Anatomy, load_anatomy
from ..simulation.exam_folders import MAP_SUFFIXES
from ..simulation.mr.settings import SETTINGS as MR_SETTINGS
from ..simulation.phantom import phantom_anatomy
from ..simulation.settings import WIDER_SETTINGS
from ..training.exam_producer import SETTINGS as TRAINING_SETTINGS
from ..training.simulated_labels import labelled_ct, labelled_mr
from .protocol import PHANTOM, SETTINGS_OF, DataEntry

NAME = "simulated"
LICENCE = "Apache-2.0"
CT_SETTINGS = {"training": TRAINING_SETTINGS, "wider": WIDER_SETTINGS}
PHANTOM_SCALES = tuple(np.linspace(0.92, 1.08, 12).round(3).tolist())
"""Sizes of the phantom heads (ours): adults' heads differ by about 8 % to both sides."""

Simulate = Callable[[Anatomy, int], LabelledCt | LabelledMr]


def simulated_source(entry: DataEntry, maps: Path | None, modality: str, cache: Path) -> CaseSource:
    """The simulated exams of a protocol.

    Args:
        entry: of the protocol.
        maps: folder of head label maps; None for phantoms.
        modality: "CT" or "MR".
        cache: folder that keeps prepared heads.

    Raises:
        ConfigError: settings that the simulator does not have. InputError: no label maps.
    """
    names = SETTINGS_OF[modality]
    if entry.settings not in (None, *names):
        raise ConfigError(f"Settings of simulated {modality} are {' or '.join(names)}.", where=str(entry.settings))
    simulate = _simulation(modality, entry.settings or names[0])
    heads = _phantoms() if entry.simulated == PHANTOM else _heads(maps, cache)
    return CaseSource(
        NAME, modality, ("masks",), LICENCE, lambda: _cases(entry, heads, simulate), ("Simulated exams, not patients.",)
    )


def _simulation(modality: str, settings: str) -> Simulate:
    if modality == "CT":
        return partial(labelled_ct, settings=CT_SETTINGS[settings])
    return partial(labelled_mr, settings=MR_SETTINGS[settings])


def _cases(entry: DataEntry, heads: dict[str, Callable[[], Anatomy]], simulate: Simulate) -> Iterator[Case]:
    """Heads in turn, seeds counting up."""
    names = list(heads)
    for number in range(entry.exams or 0):
        head, seed = names[number % len(names)], entry.first_seed + number
        yield Case(f"{NAME}/{head}-{seed}", f"{NAME}:{head}", partial(_read, heads[head], seed, simulate))


def _read(head: Callable[[], Anatomy], seed: int, simulate: Simulate) -> LabelledCt | LabelledMr:
    return simulate(head(), seed)


def _heads(folder: Path | None, cache: Path) -> dict[str, Callable[[], Anatomy]]:
    if folder is None or not folder.is_dir():
        raise InputError("The folder of head label maps does not exist.", where=str(folder))
    maps = sorted(path for path in folder.iterdir() if path.name.endswith(MAP_SUFFIXES))
    if not maps:
        raise InputError("The folder holds no head label map.", where=str(folder))
    return {path.name.split(".")[0]: partial(load_anatomy, path, cache) for path in maps}


def _phantoms() -> dict[str, Callable[[], Anatomy]]:
    return {f"{PHANTOM}-{scale:.3f}": partial(_phantom, scale) for scale in PHANTOM_SCALES}


_phantom = lru_cache(maxsize=len(PHANTOM_SCALES))(phantom_anatomy)
