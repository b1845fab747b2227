"""The story of a brain MRI: contrasts go in, an answer for each series that something is shown on comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from .core.codes import ABNORMAL
from .core.errors import ConfigError, GeometryError
from .core.findings import ExamResult, Finding, QualityFlag, SeriesHeatmap, SeriesJudgement
from .core.mr_images import CONTRAST_NAMES, MrImage
from .core.stage_clock import Progress, StageClock
from .core.study_reading import StudyReading
from .core.volume import Volume
from .measurements.findings import could_not_look, measure
from .preprocessing.mr_movement import measure_movement
from .series_selection.adc_unit import adc_unit
from .series_selection.mr_study_images import MrStudyChoice, read_images

REFERENCE_ORDER = ("FLAIR", "TRACE", "ADC")
"""The others' movement is measured against the first of these that is there: the sharpest outline (ours)."""


class MrSystem(Protocol):
    """What the pipeline needs of a system for MRI; see systems/nael2021.py."""

    @property
    def name(self) -> str:
        """Catalog key."""

    @property
    def device_name(self) -> str:
        """ "cpu" or "cuda: NAME"."""

    @property
    def codes(self) -> tuple[str, ...]:
        """The findings that it answers."""

    def read_study(self, images: Mapping[str, MrImage], *, progress: Progress | None = None) -> StudyReading:
        """The answer on the voxels of the series that findings are shown on."""


@dataclass(frozen=True)
class _Told:
    """What is the same in all answers of one study."""

    input: str
    study_instance_uid: str
    judgements: tuple[SeriesJudgement, ...]
    images: Mapping[str, MrImage]
    flags: tuple[QualityFlag, ...]
    system: MrSystem
    timings_s: dict[str, float]

    def exam(self, contrast: str, image: MrImage, answer: StudyReading, unseen: tuple[Finding, ...]) -> ExamResult:
        """The answer on one series."""
        reading = answer.readings.get(contrast)
        seen = () if reading is None else measure(reading, image.volume.grid)[0]
        findings = (*(replace(item, reason=answer.asserted.get(item.code, item.reason)) for item in seen), *unseen)
        return ExamResult(
            volume=image.volume,
            input=self.input,
            study_instance_uid=self.study_instance_uid,
            judgements=self.judgements,
            quality=self.flags,
            readings=() if reading is None else (reading,),
            findings=findings,
            abc2=(),
            device=self.system.device_name,
            timings_s=self.timings_s,
            opinions=() if reading is None else findings,
            contrast=contrast,
            further_heatmaps=() if reading is None or ABNORMAL not in reading.codes else self._further(answer),
        )

    def _further(self, answer: StudyReading) -> tuple[SeriesHeatmap, ...]:
        """Where the abnormality is, on the series that no finding is shown on."""
        volumes = {name: self.images[name].volume for name in answer.heatmaps_kji}
        return tuple(
            SeriesHeatmap(name, ABNORMAL, volumes[name].series_instance_uid, volumes[name].grid, heat)
            for name, heat in answer.heatmaps_kji.items()
        )


def triage_mr(choice: MrStudyChoice, system: MrSystem, *, path: str, clock: StageClock) -> tuple[ExamResult, ...]:
    """Answer a brain MRI: an ExamResult for each series that a finding is shown on, the first with what was not seen.

    A finding whose required contrast is missing could not be looked at. When none could be, the one result has no
    reading.

    Args:
        choice: a readable study.
        system: a loaded system.
        path: the input as the user named it.
        clock: progress and seconds so far.

    Raises:
        DicomError, GeometryError, InputError: no chosen series can be read.
    """
    with clock.stage("pixels"):
        read = read_images(choice)
    if not read.images:
        raise GeometryError(
            "None of the chosen MR series can be read.", where="; ".join(flag.message for flag in read.flags)
        )
    with clock.stage("movement"):
        images, moved = _in_one_place(read.images)
    flags = (*moved, *read.flags)
    told = _Told(path, choice.study.study_instance_uid, choice.judgements(), images, flags, system, clock.seconds)
    return _answered(told, clock)


def triage_mr_volume(
    volume: Volume, contrast: str, system: MrSystem, *, path: str, clock: StageClock
) -> tuple[ExamResult, ...]:
    """Answer one MR volume in memory, whose contrast the user has stated: one ExamResult on it.

    Findings that need other contrasts could not be looked at.

    Args:
        volume: of modality MR.
        contrast: one of core.mr_images.CONTRASTS.
        system: a loaded system.
        path: where the volume came from, for the report.
        clock: progress and seconds so far.

    Raises:
        ConfigError: a contrast that does not exist.
    """
    if contrast not in CONTRAST_NAMES:
        raise ConfigError(f'No contrast is called "{contrast}".', next_step=f"Contrasts: {', '.join(CONTRAST_NAMES)}.")
    unit = adc_unit({}, volume.array_kji, volume.grid).mm2_per_s if contrast == "ADC" else None
    images = {contrast: MrImage(contrast, volume, unit)}
    flag = QualityFlag("contrast_stated", f"The user stated that the volume is {CONTRAST_NAMES[contrast]}.")
    return _answered(_Told(path, "", (), images, (flag,), system, clock.seconds), clock)


def _answered(told: _Told, clock: StageClock) -> tuple[ExamResult, ...]:
    """The system's answer on each series that a finding is shown on; without one on the first, with what was unseen."""
    system, images = told.system, told.images
    answer = system.read_study(images, progress=clock.progress)
    clock.seconds.update(answer.timings_s)
    told = replace(told, flags=(*told.flags, *answer.flags))
    unseen = tuple(
        finding for code, why in answer.unseen.items() for finding in could_not_look(system.name, (code,), why)
    )
    with clock.stage("measurements"):
        shown = [name for name in CONTRAST_NAMES if name in answer.readings] or [next(iter(images))]
        return tuple(
            told.exam(contrast, images[contrast], answer, () if number else unseen)
            for number, contrast in enumerate(shown)
        )


def _in_one_place(images: Mapping[str, MrImage]) -> tuple[dict[str, MrImage], tuple[QualityFlag, ...]]:
    """The images that show the same head as the reference, and what is to be said of movement between them."""
    reference = next((name for name in REFERENCE_ORDER if name in images), next(iter(images)))
    kept, flags = {}, []
    first = images[reference].volume
    measured: list[MrImage] = [images[reference]]
    for name, image in images.items():
        volume = image.volume
        # ADC is computed from the diffusion images, and a 3D volume may stand for two contrasts: measured once.
        same = any(volume is item.volume or _from_one_scan(image, item) for item in measured)
        if not same:
            try:
                flag = measure_movement(first.array_kji, first.grid, volume.array_kji, volume.grid).flag(
                    CONTRAST_NAMES[name], CONTRAST_NAMES[reference]
                )
            except GeometryError as error:
                flags.append(QualityFlag("contrast_unusable", f"{CONTRAST_NAMES[name]} is not used: {error.what}"))
                continue
            measured.append(image)
            flags += [flag] if flag is not None else []
        kept[name] = image
    return kept, tuple(flags)


def _from_one_scan(one: MrImage, other: MrImage) -> bool:
    return {one.contrast, other.contrast} == {"ADC", "TRACE"} and one.volume.grid.same_as(other.volume.grid)
