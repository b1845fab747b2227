"""Brain MRI data sets a few kB large, in the layout and with the oddities of the real ones."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from Testing.Lib.datasets.ct_miniatures import RAS, write_table
from Testing.Lib.io.nifti_builder import write_nifti
from Testing.Lib.mr_phantom import head

SHAPE, SPACING_IJK_MM = (12, 34, 30), np.array([6.0, 6.0, 12.0])
AFFINE_LPS = np.diag([*SPACING_IJK_MM, 1.0])
FLAIR_SHAPE, FLAIR_SPACING_IJK_MM = (10, 40, 36), np.array([5.2, 5.2, 15.0])
SPOT = (slice(3, 5), slice(10, 14), slice(6, 9))


def spot(shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """(K, J, I) uint8 mask of a lesion."""
    mask = np.zeros(shape, np.uint8)
    mask[SPOT] = 1
    return mask


def image(path: Path, contrast: str, shape: tuple[int, int, int] = SHAPE, scale: float = 1.0) -> Path:
    """One contrast of the head as a NIfTI file."""
    return _nifti(path, head(contrast, shape) * np.float32(scale), shape)


def mask(path: Path, values: np.ndarray) -> Path:
    return _nifti(path, values, values.shape)


def _nifti(path: Path, array: np.ndarray, shape: tuple[int, ...]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    spacing = SPACING_IJK_MM if shape == SHAPE else FLAIR_SPACING_IJK_MM
    return write_nifti(path, array, RAS @ np.diag([*spacing, 1.0]), spacing=tuple(spacing))


def isles2022(root: Path) -> Path:
    """Case 1 with an infarct, FLAIR on its own grid, one file in a folder of its name; case 2 without; ADC in 1e-6."""
    for number, found in ((1, True), (2, False)):
        name = f"sub-strokecase{number:04d}"
        session = root / name / "ses-0001"
        stem = f"{name}_ses-0001"
        image(session / "dwi" / f"{stem}_dwi.nii.gz", "TRACE")
        adc = session / "dwi" / f"{stem}_adc.nii"
        image(adc / adc.name if found else adc.with_name(f"{adc.name}.gz"), "ADC", scale=1000.0 if found else 1.0)
        image(session / "anat" / f"{stem}_FLAIR.nii.gz", "FLAIR", FLAIR_SHAPE)
        masks = root / "derivatives" / name / "ses-0001"
        mask(masks / f"{stem}_msk.nii.gz", spot() * np.uint8(found))
    return root


def isles2022_flat(root: Path) -> Path:
    """The older form: everything of a session in one folder below rawdata."""
    name = "sub-strokecase0001"
    for contrast, ending in (("TRACE", "dwi"), ("ADC", "adc"), ("FLAIR", "flair")):
        image(root / "rawdata" / name / "ses-0001" / f"{name}_ses-0001_{ending}.nii.gz", contrast)
    mask(root / "derivatives" / name / "ses-0001" / f"{name}_ses-0001_msk.nii.gz", spot())
    return root


def soop(root: Path) -> Path:
    """1: everything. 2: old infarct only, no FLAIR. 3: no row in the table and no mask: nothing is known of it."""
    for number in (1, 2, 3):
        name = f"sub-{number}"
        image(root / name / "dwi" / f"{name}_rec-TRACE_dwi.nii.gz", "TRACE")
        image(root / name / "dwi" / f"{name}_rec-ADC_dwi.nii.gz", "ADC")
        image(root / name / "anat" / f"{name}_T1w.nii.gz", "T1")
        if number != 2:
            image(root / name / "anat" / f"{name}_FLAIR.nii.gz", "FLAIR", FLAIR_SHAPE)
    masks = {1: {"lesion": 1, "lesionAcute": 1}, 2: {"lesion": 1, "lesionChronic": 1, "lesionAcute": 0}}
    for number, kinds in masks.items():
        folder = root / "derivatives" / "lesion_masks" / f"sub-{number}" / "dwi"
        for kind, value in kinds.items():
            mask(folder / f"sub-{number}_space-TRACE_desc-{kind}_mask.nii.gz", (spot() * value).astype(np.float32))
    table = ["participant_id\tsex\tacuteischaemicstroke", "sub-1\t1\t1", "sub-2\t2\t1"]
    (root / "participants.tsv").write_text("\n".join(table) + "\n", encoding="utf-8")
    return root


def atlas2(root: Path) -> Path:
    """Two sessions of one subject, one of another; the hidden test set has no masks."""
    space = "space-MNI152NLin2009aSym"
    for subject, session in (("sub-r001s001", "ses-1"), ("sub-r001s001", "ses-2"), ("sub-r002s001", "ses-1")):
        folder = root / "ATLAS_2" / "Training" / subject[4:8].upper() / subject / session / "anat"
        image(folder / f"{subject}_{session}_{space}_T1w.nii.gz", "T1")
        mask(folder / f"{subject}_{session}_{space}_label-L_desc-T1lesion_mask.nii.gz", spot())
    hidden = root / "ATLAS_2" / "Testing" / "R003" / "sub-r003s001" / "ses-1" / "anat"
    image(hidden / f"sub-r003s001_ses-1_{space}_T1w.nii.gz", "T1")
    return root


def brats(root: Path) -> Path:
    """Two visits in the names of 2023, one case in those of 2021, and one of 2020 whose mask has another name."""
    new = ("t1n", "t1c", "t2w", "t2f")
    old = ("t1", "t1ce", "t2", "flair")
    cases = {
        "BraTS-GLI-00002-000": ("-", new, 3, "seg"),
        "BraTS-GLI-00002-001": ("-", new, 3, "seg"),
        "BraTS2021_00002": ("_", old, 4, "seg"),
        "BraTS20_Training_355": ("_", old, 4, None),
    }
    for name, (mark, contrasts, enhancing, seg) in cases.items():
        for ending, contrast in zip(contrasts, ("T1", "T1", "T2", "FLAIR"), strict=True):
            image(root / name / f"{name}{mark}{ending}.nii.gz", contrast)
        parts = spot() * np.uint8(2)
        parts[3, 10:12, 6:9], parts[4, 10, 6] = enhancing, 1
        mask(root / name / (f"{name}{mark}{seg}.nii.gz" if seg else "W39_1998.09.19_Segm.nii"), parts)
    return root


FASTMRI_SHAPE = (10, 20, 20)


def fastmri_plus(root: Path) -> Path:
    """A file with a mass, one with a normal variant, one read without findings, one that nobody read."""
    names = [f"file_brain_{kind}_200_600000{n}" for n, kind in enumerate(("AXFLAIR", "AXT1POST", "AXT2", "AXT1"))]
    for number, name in enumerate(names):
        folder = root / ("multicoil_train" if number < 2 else "multicoil_val")
        fastmri_file(folder / f"{name}.h5", name.split("_")[2], patient=f"p{number // 2}")
    header = ["file", "slice", "study_level", "x", "y", "width", "height", "label"]
    rows = [
        header,
        [names[0], 1, "No", 4, 2, 5, 3, "Mass"],
        [names[0], "", "Yes", "", "", "", "", "Global label: Small vessel chronic white matter ischemic change"],
        [names[1], 2, "No", 3, 3, 2, 2, "Normal variant"],
        [names[1], 2, "No", 50, 50, 2, 2, "Possible artifact"],
    ]
    write_table(root / "Annotations" / "brain.csv", rows)
    (root / "Annotations" / "brain_file_list.csv").write_text("\n".join(names[:3]) + "\n", encoding="utf-8")
    return root


def fastmri_file(path: Path, acquisition: str, patient: str) -> Path:
    """Images as fastMRI stores them, the last row first; the mass is at rows 2-4 of the upright image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    upright = np.full(FASTMRI_SHAPE, 1e-4, np.float32)
    upright[1, 2:5, 4:9] = 9e-4
    space = (
        "<reconSpace><matrixSize><x>20</x><y>20</y><z>1</z></matrixSize>"
        "<fieldOfView_mm><x>220</x><y>220</y><z>5</z></fieldOfView_mm></reconSpace>"
    )
    header = f'<ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD"><encoding>{space}</encoding></ismrmrdHeader>'
    with h5py.File(path, "w") as stored:
        stored.attrs["acquisition"], stored.attrs["patient_id"] = acquisition, patient
        stored["reconstruction_rss"] = upright[:, ::-1]
        stored["ismrmrd_header"] = header.encode()
    return path
