"""The truth of a folder of exams: as the simulator writes it, or label maps and a table of one's own.

The layouts are described in docs/evaluate.md.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..core.codes import ANY, CT_HEMORRHAGE_CODES, MR_CODES
from ..core.errors import InputError
from ..core.geometry import SliceGrid
from ..datasets.labelled_case import Case, LabelledCt
from ..io.label_files import LABEL_SUFFIXES, on_grid, read_label
from ..review.labels import SEGMENT_CODES
from .comparison import ExamSource, Labels, Truth

TRUTH_FILE, LABEL_FILE = "truth.json", "label.npz"  # as simulation/exam_folders.py writes them
TABLE_FILE, VALUES_FILE = "exams.csv", "labels.json"

TABLE_CODES = (ANY, *CT_HEMORRHAGE_CODES, *MR_CODES)
"""Findings that a table may have a column for."""

DEFAULT_VALUES = dict(enumerate(CT_HEMORRHAGE_CODES, start=1))

CASE_VALUES = dict(enumerate(SEGMENT_CODES, start=1))
"""Voxel value -> code of a data set's case."""

# What the simulator says about an exam that a table may want to be split by.
CONDITION_KEYS = ("mimics", "changes", "midline_shift_mm")


@dataclass(frozen=True)
class TruthEntry:
    """Where the truth of one exam lies; it is read when it is needed.

    Args:
        exam: its name.
        folder: folder of a simulated exam.
        label_path: label map of one's own.
        codes: voxel value of that label map -> code.
        present: code -> present, from the table.
        anatomy: from the table, "" when not given.
        case: of a public data set; case_is_mr says which kind.
    """

    exam: str
    folder: Path | None = None
    label_path: Path | None = None
    codes: Mapping[int, str] = field(default_factory=lambda: DEFAULT_VALUES)
    present: Mapping[str, bool] = field(default_factory=dict)
    anatomy: str = ""
    case: Case | None = None
    case_is_mr: bool = False

    def read(self, grid: SliceGrid) -> tuple[ExamSource, Truth]:
        """Names and truth, its mask on the voxels of the answer's grid.

        Raises:
            InputError: a file is missing or damaged.
            GeometryError: the mask lies on other voxels than the answer.
        """
        if self.folder is not None:
            return _read_simulated(self.exam, self.folder, grid)
        if self.case is not None:
            return _read_case(self.exam, self.case, grid)
        source = ExamSource(self.exam, self.anatomy)
        if self.label_path is None:
            return source, Truth(None, types=(), present=self.present)
        label, own = read_label(self.label_path)
        unknown = set(np.unique(label).tolist()) - {0} - set(self.codes)
        if unknown:
            raise InputError(
                f"The label map holds values without a meaning: {', '.join(map(str, sorted(unknown)))}.",
                where=str(self.label_path),
                next_step=f"Say in {VALUES_FILE} which value is which type.",
            )
        types = tuple(code for code in self.codes.values() if code != ANY) if ANY not in self.codes.values() else ()
        return source, Truth(Labels(on_grid(label, own, grid), self.codes), types=types, present=self.present)


def find_truth(root: Path) -> dict[str, TruthEntry]:
    """Exam name -> entry, of all layouts that the folder holds.

    Raises:
        InputError: there is no truth in it, or the table or the meaning of the label values cannot be read.
    """
    if not root.is_dir():
        raise InputError("The folder of the truth does not exist.", where=str(root))
    entries = {path.parent.name: TruthEntry(path.parent.name, path.parent) for path in root.glob(f"*/{TRUTH_FILE}")}
    codes, table = _values(root / VALUES_FILE), _table(root / TABLE_FILE)
    labels = {}
    for path in sorted(root.iterdir()):
        suffix = next((suffix for suffix in LABEL_SUFFIXES if path.name.endswith(suffix)), "")
        if suffix and path.is_file():
            labels[path.name.removesuffix(suffix)] = path
    for exam in dict.fromkeys([*labels, *table]):
        row = table.get(exam, {})
        present = {code: row[code] == "1" for code in TABLE_CODES if row.get(code)}
        entries[exam] = TruthEntry(exam, None, labels.get(exam), codes, present, row.get("anatomy", ""))
    if not entries:
        raise InputError(
            "The folder holds no truth.",
            where=str(root),
            next_step="It needs folders of simulated exams, label maps NAME.nii.gz, or exams.csv.",
        )
    return dict(sorted(entries.items()))


def _read_simulated(exam: str, folder: Path, grid: SliceGrid) -> tuple[ExamSource, Truth]:
    try:
        document = json.loads((folder / TRUTH_FILE).read_text(encoding="utf-8"))
        own = SliceGrid.from_json(document["grid"])
        codes = {int(value): code for code, value in document["label_values"].items()}
        with np.load(folder / LABEL_FILE, allow_pickle=False) as arrays:
            label = arrays["label_kji"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError("The simulated exam's truth cannot be read.", where=str(folder)) from error
    conditions = {key: document[key] for key in CONDITION_KEYS if key in document}
    source = ExamSource(exam, str(document.get("anatomy", "")), simulated=True, conditions=conditions)
    return source, Truth(Labels(on_grid(label, own, grid), codes), types=tuple(codes.values()))


def _read_case(exam: str, case: Case, grid: SliceGrid) -> tuple[ExamSource, Truth]:
    known = case.read()
    if not isinstance(known, LabelledCt):
        raise InputError("The case is no head CT.", where=exam)
    return ExamSource(exam, simulated=False), truth_of_case(known, grid)


def truth_of_case(known: LabelledCt, grid: SliceGrid) -> Truth:
    """What is known of a case, its mask on the voxels of a grid. Raises GeometryError when it lies on others."""
    present = known.exam_presence()
    if known.label_kji is None:
        return Truth(None, types=(), present=present)
    labels = Labels(on_grid(known.label_kji, known.volume.grid, grid), CASE_VALUES)
    return Truth(labels, types=CT_HEMORRHAGE_CODES if known.has_types else (), present=present)


def _values(path: Path) -> Mapping[int, str]:
    """Voxel value -> code from {"IPH": 1, ...}; the simulator's order without the file."""
    if not path.exists():
        return DEFAULT_VALUES
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        codes = {int(value): code for code, value in document.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError("The meaning of the label values cannot be read.", where=str(path)) from error
    if not set(codes.values()) <= {ANY, *CT_HEMORRHAGE_CODES} or not set(codes) <= set(range(1, 256)):
        raise InputError(
            "Label values are given as code: value, with values from 1 to 255.",
            where=str(path),
            next_step=f"Codes are {', '.join((ANY, *CT_HEMORRHAGE_CODES))}.",
        )
    return codes


def _table(path: Path) -> dict[str, dict[str, str]]:
    """Exam -> its row; every presence is "0", "1" or "" (unknown)."""
    if not path.exists():
        return {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = [{key: (value or "").strip() for key, value in row.items() if key} for row in csv.DictReader(stream)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError("The table of exams cannot be read.", where=str(path)) from error
    for number, row in enumerate(rows, start=2):
        wrong = [code for code in TABLE_CODES if row.get(code, "") not in ("", "0", "1")]
        if not row.get("exam") or wrong:
            raise InputError(
                f"Line {number} needs a name in the column exam, and 0, 1 or nothing in those of the findings.",
                where=str(path),
            )
    return {row["exam"]: row for row in rows}
