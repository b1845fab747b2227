"""A case of a data set: whose it is, how it is read, and everything that its labels say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from ..core.codes import ABNORMAL, ANY, CT_HEMORRHAGE_CODES, MR_CODES
from ..core.mr_images import MrImage
from ..core.volume import Volume
from ..review.labels import SEGMENT_CODES, SEGMENT_VALUES


@dataclass(frozen=True)
class Box:
    """A rectangle that a reader drew around a finding on one slice.

    Args:
        code: a finding's code where the label means one, else the data set's own word.
        slice_index: k (from 0) of the slice.
        box_ji: first row, first column, last row, last column in voxel indices, inclusive.
    """

    code: str
    slice_index: int
    box_ji: tuple[int, int, int, int]

    @classmethod
    def of_rectangle(
        cls, code: str, slice_index: int, xywh: tuple[float, float, float, float], shape_kji: tuple[int, int, int]
    ) -> Box | None:
        """The box of a corner (x: column, y: row), width and height in pixels, cut to the image; None outside it."""
        x, y, width, height = xywh
        first = (max(0, round(y)), max(0, round(x)))
        last = (min(shape_kji[1], round(y + height)) - 1, min(shape_kji[2], round(x + width)) - 1)
        inside = 0 <= slice_index < shape_kji[0] and first[0] <= last[0] and first[1] <= last[1]
        return cls(code, slice_index, (*first, *last)) if inside else None


@dataclass(frozen=True, eq=False)
class LabelledCt:
    """A head CT and what is known about it. What is in none of the fields is unknown, not absent.

    Args:
        volume: Hounsfield units.
        label_kji: (K, J, I) uint8 in review.labels.SEGMENT_VALUES, 0 where there is no hemorrhage; None without masks.
        slices: code -> (K,) bool, which slices show it, where that is known without a mask or better than by it.
        present: code -> bool of the whole exam, likewise.
        boxes: on slices of the volume.
        notes: plain sentences on what was odd about the case.
    """

    volume: Volume
    label_kji: np.ndarray | None = None
    slices: Mapping[str, np.ndarray] = field(default_factory=dict)
    present: Mapping[str, bool] = field(default_factory=dict)
    boxes: tuple[Box, ...] = ()
    notes: tuple[str, ...] = ()

    def slice_presence(self) -> dict[str, np.ndarray]:
        """Code -> (K,) bool, of every code whose slices are known."""
        known = _shown_by_mask(self.label_kji) if self.label_kji is not None else {}
        return known | {code: np.asarray(shown, bool) for code, shown in self.slices.items()}

    def exam_presence(self) -> dict[str, bool]:
        """Code -> bool, of every code that is known of the whole exam."""
        known = {code: bool(shown.any()) for code, shown in self.slice_presence().items()}
        known |= self.present
        if known.get(ANY) is False:
            known |= dict.fromkeys(CT_HEMORRHAGE_CODES, False)
        return known

    @property
    def has_types(self) -> bool:
        """True when the mask says of every bleeding voxel which type it is."""
        return self.label_kji is not None and int(self.label_kji.max(initial=0)) <= len(CT_HEMORRHAGE_CODES)


@dataclass(frozen=True, eq=False)
class LabelledMr:
    """A brain MRI and what is known about it. What is in none of the fields is unknown, not absent.

    Args:
        images: contrast (core.mr_images.CONTRASTS) -> image, each on its own grid.
        masks: contrast -> finding -> (K, J, I) bool on that image's voxels. A finding is one of MR_CODES, or the data
            set's own word where its meaning is another ("tumour", "chronic_infarct").
        present: code of MR_CODES -> bool of the whole study.
        boxes: contrast -> boxes on its slices.
        notes: plain sentences on what was odd about the case.
    """

    images: Mapping[str, MrImage]
    masks: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
    present: Mapping[str, bool] = field(default_factory=dict)
    boxes: Mapping[str, tuple[Box, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def exam_presence(self) -> dict[str, bool]:
        """Code -> bool, of every code that is known; a study that shows any finding is abnormal."""
        known: dict[str, bool] = {}
        drawn = {(name, bool(mask.any())) for masks in self.masks.values() for name, mask in masks.items()}
        for name, shown in drawn:
            if name in MR_CODES:
                known[name] = known.get(name, False) or shown
        if any(shown for _, shown in drawn):
            known[ABNORMAL] = True
        known |= self.present
        if any(known.get(code) for code in MR_CODES):
            known[ABNORMAL] = True
        if known.get(ABNORMAL) is False:
            known |= dict.fromkeys(MR_CODES, False)
        return known


Labelled = LabelledCt | LabelledMr


@dataclass(frozen=True, eq=False)
class Case:
    """One exam of a data set; nothing of it is in memory until it is read.

    Args:
        name: of the exam, the same at every run; never a person's name.
        patient: the data set's pseudonym, with the data set's name before it; the same in every data set that holds
            exams of the same patient.
        read: reads images and labels. Raises InputError (and its children) when the case cannot be used.
        version: of labels that readers go on changing: another one means other labels. "" of published data.
    """

    name: str
    patient: str
    read: Callable[[], Labelled]
    version: str = ""


def _shown_by_mask(label_kji: np.ndarray) -> dict[str, np.ndarray]:
    """What a mask says of the slices; a type is unknown where hemorrhage of undetermined type could be it."""
    shown = {code: np.asarray((label_kji == SEGMENT_VALUES[code]).any(axis=(1, 2))) for code in SEGMENT_CODES}
    known = {ANY: np.asarray((label_kji > 0).any(axis=(1, 2)))}
    for code in CT_HEMORRHAGE_CODES:
        undetermined = shown[ANY].any() or (code in ("SDH", "EDH") and shown["SDH+EDH"].any())
        if not undetermined:
            known[code] = shown[code]
    return known
