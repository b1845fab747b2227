"""BHX 1.1: boxes around hemorrhage on the images of CQ500, found by their SOPInstanceUID."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import InputError
from .folder_files import read_table
from .labelled_case import Box

CODES = {
    "Intraparenchymal": "IPH",
    "Intraventricular": "IVH",
    "Subdural": "SDH",
    "Epidural": "EDH",
    "Subarachnoid": "SAH",
    "Chronic": "chronic",  # not acute: a box, and no finding
}
TABLES = (
    "*_Extrapolation_to_All_Series.csv",
    "*_Extrapolation_to_Selected_Series.csv",
    "*_Initial_Manual_Labeling.csv",
)
"""In the order in which they are wanted: the first has boxes on whichever series of a study is read."""

_COLUMNS = ("SOPInstanceUID", "SeriesInstanceUID", "data", "labelName")


@dataclass(frozen=True)
class BhxBoxes:
    """The boxes of a table.

    Args:
        by_image: SOPInstanceUID -> (code, (x, y, width, height) in pixels) of its boxes.
        series: SeriesInstanceUIDs that have boxes.
    """

    by_image: Mapping[str, list[tuple[str, tuple[float, float, float, float]]]]
    series: frozenset[str]

    def on(self, sop_instance_uids: Sequence[str], shape_kji: tuple[int, int, int]) -> tuple[Box, ...]:
        """The boxes on the slices with these UIDs, cut to the image."""
        found = (
            Box.of_rectangle(code, k, xywh, shape_kji)
            for k, uid in enumerate(sop_instance_uids)
            for code, xywh in self.by_image.get(uid, ())
        )
        return tuple(box for box in found if box is not None)


def find_table(root: Path) -> Path | None:
    """The table with the most boxes in a folder or the folders in it; None without BHX."""
    return next((path for pattern in TABLES for path in sorted(root.glob(f"**/{pattern}"))), None)


def read_boxes(path: Path) -> BhxBoxes:
    """Read a table; a box is written as Python writes a dictionary. Raises InputError."""
    by_image: dict[str, list[tuple[str, tuple[float, float, float, float]]]] = {}
    series = set()
    for number, row in enumerate(read_table(path, _COLUMNS), start=2):
        try:
            data = ast.literal_eval(row["data"])
            x, y, width, height = (float(data[key]) for key in ("x", "y", "width", "height"))
            code = CODES[row["labelName"]]
        except (ValueError, SyntaxError, KeyError, TypeError) as error:
            raise InputError(f"Line {number} of the table is no box of BHX.", where=str(path)) from error
        by_image.setdefault(row["SOPInstanceUID"], []).append((code, (x, y, width, height)))
        series.add(row["SeriesInstanceUID"])
    return BhxBoxes(by_image, frozenset(series))
