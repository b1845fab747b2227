"""What a system says about an exam (Reading) and what the reader is told (Finding, ExamResult)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from .codes import ANY, MR_CODES
from .geometry import SliceGrid
from .midline import MidlineShift
from .opinions import Agreement
from .sign_off import Decision, Review
from .volume import Volume
from .voxel_probabilities import VoxelProbabilities

Status = Literal["found", "not_found", "could_not_look"]
SizeClass = Literal["large", "medium", "small", "punctate"]


@dataclass(frozen=True)
class ModelIdentity:
    """Which weights spoke: pack name, its version and the SHA-256 of its weights file."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True)
class Region:
    """A box on one slice that a detector looked at (Chang 2018, figure 3).

    Args:
        code: the type that it was taken for; of a rejected box the most probable one.
        confidence: 0-1, uncalibrated.
        accepted: False when the classifier called it no hemorrhage or its confidence stayed below the threshold.
        slice_index: k (from 0) of the source slice.
        box_ji: first row, first column, last row, last column in source voxel indices, inclusive, whole pixels.
        instance: number (from 1) of the instance over several slices that it was merged into; 0 when rejected.
    """

    code: str
    confidence: float
    accepted: bool
    slice_index: int
    box_ji: tuple[int, int, int, int]
    instance: int = 0


@dataclass(frozen=True)
class Familiarity:
    """How far an exam is from those that the models learned from; preprocessing/familiarity.py measures it.

    Args:
        score: distance from the training exams, 0 or more; about 2 is usual.
        threshold: above it the exam is unlike them.
        reasons: plain phrases, the figures that are furthest off first; empty for a familiar exam.
        accepted: True when the user has asked for an answer although the exam is unlike them.
    """

    score: float
    threshold: float
    reasons: tuple[str, ...] = ()
    accepted: bool = False

    @property
    def is_familiar(self) -> bool:
        """True when the score does not exceed the threshold."""
        return self.score <= self.threshold

    def message(self) -> str:
        """One or two plain sentences for an unfamiliar exam."""
        far = f"score {self.score:.1f}, limit {self.threshold:.1f}"
        said = f"The exam is unlike those that the models learned from ({far})"
        return f"{said}: {'; '.join(self.reasons)}." if self.reasons else f"{said}."


@dataclass(frozen=True, eq=False)
class Deliberation:
    """How several systems came to one answer.

    Args:
        opinions: each system's own Reading, in the order of the consensus pack.
        failures: system -> why it could not answer; the others did.
        doubt: code -> standard deviation of the systems' calibrated probabilities (core/opinions.py), None when fewer
            than two answer the code itself.
        agreement: code -> whether their answers at their own thresholds are the same, None likewise.
        familiarity: how usual the exam is.
    """

    opinions: tuple[Reading, ...]
    failures: dict[str, str]
    doubt: dict[str, float | None]
    agreement: dict[str, Agreement | None]
    familiarity: Familiarity


