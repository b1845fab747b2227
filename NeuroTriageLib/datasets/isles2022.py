"""ISLES 2022: diffusion, ADC and FLAIR of strokes, with masks of the infarct on the diffusion image.

Layout: sub-strokecase0001/ses-0001/dwi/*_dwi.nii.gz and *_adc.nii.gz, .../anat/*_FLAIR.nii.gz, and
derivatives/sub-strokecase0001/ses-0001/*_msk.nii.gz. An older form has rawdata/sub-strokecase0001/ses-0001/ with
*_dwi, *_adc and *_flair in one folder. Some programs unpack x.nii.gz into a folder x.nii. FLAIR has a grid of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from ..core.codes import ACUTE_INFARCT
from .dataset import CheckReport, DatasetCard, grouped, report
from .folder_files import find_root, nifti_fault, only_file
from .images import pair_faults, read_mask, read_mr
from .labelled_case import Case, LabelledMr

ENDINGS = {"TRACE": ("_dwi.nii.gz", "_dwi.nii"), "ADC": ("_adc.nii.gz", "_adc.nii")}
ENDINGS |= {"FLAIR": ("_flair.nii.gz", "_flair.nii")}
MASK = ("_msk.nii.gz", "_msk.nii")


class Isles2022:
    """The data set; see the first lines of this file."""

    card = DatasetCard(
        name="isles2022",
        title="ISLES 2022",
        modality="MR",
        labels=("masks",),
        licence="CC BY 4.0",
        citation="Hernandez Petzsche MR, de la Rosa E, Hanning U, et al. ISLES 2022: A multi-center magnetic resonance "
        "imaging stroke lesion segmentation dataset. Sci Data 2022;9:762. doi:10.1038/s41597-022-01875-5",
        source="https://zenodo.org/record/7960856",
        cases=250,
    )

    def check(self, path: Path) -> CheckReport:
        """See dataset.Dataset."""
        faults = []
        for name, files in self._subjects(path).items():
            faults += [(f"No {role}", name) for role, file in files.items() if file is None]
            image, mask = files["TRACE"], files["mask"]
            if image is not None and mask is not None:
                faults += pair_faults(image, mask, name)
            others = [file for role, file in files.items() if role in ("ADC", "FLAIR") and file is not None]
            faults += [(fault, name) for file in others if (fault := nifti_fault(file))]
        return report(self.card, list(self.cases(path)), grouped(faults))

    def cases(self, path: Path) -> Iterator[Case]:
        """See dataset.Dataset."""
        for name, files in self._subjects(path).items():
            complete = {role: file for role, file in files.items() if file is not None}
            if len(complete) == len(files):
                yield Case(f"isles2022/{name}", f"isles2022:{name}", _reader(complete))

    def _subjects(self, path: Path) -> dict[str, dict[str, Path | None]]:
        """Subject -> role -> its file, None where there is none."""
        root = find_root(path, ("derivatives", "sub-strokecase*|rawdata/sub-strokecase*"), self.card.title)
        images = root / "rawdata" if (root / "rawdata").is_dir() else root
        subjects = {}
        for folder in sorted(images.glob("sub-strokecase*")):
            files = {role: only_file(folder, *endings) for role, endings in ENDINGS.items()}
            masks = root / "derivatives" / folder.name
            subjects[folder.name] = files | {"mask": only_file(masks, *MASK) if masks.is_dir() else None}
        return subjects


def _reader(files: dict[str, Path]) -> Callable[[], LabelledMr]:
    def read() -> LabelledMr:
        images = {contrast: read_mr(files[contrast], contrast) for contrast in ENDINGS}
        mask = read_mask(files["mask"], images["TRACE"].volume.grid)
        return LabelledMr(images, {"TRACE": {ACUTE_INFARCT: mask}})

    return read
