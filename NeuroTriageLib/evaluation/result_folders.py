"""The answers of a folder of result folders, as `neurotriage triage` writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import GeometryError, InputError
from ..core.geometry import SliceGrid
from ..io.label_files import read_label, segment_values
from .comparison import Answer, Labels

FINDINGS_FILE, MASKS_FILE = "findings.json", "masks.seg.nrrd"  # as outputs/folder.py


def find_results(root: Path) -> dict[str, Path]:
    """Exam name -> result folder. Raises InputError when the folder holds none."""
    if not root.is_dir():
        raise InputError("The folder of the predictions does not exist.", where=str(root))
    found = {path.parent.name: path.parent for path in sorted(root.glob(f"*/{FINDINGS_FILE}"))}
    if not found:
        raise InputError(
            f"The folder holds no result folder (with {FINDINGS_FILE}).",
            where=str(root),
            next_step="Write each exam's results into a folder of its own: neurotriage triage STUDY -o FOLDER/NAME.",
        )
    return found


def read_answers(folder: Path) -> tuple[SliceGrid, tuple[Answer, ...]]:
    """The exam's grid and the answers of all systems, the one that findings.json gives as the answer first.

    The masks are those of that first one. A finding that could not be looked at is no answer. Opinions may be absent.

    Raises:
        InputError: a file is damaged.
        GeometryError: the masks do not fit the geometry in findings.json.
    """
    try:
        document = json.loads((folder / FINDINGS_FILE).read_text(encoding="utf-8"))
        grid = SliceGrid.from_json(document["geometry"])
        findings = _by_system(document["findings"])
        opinions = _by_system(document.get("opinions", []))
        seconds = float(sum(document.get("timings_s", {}).values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError("The results cannot be read.", where=str(folder / FINDINGS_FILE)) from error
    answers = []
    for system, rows in findings.items():
        draws_masks = all(row.get("volume_ml") is not None for row in rows.values())
        labels = _masks(folder, grid) if draws_masks else None
        answers.append(_answer(system, rows, grid, labels, seconds))
    answers += [_answer(system, rows, grid) for system, rows in opinions.items() if system not in findings]
    return grid, tuple(answers)


def _by_system(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Mapping[str, Any]]]:
    """System -> code -> finding, without those that could not be looked at."""
    systems: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row in rows:
        found = systems.setdefault(row["system"], {})
        if row["status"] != "could_not_look" and row["probability"] is not None:
            found[row["code"]] = row
    return systems


def _answer(
    system: str,
    rows: Mapping[str, Mapping[str, Any]],
    grid: SliceGrid,
    labels: Labels | None = None,
    seconds: float | None = None,
) -> Answer:
    scores = {code: np.asarray(row["slice_scores"], float) for code, row in rows.items() if row.get("slice_scores")}
    slices = {code: tuple(row["slices"]) for code, row in rows.items() if row.get("slices") is not None}
    count = grid.shape_kji[0]
    if any(len(score) != count for score in scores.values()) or any(k >= count for ks in slices.values() for k in ks):
        raise GeometryError(f"The slices do not fit the geometry in {FINDINGS_FILE}.", where=system)
    return Answer(
        system=system,
        probability={code: float(row["probability"]) for code, row in rows.items()},
        called=frozenset(code for code, row in rows.items() if row["status"] == "found"),
        labels=labels,
        volume_ml={code: row.get("volume_ml") for code, row in rows.items()},
        slice_scores=scores,
        slices=slices,
        seconds=seconds,
    )


def _masks(folder: Path, grid: SliceGrid) -> Labels | None:
    """The masks on the exact grid of findings.json: of an uneven stack a NRRD knows only the best fit."""
    path = folder / MASKS_FILE
    if not path.exists():
        return None
    label, _ = read_label(path)
    if label.shape != grid.shape_kji:
        raise GeometryError(f"The file does not fit the geometry in {FINDINGS_FILE}.", where=str(path))
    codes = segment_values(path)
    unnamed = set(np.unique(label).tolist()) - {0} - set(codes)
    if unnamed:
        raise InputError("The masks hold values that no segment names.", where=str(path))
    return Labels(label, codes)