@dataclass(frozen=True, eq=False)
class Reading:
    """One system's answer, on the voxels of the source series.

    Args:
        system: catalog key, for instance "kuo2019".
        codes: codes of the types in label order: voxel value n of label_kji is codes[n - 1].
        probability: code -> calibrated exam probability 0-1, for "any" and each type; a consensus lacks a type when
            every member that answers it failed.
        threshold: code -> the operating point that probability is compared with (present when >=).
        slice_probability: code -> (K,) the uncalibrated score of each source slice, 0-1.
        label_kji: (K, J, I) uint8, 0 where nothing was found; holds only types that are present (see is_untyped).
        heatmap_kji: (K, J, I) float16, probability 0-1 of any hemorrhage at each voxel.
        model: the weights that were used.
        timings_s: stage name -> seconds.
        segments: False for a system that draws no mask: its label_kji is empty and says nothing about volumes.
        regions: boxes that the system looked at, accepted and rejected ones, when it works with boxes.
        deliberation: of a consensus how it came about; None of a single system.
        heatmap_source: whose heatmap it is where it is not the system's own: "ye2019", "mean of kuo2019, chang2018".
        voxel_probabilities: what a moved threshold needs; None of a system that draws no mask.
        decided: code -> present, as a reader decided it over the thresholds; empty of a system's own answer.
        heatmaps_kji: code -> (K, J, I) float16 map 0-1 of each finding, of a system that has them apart; heatmap_kji is
            then what is shown of them.
    """

    system: str
    codes: tuple[str, ...]
    probability: dict[str, float]
    threshold: dict[str, float]
    slice_probability: dict[str, np.ndarray]
    label_kji: np.ndarray
    heatmap_kji: np.ndarray
    model: ModelIdentity
    timings_s: dict[str, float] = field(default_factory=dict)
    segments: bool = True
    regions: tuple[Region, ...] = ()
    deliberation: Deliberation | None = None
    heatmap_source: str = ""
    voxel_probabilities: VoxelProbabilities | None = None
    decided: dict[str, bool] = field(default_factory=dict)
    heatmaps_kji: dict[str, np.ndarray] = field(default_factory=dict)

    def is_present(self, code: str) -> bool:
        """True when the exam probability of the code reaches its threshold; a type also needs "any" to be present.

        False for a code that was not answered. What a reader decided stands over both. Findings on MRI stand alone:
        there is no "any" beside them.
        """
        if code in self.decided:
            return self.decided[code]
        if code not in self.probability:
            return False
        stands_alone = code == ANY or code in MR_CODES
        return self.probability[code] >= self.threshold[code] and (stands_alone or self.is_present(ANY))

    @property
    def is_untyped(self) -> bool:
        """True when there is hemorrhage but no type reaches its threshold.

        The mask then carries the label of the most probable type so that the place and the volume are not lost; that
        type is not a finding, and what shows the mask must say that its type is undetermined.
        """
        return self.is_present(ANY) and not any(self.is_present(code) for code in self.codes)


def shown_types(probability: dict[str, float], threshold: dict[str, float], codes: tuple[str, ...]) -> tuple[str, ...]:
    """The types that the mask may hold.

    None when there is no hemorrhage. Otherwise the types that reach their threshold. When none does, the most probable
    one: an empty mask would hide where the hemorrhage is, and the Reading says that its type is undetermined
    (Reading.is_untyped).
    """
    if probability[ANY] < threshold[ANY]:
        return ()
    present = tuple(code for code in codes if probability[code] >= threshold[code])
    return present or (max(codes, key=probability.__getitem__),)


@dataclass(frozen=True)
class Finding:
    """One line of the answer.

    Args:
        code: "any" or a hemorrhage type.
        system: who says so.
        status: "could_not_look" is not a negative; then reason says why and every number is None.
        probability, threshold: calibrated, 0-1.
        volume_ml: sum of the mask's voxel volumes; 0.0 when not found, None from a system that draws no mask.
        components: number of 26-connected parts of the mask; None from a system that draws no mask.
        key_slice: index k (from 0) of the slice to look at first; None when not found.
        size_class: large > 25 mL, medium 5-25, small 0.01-5, punctate < 0.01 (Chang 2018); None without a mask.
        reason: why it could not be looked at, or what it was found without; "" otherwise.
        doubt: of a consensus the standard deviation 0-0.5 of the systems' probabilities; None of fewer than two.
        agreement: of a consensus "agree" or "split": do the systems' own answers differ; None likewise.
        slices: indices k of the slices in which the mask holds it, () when not found; None from a system that draws no
            mask.
        slice_scores: (K,) the uncalibrated score of each slice, 0-1; None from a system that scores no slices for it.
        decision: of a reader on this finding; None when it is the model's alone.
    """

    code: str
    system: str
    status: Status
    probability: float | None = None
    threshold: float | None = None
    volume_ml: float | None = None
    components: int | None = None
    key_slice: int | None = None
    size_class: SizeClass | None = None
    reason: str = ""
    doubt: float | None = None
    agreement: Agreement | None = None
    slices: tuple[int, ...] | None = None
    slice_scores: tuple[float, ...] | None = None
    decision: Decision | None = None

    @property
    def present(self) -> bool | None:
        """True, False, or None when it could not be looked at."""
        return None if self.status == "could_not_look" else self.status == "found"


