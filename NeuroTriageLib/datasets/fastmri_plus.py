"""fastMRI+: boxes and study labels of radiologists on the brain images of fastMRI, one contrast per file.

Layout: Annotations/brain.csv (file, slice from 0, study_level, x, y, width, height, label) and brain_file_list.csv (no
header; listed there without a row means read and nothing found), and fastMRI's file_brain_*.h5 in any folder below.
fastMRI's images stand on their heads; the readers saw them upright, and their boxes are on the upright image. The files
do not say where their slices lie.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..core.codes import ABNORMAL
from ..core.errors import ConfigError, InputError
from ..core.geometry import SliceGrid
from ..core.mr_images import MrImage
from ..core.volume import Volume
from .dataset import CheckReport, DatasetCard, grouped, report
from .folder_files import find_root, read_table, real_file
from .labelled_case import Box, Case, LabelledMr

CONTRASTS = {"AXFLAIR": "FLAIR", "AXT2": "T2", "AXT1": "T1", "AXT1PRE": "T1", "AXT1POST": "T1post"}

NOT_ABNORMAL = frozenset(
    {"normal for age", "normal variant", "possible artifact", "motion artifact", "paranasal sinus opacification"}
)
"""Labels that say nothing against a normal brain: so they are called, an image's fault, or outside it (ours)."""

TABLE, LIST = "brain.csv", "brain_file_list.csv"
IMAGES = "reconstruction_rss"
_COLUMNS = ("file", "slice", "study_level", "x", "y", "width", "height", "label")
_SPACE = "{http://www.ismrm.org/ISMRMRD}"


@dataclass
class _Annotations:
    """What was said about one file: boxes as (label, slice, (x, y, width, height)), and labels of the whole study."""

    boxes: list[tuple[str, int, tuple[float, float, float, float]]] = field(default_factory=list)
    study: list[str] = field(default_factory=list)

    @property
    def is_abnormal(self) -> bool:
        """True when a label speaks of a finding in the head."""
        return any(label.lower() not in NOT_ABNORMAL for label in [*self.study, *(box[0] for box in self.boxes)])


class FastMriPlus:
    """The data set; see the first lines of this file."""

    card = DatasetCard(
        name="fastmri-plus",
        title="fastMRI+ (brain)",
        modality="MR",
        labels=("exam labels", "boxes"),
        licence="images: the fastMRI data sharing agreement of NYU Langone, research only; annotations: see their "
        "repository",
        citation="Zhao R, Yaman B, Zhang Y, et al. fastMRI+, Clinical pathology annotations for knee and brain fully "
        "sampled magnetic resonance imaging data. Sci Data 2022;9:152. doi:10.1038/s41597-022-01255-z",
        source="https://github.com/microsoft/fastmri-plus; https://fastmri.med.nyu.edu",
        cases=1001,
    )

    def check(self, path: Path) -> CheckReport:
        """See dataset.Dataset."""
        annotations, files = self._open(path)
        faults = [("Files that were read but are not here", name) for name in sorted(annotations.keys() - files.keys())]
        for name in sorted(annotations.keys() & files.keys()):
            try:
                _facts(files[name])
            except InputError as error:
                faults.append((error.what.removesuffix("."), name))
        return report(self.card, list(self.cases(path)), grouped(faults))

    def cases(self, path: Path) -> Iterator[Case]:
        """See dataset.Dataset: files that a reader read; a patient has one pseudonym over all files."""
        annotations, files = self._open(path)
        for name in sorted(annotations.keys() & files.keys()):
            try:
                patient = _facts(files[name]).patient or name
            except InputError:
                continue
            yield Case(f"fastmri-plus/{name}", f"fastmri:{patient}", _reader(files[name], annotations[name]))

    def _open(self, path: Path) -> tuple[dict[str, _Annotations], dict[str, Path]]:
        needed = tuple(f"Annotations/{name}|*/Annotations/{name}|{name}" for name in (TABLE, LIST))
        root = find_root(path, needed, self.card.title)
        tables = {name: min(root.glob(f"**/{name}"), key=lambda found: len(found.parts)) for name in (TABLE, LIST)}
        listed = real_file(tables[LIST]).read_text(encoding="utf-8-sig").split()
        annotations = {name.strip(","): _Annotations() for name in listed}
        for number, row in enumerate(read_table(tables[TABLE], _COLUMNS), start=2):
            _add(annotations.setdefault(row["file"], _Annotations()), row, f"{tables[TABLE]}, line {number}")
        return annotations, {file.stem: file for file in sorted(root.glob("**/file_brain_*.h5"))}


