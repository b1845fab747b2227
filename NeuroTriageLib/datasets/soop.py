"""SOOP (OpenNeuro ds004889): MRI of acute strokes, with masks of old and new infarcts on the diffusion image.

Layout: sub-N/anat/sub-N_{FLAIR,T1w}.nii.gz, sub-N/dwi/sub-N_rec-{TRACE,ADC}_dwi.nii.gz, derivatives/lesion_masks/sub-N/
dwi/sub-N_space-TRACE_desc-{lesion,lesionAcute,lesionChronic}_mask.nii.gz and participants.tsv. Not every subject has
every image, mask or row; "lesion" holds both ages. Cloned without its contents, the files are git-annex pointers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.codes import ACUTE_INFARCT
from .dataset import CheckReport, DatasetCard, grouped, report
from .folder_files import find_root, nifti_fault, read_table
from .images import pair_faults, read_mask, read_mr
from .labelled_case import Case, LabelledMr

IMAGES = {
    "TRACE": "dwi/{0}_rec-TRACE_dwi.nii.gz",
    "ADC": "dwi/{0}_rec-ADC_dwi.nii.gz",
    "FLAIR": "anat/{0}_FLAIR.nii.gz",
    "T1": "anat/{0}_T1w.nii.gz",
}
MASKS = {
    ACUTE_INFARCT: "{0}_space-TRACE_desc-lesionAcute_mask.nii.gz",
    "chronic_infarct": "{0}_space-TRACE_desc-lesionChronic_mask.nii.gz",
    "infarct_of_any_age": "{0}_space-TRACE_desc-lesion_mask.nii.gz",
}
STROKE = "acuteischaemicstroke"
_MEANING = {"1": True, "1.0": True, "yes": True, "true": True, "0": False, "0.0": False, "no": False, "false": False}


@dataclass(frozen=True)
class _Subject:
    """One subject's files that are listed in the folder, and the table's word."""

    images: Mapping[str, Path]
    masks: Mapping[str, Path]
    stroke: bool | None

    @property
    def is_usable(self) -> bool:
        """True when it has a diffusion image and something is known about it."""
        return "TRACE" in self.images and (bool(self.masks) or self.stroke is not None)


class Soop:
    """The data set; see the first lines of this file."""

    card = DatasetCard(
        name="soop",
        title="SOOP (ds004889)",
        modality="MR",
        labels=("masks", "exam labels"),
        licence="CC0",
        citation="Absher J, Goncher S, Newman-Norlund R, et al. The stroke outcome optimization project: Acute "
        "ischemic strokes from a comprehensive stroke center. Sci Data 2024;11:839",
        source="https://openneuro.org/datasets/ds004889",
        cases=0,  # 1,715 subjects have images, fewer have masks or rows
    )

    def check(self, path: Path) -> CheckReport:
        """See dataset.Dataset."""
        faults, warnings = [], []
        for name, subject in self._subjects(path).items():
            image = subject.images.get("TRACE")
            if image is None:
                faults.append(("No diffusion image", name))
                continue
            fault = nifti_fault(image)
            faults += [(fault, name)] if fault else []
            for mask in subject.masks.values() if not fault else ():
                faults += pair_faults(image, mask, name)
            others = [file for contrast, file in subject.images.items() if contrast != "TRACE"]
            faults += [(fault, name) for file in others if (fault := nifti_fault(file))]
            warnings += [(f"No {contrast}", name) for contrast in IMAGES if contrast not in subject.images]
            warnings += [("No mask of acute infarct", name)] if ACUTE_INFARCT not in subject.masks else []
            warnings += [("No row in participants.tsv", name)] if subject.stroke is None else []
        return report(self.card, list(self.cases(path)), grouped(sorted(set(faults))), grouped(warnings))

    def cases(self, path: Path) -> Iterator[Case]:
        """See dataset.Dataset: subjects with a diffusion image and a mask or a row."""
        for name, subject in self._subjects(path).items():
            if subject.is_usable:
                yield Case(f"soop/{name}", f"soop:{name}", _reader(subject))

    def _subjects(self, path: Path) -> dict[str, _Subject]:
        root = find_root(path, ("participants.tsv", "sub-*", "derivatives/lesion_masks"), self.card.title)
        rows = {
            row["participant_id"]: _MEANING.get(row[STROKE].lower())
            for row in read_table(root / "participants.tsv", ("participant_id", STROKE), delimiter="\t")
        }
        subjects = {}
        folders = (folder for folder in root.glob("sub-*") if folder.is_dir())
        for folder in sorted(folders, key=lambda folder: (len(folder.name), folder.name)):
            masks = root / "derivatives" / "lesion_masks" / folder.name / "dwi"
            subjects[folder.name] = _Subject(
                _listed({contrast: folder / name.format(folder.name) for contrast, name in IMAGES.items()}),
                _listed({code: masks / name.format(folder.name) for code, name in MASKS.items()}),
                rows.get(folder.name),
            )
        return subjects


def _listed(files: Mapping[str, Path]) -> dict[str, Path]:
    """Those that stand in their folder, also as links to nothing."""
    return {name: path for name, path in files.items() if path.exists() or path.is_symlink()}


def _reader(subject: _Subject) -> Callable[[], LabelledMr]:
    def read() -> LabelledMr:
        images = {contrast: read_mr(path, contrast) for contrast, path in subject.images.items()}
        grid = images["TRACE"].volume.grid
        masks = {code: read_mask(path, grid) for code, path in subject.masks.items()}
        notes = []
        acute = masks.get(ACUTE_INFARCT)
        present = {} if subject.stroke is None else {ACUTE_INFARCT: subject.stroke}
        if acute is not None and subject.stroke is not None and subject.stroke != bool(np.any(acute)):
            notes.append("The table and the mask differ about an acute infarct; the mask counts.")
            present = {}
        return LabelledMr(images, {"TRACE": masks}, present, notes=tuple(notes))

    return read
