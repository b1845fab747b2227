"""The images of a brain-MRI study for each contrast that a system reads: chosen, read, and with the reasons."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import NeuroTriageError
from ..core.findings import QualityFlag, SeriesJudgement
from ..core.mr_images import CONTRAST_NAMES, MrImage
from ..core.study import Series, Study
from ..core.volume import Volume
from ..io.image_files import image_format, read_image_values, series_of_image
from ..io.inputs import read_volume
from .adc_unit import adc_unit
from .head_ct import matching_series
from .mr_facts import Plane
from .mr_roles import RoleChoice, best_for_role, choose_roles
from .mr_series import MrSeries, identify_study

_SAGITTAL_ROLES = {"T1_sagittal": "T1", "T1post_sagittal": "T1post"}
NEEDED = ("FLAIR", "ADC", "TRACE")
"""A study without any of these is no brain MRI that a system can read (Nael 2021, table 1)."""

_PLANES: dict[str, tuple[Plane, ...]] = {
    "T1": ("axial", "sagittal"), "T1post": ("sagittal",), "T2": ("axial",), "T2star": ("axial",), "SWI": ("axial",)
}  # fmt: skip
"""Optional role -> planes that it is read in (Nael 2021, table 1)."""

_MASK_NAME = re.compile(r"(?<![a-z])(mask|seg|label|lesion|roi)", re.IGNORECASE)
"""File names of contours, which lie beside the images of many data sets."""


@dataclass(frozen=True)
class MrStudyChoice:
    """Which series of a study is read for which contrast; no pixels yet.

    Args:
        study: the study, with files that the user named beside it.
        items: its identified series.
        chosen: contrast (core.mr_images.CONTRASTS) -> choice.
    """

    study: Study
    items: tuple[MrSeries, ...]
    chosen: dict[str, RoleChoice]

    @property
    def is_readable(self) -> bool:
        """True when there is one of the contrasts that some finding cannot do without."""
        return any(name in self.chosen for name in NEEDED)

    @property
    def read_series(self) -> tuple[Series, ...]:
        """Every series that is read for some contrast, once."""
        series = [choice.item.series for choice in self.chosen.values() if choice.item is not None]
        return tuple({item.series_instance_uid: item for item in series}.values())

    def limited_to(self, contrasts: tuple[str, ...]) -> MrStudyChoice:
        """The choice without other contrasts; () keeps all."""
        kept = {name: choice for name, choice in self.chosen.items() if name in contrasts or not contrasts}
        return dataclasses.replace(self, chosen=kept)

    def judgements(self) -> tuple[SeriesJudgement, ...]:
        """Every series: what it is read for, or why it is not."""
        read_as: dict[int, list[str]] = {}
        against: dict[int, str] = {}
        for contrast, choice in self.chosen.items():
            read_as.setdefault(id(choice.item), []).append(f"Read as {CONTRAST_NAMES[contrast]}.")
            read_as[id(choice.item)] += choice.reasons
            against |= {id(other): why for other, why in choice.others}
        return tuple(
            _judgement(item, read_as.get(id(item)), against.get(id(item)) or _unread(item)) for item in self.items
        )


def choose_mr_study(study: Study, overrides: Mapping[str, str]) -> MrStudyChoice:
    """Identify a study's series and choose one for each contrast.

    An optional contrast is taken only in its own plane or from a 3D volume; a required one that lies in another plane
    is reformatted, and its image says so.

    Args:
        study: headers; pixels are looked at where these are silent.
        overrides: role -> SeriesInstanceUID, part of a description, or path of an image file.

    Raises:
        ConfigError: an unknown role, or a name that fits no series or several.
    """
    study, overrides = _with_named_files(study, overrides)
    named_uids = set(overrides.values())
    images = (
        item
        for item in study.series
        if item.file_format == "dicom"
        or item.series_instance_uid in named_uids
        or not _MASK_NAME.search(item.description)
    )
    study = dataclasses.replace(study, series=tuple(images))
    items = identify_study(study)
    roles = choose_roles(study, items, overrides=overrides)
    named = {id(choice.item) for choice in roles.values() if choice.by_user}
    free = [item for item in items if id(item) not in named]
    chosen = {}
    for contrast in CONTRAST_NAMES:
        role = _SAGITTAL_ROLES.get(contrast, contrast)
        choice = roles[role]
        plane: Plane = "axial"
        if contrast in _SAGITTAL_ROLES:
            plane = "sagittal"
            by_user = choice.by_user and role == "T1post"
            choice = choice if by_user else best_for_role(free, role, plane="sagittal")
        if choice.item is not None and (choice.by_user or contrast in NEEDED or _lies(choice.item, plane)):
            chosen[contrast] = choice
    return MrStudyChoice(study, items, chosen)


def _unread(item: MrSeries) -> str:
    """Why a series that no other is preferred to takes no role."""
    wanted = _PLANES.get(item.contrast, ())
    if not wanted or any(_lies(item, plane) for plane in wanted):
        return "Its contrast is not read."
    plane = item.identification.plane
    return f"{item.contrast} is read in {' or '.join(wanted)} slices or from a 3D volume; these slices are {plane}."


def _lies(item: MrSeries, plane: Plane) -> bool:
    known = item.identification
    return known.plane == plane or known.facts.is_volumetric


def _with_named_files(study: Study, overrides: Mapping[str, str]) -> tuple[Study, dict[str, str]]:
    """Files that the user named by their path join the study, and are named by their UID from then on."""
    uids, series = {}, list(study.series)
    for role, text in overrides.items():
        path = Path(text)
        if not path.is_file() or matching_series(study, text):
            uids[role] = text
            continue
        with path.open("rb") as stream:
            file_format = image_format(path, stream.read(352))
        if not file_format:
            uids[role] = text  # no NIfTI or NRRD: the choice says that nothing fits
            continue
        named = series_of_image(path, file_format)
        same = [item for item in series if item.instances[0].path.resolve() == path.resolve()]
        uids[role] = (same or [named])[0].series_instance_uid
        series += [] if same else [named]
    return dataclasses.replace(study, series=tuple(series)), uids


@dataclass(frozen=True, eq=False)
class MrStudyImages:
    """The pixels of a choice.

    Args:
        images: contrast -> image; a contrast whose pixels cannot be read is missing.
        flags: what the reader must know.
    """

    images: dict[str, MrImage]
    flags: tuple[QualityFlag, ...] = ()


def read_images(choice: MrStudyChoice) -> MrStudyImages:
    """Read every chosen series once."""
    images: dict[str, MrImage] = {}
    flags: list[QualityFlag] = []
    volumes: dict[int, Volume] = {}
    for contrast, role in choice.chosen.items():
        item = role.item
        assert item is not None, "only choices with a series are kept"
        try:
            if id(item) not in volumes:
                volumes[id(item)], found = _read(item.series)
                flags += found
        except NeuroTriageError as error:
            flags.append(QualityFlag("contrast_unusable", f"{CONTRAST_NAMES[contrast]} is not used: {error.what}"))
            continue
        image = _image(contrast, role, volumes[id(item)])
        images[contrast] = image
        if image.note:
            flags.append(QualityFlag("reformatted", image.note))
    return MrStudyImages(images, tuple(flags))


def _image(contrast: str, role: RoleChoice, volume: Volume) -> MrImage:
    item = role.item
    assert item is not None
    plane, wanted = item.identification.plane, "sagittal" if contrast in _SAGITTAL_ROLES else "axial"
    note = ""
    if plane != wanted:
        note = f"The {CONTRAST_NAMES[contrast]} series is {plane}: it was reformatted to {wanted} slices."
    unit = None
    if contrast == "ADC":
        unit = (item.adc_unit or adc_unit(item.series.header, volume.array_kji, volume.grid)).mm2_per_s
    return MrImage(contrast, volume, unit, note)


def _read(series: Series) -> tuple[Volume, tuple[QualityFlag, ...]]:
    if series.file_format == "dicom":
        return read_volume(series)
    array, grid = read_image_values(series)
    path = series.instances[0].path
    return Volume(array, grid, "MR", series.series_instance_uid, source=str(path)), series.flags


def _judgement(item: MrSeries, read_as: list[str] | None, against: str) -> SeriesJudgement:
    series = item.series
    count = sum(
        len(stack.instances) if stack.file_format == "dicom" else int(stack.header.get("NumberOfFrames", 1))
        for stack in item.stacks
    )
    reasons = read_as or [against, *item.identification.reasons]
    return SeriesJudgement(
        series_instance_uid=series.series_instance_uid,
        description=series.description,
        modality=series.modality or "MR",
        instance_count=count,
        chosen=read_as is not None,
        reasons=tuple(dict.fromkeys(reasons)),
    )
