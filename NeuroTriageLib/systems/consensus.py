"""One answer from several systems: the exam is prepared once, each reads it, and their opinions are weighed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..core.codes import ANY
from ..core.errors import ConfigError, ModelError, SeriesSelectionError, UnfamiliarExam
from ..core.findings import Deliberation, Familiarity, Reading, shown_types
from ..core.opinions import agreement, doubt, pooled, source_code
from ..core.stage_clock import no_progress
from ..core.volume import Volume
from ..core.voxel_probabilities import VoxelCollector
from ..io.model_packs import ModelPack
from ..preprocessing.exam_features import exam_features
from ..preprocessing.familiarity import FamiliarityModel
from ..preprocessing.network_grid import PreparedExam, prepare
from .consensus_config import ConsensusConfig, GridSettings
from .consensus_masks import combined_label, mask_weights_of, mean_heatmap, mean_voxel_probabilities

Progress = Callable[[str, float], None]
MEAN = "mean"
"""Heatmap of the consensus unless one system's is asked for."""
NETWORK_SHARE = 0.9  # of a member's time; its decoding is the rest; ours, for the progress bar only


class Member(Protocol):
    """What the consensus needs of a system; see kuo2019.py."""

    @property
    def name(self) -> str:
        """Catalog key."""

    @property
    def device_name(self) -> str:
        """ "cpu" or "cuda: NAME"."""

    @property
    def config(self) -> Any:
        """Settings with pixel_spacing_mm, image_size and slab_mm."""

    def read(
        self, volume: Volume, *, progress: Progress | None = None, prepared: PreparedExam | None = None
    ) -> Reading:
        """The system's answer on the voxels of the volume."""


@dataclass(frozen=True)
class ReadingChoices:
    """What a user decides about an answer.

    Args:
        heatmap: "mean" of the systems that segment, or the name of one member.
        accept_unfamiliar: answer also an exam that is unlike the training exams; it stays flagged.
    """

    heatmap: str = MEAN
    accept_unfamiliar: bool = False