@dataclass(frozen=True)
class Abc2:
    """The ward's ABC/2 estimate beside the voxel volume (Kwak 1983; Kothari 1996), with its end points.

    Args:
        code: finding measured.
        a_mm, b_mm: largest diameter on the slice with the largest area, and the largest one perpendicular to it.
        c_mm: craniocaudal extent, slices graded by area (> 75 % of the largest 1, 25-75 % 0.5, below 0).
        volume_ml: A x B x C / 2.
        voxel_volume_ml: the mask's own volume.
        percent_off: 100 x (ABC/2 - voxel) / voxel.
        key_slice: slice of A and B.
        a_ends_lps_mm, b_ends_lps_mm: two LPS points each.
        caveat: a sentence where the formula is known to fail, "" otherwise.
        edited: which of "A", "B", "C" a reader measured.
    """

    code: str
    a_mm: float
    b_mm: float
    c_mm: float
    volume_ml: float
    voxel_volume_ml: float
    percent_off: float
    key_slice: int
    a_ends_lps_mm: tuple[tuple[float, float, float], tuple[float, float, float]]
    b_ends_lps_mm: tuple[tuple[float, float, float], tuple[float, float, float]]
    caveat: str = ""
    edited: tuple[str, ...] = ()


@dataclass(frozen=True)
class QualityFlag:
    """Something about the images that a reader must know.

    Args:
        code: "incomplete_coverage", "gap", "metal", "noise", "tilt", "uneven_spacing", "overlap", "thick_slices",
            "lossy_compression", "duplicate_slices", "split_series", "damaged_files", "rescale_missing",
            "modality_inferred", "position_from_slice_location", "movement", ...
        message: one plain sentence with its figure.
        value: the figure itself, None when there is none.
    """

    code: str
    message: str
    value: float | None = None


@dataclass(frozen=True)
class SeriesJudgement:
    """Why a series was chosen or rejected.

    Args:
        series_instance_uid, description, modality: which series.
        instance_count: number of its instances.
        chosen: True for the one that is read.
        reasons: plain sentences, at least one.
    """

    series_instance_uid: str
    description: str
    modality: str
    instance_count: int
    chosen: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class SeriesHeatmap:
    """A finding's heatmap on another series of the study than the one that the finding is shown on.

    Args:
        contrast: what the series is (core.mr_images).
        code: the finding.
        series_instance_uid: of the series ("" when unknown).
        grid: its voxels.
        heatmap_kji: (K, J, I) float16 0-1 on them.
    """

    contrast: str
    code: str
    series_instance_uid: str
    grid: SliceGrid
    heatmap_kji: np.ndarray


@dataclass(frozen=True, eq=False)
class ExamResult:
    """Everything that the outputs write; none of them computes anything more.

    Args:
        volume: the series that was read.
        input: how the user named the input (path as given).
        study_instance_uid: UID of the study ("" when unknown).
        judgements: chosen and rejected series.
        quality: flags, in the order of importance.
        readings: the answer's first, then one per system whose opinion went into it; none when it could not be looked
            at.
        findings: the answer, "any" first, then the types.
        opinions: what each system said by itself; equal to findings with one system.
        abc2: one per type with a mask.
        device: "cpu" or "cuda: NAME".
        timings_s: stage name -> seconds.
        familiarity: how usual the exam is; None when it was not measured.
        review: a reader's word on it; None of a model's answer.
        contrast: of an MR study, what the series is ("FLAIR", see core.mr_images); "" for CT. A study of several series
            has one result for each that something is shown on.
        further_heatmaps: of findings of this result, on series that no result of the study stands on.
        midline: the shift as a reader measured it; None when nobody did.
    """

    volume: Volume
    input: str
    study_instance_uid: str
    judgements: tuple[SeriesJudgement, ...]
    quality: tuple[QualityFlag, ...]
    readings: tuple[Reading, ...]
    findings: tuple[Finding, ...]
    abc2: tuple[Abc2, ...]
    device: str
    timings_s: dict[str, float]
    opinions: tuple[Finding, ...] = ()
    familiarity: Familiarity | None = None
    review: Review | None = None
    contrast: str = ""
    further_heatmaps: tuple[SeriesHeatmap, ...] = ()
    midline: MidlineShift | None = None

    @property
    def grid(self) -> SliceGrid:
        """The source grid that every mask and heatmap lies on."""
        return self.volume.grid
