"""What the banks of the head-CT systems keep of a labelled case."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.codes import ANY, CT_HEMORRHAGE_CODES
from ..core.errors import InputError
from ..datasets.labelled_case import Labelled, LabelledCt
from ..datasets.split import Part
from ..preprocessing.network_grid import PreparedExam, prepare
from .exam_bank import BankExam
from .windowed_exam import UNTYPED

CODES = (ANY, *CT_HEMORRHAGE_CODES)


def masked_exam(case: Labelled, part: Part, config: Any, recipe: Any) -> BankExam:
    """The exam of a system that learns from masks. Raises InputError without one, or when its types are not known."""
    ct = _ct(case)
    if ct.label_kji is not None and not ct.has_types:
        raise InputError("the mask does not say the types")
    return bleeding_exam(case, part, config, recipe)


def bleeding_exam(case: Labelled, part: Part, config: Any, recipe: Any) -> BankExam:
    """The exam of a system that also learns from blood of unknown type (Kuo 2019).

    Raises:
        InputError: no mask; or, for validation, one that does not say the types.
    """
    ct = _ct(case)
    if ct.label_kji is None:
        raise InputError("the case has no mask")
    if part == "validation" and not ct.has_types:
        raise InputError("the mask does not say the types, so that the exam cannot validate")
    unknown = ct.label_kji > len(CT_HEMORRHAGE_CODES)  # "SDH or EDH" too
    label = np.where(unknown, np.uint8(UNTYPED), ct.label_kji)
    return BankExam.from_prepared(_prepared(ct, config), label, {"present": _presence(ct)})


def labelled_exam(case: Labelled, part: Part, config: Any, recipe: Any) -> BankExam:
    """The exam of a system that learns from masks, slice labels or exam labels (Ye 2019).

    Without a mask that knows its types, BankExam.truth["known"] says what is known: "exam", a list over any and the
    types, and "slabs", one such list per slab, or null.

    Raises:
        InputError: not every type is known; or the slices are not, and the recipe learns from them (Sli-Lab).
    """
    ct = _ct(case)
    if ct.has_types:
        return masked_exam(case, part, config, recipe)
    exam, slices = ct.exam_presence(), ct.slice_presence()
    if any(code not in exam for code in CODES):
        raise InputError("it is not known which types the exam shows")
    if not exam[ANY]:
        slices = {code: np.zeros(ct.volume.grid.shape_kji[0], bool) for code in CODES}
    knows_slices = all(code in slices for code in CODES)
    if recipe.slice_labels and not knows_slices:
        raise InputError("only the whole exam has labels, which the variant published-sub-lab learns from")
    prepared = _prepared(ct, config)
    slabs = _slab_labels(prepared, slices) if knows_slices else None
    known = {"exam": [exam[code] for code in CODES], "slabs": None if slabs is None else slabs.tolist()}
    empty = np.zeros(ct.volume.grid.shape_kji, np.uint8)
    return BankExam.from_prepared(prepared, empty, {"present": _presence(ct), "known": known})


def _ct(case: Labelled) -> LabelledCt:
    if not isinstance(case, LabelledCt):
        raise InputError("the case is no head CT")
    return case


def _prepared(ct: LabelledCt, config: Any) -> PreparedExam:
    prepared = prepare(ct.volume, config)
    if not prepared.has_brain_s.any():
        raise InputError("no brain was found in the images")
    return prepared


def _presence(ct: LabelledCt) -> dict[str, bool]:
    return {code: bool(shown) for code, shown in ct.exam_presence().items()}


def _slab_labels(prepared: PreparedExam, slices: dict[str, np.ndarray]) -> np.ndarray:
    """(S, 1 + N) bool: a slab shows what any of its slices shows."""
    shown = np.stack([slices[code] for code in CODES], axis=1)  # (K, 1 + N)
    labels = np.zeros((len(prepared.grid.slabs), len(CODES)), bool)
    np.logical_or.at(labels, prepared.slab_of_slice, shown)
    return labels