class ConsensusSystem:
    """Members, weights and the limits of familiarity; made by from_pack.

    Args:
        pack: where calibration, operating points and identity come from.
        config: the pack's settings.
        familiarity: fitted on training exams.
        members: loaded systems, one per member of the settings, in that order.
        choices: the user's.
    """

    name = "consensus"

    def __init__(
        self,
        pack: ModelPack,
        config: ConsensusConfig,
        familiarity: FamiliarityModel,
        members: Sequence[Member],
        choices: ReadingChoices | None = None,
    ) -> None:
        self.pack, self.config, self.members = pack, config, tuple(members)
        self.choices = choices or ReadingChoices()
        self._familiarity = familiarity
        names = [member.name for member in self.members]
        assert names == [member.system for member in config.members]
        if self.choices.heatmap not in (MEAN, *names):
            raise ConfigError(
                "The consensus has no such heatmap.",
                where=self.choices.heatmap,
                next_step=f"Choose one of: {', '.join((MEAN, *names))}.",
            )

    @classmethod
    def from_pack(cls, pack: ModelPack, members: Sequence[Member]) -> ConsensusSystem:
        """A consensus that is ready to read. Raises ModelError when the pack was made for something else."""
        config = consensus_config(pack)
        try:
            familiarity = FamiliarityModel.from_arrays(pack.weights())
        except (KeyError, ValueError) as error:
            raise ModelError("The pack holds no familiarity model.", where=str(pack.path)) from error
        return cls(pack, config, familiarity, members)

    def with_choices(self, heatmap: str | None = None, accept_unfamiliar: bool = False) -> ConsensusSystem:
        """The same system with a user's choices. Raises ConfigError when there is no such heatmap."""
        choices = ReadingChoices(heatmap or MEAN, accept_unfamiliar)
        return ConsensusSystem(self.pack, self.config, self._familiarity, self.members, choices)

    @property
    def device_name(self) -> str:
        """ "cpu" or "cuda: NAME"."""
        return self.members[0].device_name

    def read(self, volume: Volume, *, progress: Progress | None = None) -> Reading:
        """The answer for a head CT, on its own voxels, with the opinions that it was made of.

        A member that fails with a ModelError does not keep the others from answering; it is named in the deliberation.

        Raises:
            UnfamiliarExam: the exam is unlike the training exams and nobody insisted.
            SeriesSelectionError: there is no intracranial space in the image.
            ModelError: every member failed.
        """
        progress = progress or no_progress
        timings: dict[str, float] = {}
        start = _begin(progress, "prepare")
        prepared = {self.config.grid: prepare(volume, self.config.grid)}
        familiarity = self.judge(prepared[self.config.grid])
        if not familiarity.is_familiar and not familiarity.accepted:
            raise UnfamiliarExam(familiarity)
        for member in self.members:
            if (grid := GridSettings.of(member.config)) not in prepared:
                prepared[grid] = prepare(volume, grid)
        timings["prepare"] = _end(progress, "prepare", start)
        start = _begin(progress, "network")
        opinions, failures = self._ask(volume, prepared, progress)
        timings["network"] = _end(progress, "network", start)
        start = _begin(progress, "decode")
        reading = self.combine(opinions, failures, familiarity)
        timings["decode"] = _end(progress, "decode", start)
        timings |= {o.system: round(sum(o.timings_s.values()), 3) for o in opinions}
        reading.timings_s.update(timings)
        return reading

    def judge(self, prepared: PreparedExam) -> Familiarity:
        """How usual a prepared exam is. Raises SeriesSelectionError when it holds no brain."""
        if not prepared.brain_shw.any():
            raise SeriesSelectionError(
                "No intracranial space was found in the image; it was not read and is not negative.",
                next_step="Check that the series is a non-contrast head CT with the skull in view.",
            )
        features = exam_features(prepared.hu_shw, prepared.brain_shw, self.config.pixel_spacing_mm)
        return self._familiarity.judge(
            features, self.config.familiarity_threshold, accepted=self.choices.accept_unfamiliar
        )

    def combine(self, opinions: Sequence[Reading], failures: dict[str, str], familiarity: Familiarity) -> Reading:
        """One Reading from the members' Readings of the same exam (at least one)."""
        codes = self.config.codes
        probability = self.probabilities(opinions)
        threshold = dict(self.pack.manifest.operating_points)
        mean = mean_heatmap(opinions, self.config.mask_weights)
        answered = tuple(code for code in codes if code in probability)
        shown = {code: probability[code] for code in shown_types(probability, threshold, answered)}
        weights = mask_weights_of(opinions, self.config.mask_weights)
        bleeding = mean >= np.float16(self.config.pixel_threshold) if weights else np.zeros(mean.shape, bool)
        chosen = [opinion.heatmap_kji for opinion in opinions if opinion.system == self.choices.heatmap]
        voxels = VoxelCollector(codes, self.config.pixel_threshold)
        averaged = ", ".join(opinion.system for opinion in opinions if not weights or weights.get(opinion.system))
        return Reading(
            system=self.name,
            codes=codes,
            probability=probability,
            threshold=threshold,
            slice_probability=_slice_scores(opinions, (ANY, *codes)),
            label_kji=combined_label(opinions, weights, bleeding, shown, codes),
            heatmap_kji=chosen[0] if chosen else mean,
            model=self.pack.identity,
            segments=bool(weights),
            heatmap_source=self.choices.heatmap if chosen else f"mean of {averaged}",
            voxel_probabilities=mean_voxel_probabilities(opinions, weights, mean, voxels) if weights else None,
            deliberation=Deliberation(
                opinions=tuple(opinions),
                failures=dict(failures),
                doubt={code: doubt(o.probability[code] for o in _answering(opinions, code)) for code in probability},
                agreement={
                    code: agreement(o.is_present(code) for o in _answering(opinions, code)) for code in probability
                },
                familiarity=familiarity,
            ),
        )

    def probabilities(self, opinions: Sequence[Reading]) -> dict[str, float]:
        """Code -> calibrated probability of the pooled opinions; a type is never more probable than any hemorrhage.

        A type that no opinion informs (its systems failed) is left out.
        """
        calibration, weights = self.pack.manifest.calibration, self.config.weights
        said = {code: stated(opinions, code) for code in (ANY, *self.config.codes)}
        result = {code: calibration[code].apply(pooled(p, weights[code])) for code, p in said.items() if p}
        return {code: min(value, result[ANY]) for code, value in result.items()}

    def _ask(
        self, volume: Volume, prepared: dict[GridSettings, PreparedExam], progress: Progress
    ) -> tuple[list[Reading], dict[str, str]]:
        """Each member's opinion, or why there is none."""
        opinions, failures = [], {}
        for number, member in enumerate(self.members):
            share = _Share(progress, number, len(self.members))
            try:
                exam = prepared[GridSettings.of(member.config)]
                opinions.append(member.read(volume, progress=share, prepared=exam))
            except ModelError as error:
                failures[member.name] = error.message()
        if not opinions:
            raise ModelError("No system of the consensus could read the exam.", where="; ".join(failures.values()))
        return opinions, failures


