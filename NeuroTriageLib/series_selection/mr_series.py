"""The MR series of a study, each with its identification: stacks that belong together are judged together."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..core.errors import NeuroTriageError
from ..core.geometry import SliceGrid
from ..core.study import Series, Study
from ..io.header_lines import sidecar_of
from ..io.image_files import ct_evidence, read_image_values
from ..io.inputs import read_volume
from .adc_unit import AdcUnit, adc_unit
from .evidence import SeriesEvidence
from .mr_contrast import Identification, identify
from .mr_contrasts import ROLES
from .mr_facts import MrFacts, facts_of
from .mr_pixels import is_open, look_at, weigh_pixels
from .mr_vocabulary import agent_said, study_has_both

SAME_SETTINGS = 0.05
"""Echo and repetition times that differ by less are the same settings, made again (ours)."""

STUDY_KNOWS_AGENT = 0.7
"""Confidence that the second of two equal T1 series in a study "with and without contrast" is the one after (ours)."""


@dataclass(frozen=True)
class MrSeries:
    """One or more stacks of one series that show the same contrast, and what they are.

    Args:
        stacks: several for volumes over time or in many directions; the first stands for all.
        identification: contrast, plane, confidence, reasons.
        adc_unit: of an ADC map; None for everything else.
    """

    stacks: tuple[Series, ...]
    identification: Identification
    adc_unit: AdcUnit | None = None

    @property
    def series(self) -> Series:
        """The first stack."""
        return self.stacks[0]

    @property
    def evidence(self) -> SeriesEvidence:
        """Geometry and words of the first stack."""
        return SeriesEvidence(self.series)

    @property
    def contrast(self) -> str:
        """Key of mr_contrasts.CONTRASTS."""
        return self.identification.contrast


def identify_study(study: Study, *, with_pixels: bool = True) -> tuple[MrSeries, ...]:
    """Identify every series of a study, in its order.

    Args:
        study: headers.
        with_pixels: read the pixels of ADC maps (their unit) and of series whose header leaves the contrast open.
    """
    groups = _groups(study.series)
    known = [MrSeries(stacks, identify(facts)) for stacks, facts in _with_unweighted(groups)]
    if with_pixels:
        known = [_with_pixels(item) for item in known]
    return tuple(_with_agent(known))


def _groups(series: Iterable[Series]) -> list[tuple[tuple[Series, ...], MrFacts]]:
    """Stacks of one UID with the same header facts; they differ in time or direction only."""
    found: dict[Any, list[Series]] = defaultdict(list)
    for item in series:
        facts = _facts(item)
        found[item.series_instance_uid, facts, item.header.get("Rows"), item.header.get("Columns")].append(item)
    groups = []
    for (_, facts, _, _), stacks in found.items():
        images = sum(_image_count(item) for item in stacks)
        volumes = max(len(stacks), *(_repeats(item) for item in stacks))
        groups.append((tuple(stacks), replace(facts, volumes=volumes, images=images)))
    return groups


def _facts(series: Series) -> MrFacts:
    """The facts of one stack; a NIfTI file's from its sidecar and its own geometry, and its name as description."""
    if series.file_format == "dicom":
        return facts_of(series.header)
    sidecar = sidecar_of(series.instances[0].path)
    name = re.sub(r"\.(NII(\.GZ)?|NRRD)$", "", series.description.upper()).replace("-", " ")
    facts = facts_of(sidecar)
    return replace(
        facts,
        orientation=tuple(series.header["ImageOrientationPatient"]),
        slice_thickness_mm=facts.slice_thickness_mm or series.header["SliceThickness"],
        description=facts.description or name,
        protocol=facts.protocol or name,
    )


def _image_count(series: Series) -> int:
    return len(series.instances) if series.file_format == "dicom" else int(series.header["NumberOfFrames"])


def _repeats(series: Series) -> int:
    """How many times each place is shown, from the reader's count of images that it left out."""
    dropped = sum(flag.value or 0 for flag in series.flags if flag.code == "duplicate_slices")
    return 1 + round(dropped / max(_image_count(series), 1))


def _with_unweighted(
    groups: list[tuple[tuple[Series, ...], MrFacts]],
) -> Iterator[tuple[tuple[Series, ...], MrFacts]]:
    """Give b = 0 to the images that lack a b-value beside others of their series that have one (Canon, Toshiba)."""
    weighted = {stacks[0].series_instance_uid for stacks, facts in groups if facts.b_value}
    for stacks, facts in groups:
        plain = facts.b_value is None and not facts.b_is_pair and stacks[0].series_instance_uid in weighted
        yield stacks, replace(facts, b_value=0.0) if plain else facts


def _with_pixels(item: MrSeries) -> MrSeries:
    known = item.identification
    candidate = known.contrast in (*ROLES, "OTHER") or any(role in ROLES for role in known.alternatives)
    asked = known.contrast == "ADC" or (is_open(known) and candidate)
    if not asked or known.facts.mosaic or known.contrast == "NOT_MR":
        return item
    try:
        if item.series.file_format != "dicom" and ct_evidence(item.series).looks_like_ct:
            reason = "Its values are Hounsfield units: a CT."
            return replace(item, identification=replace(known, contrast="NOT_MR", confidence=0.9, reasons=(reason,)))
        array, grid = _pixels(item.series)
    except NeuroTriageError as error:
        reasons = (*known.reasons, f"Its pixels could not be read: {error.what}")
        return replace(item, identification=replace(known, reasons=reasons))
    look = look_at(array, grid)
    if look is not None:
        known = weigh_pixels(known, look)
    if known.contrast != "ADC":
        return replace(item, identification=known)
    return replace(item, identification=known, adc_unit=adc_unit(item.series.header, array, grid))


def _pixels(series: Series) -> tuple[np.ndarray, SliceGrid]:
    if series.file_format != "dicom":
        return read_image_values(series)
    volume, _ = read_volume(series)
    return volume.array_kji, volume.grid


def _with_agent(known: list[MrSeries]) -> list[MrSeries]:
    """Two equal T1 series in a study with and without contrast agent: the later one was made after it."""
    result = list(known)
    for index, item in enumerate(known):
        facts = item.identification.facts
        silent = item.contrast == "T1" and agent_said(facts.description) == "unknown"
        if not (silent and study_has_both(facts.study_description)):
            continue
        if any(_same_settings(facts, earlier.identification.facts) for earlier in known[:index] if _is_t1(earlier)):
            reason = "The study is with and without contrast agent, and an equal series was made before."
            reasons = (*item.identification.reasons, reason)
            after = replace(item.identification, contrast="T1post", confidence=STUDY_KNOWS_AGENT, reasons=reasons)
            result[index] = replace(item, identification=after)
    return result


def _is_t1(item: MrSeries) -> bool:
    return item.contrast == "T1"


def _same_settings(one: MrFacts, other: MrFacts) -> bool:
    pairs = (
        (one.echo_time_ms, other.echo_time_ms),
        (one.repetition_time_ms, other.repetition_time_ms),
        (one.slice_thickness_mm, other.slice_thickness_mm),
    )
    close = all(a is not None and b is not None and abs(a - b) <= SAME_SETTINGS * max(a, b) for a, b in pairs)
    return close and one.plane == other.plane and one.sequences == other.sequences
