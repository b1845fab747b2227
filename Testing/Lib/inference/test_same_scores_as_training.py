"""Calibration is fitted on training's scores and applied to inference's: they must be the same number."""

from __future__ import annotations

import copy

import numpy as np
import torch

from NeuroTriageLib.inference.device import ComputeDevice
from NeuroTriageLib.inference.predictor import PatchFcnPredictor
from NeuroTriageLib.systems.kuo2019 import build_network
from NeuroTriageLib.systems.kuo2019_config import Kuo2019Config, neighbour_slabs
from NeuroTriageLib.training.dense_validation import answer_exam
from NeuroTriageLib.training.windowed_exam import OUTSIDE, WindowedExam

CONFIG = Kuo2019Config(width=0.0625, pixel_spacing_mm=3.6, image_size=96, patch_size=24)


def test_validation_and_inference_give_an_exam_the_same_scores():
    random = np.random.default_rng(0)
    brain = np.zeros((6, 60, 50), dtype=bool)
    brain[1:, 4:55, 6:44] = True
    stored = (random.random(brain.shape) * 255).astype(np.uint8) * brain
    exam = WindowedExam(stored, np.where(brain, 0, OUTSIDE).astype(np.uint8), (15, 20), 96, {})
    torch.manual_seed(3)
    network = build_network(CONFIG).eval()
    expected = answer_exam(network, exam, CONFIG, bfloat16=False).score

    image, target = exam.whole()
    predictor = PatchFcnPredictor(copy.deepcopy(network), ComputeDevice(torch.device("cpu")), 24, CONFIG.patch_stride)
    maps = predictor.predict(image, target != OUTSIDE, neighbour_slabs(len(image), CONFIG.slices))
    np.testing.assert_allclose(maps.score_cs.max(axis=1), expected, atol=1e-4)
