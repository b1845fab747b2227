"""The MRI sample that ships: complete, small, and its truth agrees with its files and with what the eye sees."""

from __future__ import annotations

import json

import numpy as np
import pytest

from NeuroTriageLib.core.mr_images import MrImage
from NeuroTriageLib.core.resources import sample_data_folder
from NeuroTriageLib.io.inputs import open_input
from NeuroTriageLib.series_selection.mr_study_images import MrStudyChoice, choose_mr_study, read_images

SAMPLE = sample_data_folder() / "BrainMrSample"
ROLE_OF = {"T1post_sagittal": "T1_post"}


@pytest.fixture(scope="module")
def choice() -> MrStudyChoice:
    with open_input(SAMPLE / "dicom") as studies:
        return choose_mr_study(studies[0], {})


@pytest.fixture(scope="module")
def images(choice) -> dict[str, MrImage]:
    read = read_images(choice)
    assert read.flags == ()
    return read.images


@pytest.fixture(scope="module")
def masks() -> dict[str, np.ndarray]:
    with np.load(SAMPLE / "masks.npz") as stored:
        return {name: stored[name] > 0 for name in stored.files}


def test_the_sample_has_eight_series_in_less_than_five_megabytes(choice):
    assert sum(path.stat().st_size for path in SAMPLE.rglob("*") if path.is_file()) < 5_000_000
    roles = {path.name for path in (SAMPLE / "dicom").iterdir()}
    assert roles == {ROLE_OF.get(name, name) for name in choice.chosen} and len(roles) == 8
    assert all(choice.item.identification.confidence > 0.9 for choice in choice.chosen.values())


def test_its_truth_lies_on_the_voxels_of_each_series(images, masks):
    truth = json.loads((SAMPLE / "truth.json").read_text("utf-8"))
    assert truth["acute_infarct"] and not truth["acute_hemorrhage"]
    for contrast, image in images.items():
        grid, mask = image.volume.grid, masks[f"{ROLE_OF.get(contrast, contrast)}.acute_infarct"]
        assert mask.shape == grid.shape_kji
        volume = mask.sum((1, 2)) @ grid.voxel_volumes_ml
        assert volume == pytest.approx(truth["volume_ml"]["acute_infarct"], rel=0.2)


def test_its_infarct_is_bright_on_trace_and_dark_on_adc(images, masks):
    for contrast, sign in (("TRACE", 1), ("ADC", -1)):
        values, mask = images[contrast].volume.array_kji, masks[f"{contrast}.acute_infarct"]
        slices = mask.any(axis=(1, 2))
        brain = values[slices][~mask[slices] & (values[slices] > 0.3 * np.percentile(values, 95))]
        assert sign * (np.median(values[mask]) / np.median(brain) - 1) > 0.3
