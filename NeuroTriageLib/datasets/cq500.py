"""CQ500: head CT studies with the answers of three radiologists; with BHX beside it also boxes.

Layout: reads.csv and, for each exam, "CQ500CT0 CQ500CT0/Unknown Study/<series>/*.dcm", directly or in a folder of its
own per archive. The table calls the same exam CQ500-CT-0. Contrast, bone, thin and partial series lie among the plain
ones. BHX's tables may lie anywhere in the folder.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from ..core.codes import ANY, CT_HEMORRHAGE_CODES
from ..core.volume import Volume
from ..io.inputs import open_input
from .bhx import BhxBoxes, find_table, read_boxes
from .dataset import CheckReport, DatasetCard, grouped, report
from .dicom_files import head_ct_of
from .folder_files import find_root, read_table
from .labelled_case import Box, Case, LabelledCt

READERS = ("R1", "R2", "R3")
COLUMNS = {"ICH": ANY} | {code: code for code in CT_HEMORRHAGE_CODES}
_FOLDER = re.compile(r"CQ500CT(\d+)\b.*")


class Cq500:
    """The data set; see the first lines of this file."""

    card = DatasetCard(
        name="cq500",
        title="CQ500, with BHX",
        modality="CT",
        labels=("exam labels", "boxes"),
        licence="CQ500: CC BY-NC-SA 4.0 and qure.ai's end user agreement; BHX: the licence on its PhysioNet page",
        citation="Chilamkurthy S, Ghosh R, Tanamala S, et al. Deep learning algorithms for detection of critical "
        "findings in head CT scans: a retrospective study. Lancet 2018;392:2388-2396. BHX: Reis EP, Nascimento F, "
        "Aranha M, et al. Brain Hemorrhage Extended (version 1.1). PhysioNet 2020, doi:10.13026/9cft-hg92",
        source="https://www.cq500.org; https://physionet.org/content/bhx-brain-bounding-box/1.1/",
        cases=491,
    )

    def check(self, path: Path) -> CheckReport:
        """See dataset.Dataset."""
        root, exams, reads = self._open(path)
        names = sorted(reads, key=_number)
        faults = [("Exams of reads.csv that are not here", name) for name in names if name not in exams]
        faults += [("Exams without a row in reads.csv", name) for name in exams if name not in reads]
        empty = [name for name in names if name in exams and next(exams[name].rglob("*.dcm"), None) is None]
        faults += [("Exams without DICOM files", name) for name in empty]
        warnings = [] if find_table(root) else ["BHX is not here: no boxes and no slice labels (optional)."]
        return report(self.card, list(self.cases(path)), grouped(faults), warnings)

    def cases(self, path: Path) -> Iterator[Case]:
        """See dataset.Dataset."""
        root, exams, reads = self._open(path)
        table = find_table(root)
        boxes = read_boxes(table) if table else None
        for name in sorted(exams.keys() & reads.keys(), key=_number):
            if next(exams[name].rglob("*.dcm"), None) is not None:
                yield Case(f"cq500/{name}", f"cq500:{name}", _reader(exams[name], reads[name], boxes))

    def _open(self, path: Path) -> tuple[Path, dict[str, Path], dict[str, dict[str, bool]]]:
        root = find_root(path, ("reads.csv",), self.card.title)
        exams = {}
        for folder in sorted([*root.glob("CQ500CT*"), *root.glob("*/CQ500CT*")]):
            match = _FOLDER.fullmatch(folder.name)
            if match and folder.is_dir():
                exams[f"CQ500-CT-{match[1]}"] = folder
        return root, exams, _majorities(root / "reads.csv")


def _number(name: str) -> tuple[int, str]:
    digits = name.rpartition("-")[2]
    return (int(digits) if digits.isdigit() else 0, name)


def _majorities(path: Path) -> dict[str, dict[str, bool]]:
    """Exam -> code -> what at least two of the three readers said; a code without two equal answers is unknown."""
    wanted = tuple(f"{reader}:{column}" for reader in READERS for column in COLUMNS)
    found = {}
    for row in read_table(path, ("name", *wanted)):
        known = {}
        for column, code in COLUMNS.items():
            said = [row[f"{reader}:{column}"] for reader in READERS]
            if max(said.count("1"), said.count("0")) >= 2:
                known[code] = said.count("1") >= 2
        found[row["name"]] = known
    return found


def _reader(folder: Path, present: Mapping[str, bool], boxes: BhxBoxes | None) -> Callable[[], LabelledCt]:
    def read() -> LabelledCt:
        with open_input(folder) as studies:
            volume = head_ct_of(studies, folder)
        drawn = () if boxes is None else boxes.on(volume.sop_instance_uids, volume.grid.shape_kji)
        slices, notes = _slice_labels(volume, present, drawn, boxes)
        return LabelledCt(volume, slices=slices, present=present, boxes=drawn, notes=notes)

    return read


def _slice_labels(
    volume: Volume, present: Mapping[str, bool], drawn: tuple[Box, ...], boxes: BhxBoxes | None
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Code -> (K,) bool where readers and boxes agree about the exam, and a sentence where they do not."""
    count = volume.grid.shape_kji[0]
    codes = (ANY, *CT_HEMORRHAGE_CODES)
    if present.get(ANY) is False and not drawn:
        return {code: np.zeros(count, bool) for code in codes}, ()
    if boxes is None or volume.series_instance_uid not in boxes.series:
        return {}, ()
    shown = {code: np.zeros(count, bool) for code in codes}
    for box in drawn:
        if box.code in shown:
            shown[box.code][box.slice_index] = shown[ANY][box.slice_index] = True
    differing = [code for code in codes if code in present and present[code] != bool(shown[code].any())]
    if differing:
        return {}, (f"Readers and boxes differ about {', '.join(differing)}: no slice labels.",)
    return shown, ()
