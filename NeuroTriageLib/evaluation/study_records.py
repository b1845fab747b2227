"""The record of a labelled brain MRI: what is known of each finding, and what one or more readings of it say."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from ..core.codes import ABNORMAL, MR_CODES
from ..core.study_reading import StudyReading
from ..datasets.labelled_case import LabelledMr
from ..measurements.volume import mask_volume_ml
from .exam_records import ExamRecord, GroupAnswer, GroupTruth, SystemAnswer


def record_study(
    name: str, known: LabelledMr, told: Mapping[str, StudyReading], *, simulated: bool = False, anatomy: str = ""
) -> ExamRecord:
    """Truth and answers of one study; volumes are those on the series that a finding is shown on.

    Args:
        name: of the study.
        known: its images and labels; what it does not say is unknown.
        told: name of a system -> its answer on these images, or on some of them.
        simulated, anatomy: see ExamRecord.
    """
    truth = {code: GroupTruth(shown) for code, shown in known.exam_presence().items() if code in MR_CODES}
    answers = {system: _answer(reading, known, truth) for system, reading in told.items()}
    return ExamRecord(name, truth, answers, anatomy, simulated=simulated)


def _answer(told: StudyReading, known: LabelledMr, truth: dict[str, GroupTruth]) -> SystemAnswer:
    """One answer; truth gets the volume of each finding on the series that it is shown on."""
    groups = {}
    for contrast, reading in told.readings.items():
        grid = known.images[contrast].volume.grid
        for value, code in enumerate(reading.codes, start=1):
            if code in told.asserted:
                continue
            groups[code] = GroupAnswer(reading.probability[code], reading.is_present(code))
            if code == ABNORMAL or code not in truth:
                continue
            true = known.masks.get(contrast, {}).get(code)
            if true is None:
                if truth[code].present:
                    continue  # it is somewhere, and nobody drew where
                true = np.zeros(grid.shape_kji, bool)
            found = reading.label_kji == value
            truth[code] = GroupTruth(truth[code].present, volume_ml=mask_volume_ml(true, grid))
            groups[code] = dataclasses.replace(
                groups[code], volume_ml=mask_volume_ml(found, grid), overlap_ml=mask_volume_ml(found & true, grid)
            )
    return SystemAnswer(groups, float(sum(told.timings_s.values())))
