"""What the files of a result are called: plain names for a head CT, the contrast in the name for a series of an MRI."""

from __future__ import annotations

from ..core.codes import CT_HEMORRHAGE_CODES, MR_CODES
from ..core.findings import ExamResult
from ..core.mr_images import CONTRASTS
from .shown_masks import shown_reading

FINDINGS_FILE = "findings.json"
MASKS_FILE = "masks.seg.nrrd"
HEATMAP_FILE = "heatmap.nrrd"
REPORT_FILE = "report.html"
SCENE_FILE = "scene.mrb"
RESULT_FILES = (FINDINGS_FILE, MASKS_FILE, HEATMAP_FILE, REPORT_FILE, SCENE_FILE)
DICOM_FILES = (
    *("segmentation.dcm", "heatmap.dcm", "structured_report.dcm", "report.dcm"),
    *(f"key_image_{number}.dcm" for number in range(1, len(CT_HEMORRHAGE_CODES) + 1)),  # one per type at most
)


def file_name(name: str, contrast: str = "", code: str = "") -> str:
    """A file's name for a contrast, and of a heatmap for one finding: "heatmap_FLAIR_mass_effect.nrrd"."""
    stem, dot, suffix = name.partition(".")
    return "_".join(part for part in (stem, contrast, code) if part) + dot + suffix


ALL_FILES = (
    *RESULT_FILES,
    *DICOM_FILES,
    *(file_name(name, contrast) for contrast in CONTRASTS for name in (MASKS_FILE, HEATMAP_FILE, SCENE_FILE)),
    *(file_name(HEATMAP_FILE, contrast, code) for contrast in CONTRASTS for code in MR_CODES),
    *(file_name(name, contrast) for contrast in CONTRASTS for name in DICOM_FILES),
)
"""Every name that a result may have."""


def written_names(result: ExamResult) -> dict[str, str]:
    """What is written of one series, apart from its scene: "masks", "heatmap", "heatmap CODE" -> file name."""
    reading = shown_reading(result)
    if reading is None:
        return {}
    names = {"masks": file_name(MASKS_FILE, result.contrast)} if reading.segments else {}
    names["heatmap"] = file_name(HEATMAP_FILE, result.contrast)
    return names | {f"heatmap {code}": file_name(HEATMAP_FILE, result.contrast, code) for code in reading.heatmaps_kji}


def further_names(result: ExamResult) -> dict[str, str]:
    """What is written on other series: "heatmap CODE on CONTRAST" -> file name, in the order of further_heatmaps."""
    return {
        f"heatmap {item.code} on {item.contrast}": file_name(HEATMAP_FILE, item.contrast, item.code)
        for item in result.further_heatmaps
    }
