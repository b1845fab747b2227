"""heatmap.nrrd: the probability of any hemorrhage at each voxel of the source series, in percent."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..core.findings import ExamResult
from .nrrd_writer import write_nrrd
from .shown_masks import shown_reading


def write_heatmap(result: ExamResult, path: Path) -> None:
    """Write whole percents 0-100 as uint8: a tenth of the size of floats, and no model knows it more finely.

    The result must hold a reading.
    """
    reading = shown_reading(result)
    assert reading is not None, "without a reading there is no heatmap to write"
    fields = {
        "NeuroTriage_Content": "Probability of intracranial hemorrhage",
        "NeuroTriage_Unit": "percent",
        "NeuroTriage_Heatmap": reading.heatmap_source or reading.system,
        "NeuroTriage_SeriesInstanceUID": result.volume.series_instance_uid,
        "NeuroTriage_Model": f"{reading.model.name} {reading.model.version} sha256 {reading.model.sha256}",
    }
    write_nrrd(path, percent(reading.heatmap_kji), result.grid, {key: value for key, value in fields.items() if value})


def percent(heatmap: np.ndarray) -> np.ndarray:
    """Probabilities 0-1 of any shape as whole percents (uint8)."""
    scaled = np.nan_to_num(np.asarray(heatmap, np.float32) * 100, nan=0.0)
    return np.clip(np.rint(scaled), 0, 100).astype(np.uint8)
