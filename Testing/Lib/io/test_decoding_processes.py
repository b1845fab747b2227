"""Several processes decode the same frames in the same order as one, and a failing one costs nothing but time."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless

from NeuroTriageLib.core.errors import DicomError
from NeuroTriageLib.io import decoding_processes
from NeuroTriageLib.io.decoding_processes import decode_jobs, process_count
from NeuroTriageLib.io.dicom_headers import quiet_pydicom
from NeuroTriageLib.io.dicom_pixels import decode_file
from NeuroTriageLib.io.inputs import open_input, read_volume
from Testing.Lib.io.dicom_builder import axial, compressed, enhanced, slices, write


def test_classic_slices_come_in_order(tmp_path):
    stack = axial(shape_ji=(40, 36))
    folder = write(tmp_path, [compressed(item, JPEG2000Lossless) for item in slices(stack)])
    jobs = [(path, [0]) for path in sorted(folder.iterdir())]
    with quiet_pydicom():
        frames = decode_jobs(jobs, decode_file, 3)
    assert np.array_equal(np.stack(frames) - 1024, stack.values())


def test_a_series_is_the_same_with_several_processes(tmp_path, monkeypatch):
    stack = axial(shape_ji=(40, 36))
    write(tmp_path, [compressed(enhanced(stack, order=[*range(11, -1, -1)]), JPEGLSLossless)])
    monkeypatch.setattr("NeuroTriageLib.io.dicom_pixels.process_count", lambda frames: 2)
    with open_input(tmp_path) as (study,):
        volume, _ = read_volume(study.series[0])
    assert np.array_equal(volume.array_kji, stack.values())


def test_what_a_process_fails_at_is_decoded_here(tmp_path, monkeypatch):
    stack = axial(shape_ji=(40, 36))
    folder = write(tmp_path, [compressed(item, JPEG2000Lossless) for item in slices(stack)])
    monkeypatch.setattr(decoding_processes, "_CHILD", "raise SystemExit(3)")
    with quiet_pydicom():
        frames = decode_jobs([(path, [0]) for path in sorted(folder.iterdir())], decode_file, 2)
    assert np.array_equal(np.stack(frames) - 1024, stack.values())


def test_a_damaged_frame_is_reported_with_its_file_whoever_met_it(tmp_path):
    folder = write(tmp_path, [compressed(item, JPEG2000Lossless) for item in slices(axial(shape_ji=(40, 36)))])
    victim = sorted(folder.iterdir())[-1]
    victim.write_bytes(victim.read_bytes()[:-300])
    with quiet_pydicom(), pytest.raises(DicomError) as caught:
        decode_jobs([(path, [0]) for path in sorted(folder.iterdir())], decode_file, 2)
    assert victim.name in caught.value.where


def test_few_frames_start_no_process():
    assert process_count(40) == 1


def test_a_program_with_an_embedded_interpreter_starts_no_process(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/opt/Slicer/bin/SlicerApp-real")
    assert process_count(1000) == 1
