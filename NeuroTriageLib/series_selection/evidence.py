"""What the headers of one series show, in the numbers and words that a choice between series needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..core.errors import NeuroTriageError
from ..core.geometry import SliceGrid
from ..core.study import Series
from ..io.dicom_geometry import stack_slices
from .ct_vocabulary import BodyPart, Contrast, Sharpness, body_part_said, contrast_said, kernel_sharpness, says_bone

# From the most to the least specific: the first one that says something about the series decides.
_BODY_PART_SOURCES = (
    "description",
    "BodyPartExamined",
    "ProtocolName",
    "RequestedProcedureDescription",
    "StudyDescription",
)
_CONTRAST_SOURCES = ("description", "ProtocolName", "RequestedProcedureDescription", "StudyDescription")

NO_AGENT = {"", "NONE", "NO", "N", "N/A", "NA", "NULL", "NIL", "WITHOUT", "0", "NO CONTRAST", "OHNE", "-"}
"""Values of ContrastBolusAgent that mean that none was given."""


@dataclass(frozen=True)
class SeriesEvidence:
    """One series and what its headers show; nothing here reads pixels."""

    series: Series

    @property
    def header(self) -> dict[str, Any]:
        """Header of the first instance."""
        return self.series.header

    def text(self, keyword: str) -> str:
        """A header value as upper-case text; "description" is the series' own."""
        value = self.series.description if keyword == "description" else self.header.get(keyword, "")
        return " ".join(map(str, value)).upper() if isinstance(value, list) else str(value).upper()

    def number(self, keyword: str) -> float | None:
        """A header value as a number, None when it is missing or no number."""
        value = self.header.get(keyword)
        return float(value) if isinstance(value, int | float) else None

    @cached_property
    def image_types(self) -> frozenset[str]:
        """The words of ImageType, upper case."""
        value = self.header.get("ImageType", [])
        return frozenset(str(word).upper() for word in (value if isinstance(value, list) else [value]))

    @cached_property
    def slice_count(self) -> int:
        """Number of slices."""
        if self.series.file_format != "dicom":
            return int(self.header["NumberOfFrames"])
        return len(self.series.instances)

    @cached_property
    def grid(self) -> SliceGrid | None:
        """The slices' geometry, None when it cannot be known (see geometry_problem)."""
        return self._geometry[0]

    @property
    def geometry_problem(self) -> str:
        """Why there is no grid, "" when there is one."""
        return self._geometry[1]

    @cached_property
    def _geometry(self) -> tuple[SliceGrid | None, str]:
        try:
            if self.series.file_format == "dicom":
                return stack_slices(self.series.instances).grid, ""
            return _image_file_grid(self.header), ""
        except NeuroTriageError as error:
            return None, error.what

    @cached_property
    def angle_to_axial_deg(self) -> float:
        """Angle between the slices' normal and the patient's long axis (gantry tilt and turned heads included)."""
        assert self.grid is not None
        return float(np.degrees(np.arccos(np.clip(abs(self.grid.normal[2]), 0, 1))))

    @cached_property
    def coverage_mm(self) -> float:
        """Extent across the slices, half a slice beyond the first and last included."""
        assert self.grid is not None
        return float(self.grid.slice_extents_mm.sum())

    @cached_property
    def spacing_mm(self) -> float:
        """Median distance between slices, or the thickness of a single one."""
        assert self.grid is not None
        spacings = self.grid.slice_spacings_mm
        return float(np.median(spacings)) if len(spacings) else self.grid.slice_thickness_mm

    @cached_property
    def field_of_view_mm(self) -> float:
        """The shorter side of the image."""
        assert self.grid is not None
        _, rows, columns = self.grid.shape_kji
        return min(rows * self.grid.spacing_j_mm, columns * self.grid.spacing_i_mm)

    @cached_property
    def sharpness(self) -> Sharpness:
        """Soft or sharp kernel; the description's word "bone" counts when the kernel's name says nothing."""
        known = kernel_sharpness(self.text("Manufacturer"), self.text("ConvolutionKernel"))
        return "sharp" if known != "soft" and says_bone(self.text("description")) else known

    @cached_property
    def body_part(self) -> tuple[BodyPart, str]:
        """The body part and the header entry that says so."""
        for keyword in _BODY_PART_SOURCES:
            part = body_part_said(self.text(keyword))
            if part != "unknown":
                return part, keyword
        return "unknown", ""

    @cached_property
    def contrast(self) -> tuple[Contrast, str]:
        """Contrast or not, and the header entry that says so.

        The series' own words come first; then the agent's tag, which scanners also set on series made before the
        injection; then the words of protocol and study. "both" in those says nothing about this series.
        """
        own = contrast_said(self.text("description"))
        if own != "unknown":
            return ("with" if own == "both" else own), "SeriesDescription"
        if self.text("ContrastBolusAgent").strip() not in NO_AGENT:
            return "with", "ContrastBolusAgent"
        for keyword in _CONTRAST_SOURCES[1:]:
            said = contrast_said(self.text(keyword))
            if said in ("with", "without"):
                return said, keyword
        return "unknown", ""


def _image_file_grid(header: dict[str, Any]) -> SliceGrid:
    count = int(header["NumberOfFrames"])
    share = np.linspace(0, 1, count)[:, None]
    first, last = np.array(header["ImagePositionPatient"]), np.array(header["LastImagePositionPatient"])
    return SliceGrid(
        shape_kji=(count, header["Rows"], header["Columns"]),
        origins_lps_mm=first + share * (last - first),
        direction_i=np.array(header["ImageOrientationPatient"][:3]),
        direction_j=np.array(header["ImageOrientationPatient"][3:]),
        spacing_i_mm=header["PixelSpacing"][1],
        spacing_j_mm=header["PixelSpacing"][0],
        slice_thickness_mm=header["SliceThickness"],
    )


def evidence_of(series: Iterable[Series]) -> list[SeriesEvidence]:
    """The evidence of each series."""
    return [SeriesEvidence(item) for item in series]
