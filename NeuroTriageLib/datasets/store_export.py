"""A review store as something to give away or to report on: pseudonymised pairs, and how far its readers agree."""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import InputError, OutputError, output_error
from ..outputs.nrrd_writer import write_nrrd
from ..review.agreement import reader_agreement
from ..review.labels import SEGMENT_VALUES
from ..review.store import ReviewStore
from .label_store import approved_labels, open_store, store_cases
from .labelled_case import LabelledCt


def store_report(store: Path) -> dict[str, Any]:
    """Plain values: cases by the state of their last version, and each pair of readers beside each other.

    Readers are compared by the versions that they read blind, where there are such (review/agreement.py).
    """
    opened = open_store(store)
    states: Counter[str] = Counter()
    readers = set()
    for case_id in opened.cases():
        signed = [version for version in opened.versions(case_id) if version.is_signed]
        readers |= {version.reader for version in signed}
        states["flagged" if _is_flagged(signed) else "approved" if signed else "not signed"] += 1
    return {"cases": dict(states), "readers": sorted(readers), "agreement": _agreement(opened, sorted(readers))}


def _is_flagged(signed: list[Any]) -> bool:
    last = {version.reader: version for version in signed}
    return any(version.status == "flagged" for version in last.values())


def _agreement(store: ReviewStore, readers: list[str]) -> list[dict[str, Any]]:
    pairs = []
    for a, b in itertools.combinations(readers, 2):
        found = reader_agreement(store, a, b)
        if found.exams:
            summary = {code: dataclasses.asdict(item) for code, item in found.summary.items()}
            pairs.append({"readers": [a, b], "exams": len(found.exams), "findings": summary})
    return pairs


def report_lines(report: dict[str, Any]) -> list[str]:
    """The report for people."""
    lines = ["cases: " + ", ".join(f"{count} {state}" for state, count in report["cases"].items())]
    for pair in report["agreement"]:
        lines.append(f"{' and '.join(pair['readers'])}, {pair['exams']} exams read by both:")
        for code, item in pair["findings"].items():
            shown = {name: item[name] for name in ("kappa", "dice", "hd95_mm", "bias_ml") if item[name] is not None}
            lines.append(f"  {code}: " + ", ".join(f"{name} {value:.2f}" for name, value in shown.items()))
    return lines


def export_store(store: Path, images: Path, out: Path) -> tuple[int, dict[str, str]]:
    """Write the approved masks and their images into a new folder in the layout that own_masks.py reads.

    Exams and patients get new names that nothing leads back from: exam-0001, patient-0001, in the order of the store's
    pseudonyms. Nothing else of the headers is written. Pixels are written as they are: faces can be recognised.

    Returns:
        How many exams were written, and case -> why one was not.

    Raises:
        InputError: none could be. OutputError: the folder is not empty or cannot be written.
    """
    try:
        if out.exists() and any(out.iterdir()):
            raise OutputError("The folder is not empty.", where=str(out), next_step="Name a new one.")
        for name in ("images", "masks"):
            (out / name).mkdir(parents=True, exist_ok=True)
        return _write(store, images, out)
    except OSError as error:
        raise output_error(error, out) from error


def _write(store: Path, images: Path, out: Path) -> tuple[int, dict[str, str]]:
    cases = list(store_cases(store, images))
    patients = {patient: n for n, patient in enumerate(sorted({case.patient for case in cases}), start=1)}
    rows, failed = [("name", "patient")], {}
    if of_mri := len(approved_labels(open_store(store), "MR")):
        failed["brain MRI"] = f"{of_mri} approved masks are of brain MRI, which is not exported."
    for case in cases:
        name = f"exam-{len(rows):04d}"
        try:
            known = case.read()
        except InputError as error:
            failed[case.name] = error.what
            continue
        assert isinstance(known, LabelledCt) and known.label_kji is not None
        write_nrrd(out / "images" / f"{name}.nrrd", _storable(known.volume.array_kji), known.volume.grid, {})
        write_nrrd(out / "masks" / f"{name}.nrrd", known.label_kji, known.volume.grid, {})
        rows.append((name, f"patient-{patients[case.patient]:04d}"))
    if len(rows) == 1:
        raise InputError(f"No exam could be exported: {'; '.join(sorted(set(failed.values())))}", where=str(store))
    (out / "labels.json").write_text(json.dumps(SEGMENT_VALUES, indent=1) + "\n", encoding="utf-8")
    table = io.StringIO()
    csv.writer(table).writerows(rows)
    (out / "patients.csv").write_text(table.getvalue(), encoding="utf-8")
    return len(rows) - 1, failed


def _storable(array_kji: np.ndarray) -> np.ndarray:
    return array_kji if array_kji.dtype == np.int16 else array_kji.astype(np.float32)
