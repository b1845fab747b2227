"""The data of a protocol as sources of cases, with or without optional contrasts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from ..core.errors import ConfigError
from ..datasets.case_source import CaseSource, public_source
from ..datasets.label_store import store_source
from ..datasets.labelled_case import Case, Labelled, LabelledMr
from ..datasets.own_masks import own_source
from ..systems.nael2021_config import REQUIRED
from .protocol import PHANTOM, DataEntry, Protocol
from .simulated_cases import simulated_source


def sources_of(protocol: Protocol, modality: str, cache: Path) -> tuple[CaseSource, ...]:
    """The protocol's data, in its order.

    Args:
        protocol: of the experiment.
        modality: "CT" or "MR", that its system reads.
        cache: folder that keeps prepared heads of simulated exams.

    Raises:
        ConfigError: an unknown data set, or one that is named twice. InputError: data that are not there.
    """
    sources = [_source(protocol, entry, modality, cache) for entry in protocol.data]
    names = [source.name for source in sources]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"The protocol names {', '.join(twice)} twice.")
    if protocol.optional_contrasts == "without":
        sources = [dataclasses.replace(source, cases=_Without(source)) for source in sources]
    return tuple(sources)


def _source(protocol: Protocol, entry: DataEntry, modality: str, cache: Path) -> CaseSource:
    if entry.dataset is not None:
        return public_source(entry.dataset, protocol.place(entry.path or ""))
    if entry.labels is not None:
        return store_source(protocol.place(entry.labels), protocol.place(entry.images or ""), modality)
    if entry.masks is not None:
        return own_source(protocol.place(entry.masks))
    named = entry.simulated or PHANTOM
    return simulated_source(entry, None if named == PHANTOM else protocol.place(named), modality, cache)


@dataclasses.dataclass(frozen=True)
class _Without:
    """A source's cases without the contrasts that no network requires."""

    source: CaseSource

    def __call__(self) -> Iterator[Case]:
        for case in self.source.cases():
            yield dataclasses.replace(case, read=_Read(case))


@dataclasses.dataclass(frozen=True)
class _Read:
    case: Case

    def __call__(self) -> Labelled:
        return required_only(self.case.read())


def required_only(known: Labelled) -> Labelled:
    """The study with its required contrasts alone; a CT as it is."""
    if not isinstance(known, LabelledMr):
        return known
    return dataclasses.replace(known, images={name: image for name, image in known.images.items() if name in REQUIRED})
