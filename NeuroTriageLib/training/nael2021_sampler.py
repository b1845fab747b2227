"""What Nael 2021's training looks at next: balanced studies, some of their optional contrasts left out."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..core.errors import InputError
from ..preprocessing.mr_views import MrView, network_input
from ..systems.nael2021_config import NETWORKS, FindingNetwork, Nael2021Config
from .exam_bank import ExamBank
from .nael2021_bank import BankStudy, StudyEntry

SLABS_WITH_FINDING = 0.8
"""Share of the slabs of a study with the finding that hold some of it; the others show what surrounds it (ours)."""


@dataclass(frozen=True, eq=False)
class StudyBatch:
    """Studies as one network sees them, and what is true.

    Args:
        axial: (b, axial contrasts, d, h, w) 0-1; axial_present (b, axial contrasts) bool.
        sagittal: (b, sagittal contrasts, x, z, y), without channels when the network has none; sagittal_present.
        share: (b, maps, d, h, w) 0-1, how much of each voxel the findings fill.
        label: (b,) int64, 1 where the finding is there.
    """

    axial: Tensor
    axial_present: Tensor
    sagittal: Tensor
    sagittal_present: Tensor
    share: Tensor
    label: Tensor

    def to(self, device: str) -> StudyBatch:
        """The same on a device."""
        return StudyBatch(**{name: value.to(device) for name, value in vars(self).items()})

    @property
    def orientations(self) -> tuple[Tensor, ...]:
        """The arguments of networks.lfe_classifier.LfeClassifier."""
        axial = (self.axial, self.axial_present)
        return (*axial, self.sagittal, self.sagittal_present) if self.sagittal_present.any() else axial


class StudySampler:
    """Draws studies of a bank that may still grow.

    Args:
        bank: the training studies.
        config: of the networks.
        positive_share: share of studies with the finding.
        keep_optional: probability that an optional contrast which is there is shown.
    """

    def __init__(
        self, bank: ExamBank[StudyEntry], config: Nael2021Config, positive_share: float, keep_optional: float
    ) -> None:
        self.bank, self.config = bank, config
        self.positive_share, self.keep_optional = positive_share, keep_optional

    def refresh(self) -> None:
        """Nothing is kept between draws."""

    def epoch_length(self) -> int:
        """Studies of one epoch."""
        return max(1, len(self.bank))

    def draw(self, code: str, count: int, rng: np.random.Generator, slab_slices: int | None = None) -> StudyBatch:
        """A minibatch for one finding's network, of each study the whole or a slab of neighbouring axial slices.

        Raises InputError when no study has the network's required contrasts.
        """
        network = NETWORKS[code]
        able = [entry for entry in self.bank.exams if entry.fits(network)]
        if not able:
            raise InputError(f"No study of the bank has what {code} requires.", where=str(self.bank.folder))
        sides = {present: [e for e in able if e.present[code] == present] for present in (True, False)}
        studies = []
        for _ in range(count):
            side = sides[bool(rng.random() < self.positive_share)] or able
            studies.append(side[int(rng.integers(len(side)))].load())
        dropped = [self._dropped(study.views[network.reference], network, rng) for study in studies]
        batch = batch_of(studies, network, self.config, dropped)
        return batch if slab_slices is None else slabs_of(batch, slab_slices, rng)

    def _dropped(self, view: MrView, network: FindingNetwork, rng: np.random.Generator) -> set[str]:
        there = [name for name in network.optional if name in view.contrasts]
        return {name for name in there if rng.random() >= self.keep_optional}


def batch_of(
    studies: list[BankStudy], network: FindingNetwork, config: Nael2021Config, dropped: list[set[str]] | None = None
) -> StudyBatch:
    """Studies as one network sees them, without the dropped contrasts of each."""
    seen = []
    for study, names in zip(studies, dropped or [set()] * len(studies), strict=True):
        view = study.views[network.reference]
        axial = {name: array for name, array in view.axial.items() if name not in names}
        sagittal = {name: array for name, array in view.sagittal.items() if name not in names}
        seen.append(network_input(MrView(view.reference, view.grid, axial, sagittal), network, config))
    fields = ("axial", "axial_present", "sagittal", "sagittal_present")
    stacked = {name: torch.from_numpy(np.stack([getattr(each, name) for each in seen])) for name in fields}
    share = torch.from_numpy(np.stack([study.share(network) for study in studies]))
    label = torch.tensor([int(bool(study.truth[network.code])) for study in studies])
    return StudyBatch(share=share, label=label, **stacked)


def slabs_of(batch: StudyBatch, slices: int, rng: np.random.Generator) -> StudyBatch:
    """So many neighbouring axial slices of each study, without the sagittal images."""
    starts = [_slab_start(share, slices, rng) for share in batch.share]
    axial, share = (
        torch.stack([image[:, start : start + slices] for image, start in zip(images, starts, strict=True)])
        for images in (batch.axial, batch.share)
    )
    absent = torch.zeros_like(batch.sagittal_present)
    return dataclasses.replace(batch, axial=axial, share=share, sagittal_present=absent)


def _slab_start(share: Tensor, slices: int, rng: np.random.Generator) -> int:
    """Where a slab begins in (maps, d, h, w)."""
    last = share.shape[1] - slices
    filled = np.flatnonzero(share.amax(dim=(0, 2, 3)).numpy() > 0)
    if len(filled) and rng.random() < SLABS_WITH_FINDING:
        return int(np.clip(rng.choice(filled) - rng.integers(slices), 0, last))
    return int(rng.integers(last + 1))
