"""One exam under review: the model's answer, the reader's mask, decisions and thresholds, and who listens to them.

The reader's version of the mask is a segmentation node of its own, made when it is first needed; the model's (version
0) is put back whenever anything changes it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import qt

from NeuroTriageLib.core.codes import ANY, CT_HEMORRHAGE_CODES, MR_CODES
from NeuroTriageLib.core.findings import ExamResult, Finding, Reading, Status
from NeuroTriageLib.core.midline import MidlinePoints, MidlineShift
from NeuroTriageLib.measurements.midline_shift import measure_midline_shift
from NeuroTriageLib.measurements.volume import slice_of_largest_area
from NeuroTriageLib.review.labels import SEGMENT_VALUES, label_of_reading, slice_areas, voxel_counts
from NeuroTriageLib.review.live_measurements import counted_volumes_ml
from NeuroTriageLib.review.thresholds import label_at
from NeuroTriageLib.review.versions import Version

from .listeners import Listeners
from .reader_mask import ReaderMask
from .scene_bridge import ExamNodes

CASE_ATTRIBUTE = "NeuroTriage.case"
"""On a volume that was loaded for a case of the list: its key."""


@dataclass
class ReviewState:
    """What a reader has decided; plain values that a scene and a version keep.

    Args:
        decisions: code -> "accept", "edit" or "reject".
        threshold: code -> operating point that the reader has moved; the model's own for the others.
        pixel_threshold: voxel probability from which the mask is drawn; None is the model's own.
        pixel_thresholds: code -> the same of one finding on MRI, where each has its own.
        hand_edited: True once a stroke has changed the mask; thresholds then no longer draw it.
        seconds_spent: with this exam on the screen, before the present session.
        based_on: number of the version from which the reader's mask started.
        reader, confidence, comment: of the sign-off.
        case_key: the row of the case list, "" for an exam that is in none.
        midline: the reader's points of midline shift; None while they are not all placed.
    """

    decisions: dict[str, str] = field(default_factory=dict)
    threshold: dict[str, float] = field(default_factory=dict)
    pixel_threshold: float | None = None
    pixel_thresholds: dict[str, float] = field(default_factory=dict)
    hand_edited: bool = False
    seconds_spent: float = 0.0
    based_on: int = 0
    confidence: int | None = None
    comment: str = ""
    case_key: str = ""
    midline: MidlinePoints | None = None

    @property
    def is_touched(self) -> bool:
        """True once the reader has done anything to the exam."""
        untouched = ReviewState(seconds_spent=self.seconds_spent, based_on=self.based_on, case_key=self.case_key)
        return self != untouched

    @classmethod
    def from_plain(cls, values: dict[str, Any]) -> ReviewState:
        """The inverse of dataclasses.asdict, also after JSON. Raises TypeError or ValueError."""
        points = values.get("midline")
        return cls(**{**values, "midline": None if points is None else MidlinePoints.from_plain(points)})


class Review:
    """An exam in the scene and what its reader makes of it.

    Args:
        result: the model's answer.
        nodes: the nodes that show it.
        state: of an earlier session; a new one when None.
    """

    def __init__(self, result: ExamResult, nodes: ExamNodes, state: ReviewState | None = None) -> None:
        self.result, self.nodes = result, nodes
        self.state = state or ReviewState(case_key=nodes.ct.GetAttribute(CASE_ATTRIBUTE) or "")
        self.mask_changed, self.decided, self.midline_changed = Listeners(), Listeners(), Listeners()
        self.remarked = Listeners()
        self._watched_since_s: float | None = time.monotonic()
        self.model_label = (
            label_of_reading(self.reading) if self.draws_masks else np.zeros(result.grid.shape_kji, np.uint8)
        )
        self.mask = ReaderMask(nodes, self.model_label, self.paint_codes, self._on_mask_edited)
        self._label: np.ndarray | None = None
        self._counted: np.ndarray | None = None
        # What thresholds and decisions made of the mask; a mask that differs from it was edited by hand.
        self._drawn = None if self.state.hand_edited else self.label_kji
        self._telling = False
        self.saved_version: Version | None = None

    @property
    def reading(self) -> Reading | None:
        """The answer; None when it could not be looked at."""
        return self.result.readings[0] if self.result.readings else None

    @property
    def draws_masks(self) -> bool:
        """True when there is an answer with a mask."""
        return self.reading is not None and self.reading.segments

    @property
    def paint_codes(self) -> tuple[str, ...]:
        """What a reader can paint: every hemorrhage type on CT, on MRI what is outlined on this series."""
        if not self.result.contrast:
            return CT_HEMORRHAGE_CODES
        return tuple(code for code in (self.reading.codes if self.reading else ()) if code in SEGMENT_VALUES)

    @property
    def can_move_thresholds(self) -> bool:
        """True while the mask follows from the model's answer and no stroke would be lost."""
        return self.draws_masks and not self.state.hand_edited

    @property
    def can_move_pixel_threshold(self) -> bool:
        """True when the probability of each voxel is known too."""
        return self.can_move_thresholds and self.reading.voxel_probabilities is not None

    @property
    def label_kji(self) -> np.ndarray:
        """(K, J, I) the reader's mask, or the model's while there is no other."""
        if self._label is None:
            self._label = self.mask.read() if self.mask.exists else self.model_label
        return self._label

    @property
    def _counts(self) -> np.ndarray:
        """(K, segments) voxels of the present mask."""
        if self._counted is None:
            self._counted = voxel_counts(self.label_kji)
        return self._counted

    @property
    def is_edited(self) -> bool:
        """True when the mask is no longer the model's."""
        return self.mask.exists and not np.array_equal(self.label_kji, self.model_label)

    def edited_codes(self) -> set[str]:
        """The findings whose mask is no longer the model's."""
        if not self.mask.exists:
            return set()
        changed = self.label_kji != self.model_label
        values = set(np.unique(self.label_kji[changed])) | set(np.unique(self.model_label[changed]))
        return {code for code, value in SEGMENT_VALUES.items() if value in values} | ({ANY} if values else set())

    @property
    def seconds_spent(self) -> float:
        """With this exam on the screen and the module open, all sessions together."""
        since = self._watched_since_s
        return self.state.seconds_spent + (0.0 if since is None else time.monotonic() - since)

    def count_seconds_from(self, seconds: float) -> None:
        """Go on counting from the time that was spent before."""
        self.state.seconds_spent = seconds
        self._watched_since_s = None if self._watched_since_s is None else time.monotonic()

    def set_watched(self, watched: bool) -> None:
        """The reader comes back to the module, or leaves it: the time in between is not theirs."""
        self.count_seconds_from(self.seconds_spent)
        self._watched_since_s = time.monotonic() if watched else None

    def volumes_ml(self) -> dict[str, float]:
        """Code -> mL of the present mask, "any" for all of it; fast enough for every stroke."""
        return counted_volumes_ml(self._counts, self.result.grid)

    def findings(self) -> tuple[Finding, ...]:
        """The lines of the answer with the reader's thresholds, and the mL and key slice of the present mask."""
        if not self.draws_masks:
            return self.result.findings
        volumes = self.volumes_ml()
        return tuple(self._finding(item, volumes.get(item.code, 0.0)) for item in self.result.findings)

    def threshold_of(self, code: str) -> float | None:
        """The operating point in force."""
        model = None if self.reading is None else self.reading.threshold.get(code)
        return self.state.threshold.get(code, model)

    def move_threshold(self, code: str, value: float) -> None:
        """Another operating point for a finding; mask, mL and status follow. Nothing while the mask is hand-edited."""
        if self.can_move_thresholds and value != self.threshold_of(code):
            self.state.threshold[code] = value
            self._redraw()

    def pixel_threshold_of(self, code: str | None) -> float:
        """The voxel probability from which a finding's mask is drawn; the reading must have voxel probabilities."""
        maps = self.reading.voxel_probabilities
        if self.state.pixel_threshold is not None:
            return self.state.pixel_threshold
        return self.state.pixel_thresholds.get(code, maps.threshold_of(code))

    def move_pixel_threshold(self, value: float, code: str | None = None) -> None:
        """Another voxel probability from which the mask is drawn.

        Args:
            value: 0-1, not below the floor of the reading's voxel probabilities.
            code: whose mask, on MRI; hemorrhage types on CT share one voxel probability, so that it holds for all.
        """
        if not self.can_move_pixel_threshold or value == self.pixel_threshold_of(code):
            return
        maps = self.reading.voxel_probabilities
        if not maps.thresholds:
            self.state.pixel_threshold = value
        elif code in maps.codes:
            self.state.pixel_thresholds[code] = value
        else:
            return
        self._redraw()

    def reset_thresholds(self) -> None:
        """Back to the model's own thresholds."""
        self._forget_thresholds()
        if self.can_move_thresholds:
            self._redraw()

    def decide(self, code: str, decision: str | None) -> None:
        """Accept, edit, reject or (None) leave a finding undecided; a rejected one leaves the reader's mask.

        "any" stands for every type that was found.
        """
        found = [item.code for item in self.findings() if item.status == "found"]
        codes = [code, *(c for c in found if c != ANY)] if code == ANY else [code]
        for each in codes:
            if decision is None:
                self.state.decisions.pop(each, None)
            else:
                self.state.decisions[each] = decision
        types = [each for each in codes if each != ANY and each in SEGMENT_VALUES]
        self.saved_version = None
        if decision == "reject":
            self.mask.remove(types)
        else:
            self.mask.put_back(types)
        self._forget_label()
        self.decided.tell()

    def remark(self, confidence: int | None, comment: str) -> None:
        """What the reader says of the exam as a whole."""
        if (confidence, comment) != (self.state.confidence, self.state.comment):
            self.state.confidence, self.state.comment, self.saved_version = confidence, comment, None
            self.remarked.tell()

    def place_midline(self, points: MidlinePoints | None) -> None:
        """Other points for midline shift, or none."""
        if points != self.state.midline:
            self.state.midline, self.saved_version = points, None
            self.midline_changed.tell()

    def midline_shift(self) -> MidlineShift | None:
        """The shift between the reader's points; None without them. Raises GeometryError when they are no midline."""
        points = self.state.midline
        return None if points is None else measure_midline_shift(points, self.result.grid)

    def discard_edits(self) -> None:
        """Back to the model's mask with the model's thresholds; the Segment Editor's undo can bring the edits back."""
        self._decide_as_the_model()
        if self.mask.exists:
            self.mask.write(self.model_label)
        self._forget_label()
        self.decided.tell()

    def show_label(self, label_kji: np.ndarray, *, hand_edited: bool, based_on: int) -> None:
        """Take over a mask that was saved earlier; with the model's own nothing stands that would contradict it."""
        if not hand_edited:
            self._decide_as_the_model()
        self.mask.write(label_kji)
        self.state.hand_edited, self.state.based_on = hand_edited, based_on
        self._drawn = None
        self._forget_label()

    def close(self) -> None:
        """Let go of the nodes' observers."""
        self.mask.close()

    def _decide_as_the_model(self) -> None:
        """Its thresholds, nothing rejected, nothing drawn."""
        self.state.hand_edited = False
        self._forget_thresholds()
        self.state.decisions = {code: d for code, d in self.state.decisions.items() if d == "accept"}

    def _forget_thresholds(self) -> None:
        self.state.threshold, self.state.pixel_threshold, self.state.pixel_thresholds = {}, None, {}

    def _redraw(self) -> None:
        rejected = [code for code, decision in self.state.decisions.items() if decision == "reject"]
        label = self._label_at_thresholds()
        self.mask.write(label)
        self.mask.remove([code for code in rejected if code != ANY and code in SEGMENT_VALUES])
        self._forget_label()

    def _label_at_thresholds(self) -> np.ndarray:
        """Drawn anew from the voxels' probabilities; without them the model's mask of what is still found."""
        if self.reading.voxel_probabilities is not None:
            state = self.state
            return label_at(self.reading, self._all_thresholds(), state.pixel_threshold, state.pixel_thresholds)
        moved = replace(self.reading, threshold=self._all_thresholds())
        gone = [code for code in self.reading.codes if code in SEGMENT_VALUES and not moved.is_present(code)]
        label = self.model_label.copy()
        label[np.isin(label, [SEGMENT_VALUES[code] for code in gone])] = 0
        return label

    def _all_thresholds(self) -> dict[str, float]:
        return {**self.reading.threshold, **self.state.threshold}

    def _on_mask_edited(self) -> None:
        """A stroke of the Segment Editor, an undo, or any other hand on the reader's mask.

        One stroke gives several events; listeners hear of it once, when Qt's loop comes round.
        """
        self._forget()
        if not self._telling:
            self._telling = True
            qt.QTimer.singleShot(0, self._tell_of_edit)

    def _tell_of_edit(self) -> None:
        self._telling = False
        if self.mask.exists:
            self.state.hand_edited = self._drawn is None or not np.array_equal(self.label_kji, self._drawn)
            self.mask_changed.tell()

    def _forget_label(self) -> None:
        """The mask was changed from here, by thresholds, decisions or a version that was taken over."""
        self._forget()
        if not self.state.hand_edited:
            self._drawn = self.label_kji
        self.mask_changed.tell()

    def _forget(self) -> None:
        self._label = self._counted = self.saved_version = None

    def _finding(self, item: Finding, volume_ml: float) -> Finding:
        """A finding with the present mask; a mask that the reader drew makes it found, whatever the model said."""
        if item.probability is None and not volume_ml:
            return item
        threshold = self.threshold_of(item.code)
        rejected = self.state.decisions.get(item.code) == "reject"
        by_model = not rejected and item.probability is not None and item.probability >= threshold
        by_model = by_model and (item.code == ANY or item.code in MR_CODES or self._any_is_present())
        found = volume_ml > 0 or (by_model and not self.state.hand_edited)
        key_slice = slice_of_largest_area(slice_areas(self._counts, item.code)) if volume_ml else None
        asserted = item.status == "found" and bool(item.reason)  # its absence cannot be told
        absent: Status = "could_not_look" if asserted and not rejected else "not_found"
        return replace(
            item,
            status="found" if found else absent,
            threshold=threshold,
            volume_ml=None if item.volume_ml is None and not volume_ml else volume_ml,
            components=item.components if not self.mask.exists else None,
            key_slice=key_slice if key_slice is not None else (item.key_slice if found else None),
            reason="" if found and not asserted else item.reason,
        )

    def _any_is_present(self) -> bool:
        probability = self.reading.probability.get(ANY)
        return probability is not None and probability >= self.threshold_of(ANY)
