"""RSNA 2019: head CT slices in one folder, each with the types that it shows; studies are put together from headers.

Layout: stage_2_train/ID_xxxxxxxxx.dcm and stage_2_train.csv (ID,Label), six rows per image: ID_xxxxxxxxx_epidural, ...,
_any. A few images stand in the table twice. In some studies negative numbers were stored in 12 bits and are read as
if they had no sign, with an intercept that is not theirs. One file of the published set is cut off.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..core.codes import ANY
from ..core.errors import InputError
from ..core.study import Series
from ..core.volume import Volume
from ..io.hounsfield import value_shares
from ..io.inputs import read_volume
from .dataset import CheckReport, DatasetCard, grouped, report
from .dicom_files import StudyFiles, dicom_below, group_by_study, largest_series
from .folder_files import find_root, real_file
from .labelled_case import Case, LabelledCt

ENDINGS = {
    "epidural": "EDH",
    "intraparenchymal": "IPH",
    "intraventricular": "IVH",
    "subarachnoid": "SAH",
    "subdural": "SDH",
    "any": ANY,
}
IMAGES, TABLE = "stage_2_train", "stage_2_train.csv"

NEGATIVE_FROM, TWELVE_BITS = 3096, 4096
"""Stored values of 12 bits from NEGATIVE_FROM on are negative numbers, down to -1000 HU (a known fault of the data)."""


class Rsna2019:
    """The data set; see the first lines of this file."""

    card = DatasetCard(
        name="rsna2019",
        title="RSNA 2019 Brain CT Hemorrhage Challenge",
        modality="CT",
        labels=("slice labels",),
        licence="the challenge's terms: non-commercial and academic research and education only",
        citation="Flanders AE, Prevedello LM, Shih G, et al. Construction of a Machine Learning Dataset through "
        "Collaboration: The RSNA 2019 Brain CT Hemorrhage Challenge. Radiol Artif Intell 2020;2(3):e190211",
        source="https://www.kaggle.com/c/rsna-intracranial-hemorrhage-detection",
        cases=0,  # published by images (752,803), not by studies
    )

    def check(self, path: Path) -> CheckReport:
        """See dataset.Dataset."""
        images, table = self._files(path)
        labels = _labels(table)
        studies, faults = group_by_study(dicom_below(images))
        known = {image for study in studies.values() for image in study.files}
        unusable = {name.removesuffix(".dcm") for _, name in faults}
        missing = (labels.shown.keys() | set(labels.incomplete) | set(labels.contradicting)) - known - unusable
        rowless = known - labels.shown.keys() - set(labels.incomplete) - set(labels.contradicting)
        faults += [("Images without labels", image) for image in sorted(rowless)]
        faults += [("Images of the table that are not here", image) for image in sorted(missing)]
        faults += [("Images whose rows are not six", image) for image in labels.incomplete]
        faults += [("Images whose rows contradict each other", image) for image in labels.contradicting]
        repeated = grouped(("Images that stand in the table more than once", image) for image in labels.repeated)
        return report(self.card, list(_cases(studies, labels)), grouped(faults), repeated)

    def cases(self, path: Path) -> Iterator[Case]:
        """See dataset.Dataset: one case per study; images without sound labels or pixels are left out of theirs."""
        images, table = self._files(path)
        return _cases(group_by_study(dicom_below(images))[0], _labels(table))

    def _files(self, path: Path) -> tuple[Path, Path]:
        root = find_root(path, (IMAGES, TABLE), self.card.title)
        return root / IMAGES, root / TABLE


def _cases(studies: Mapping[str, StudyFiles], labels: _Labels) -> Iterator[Case]:
    for uid, study in sorted(studies.items()):
        files = {image: path for image, path in study.files.items() if image in labels.shown}
        if files:
            shown = {image: labels.shown[image] for image in files}
            yield Case(f"rsna2019/{uid}", f"rsna2019:{study.patient}", _reader(files, shown))


@dataclass(frozen=True)
class _Labels:
    """Image -> codes that it shows, of images with six sound rows; and the names of those that have other ones."""

    shown: dict[str, frozenset[str]]
    repeated: list[str]
    incomplete: list[str]
    contradicting: list[str]


def _labels(path: Path) -> _Labels:
    """Read the table row by row: it has four and a half million of them."""
    said: dict[str, int] = {}  # image -> two bits per ending: seen, shown
    repeated: set[str] = set()
    contradicting: set[str] = set()
    bits = {ending: (1 << 2 * n, 2 << 2 * n) for n, ending in enumerate(ENDINGS)}
    with real_file(path).open(newline="", encoding="utf-8-sig") as stream:
        for line in csv.DictReader(stream):
            image, _, ending = (line.get("ID") or "").rpartition("_")
            if ending not in ENDINGS or line.get("Label") not in ("0", "1"):
                raise InputError("A row of the table is not ID_<image>_<type>,0 or 1.", where=str(path))
            seen, shown = bits[ending]
            row, known = seen | (shown if line["Label"] == "1" else 0), said.get(image, 0)
            if known & seen:
                (repeated if known & (seen | shown) == row else contradicting).add(image)
            said[image] = known | row
    every = sum(seen for seen, _ in bits.values())
    incomplete = {image for image, known in said.items() if known & every != every}
    sound = said.keys() - incomplete - contradicting
    codes = {image: frozenset(ENDINGS[e] for e, (_, shown) in bits.items() if said[image] & shown) for image in sound}
    return _Labels(codes, sorted(repeated - contradicting), sorted(incomplete), sorted(contradicting))


def _reader(files: Mapping[str, Path], shown: Mapping[str, frozenset[str]]) -> Callable[[], LabelledCt]:
    def read() -> LabelledCt:
        _, series = largest_series(files.values())
        volume, was_wrapped = with_sign(read_volume(series)[0], series)
        images = [shown[uid] for uid in volume.sop_instance_uids]
        slices = {code: np.array([code in codes for codes in images]) for code in ENDINGS.values()}
        notes = ["Negative numbers were read as if they had no sign; that was corrected."] if was_wrapped else []
        if len(images) < len(files):
            notes.append(f"{len(files) - len(images)} images of the study are not in the series that was read.")
        return LabelledCt(volume, slices=slices, notes=tuple(notes))

    return read


def with_sign(volume: Volume, series: Series) -> tuple[Volume, bool]:
    """The volume with its negative numbers, and whether they had lost their sign.

    Corrected only where the values are no CT's as they are and are one's afterwards.
    """
    intercept = series.header.get("RescaleIntercept")
    intercept = intercept[0] if isinstance(intercept, list) else intercept
    stored = volume.array_kji.astype(np.int32) - int(intercept or 0)
    signed = np.where(stored >= NEGATIVE_FROM, stored - TWELVE_BITS, stored)
    if stored.min() < 0 or value_shares(volume.array_kji).looks_like_ct or not value_shares(signed).looks_like_ct:
        return volume, False
    return replace(volume, array_kji=signed.astype(np.int16)), True
