"""Makes the sample MRI that ships: one simulated study of eight series with an acute infarct that the eye sees.

python -m NeuroTriageLib.simulation.mr.sample_study seg_20.nii.gz Resources/SampleData/BrainMrSample
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np

from ..anatomy import Anatomy, load_anatomy
from .canvas import MrCanvas
from .infarcts import add_acute_infarct
from .profiles import SIEMENS_LIKE, SequenceRange
from .settings import BrainMrSettings
from .study import SimulatedSeries, SimulatedStudy, simulate_brain_mr
from .study_folders import write_study

SAMPLE_SEED = 16
SAMPLE_ROLES = ("FLAIR", "ADC", "TRACE", "T2star", "T1", "T1_sagittal", "T1_post", "T2")
MATRIX = 224  # 1.0 mm in plane; eight series of 256 x 256 come too near to the 5 MB of a sample (ours)
SLICES_MM = 5.0
AIR_SHARE = (
    0.06  # of the 99th percentile; what is darker is written as nothing, as scanners do that mask the background
)


def _thick(way: SequenceRange) -> SequenceRange:
    return dataclasses.replace(way, thickness_mm=(SLICES_MM,), gap_share=(0.2, 0.2))


def _plain_ways() -> dict[str, tuple[SequenceRange, ...]]:
    """The first way of each series, two-dimensional, with 5 mm slices."""
    return {name: (_thick(ways[0]),) for name, ways in SIEMENS_LIKE.ways.items()}


SAMPLE_SETTINGS = BrainMrSettings(
    profiles=(
        dataclasses.replace(
            SIEMENS_LIKE, ways=_plain_ways(), fields_tesla=(1.5,), swi=0.0, sagittal_post=1.0, units=(250.0, 260.0),
            bias=(0.03, 0.15), ghost=(0.0, 0.005), masks_background=1.0, field_of_view_mm=(228.0, 232.0),
            coverage_below_mm=(8.0, 9.0), coverage_above_mm=(4.0, 5.0),
        ),
    ),
    roles=SAMPLE_ROLES,
    matrix=MATRIX,
    movement_probability=0.0,
    motion_probability=0.0,
    partial_probability=0.0,
    stripped_probability=0.0,
    artefact_gain=(0.4, 0.5),
    noise_gain=(0.7, 0.7),
)  # fmt: skip


def _sample_infarct(canvas: MrCanvas) -> None:
    plain = BrainMrSettings(small_infarct_probability=0.0, hemorrhagic_infarct_probability=0.0)
    add_acute_infarct(canvas, plain, None, "acute")


def sample_study(anatomy: Anatomy, seed: int = SAMPLE_SEED) -> SimulatedStudy:
    """The sample's study; the air around the head is 0."""
    study = simulate_brain_mr(anatomy, seed, SAMPLE_SETTINGS, paint=_sample_infarct)
    return dataclasses.replace(study, series={role: _without_air(series) for role, series in study.series.items()})


def _without_air(series: SimulatedSeries) -> SimulatedSeries:
    array = series.volume.array_kji
    kept = np.where(array < AIR_SHARE * np.percentile(array, 99), 0, array).astype(array.dtype)
    return dataclasses.replace(series, volume=dataclasses.replace(series.volume, array_kji=kept))


def main() -> None:
    """Write the sample study from a head label map into a new folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("label_map", type=Path)
    parser.add_argument("output", type=Path, help="new folder for dicom/, masks.npz and truth.json")
    options = parser.parse_args()
    write_study(sample_study(load_anatomy(options.label_map)), options.output)


if __name__ == "__main__":
    main()
