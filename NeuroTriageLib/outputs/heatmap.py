"""heatmap.nrrd: the probability of any hemorrhage, or of a finding, at each voxel of the source series, in percent."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..core.codes import FINDING_CODES
from ..core.findings import ExamResult, Reading, SeriesHeatmap
from .key_slices import lower_first
from .nrrd_writer import write_nrrd
from .shown_masks import shown_reading


def write_heatmap(result: ExamResult, path: Path, *, code: str = "") -> None:
    """Write whole percents 0-100 as uint8: a tenth of the size of floats, and no model knows it more finely.

    Args:
        result: must hold a reading.
        path: file to write.
        code: one finding's own map (Reading.heatmaps_kji); "" is what is shown of all.
    """
    reading = shown_reading(result)
    assert reading is not None, "without a reading there is no heatmap to write"
    heat = reading.heatmaps_kji[code] if code else reading.heatmap_kji
    fields = _fields(reading, code, result.volume.series_instance_uid)
    write_nrrd(path, percent(heat), result.grid, fields)


def write_series_heatmap(result: ExamResult, heatmap: SeriesHeatmap, path: Path) -> None:
    """The same for one of the result's further heatmaps, on the voxels of its own series."""
    reading = shown_reading(result)
    assert reading is not None, "without a reading there is no heatmap to write"
    fields = _fields(reading, heatmap.code, heatmap.series_instance_uid)
    write_nrrd(path, percent(heatmap.heatmap_kji), heatmap.grid, fields)


def _fields(reading: Reading, code: str, series_instance_uid: str) -> dict[str, str]:
    """What the file says of itself."""
    fields = {
        "NeuroTriage_Content": heat_meaning(reading, code),
        "NeuroTriage_Unit": "percent",
        "NeuroTriage_Heatmap": reading.heatmap_source or reading.system,
        "NeuroTriage_SeriesInstanceUID": series_instance_uid,
        "NeuroTriage_Model": f"{reading.model.name} {reading.model.version} sha256 {reading.model.sha256}",
    }
    return {key: value for key, value in fields.items() if value}


def heat_meaning(reading: Reading, code: str = "") -> str:
    """What a heatmap shows, in words."""
    if not code and not reading.heatmaps_kji:
        return "Probability of intracranial hemorrhage"
    shown = [code] if code else [name for name in reading.codes if reading.is_present(name)] or list(reading.codes)
    return f"Probability of {', '.join(FINDING_CODES[name].name.lower() for name in shown)}"


def heat_words(reading: Reading | None) -> str:
    """What the heat colours of a picture show, within a sentence."""
    if reading is None or not reading.heatmaps_kji:
        return "probability of hemorrhage"
    return lower_first(heat_meaning(reading))


def percent(heatmap: np.ndarray) -> np.ndarray:
    """Probabilities 0-1 of any shape as whole percents (uint8)."""
    scaled = np.nan_to_num(np.asarray(heatmap, np.float32) * 100, nan=0.0)
    return np.clip(np.rint(scaled), 0, 100).astype(np.uint8)
