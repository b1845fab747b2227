"""PhysioNet CT-ICH 1.3.1: head CT with masks of hemorrhage without types, and types slice by slice.

Layout: ct_scans/NNN.nii, masks/NNN.nii (049-058 and 066-130) and hemorrhage_diagnosis_raw_ct.csv, whose slices count
from 1 in the order of the file. Patient_demographics.csv has broken headers and nothing that is needed here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ..core.codes import ANY
from ..core.errors import InputError
from ..review.labels import SEGMENT_VALUES
from .dataset import CheckReport, DatasetCard, grouped, report
from .folder_files import by_stem, find_root, read_table
from .images import pair_faults, read_ct, read_mask
from .labelled_case import Case, LabelledCt

NUMBERS = (*range(49, 59), *range(66, 131))  # PhysioNet CT-ICH 1.3.1: the scans that are published
COLUMNS = {
    "Intraparenchymal": "IPH",
    "Intraventricular": "IVH",
    "Subdural": "SDH",
    "Epidural": "EDH",
    "Subarachnoid": "SAH",
}
TABLE = "hemorrhage_diagnosis_raw_ct.csv"


class CtIch:
    """The data set; see the first lines of this file."""

    card = DatasetCard(
        name="ct-ich",
        title="PhysioNet CT-ICH",
        modality="CT",
        labels=("masks without types", "slice labels"),
        licence="PhysioNet Restricted Health Data License 1.5.0: signed on PhysioNet, not to be passed on",
        citation="Hssayeni MD, Croock MS, Salman AD, et al. Intracranial Hemorrhage Segmentation Using a Deep "
        "Convolutional Model. Data 2020;5(1):14. Data: PhysioNet 1.3.1, doi:10.13026/4nae-zg36",
        source="https://physionet.org/content/ct-ich/1.3.1/",
        cases=len(NUMBERS),
    )

    def check(self, path: Path) -> CheckReport:
        """See dataset.Dataset."""
        root = self._root(path)
        scans, masks, rows = by_stem(root / "ct_scans"), by_stem(root / "masks"), _slice_rows(root / TABLE)
        faults = []
        for name in (f"{number:03d}" for number in NUMBERS):
            missing = [folder for folder, files in (("scan", scans), ("mask", masks)) if name not in files]
            faults += [(f"The {what} is missing", name) for what in missing]
            faults += [("No rows in the table of slices", name)] if int(name) not in rows else []
            faults += [] if missing else pair_faults(scans[name], masks[name], name)
        return report(self.card, list(self.cases(root)), grouped(faults))

    def cases(self, path: Path) -> Iterator[Case]:
        """See dataset.Dataset."""
        root = self._root(path)
        scans, masks, rows = by_stem(root / "ct_scans"), by_stem(root / "masks"), _slice_rows(root / TABLE)
        for name in sorted(scans.keys() & masks.keys()):
            if name.isdigit() and int(name) in rows:
                yield Case(f"ct-ich/{name}", f"ct-ich:{name}", _reader(scans[name], masks[name], rows[int(name)]))

    def _root(self, path: Path) -> Path:
        return find_root(path, ("ct_scans", "masks", TABLE), self.card.title)


def _slice_rows(path: Path) -> dict[int, dict[int, frozenset[str]]]:
    """Patient -> slice (from 0) -> types that it shows."""
    rows: dict[int, dict[int, frozenset[str]]] = {}
    for row in read_table(path, ("PatientNumber", "SliceNumber", *COLUMNS)):
        try:
            patient, number = int(float(row["PatientNumber"])), int(float(row["SliceNumber"]))
        except ValueError as error:
            raise InputError("A row of the table has no patient or slice number.", where=str(path)) from error
        shown = frozenset(code for column, code in COLUMNS.items() if row[column] in ("1", "1.0"))
        rows.setdefault(patient, {})[number - 1] = shown
    return rows


def _reader(image: Path, mask: Path, rows: dict[int, frozenset[str]]) -> Callable[[], LabelledCt]:
    def read() -> LabelledCt:
        volume = read_ct(image)
        label = _typed(read_mask(mask, volume.grid), rows)
        slices, notes = _slice_labels(label, rows)
        return LabelledCt(volume, label, slices, notes=notes)

    return read


def _typed(drawn_kji: np.ndarray, rows: dict[int, frozenset[str]]) -> np.ndarray:
    """(K, J, I) uint8: a slice's mask has the slice's type where the table names one alone, else none."""
    label = np.zeros(drawn_kji.shape, np.uint8)
    for k in np.flatnonzero(drawn_kji.any(axis=(1, 2))):
        types = rows.get(int(k), frozenset())
        code = next(iter(types)) if len(types) == 1 else ANY
        label[k][drawn_kji[k]] = SEGMENT_VALUES[code]
    return label


def _slice_labels(
    label_kji: np.ndarray, rows: dict[int, frozenset[str]]
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Code -> (K,) bool and what does not agree; no types when the table does not speak of every slice."""
    count = len(label_kji)
    drawn = np.asarray(label_kji.any(axis=(1, 2)))
    said = np.array([bool(rows.get(k)) for k in range(count)])
    notes = []
    if (drawn & ~said).any():
        notes.append(f"{int((drawn & ~said).sum())} slices have a mask and no type in the table.")
    if (said & ~drawn).any():
        notes.append(f"{int((said & ~drawn).sum())} slices have a type in the table and no mask.")
    if set(rows) != set(range(count)):
        notes.append(f"The table has rows for {len(rows)} slices, the scan has {count}: its types are not used.")
        return {ANY: drawn}, tuple(notes)
    shown = {code: np.array([code in rows[k] for k in range(count)]) for code in COLUMNS.values()}
    return {ANY: drawn | said, **shown}, tuple(notes)
