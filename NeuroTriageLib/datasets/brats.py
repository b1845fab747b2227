"""BraTS 2021, 2023 (adult glioma) and 2020: four contrasts without skull on one grid, with masks of the tumour.

Layout of 2023: BraTS-GLI-00000-000/BraTS-GLI-00000-000-{t1n,t1c,t2w,t2f,seg}.nii.gz, the last number is the visit; of
2021: BraTS2021_00000/BraTS2021_00000_{t1,t1ce,t2,flair,seg}.nii.gz; 2020 likewise as BraTS20_Training_001. Enhancing
tumour is 3 in 2023 and 4 before. One mask of 2020 has the name ..._Segm.nii.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.codes import ABNORMAL
from ..core.errors import InputError
from ..core.geometry import SliceGrid
from ..io.label_files import on_grid
from .dataset import CheckReport, DatasetCard, grouped, report
from .folder_files import NIFTI_SUFFIXES, find_root, nifti_fault, only_file
from .images import pair_faults, read_mr, read_values
from .labelled_case import Case, LabelledMr

REFERENCE = "FLAIR"
POST = "T1post"  # axial after resampling: not the sagittal contrast of the same name


@dataclass(frozen=True)
class _Year:
    """How one year names its files and what its mask values mean."""

    folder: re.Pattern[str]
    patient: str
    images: Mapping[str, str]
    parts: Mapping[int, str]


_OLD_NAMES = {"T1": "t1", POST: "t1ce", "T2": "t2", "FLAIR": "flair"}
_OLD_PARTS = {1: "necrotic_core", 2: "edema", 4: "enhancing_tumour"}
_NEW_NAMES = {"T1": "t1n", POST: "t1c", "T2": "t2w", "FLAIR": "t2f"}
_NEW_PARTS = {1: "necrotic_core", 2: "edema", 3: "enhancing_tumour"}
YEARS = (
    # 2023 has the cases of 2021 under new names, so the numbers are taken as the same patients'.
    _Year(re.compile(r"BraTS-GLI-(\d+)-\d+"), "brats-gli", _NEW_NAMES, _NEW_PARTS),
    _Year(re.compile(r"BraTS2021_(\d+)"), "brats-gli", _OLD_NAMES, _OLD_PARTS),
    _Year(re.compile(r"BraTS20_Training_(\d+)"), "brats2020", _OLD_NAMES, _OLD_PARTS),
)


class Brats:
    """The data set; see the first lines of this file."""

    card = DatasetCard(
        name="brats",
        title="BraTS 2021/2023 adult glioma",
        modality="MR",
        labels=("masks",),
        licence="the challenge's terms on Synapse (registration); read them there before use",
        citation="Baid U, Ghodasara S, Mohan S, et al. The RSNA-ASNR-MICCAI BraTS 2021 Benchmark on Brain Tumor "
        "Segmentation and Radiogenomic Classification. arXiv:2107.02314",
        source="https://www.synapse.org/Synapse:syn51156910",
        cases=1251,
    )

    def check(self, path: Path) -> CheckReport:
        """See dataset.Dataset."""
        faults = []
        for name, (_, files) in self._folders(path).items():
            faults += [(f"No {role}", name) for role, file in files.items() if file is None]
            image, mask = files[REFERENCE], files["mask"]
            if image is not None and mask is not None:
                faults += pair_faults(image, mask, name)
            others = [file for role, file in files.items() if role not in (REFERENCE, "mask") and file is not None]
            faults += [(fault, name) for file in others if (fault := nifti_fault(file))]
        return report(self.card, list(self.cases(path)), grouped(faults))

    def cases(self, path: Path) -> Iterator[Case]:
        """See dataset.Dataset: one case per visit; those without a mask are the challenge's own test."""
        for name, (year, files) in self._folders(path).items():
            complete = {role: file for role, file in files.items() if file is not None}
            match = year.folder.fullmatch(name)
            if len(complete) == len(files) and match:
                yield Case(f"brats/{name}", f"{year.patient}:{match[1]}", _reader(year, complete))

    def _folders(self, path: Path) -> dict[str, tuple[_Year, dict[str, Path | None]]]:
        """Name of a case -> its year and its files."""
        root = find_root(path, ("BraTS-GLI-*|BraTS2021_*|BraTS20_Training_*",), self.card.title)
        found = {}
        for folder in sorted(root.iterdir()):
            year = next((year for year in YEARS if year.folder.fullmatch(folder.name)), None)
            if year is not None and folder.is_dir():
                found[folder.name] = year, _files(folder, year)
        return found


def _files(folder: Path, year: _Year) -> dict[str, Path | None]:
    endings = {role: [f"{mark}{name}" for mark in "-_"] for role, name in {**year.images, "mask": "seg"}.items()}
    endings["mask"].append("_segm")
    return {
        role: only_file(folder, *(f"{name}{suffix}" for name in names for suffix in NIFTI_SUFFIXES))
        for role, names in endings.items()
    }


def _reader(year: _Year, files: Mapping[str, Path]) -> Callable[[], LabelledMr]:
    def read() -> LabelledMr:
        images = {contrast: read_mr(files[contrast], contrast) for contrast in year.images}
        masks = _parts(files["mask"], images[REFERENCE].volume.grid, year)
        notes = ("The images have no skull: they were cut to the brain.",)
        return LabelledMr(images, {REFERENCE: masks}, {ABNORMAL: True}, notes=notes)

    return read


def _parts(path: Path, grid: SliceGrid, year: _Year) -> dict[str, np.ndarray]:
    """Part of the tumour -> (K, J, I) bool, and the whole as "tumour"."""
    values, own = read_values(path)
    unknown = sorted(set(np.unique(values).tolist()) - {0} - set(year.parts))
    if unknown:
        raise InputError(
            f"The mask holds values that this year does not know: {', '.join(f'{value:g}' for value in unknown)}.",
            where=str(path),
            next_step="Masks of 2024 also mark resection cavities; use those of 2021 or 2023.",
        )
    label = on_grid(values.astype(np.uint8), own, grid)
    return {"tumour": label > 0} | {part: np.asarray(label == value) for value, part in year.parts.items()}