def _add(annotations: _Annotations, row: dict[str, str], where: str) -> None:
    if row["study_level"].lower() == "yes":
        annotations.study.append(row["label"].removeprefix("Global label: "))
        return
    try:
        x, y, width, height = (float(row[column]) for column in ("x", "y", "width", "height"))
        annotations.boxes.append((row["label"], int(float(row["slice"])), (x, y, width, height)))
    except ValueError as error:
        raise InputError("A row of the table is no box.", where=where) from error


@dataclass(frozen=True)
class _Facts:
    """What a file says about itself: pseudonym, contrast, pixel size and slice thickness in mm, shape of the images."""

    patient: str
    contrast: str
    spacing_ji_mm: tuple[float, float]
    thickness_mm: float
    shape: tuple[int, int, int]


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise ConfigError(
            "fastMRI's files need a package that is not installed (h5py).",
            next_step="Install it with: pip install 'neurotriage[train]'",
        ) from error
    return h5py


def _facts(path: Path) -> _Facts:
    """Raises InputError when the file is damaged, holds no images, or does not say what it is."""
    h5py = _h5py()
    try:
        with h5py.File(real_file(path), "r") as stored:
            if IMAGES not in stored:
                raise InputError("The file holds no images (as those of the challenge's test).", where=str(path))
            about = dict(stored.attrs)
            text = stored["ismrmrd_header"][()]
            shape = stored[IMAGES].shape
        space = ElementTree.fromstring(text).find(f"{_SPACE}encoding/{_SPACE}reconSpace")
        assert space is not None
        fov, matrix = (
            [float(space.findtext(f"{_SPACE}{name}/{_SPACE}{axis}") or "nan") for axis in "xyz"]
            for name in ("fieldOfView_mm", "matrixSize")
        )
        return _Facts(
            patient=str(about.get("patient_id", "")),
            contrast=CONTRASTS[str(about["acquisition"])],
            spacing_ji_mm=(fov[1] / matrix[1], fov[0] / matrix[0]),
            thickness_mm=fov[2] / matrix[2],
            shape=shape,
        )
    except (OSError, KeyError, ValueError, AssertionError, ElementTree.ParseError, ZeroDivisionError) as error:
        raise InputError("The file is cut off or damaged.", where=str(path), next_step="Download it again.") from error


def _reader(path: Path, annotations: _Annotations) -> Callable[[], LabelledMr]:
    def read() -> LabelledMr:
        facts = _facts(path)
        with _h5py().File(real_file(path), "r") as stored:
            upright = np.ascontiguousarray(stored[IMAGES][()][:, ::-1])  # stored head down
        image = MrImage(facts.contrast, Volume(upright, _grid(facts), "MR", source=str(path)))
        found = (Box.of_rectangle(label, k, xywh, facts.shape) for label, k, xywh in annotations.boxes)
        boxes = tuple(box for box in found if box is not None)
        notes = ["The file does not say where its slices lie: foot to head and without gaps was taken."]
        if len(boxes) < len(annotations.boxes):
            notes.append(f"{len(annotations.boxes) - len(boxes)} boxes lie outside the images and were left out.")
        present = {ABNORMAL: annotations.is_abnormal}
        return LabelledMr({facts.contrast: image}, present=present, boxes={facts.contrast: boxes}, notes=tuple(notes))

    return read


def _grid(facts: _Facts) -> SliceGrid:
    affine = np.diag([facts.spacing_ji_mm[1], facts.spacing_ji_mm[0], facts.thickness_mm, 1.0])
    return SliceGrid.from_affine(facts.shape, affine)