def consensus_config(pack: ModelPack) -> ConsensusConfig:
    """The settings of a consensus pack. Raises ModelError when they are wrong or the pack is another system's."""
    if pack.manifest.system != ConsensusSystem.name:
        raise ModelError(
            f"The model pack was made for {pack.manifest.system}, not for {ConsensusSystem.name}.",
            where=str(pack.path),
            next_step="Choose a pack of this system.",
        )
    try:
        config = ConsensusConfig.from_json(pack.manifest.config)
    except ConfigError as error:
        raise ModelError(f"The model pack's settings are wrong. {error.what}", where=str(pack.path)) from error
    if config.codes != pack.manifest.codes:
        raise ModelError("The model pack's codes and its settings disagree.", where=str(pack.path))
    return config


def stated(opinions: Sequence[Reading], code: str) -> dict[str, float]:
    """System -> calibrated probability that informs the code (SDH+EDH for SDH and EDH)."""
    said = ((opinion, source_code(code, opinion.probability)) for opinion in opinions)
    return {opinion.system: opinion.probability[source] for opinion, source in said if source is not None}


def _answering(opinions: Sequence[Reading], code: str) -> list[Reading]:
    """Those that answer the code itself: SDH+EDH can neither agree nor disagree with SDH."""
    return [opinion for opinion in opinions if code in opinion.probability]


def _slice_scores(opinions: Sequence[Reading], codes: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Code -> (K,) mean score of each slice over the systems that score slices for it."""
    scores = {}
    for code in codes:
        said = ((opinion, source_code(code, opinion.slice_probability)) for opinion in opinions)
        values = [np.asarray(o.slice_probability[source], float) for o, source in said if source is not None]
        if values:
            scores[code] = np.mean(values, axis=0)
    return scores


@dataclass(frozen=True)
class _Share:
    """A member's progress as its part of the stage "network"."""

    progress: Progress
    number: int
    count: int

    def __call__(self, stage: str, fraction: float) -> None:
        inner = {"prepare": 0.0, "decode": NETWORK_SHARE + (1 - NETWORK_SHARE) * fraction}.get(
            stage, NETWORK_SHARE * fraction
        )
        self.progress("network", (self.number + inner) / self.count)


def _begin(progress: Progress, stage: str) -> float:
    progress(stage, 0.0)
    return time.perf_counter()


def _end(progress: Progress, stage: str, start: float) -> float:
    progress(stage, 1.0)
    return round(time.perf_counter() - start, 3)
