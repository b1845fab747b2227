"""The folder of reviews, seen from the panel: which case the exam on the screen is, its versions, and a new one."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import slicer

from NeuroTriageLib.core.errors import ConfigError
from NeuroTriageLib.core.exam_bundle import write_bundle
from NeuroTriageLib.core.exchange import save_exam
from NeuroTriageLib.core.findings import ExamResult, ModelIdentity
from NeuroTriageLib.measurements.midline_shift import measurable_midline_shift
from NeuroTriageLib.review.reviewed_exam import reviewed_exam
from NeuroTriageLib.review.store import ReviewStore
from NeuroTriageLib.review.versions import ExamReference, ReaderEntry, Version, Viewer, differences

from . import panel_settings
from .abc2_lines import moved_lines
from .review import Review
from .review_node import keep_in_scene
from .scene_bridge import show_exam, volume_from_node
from .slice_views import first_key_point_ras, look_at, show_in_slice_views
from .subject_tree import patient_of, study_uid_of

_FOLDER_SETTING, _READER_SETTING, _BLIND_SETTING = "ReviewFolder", "Reader", "ReadBlind"


class ExamStore:
    """Where versions are kept, and who reads; both are remembered on this computer."""

    def __init__(self) -> None:
        self._store: ReviewStore | None = None

    @property
    def folder(self) -> str:
        """Path of the folder of reviews, "" while none was chosen."""
        return panel_settings.read(_FOLDER_SETTING)

    def use_folder(self, folder: str) -> None:
        """Keep versions there from now on; it is made when the first one is saved."""
        if folder != self.folder:
            panel_settings.write(_FOLDER_SETTING, folder)
            self._store = None

    @property
    def reader(self) -> str:
        """Who reads."""
        return panel_settings.read(_READER_SETTING)

    def use_reader(self, reader: str) -> None:
        """Another reader sits down."""
        panel_settings.write(_READER_SETTING, reader.strip())

    @property
    def blind(self) -> bool:
        """Other readers' versions stay hidden until this one has signed."""
        return panel_settings.read(_BLIND_SETTING) == "true"

    def set_blind(self, blind: bool) -> None:
        """Read blind, or not."""
        panel_settings.write(_BLIND_SETTING, "true" if blind else "false")

    @property
    def viewer(self) -> Viewer:
        """Through whose eyes the store is seen."""
        return Viewer(self.reader, self.blind)

    def exists(self) -> bool:
        """True when a folder was chosen and something was saved in it."""
        return bool(self.folder) and Path(self.folder).is_dir()

    def store(self) -> ReviewStore:
        """The store, made when it is not there yet. Raises ConfigError or OutputError."""
        if not self.folder:
            raise ConfigError("No folder for reviews was chosen.", next_step="Choose one in the section Cases.")
        if self._store is None:
            self._store = ReviewStore.open(Path(self.folder))
        return self._store

    def case_of(self, review: Review) -> str:
        """The pseudonymous case of an exam; the same exam is always the same case."""
        ct = review.nodes.ct
        exam = ExamReference.of_volume(review.result.volume, study_uid_of(ct), patient_of(ct))
        return self.store().register(exam, entry_key=review.state.case_key)

    def kept_review(self, node: slicer.vtkMRMLScalarVolumeNode, case_key: str) -> Review | None:
        """The review of a case that was read before, with the model's answer as it was then; None of a new case."""
        if not self.exists():
            return None
        volume = volume_from_node(node)
        exam = ExamReference.of_volume(volume, study_uid_of(node), patient_of(node))
        case = self.store().register(exam, entry_key=case_key)
        models = [version for version in self.store().versions(case) if version.kind == "model"]
        if not models:
            return None
        result = self.store().result(case, models[-1].number, volume)
        review = Review(result, show_exam(result, node))
        with tempfile.TemporaryDirectory(prefix="neurotriage-") as folder:
            save_exam(result, Path(folder))
            keep_in_scene(review, write_bundle(Path(folder)).read_bytes())
        show_in_slice_views(node)
        look_at(first_key_point_ras(result))
        return review

    def versions(self, review: Review) -> tuple[Version, ...]:
        """What this reader may see of the exam's versions, the oldest first; () where nothing was saved yet."""
        return self.store().versions(self.case_of(review), self.viewer) if self.exists() else ()

    def own_latest(self, review: Review) -> Version | None:
        """The version from which this reader goes on; None when there is no reader's version to go on from."""
        if not self.versions(review):
            return None
        version = self.store().resume(self.case_of(review), self.viewer)
        return version if version.kind == "reader" else None

    def save(self, review: Review, status: str) -> Version:
        """A new version of the present mask with the reader's decisions. Raises ConfigError without a reader."""
        if not self.reader:
            raise ConfigError("Who reads?", next_step="Write your name or code into the field Reader.")
        store, case = self.store(), self.case_of(review)
        store.add_model_version(case, review.result)
        version = store.add_version(case, review.label_kji, self.entry(review, status))
        review.state.based_on, review.saved_version = version.number, version
        return version

    def entry(self, review: Review, status: str) -> ReaderEntry:
        """What the reader says of the exam, as a version keeps it."""
        state = review.state
        return ReaderEntry(
            reader=self.reader or "reader",
            status=status,
            based_on=state.based_on,
            seconds_spent=round(review.seconds_spent, 1),
            decisions=dict(state.decisions),
            confidence=state.confidence,
            comment=state.comment,
            threshold=dict(state.threshold),
            pixel_threshold=state.pixel_threshold,
            pixel_thresholds=dict(state.pixel_thresholds),
            blind=self.blind,
            midline=state.midline,
        )

    def take_over(self, review: Review, version: Version) -> None:
        """Put a saved version on the screen, with its decisions and thresholds."""
        entry = version.entry
        if entry is not None:
            state = review.state
            state.decisions, state.comment = dict(entry.decisions), entry.comment
            state.confidence, state.threshold = entry.confidence, dict(entry.threshold)
            state.pixel_threshold, state.pixel_thresholds = entry.pixel_threshold, dict(entry.pixel_thresholds)
            if entry.reader == self.reader:
                review.count_seconds_from(entry.seconds_spent)
            review.place_midline(entry.midline)
        if review.draws_masks:
            label = self.store().label(self.case_of(review), version.number)
            review.show_label(label, hand_edited=entry is not None, based_on=version.number)
        review.saved_version = version if entry is not None else None
        review.decided.tell()


def present_exam(review: Review, store: ExamStore) -> ExamResult:
    """The exam as the reader sees it now, measured anew, with what was edited marked.

    Before anything was saved, or after a change since, it is a draft of the one who reads.
    """
    version = review.saved_version or _unsaved(review, store)
    return reviewed_exam(review.result, review.label_kji, version, moved_lines(review.nodes.lines))


def _unsaved(review: Review, store: ExamStore) -> Version:
    """The present state as a version that nobody has saved yet."""
    result = review.result
    reading = review.reading
    return Version(
        number=review.state.based_on,
        kind="reader",
        created_utc=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        system=reading.system if reading is not None else "",
        model=reading.model if reading is not None else ModelIdentity("", "", ""),
        model_version=0,
        threshold=dict(review.state.threshold),
        pixel_threshold=review.state.pixel_threshold,
        looked=reading is not None,
        volume_ml=review.volumes_ml() if review.draws_masks else {},
        mask_sha256="",
        entry=store.entry(review, "draft"),
        difference=differences(review.model_label, review.label_kji, result.grid) if review.draws_masks else None,
        midline=measurable_midline_shift(review.state.midline, result.grid),
    )
