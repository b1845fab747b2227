"""Results of brain MRI against the truth of a study: as the simulator writes it, or a table of one's own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..core.codes import ABNORMAL, MR_CODES
from ..core.errors import InputError
from ..core.geometry import SliceGrid
from ..datasets.labelled_case import LabelledMr
from ..io.label_files import on_grid, read_label, segment_values
from ..measurements.volume import mask_volume_ml
from .exam_records import ExamRecord, GroupAnswer, GroupTruth, SystemAnswer
from .mr_tables import REQUIRED_ONLY
from .result_folders import FINDINGS_FILE
from .truth_folders import TRUTH_FILE, TruthEntry

MASKS_FILE = "masks.npz"  # as simulation/mr/study_folders.py writes it: "ROLE.code" -> mask
CONDITION_KEYS = ("profile", "mimics", "changes", "midline_shift_mm", "stripped")


def mr_parts(folder: Path) -> tuple[dict[str, Any], ...]:
    """The answers on MR series in a result folder's findings.json, () when it is a CT's. Raises InputError."""
    try:
        document = json.loads((folder / FINDINGS_FILE).read_text(encoding="utf-8"))
        parts = (document, *document.get("further_series", ()))
        return tuple(part for part in parts if part.get("contrast"))
    except (OSError, ValueError, AttributeError) as error:
        raise InputError("The results cannot be read.", where=str(folder / FINDINGS_FILE)) from error


def is_mr_truth(entry: TruthEntry) -> bool:
    """True when the truth speaks of findings on MRI."""
    return entry.case_is_mr or bool(set(entry.present) & set(MR_CODES)) or bool(_simulated(entry).get("grids"))


def record_mr(folder: Path, entry: TruthEntry, required: Path | None = None) -> ExamRecord:
    """Compare a study's results with the truth.

    Args:
        folder: results of all contrasts.
        entry: where the truth lies.
        required: results of the required contrasts alone; a second system in the record.

    Raises:
        InputError: a file is damaged. GeometryError: true and found masks lie on other voxels.
    """
    truth = _Truth(entry)
    answers = _answers(folder, truth)
    if required is not None:
        answers |= {f"{name}{REQUIRED_ONLY}": answer for name, answer in _answers(required, truth).items()}
    document = truth.document
    return ExamRecord(
        exam=entry.exam,
        truth=truth.groups,
        answers=answers,
        anatomy=str(document.get("anatomy", entry.anatomy)),
        simulated=True if document else False if entry.case else None,
        conditions={key: document[key] for key in CONDITION_KEYS if key in document},
    )


class _Truth:
    """What is true; volumes are those of the mask on the series that the answer is given on."""

    def __init__(self, entry: TruthEntry) -> None:
        self.document, self.folder = _simulated(entry), entry.folder
        self.case = _case(entry)
        present = self.case.exam_presence() if self.case else self.document or entry.present
        self.groups = {code: GroupTruth(bool(present[code])) for code in MR_CODES if code in present}

    def mask(self, contrast: str, code: str, grid: SliceGrid) -> np.ndarray | None:
        """The true mask on an answer's voxels, its volume kept; None when the truth has none for the series."""
        if self.case is not None:
            return self._drawn(self.case, contrast, code, grid)
        if (
            self.folder is None
            or code == ABNORMAL
            or contrast not in self.document.get("grids", {})
            or code not in self.groups
        ):
            return None
        own = SliceGrid.from_json(self.document["grids"][contrast])
        with np.load(self.folder / MASKS_FILE, allow_pickle=False) as masks:
            name = f"{contrast}.{code}"
            found = masks[name] if name in masks.files else np.zeros(own.shape_kji, np.uint8)
        return self._kept(code, np.asarray(on_grid(found, own, grid) > 0), grid)

    def _drawn(self, case: LabelledMr, contrast: str, code: str, grid: SliceGrid) -> np.ndarray | None:
        drawn = case.masks.get(contrast, {}).get(code)
        if drawn is None or code not in self.groups:
            return None
        own = case.images[contrast].volume.grid
        return self._kept(code, np.asarray(on_grid(drawn.astype(np.uint8), own, grid) > 0), grid)

    def _kept(self, code: str, mask: np.ndarray, grid: SliceGrid) -> np.ndarray:
        self.groups[code] = GroupTruth(self.groups[code].present, volume_ml=mask_volume_ml(mask, grid))
        return mask


def _case(entry: TruthEntry) -> LabelledMr | None:
    """The data set's case; None when the truth is of another kind."""
    known = entry.case.read() if entry.case is not None else None
    return known if isinstance(known, LabelledMr) else None


def _simulated(entry: TruthEntry) -> dict[str, Any]:
    """truth.json of a simulated study; {} when the truth is a table."""
    if entry.folder is None:
        return {}
    try:
        document = json.loads((entry.folder / TRUTH_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError("The simulated study's truth cannot be read.", where=str(entry.folder)) from error
    return dict(document)


def _answers(folder: Path, truth: _Truth) -> dict[str, SystemAnswer]:
    """System -> its answer over all series. What could not be looked at is absent."""
    groups: dict[str, dict[str, GroupAnswer]] = {}
    seconds: dict[str, float] = {}
    for part in mr_parts(folder):
        try:
            contrast, grid = part["contrast"], SliceGrid.from_json(part["geometry"])
            files, rows = part.get("files", {}), part["findings"]
            taken = float(sum(part["timings_s"].values()))
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError("The results cannot be read.", where=str(folder / FINDINGS_FILE)) from error
        label, values = None, {}
        if "masks" in files and (folder / files["masks"]).exists():
            path = folder / files["masks"]
            label, values = read_label(path)[0], {code: value for value, code in segment_values(path).items()}
        for row in rows:
            seconds.setdefault(row["system"], taken)
            known = groups.setdefault(row["system"], {})
            if row["status"] == "could_not_look" or row.get("reason"):  # or asserted where absence is not told
                continue
            mask = None if label is None or row["volume_ml"] is None else label == values.get(row["code"], 256)
            known[row["code"]] = _answer(row, mask, truth.mask(contrast, row["code"], grid), grid)
    return {system: SystemAnswer(found, seconds[system]) for system, found in groups.items()}


def _answer(row: Mapping[str, Any], mask: np.ndarray | None, true: np.ndarray | None, grid: SliceGrid) -> GroupAnswer:
    overlap = None if mask is None or true is None else mask_volume_ml(mask & true, grid)
    return GroupAnswer(
        probability=float(row["probability"]),
        called=row["status"] == "found",
        volume_ml=None if mask is None else mask_volume_ml(mask, grid),
        overlap_ml=overlap,
    )
