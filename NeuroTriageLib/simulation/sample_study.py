"""Makes the sample study that ships: one simulated head CT with deep, ventricular and subarachnoid blood.

python -m NeuroTriageLib.simulation.sample_study seg_20.nii.gz Resources/SampleData/HeadCtSample
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np

from .anatomy import Anatomy, load_anatomy
from .canvas import HeadCanvas
from .dicom_export import CtSeriesDescription
from .exam_folders import write_exam
from .head_ct import SimulatedExam, simulate_head_ct
from .hemorrhage_intraventricular import add_ivh
from .hemorrhage_parenchymal import add_bleeding
from .hemorrhage_subarachnoid import add_sah
from .settings import HeadCtSettings

SAMPLE_SEED = 1
SAMPLE_SETTINGS = HeadCtSettings(
    matrix=512,
    slice_spacings_mm=(4.0,),
    mixed_stack_probability=0.0,
    gap_probability=0.0,
    tilt_probability=1.0,
    tilt_deg=(12.0, 12.5),
    field_of_view_mm=(236.0, 244.0),
    pitch_deg=2.0,
    yaw_deg=2.0,
    roll_deg=2.0,
    noise_hu=(3.0, 3.4),
    bone_halo_hu=(25.0, 45.0),
    rim_hu=(15.0, 30.0),
    coverage_below_mm=(11.5, 12.0),
    coverage_above_mm=(6.0, 6.5),
    old_infarct_probability=0.0,
    acute_infarct_probability=0.0,
    head_rest_probability=0.0,
    wire_probability=0.0,
    motion_probability=0.0,
    sharp_kernel_probability=0.0,
    padding_hu=(-1024.0,),
    hydrocephalus_probability=0.0,
    tumour_probability=0.0,
    surgery_probability=0.0,
    contrast_probability=0.0,
    metal_probability=0.0,
    oedema_probability=0.0,
    hygroma_probability=0.0,
)
AIR_BELOW_HU = -850  # what is darker is written as plain air, which compresses to almost nothing


def _sample_blood(canvas: HeadCanvas) -> None:
    add_bleeding(canvas, "thalamus", 24.0)
    add_ivh(canvas, "level")
    add_sah(canvas, "sulci")


def sample_exam(anatomy: Anatomy, seed: int = SAMPLE_SEED) -> SimulatedExam:
    """The sample's exam; the air around the head is constant."""
    exam = simulate_head_ct(anatomy, seed, SAMPLE_SETTINGS, paint_blood=_sample_blood)
    hu = np.where(exam.volume.array_kji < AIR_BELOW_HU, -1024, exam.volume.array_kji).astype(np.int16)
    return dataclasses.replace(exam, volume=dataclasses.replace(exam.volume, array_kji=hu))


def main() -> None:
    """Write the sample study from a head label map into a new folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("label_map", type=Path)
    parser.add_argument("output", type=Path, help="new folder for dicom/, label.npz and truth.json")
    options = parser.parse_args()
    description = CtSeriesDescription(
        seed=SAMPLE_SEED,
        patient_id="SIM0001",
        study_description="Simulated head CT, no patient",
        series_description="HEAD 4.0 H31s",
    )
    write_exam(sample_exam(load_anatomy(options.label_map)), options.output, description=description)


if __name__ == "__main__":
    main()
