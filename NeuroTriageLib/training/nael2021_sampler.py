"""What Nael 2021's training looks at next: balanced studies, some of their optional contrasts left out."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..core.errors import InputError
from ..preprocessing.mr_views import network_input
from ..systems.nael2021_config import NETWORKS, FindingNetwork, Nael2021Config
from .exam_bank import ExamBank
from .nael2021_bank import BankStudy, StudyEntry

CROPS_WITH_FINDING = 0.5
"""Share of the crops of a study with the finding that lie around one of its voxels; the others show the rest (ours)."""
AS_ANOTHER = 0.5
"""Share of studies that are shown with the contrasts of another one, where some lack a required contrast: what was
scanned must not tell what was found (ours)."""
HEAD = 0.02  # intensity above which a voxel is not air (ours): crops lie around such voxels
STEP = (slice(None), slice(None, None, 4), slice(None, None, 4))  # voxels that may be a crop's middle: enough of them


@dataclass(frozen=True, eq=False)
class StudyBatch:
    """Studies as one network sees them, and what is true.

    Args:
        axial: (b, axial contrasts, d, h, w) 0-1; axial_present (b, axial contrasts) bool.
        sagittal: (b, sagittal contrasts, x, z, y), without channels when the network has none; sagittal_present.
        share: (b, maps, d, h, w) 0-1, how much of each voxel the findings fill.
        known: (b, maps) bool, of which findings it is known whether they are there.
        label: (b,) int64, 1 where the network's finding is there.
    """

    axial: Tensor
    axial_present: Tensor
    sagittal: Tensor
    sagittal_present: Tensor
    share: Tensor
    known: Tensor
    label: Tensor

    def to(self, device: str) -> StudyBatch:
        """The same on a device."""
        return StudyBatch(**{name: value.to(device) for name, value in vars(self).items()})

    def part(self, rows: slice) -> StudyBatch:
        """Some of its studies."""
        return StudyBatch(**{name: value[rows] for name, value in vars(self).items()})

    @property
    def axial_only(self) -> StudyBatch:
        """As if the studies had no sagittal images."""
        return dataclasses.replace(self, sagittal_present=torch.zeros_like(self.sagittal_present))

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
        keep_required: the same of the required contrasts, all together, that the network can do without when it says
            that a finding is there.
    """

    def __init__(
        self,
        bank: ExamBank[StudyEntry],
        config: Nael2021Config,
        positive_share: float,
        keep_optional: float,
        keep_required: float = 1.0,
    ) -> None:
        self.bank, self.config = bank, config
        self.positive_share, self.keep_optional, self.keep_required = positive_share, keep_optional, keep_required

    def refresh(self) -> None:
        """Nothing is kept between draws."""

    def epoch_length(self) -> int:
        """Studies of one epoch."""
        return max(1, len(self.bank))

    def draw(self, code: str, count: int, rng: np.random.Generator) -> StudyBatch:
        """A minibatch for one finding's network. Raises InputError when no study can teach it."""
        network = NETWORKS[code]
        able = [entry for entry in self.bank.exams if entry.teaches(network)]
        if not able:
            where = str(self.bank.folder)
            raise InputError(f"No study of the bank shows and knows what {code} is to learn.", where=where)
        sides = {present: [e for e in able if e.present[code] == present] for present in (True, False)}
        uneven = not all(entry.fits(network) for entry in able)
        studies, dropped = [], []
        for _ in range(count):
            side = sides[bool(rng.random() < self.positive_share)] or able
            entry = side[int(rng.integers(len(side)))]
            hidden = {n for n in network.optional if rng.random() >= self.keep_optional}
            if network.asserts_with is not None and rng.random() >= self.keep_required:
                hidden |= set(network.required) - set(network.asserts_with)
            if uneven and rng.random() < AS_ANOTHER:
                hidden |= entry.seen_by(network) - able[int(rng.integers(len(able)))].seen_by(network)
            studies.append(entry.load(network))
            dropped.append(hidden if entry.seen_by(network) & set(network.axial) - hidden else set())
        return batch_of(studies, network, self.config, dropped)


def batch_of(
    studies: list[BankStudy], network: FindingNetwork, config: Nael2021Config, dropped: list[set[str]] | None = None
) -> StudyBatch:
    """Studies as one network sees them, without the dropped contrasts of each."""
    seen = []
    for study, names in zip(studies, dropped or [set()] * len(studies), strict=True):
        seen.append(network_input(study.views[network.reference].without(names), network, config))
    fields = ("axial", "axial_present", "sagittal", "sagittal_present")
    stacked = {name: torch.from_numpy(np.stack([getattr(each, name) for each in seen])) for name in fields}
    share = torch.from_numpy(np.stack([study.share(network) for study in studies]))
    known = torch.from_numpy(np.stack([study.known(network) for study in studies]))
    label = torch.tensor([int(bool(study.truth[network.code])) for study in studies])
    return StudyBatch(share=share, known=known, label=label, **stacked)


def crops_of(batch: StudyBatch, shape_dhw: tuple[int, int, int], count: int, rng: np.random.Generator) -> StudyBatch:
    """So many crops of each study's axial images, around voxels of the finding or anywhere in the head.

    Args:
        batch: its sagittal images are handed on as they are.
        shape_dhw: of a crop; cut to what there is.
        count: crops of each study.
        rng: draws their places.
    """
    shape = np.minimum(shape_dhw, batch.axial.shape[2:])
    axial, share = [], []
    for images, filled in zip(batch.axial, batch.share, strict=True):
        able = [np.argwhere(here.cpu().numpy()) for here in (filled.amax(0) > 0, images.amax(0)[STEP] > HEAD)]
        for _ in range(count):
            in_finding = len(able[0]) > 0 and rng.random() < CROPS_WITH_FINDING
            where = _crop(able[0] if in_finding else able[1] * (1, 4, 4), shape, images.shape[1:], rng)
            axial.append(images[where])
            share.append(filled[where])
    again = {name: getattr(batch, name).repeat_interleave(count, 0) for name in ("axial_present", "known", "label")}
    return dataclasses.replace(batch, axial=torch.stack(axial), share=torch.stack(share), **again)


def _crop(
    middles: np.ndarray, shape: np.ndarray, size: torch.Size, rng: np.random.Generator
) -> tuple[slice, slice, slice, slice]:
    """A crop that holds one of the voxels, anywhere within it; anywhere at all when there is none."""
    last = np.array(size) - shape
    first = rng.integers(0, last + 1)
    if len(middles):
        first = np.clip(middles[rng.integers(len(middles))] - rng.integers(0, shape), 0, last)
    d, h, w = (slice(int(start), int(start + length)) for start, length in zip(first, shape, strict=True))
    return slice(None), d, h, w
