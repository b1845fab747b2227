"""A folder of one's own head CT with masks that other programs drew.

Layout: images/NAME (a folder of DICOM, a NIfTI or an NRRD file), masks/NAME.dcm (DICOM SEG), .seg.nrrd, .nrrd, .nii or
.nii.gz, and if wanted labels.json ({"IPH": 1, ...}: what the values of files mean that name nothing; else IPH, IVH,
SDH, EDH, SAH from 1) and patients.csv (name,patient: without it DICOM tells the patients, else each NAME is one).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from ..core.codes import CT_HEMORRHAGE_CODES
from ..core.errors import InputError
from ..io.inputs import open_input
from ..review.labels import SEGMENT_VALUES
from .case_source import CaseSource
from .dicom_files import head_ct_of
from .folder_files import read_table
from .labelled_case import Case, LabelledCt
from .segment_files import MASK_SUFFIXES, read_segments

NAME = "masks"
LICENCE = "masks and images of this site; they are not passed on with the model"


def own_source(path: Path) -> CaseSource:
    """The cases of a folder. Raises InputError when it holds no pair of image and mask."""
    pairs = _pairs(path)
    about = (f"Own masks: {len(pairs)} pairs of image and mask.",)
    return CaseSource(NAME, "CT", ("masks", "masks without types"), LICENCE, lambda: own_cases(path), about)


def own_cases(path: Path) -> Iterator[Case]:
    """One case per name that has an image and a mask, in the order of the names."""
    codes, patients = _codes(path / "labels.json"), _patients(path / "patients.csv")
    for name, (image, mask) in _pairs(path).items():
        patient = patients.get(name) or _patient_of(image) or name
        drawn = mask.stat()
        version = f"{drawn.st_mtime_ns} {drawn.st_size}"
        yield Case(f"{NAME}/{name}", f"{NAME}:{patient}", _reader(image, mask, codes), version)


def _pairs(path: Path) -> dict[str, tuple[Path, Path]]:
    images = {_name(item): item for item in _listed(path / "images")}
    masks = {_name(item): item for item in _listed(path / "masks")}
    pairs = {name: (images[name], masks[name]) for name in sorted(images.keys() & masks.keys())}
    if not pairs:
        raise InputError(
            "The folder holds no pair of image and mask.",
            where=str(path),
            next_step="It needs images/NAME and masks/NAME.dcm, .seg.nrrd or .nii.gz.",
        )
    return pairs


def _listed(folder: Path) -> list[Path]:
    return sorted(item for item in folder.iterdir() if not item.name.startswith(".")) if folder.is_dir() else []


def _name(path: Path) -> str:
    return next((path.name.removesuffix(end) for end in MASK_SUFFIXES if path.name.endswith(end)), path.name)


def _codes(path: Path) -> Mapping[int, str]:
    if not path.exists():
        return dict(enumerate(CT_HEMORRHAGE_CODES, start=1))
    try:
        codes = {int(value): str(code) for code, value in json.loads(path.read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise InputError("The meaning of the mask values cannot be read.", where=str(path)) from error
    if not set(codes.values()) <= set(SEGMENT_VALUES):
        raise InputError(f"Codes are {', '.join(SEGMENT_VALUES)}.", where=str(path))
    return codes


def _patients(path: Path) -> dict[str, str]:
    rows = read_table(path, ("name", "patient")) if path.exists() else []
    return {row["name"]: row["patient"] for row in rows}


def _patient_of(image: Path) -> str:
    """One-way key of the patient that DICOM names; "" for other files."""
    with open_input(image) as studies:
        return studies[0].patient_key


def _reader(image: Path, mask: Path, codes: Mapping[int, str]) -> Callable[[], LabelledCt]:
    def read() -> LabelledCt:
        with open_input(image) as studies:
            volume = head_ct_of(studies, image)
        return LabelledCt(volume, read_segments(mask, volume.grid, codes))

    return read
