"""Head CT data sets a few kB large, in the layout and with the oddities of the real ones."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from NeuroTriageLib.core.geometry import SliceGrid
from NeuroTriageLib.io.dicom_headers import quiet_pydicom
from Testing.Lib.io.dicom_builder import CtStack, slices
from Testing.Lib.io.nifti_builder import write_nifti
from Testing.Lib.systems.head_phantom import head, lesion_mask

SHAPE = (13, 40, 34)
SPACING_IJK_MM = np.array([6.0, 6.0, 12.0])
AFFINE_LPS = np.diag([*SPACING_IJK_MM, 1.0])
AFFINE_LPS[:3, 3] = -SPACING_IJK_MM * (np.array(SHAPE[::-1]) - 1) / 2
RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
GRID = SliceGrid.from_affine(SHAPE, AFFINE_LPS)

HU = head(GRID, lesion=False).array_kji
BLOOD = lesion_mask(GRID)
BLEEDING = np.where(BLOOD, 70, HU).astype(np.int16)
SHOWN = BLOOD.any(axis=(1, 2))

PATIENTS = ("0b10cbee", "1a2b3c4d", "5e6f7a8b")
"""Pseudonyms that BHSD and RSNA 2019 share."""


def nifti(path: Path, array: np.ndarray, *, rows_turned: bool = False, affine_lps: np.ndarray = AFFINE_LPS) -> Path:
    """A NIfTI file; rows may be stored the other way round, with a header that says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    affine = RAS @ affine_lps
    if rows_turned:
        array = np.ascontiguousarray(array[:, ::-1])
        affine = affine @ np.array([[1, 0, 0, 0], [0, -1, 0, SHAPE[1] - 1], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    return write_nifti(path, array, affine, spacing=tuple(SPACING_IJK_MM))


def qform_nifti(path: Path, array: np.ndarray) -> Path:
    """A NIfTI file whose sform is not set (BHSD): half a turn around the head's axis leads from RAS to LPS."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_nifti(path, array, quaternion=(0, 0, 1, *(RAS @ AFFINE_LPS)[:3, 3]), spacing=tuple(SPACING_IJK_MM))


def write_table(path: Path, rows: list[list[object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(rows)
    return path


def bhsd(root: Path) -> Path:
    """Masked: an EDH whose image has only a qform and no suffix and whose mask is turned, and one without blood."""
    images, masks = root / "label_192" / "images", root / "label_192" / "ground truths"
    names = [f"ID_{patient}_ID_f91d6a7cd{n}" for n, patient in enumerate(PATIENTS)]
    qform_nifti(images / f"{names[0]}.nii.gz", BLEEDING).rename(images / names[0])
    nifti(masks / f"{names[0]}.nii.gz", np.where(BLOOD, 1, 0).astype(np.uint16), rows_turned=True)
    nifti(images / f"{names[1]}.nii.gz", HU)
    nifti(masks / f"{names[1]}.nii.gz", np.zeros(SHAPE, np.uint16))
    nifti(root / "unlabel_2000" / "anybleed" / f"{names[2]}.nii.gz", BLEEDING + np.int16(3))
    nifti(root / "unlabel_2000" / "nobleed" / "ID_99999999_ID_f91d6a7cd9.nii.gz", HU + np.int16(3))
    return root


def ct_ich(root: Path) -> Path:
    """Scan 049 has one type in its table, 050 two on each slice, 066 none; the masks are 0 and 255."""
    types = {49: ["Subdural"], 50: ["Subdural", "Subarachnoid"], 66: []}
    columns = ["Intraventricular", "Intraparenchymal", "Subarachnoid", "Epidural", "Subdural"]
    rows: list[list[object]] = [["PatientNumber", "SliceNumber", *columns, "No_Hemorrhage", "Fracture_Yes_No"]]
    for number, shown in types.items():
        bleeding = bool(shown)
        nifti(root / "ct_scans" / f"{number:03d}.nii", BLEEDING if bleeding else HU)
        nifti(root / "masks" / f"{number:03d}.nii", np.where(BLOOD & bleeding, 255, 0).astype(np.uint8))
        for k in range(SHAPE[0]):
            found = [int(SHOWN[k] and column in shown) for column in columns]
            rows.append([number, k + 1, *found, int(not any(found)), 0])
    write_table(root / "hemorrhage_diagnosis_raw_ct.csv", rows)
    dirty = ["Patient Number", "Age\n(years)", "Gender", "Hemorrhage type based on the radiologists diagnosis ", ""]
    write_table(root / "Patient_demographics.csv", [dirty, ["", "", "", "Intraventricular", "Intraparenchymal"]])
    return root


def instance2022(root: Path) -> Path:
    """One bleeding exam whose mask is turned, one without blood."""
    for name, hu, mask in (("001", BLEEDING, BLOOD), ("002", HU, np.zeros(SHAPE, bool))):
        nifti(root / "train_2" / "data" / f"{name}.nii.gz", hu)
        nifti(root / "train_2" / "label" / f"{name}.nii.gz", mask.astype(np.uint8), rows_turned=name == "001")
    return root


def ct_slices(hu: np.ndarray, *, study: str, patient: str, series: str, **rescale: float) -> list[Dataset]:
    """The head as CT slices from below."""
    stack = CtStack(
        GRID.origins_lps_mm,
        spacing_ji_mm=(6.0, 6.0),
        shape_ji=SHAPE[1:],
        thickness_mm=12.0,
        hu=hu,
        study_uid=study,
        series_uid=series,
    )
    made = slices(stack, **rescale)
    for item in made:
        item.PatientID, item.PatientName = patient, patient
    return made


RSNA_ENDINGS = ("epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural", "any")


@quiet_pydicom()  # the names of its images are no possible UIDs
def rsna2019(root: Path) -> Path:
    """Two studies; the second has lost its signs and has two values in its rescale tags. One image is listed twice."""
    folder = root / "stage_2_train"
    folder.mkdir(parents=True)
    rows: list[list[object]] = [["ID", "Label"]]
    for number, (patient, hu) in enumerate(zip(PATIENTS, (BLEEDING, HU), strict=False)):
        intercept = -1024.0 if number == 0 else 0.0
        stored = hu if number == 0 else np.where(hu < 0, hu.astype(np.int32) + 4096, hu)
        made = ct_slices(
            stored, study=f"ID_f91d6a7cd{number}", patient=f"ID_{patient}", series=f"ID_{number}", intercept=intercept
        )
        for k, item in enumerate(made):
            image = item.SOPInstanceUID = f"ID_{number}{k:08x}"
            item.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
            if number == 1:
                item.RescaleIntercept, item.RescaleSlope = [0.0, 0.0], [1.0, 1.0]
                item.PixelRepresentation, item.BitsStored, item.HighBit = 0, 12, 11
            item.save_as(folder / f"{image}.dcm", enforce_file_format=True)
            bleeding = bool(number == 0 and SHOWN[k])
            rows += [[f"{image}_{e}", int(bleeding and e in ("intraventricular", "any"))] for e in RSNA_ENDINGS]
    rows += rows[1:7]  # the first image stands in the table twice
    write_table(root / "stage_2_train.csv", rows)
    return root


def cut_off(path: Path, share: float = 0.5) -> Path:
    """The file as a download that broke off leaves it."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


CQ500_FINDINGS = [
    *("ICH", "IPH", "IVH", "SDH", "EDH", "SAH", "BleedLocation-Left", "BleedLocation-Right", "ChronicBleed"),
    *("Fracture", "CalvarialFracture", "OtherFracture", "MassEffect", "MidlineShift"),
]


def cq500(root: Path, *, with_boxes: bool = True) -> Path:
    """Exam 0 bleeds (two of three readers), in a folder of its archive; exam 1 does not. A bone series beside each."""
    readers = [f"R{reader}:{name}" for reader in (1, 2, 3) for name in CQ500_FINDINGS]
    rows: list[list[object]] = [["name", "Category", *readers]]
    boxes: list[list[object]] = [
        ["", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "data", "labelName", "labelType"]
    ]
    for number, hu in enumerate((BLEEDING, HU)):
        said = [
            [int(name in ("ICH", "IPH") and number == 0 and reader != 2) for name in CQ500_FINDINGS]
            for reader in (1, 2, 3)
        ]
        rows.append([f"CQ500-CT-{number}", "B1", *said[0], *said[1], *said[2]])
        above = root / f"CQ500-CT-{number}" if number == 0 else root
        study = above / f"CQ500CT{number} CQ500CT{number}" / "Unknown Study"
        for name, kernel in (("CT Plain", "H31s"), ("CT BONE", "H70h")):
            (study / name).mkdir(parents=True)
            made = ct_slices(
                hu, study=f"1.2.{number}", patient=f"CQ500CT{number}", series=f"1.2.{number}.{len(kernel + name)}"
            )
            for k, item in enumerate(made):
                item.ConvolutionKernel, item.SeriesDescription = kernel, name
                item.save_as(study / name / f"CT{k:06d}.dcm", enforce_file_format=True)
                if number == 0 and SHOWN[k] and name == "CT Plain":
                    box = _box_of(BLOOD[k])
                    uids = [item.SOPInstanceUID, item.SeriesInstanceUID, item.StudyInstanceUID]
                    boxes.append([len(boxes), *uids, box, "Intraparenchymal", "BOX"])
                    boxes.append([len(boxes), *uids, box, "Chronic", "BOX"])
    write_table(root / "reads.csv", rows)
    if with_boxes:
        write_table(root / "bhx" / "2_Extrapolation_to_All_Series.csv", boxes)
    return root


def _box_of(mask_ji: np.ndarray) -> str:
    """As BHX writes it: a Python dictionary with single quotes."""
    rows, columns = (np.flatnonzero(mask_ji.any(axis=axis)) for axis in (1, 0))
    x, y = float(columns[0]), float(rows[0])
    return str({"x": x, "y": y, "width": float(len(columns)), "height": float(len(rows))})
