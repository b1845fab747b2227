"""Both ways over an exam: same windows, same scores, work only where there is brain, and a hearing for Cancel."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from NeuroTriageLib.core.errors import Cancelled, ConfigError
from NeuroTriageLib.inference.device import ComputeDevice
from NeuroTriageLib.inference.predictor import ExamMaps, Method, PatchFcnPredictor
from NeuroTriageLib.networks.patchfcn import PatchFcn
from NeuroTriageLib.systems.kuo2019_config import neighbour_slabs
from Testing.Lib.inference.local_network import LocalNetwork

CPU = ComputeDevice(torch.device("cpu"))
SIZE, STRIDE = 24, 8
METHODS: tuple[Method, ...] = ("dense", "patches")


def exam(slabs: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A random image within a brain that is smaller in the outer slabs and absent from the last one."""
    brain = np.zeros((slabs, 96, 96), dtype=bool)
    for s in range(slabs - 1):
        brain[s, 20 + 2 * s : 75, 30:70] = True
    image = np.random.default_rng(seed).random(brain.shape).astype(np.float32)
    return image * brain, brain


def run(network: torch.nn.Module, image: np.ndarray, brain: np.ndarray, method: Method, **options) -> ExamMaps:
    predictor = PatchFcnPredictor(network, CPU, SIZE, STRIDE)
    return predictor.predict(image, brain, neighbour_slabs(len(image), 3), method=method, **options)


@pytest.fixture(scope="module")
def small_network() -> PatchFcn:
    torch.manual_seed(1)
    return PatchFcn(types=5, width=0.0625)


def test_without_context_both_ways_give_the_same_pixels_and_scores():
    image, brain = exam()
    dense, patches = (run(LocalNetwork(), image, brain, method) for method in METHODS)
    np.testing.assert_allclose(dense.score_cs, patches.score_cs, atol=1e-6)
    difference = np.abs(dense.pixel_cshw.astype(np.float32) - patches.pixel_cshw.astype(np.float32))
    assert difference[:, brain].max() <= 1e-3  # rounding to half precision


def test_with_one_window_both_ways_are_the_same_pass(small_network: PatchFcn):
    image, brain = np.zeros((3, 64, 64), np.float32), np.zeros((3, 64, 64), bool)
    brain[:, 30:36, 28:35] = True  # with its margin smaller than one patch
    image[brain] = np.random.default_rng(0).random(brain.sum())
    dense, patches = (run(small_network, image, brain, method) for method in METHODS)
    np.testing.assert_allclose(dense.score_cs, patches.score_cs, atol=1e-4)
    np.testing.assert_allclose(dense.pixel_cshw, patches.pixel_cshw, atol=2e-3)


@pytest.mark.parametrize("method", METHODS)
def test_pixel_probabilities_are_those_of_the_pixel(method: Method):
    image, brain = exam()
    maps = run(LocalNetwork(type_index=2, level=0.4, gain=10.0), image, brain, method)
    expected = 1 / (1 + np.exp(-10.0 * (image[brain] - 0.4)))
    np.testing.assert_allclose(maps.pixel_cshw[0][brain], expected, atol=1e-3)  # any
    np.testing.assert_allclose(maps.pixel_cshw[3][brain], expected, atol=1e-3)  # third type
    assert maps.pixel_cshw[1][brain].max() < 1e-3


@pytest.mark.parametrize("method", METHODS)
def test_the_score_of_a_slab_is_its_brightest_window(method: Method):
    brain = np.zeros((3, 96, 96), dtype=bool)
    brain[:, 24:72, 24:72] = True
    image = np.where(brain, 0.5, 0.0).astype(np.float32)
    image[1, 40:48, 40:48] = 0.9  # wholly within windows of 24 x 24: raises their mean by 0.4 * 64 / 576
    maps = run(LocalNetwork(level=0.5, gain=20.0), image, brain, method)
    whole_window_in_brain = 1 / (1 + np.exp(-20.0 * 0.4 * 64 / 576))
    assert maps.score_cs[0, 1] == pytest.approx(whole_window_in_brain, abs=1e-5)
    assert maps.score_cs[0, [0, 2]] == pytest.approx(0.5, abs=1e-5)
    assert maps.score_cs[1] == pytest.approx(maps.score_cs[0])  # the type that has all of it
    assert maps.score_cs[2:].max() < 1e-6


@pytest.mark.parametrize("method", METHODS)
def test_slabs_without_brain_are_not_passed_and_stay_zero(method: Method):
    image, brain = exam()
    brain[2] = False
    network = LocalNetwork(level=-1.0)  # calls everything that it sees
    maps = run(network, image, brain, method)
    assert not maps.pixel_cshw[:, [2, 4]].any() and not maps.score_cs[:, [2, 4]].any()
    if method == "dense":
        assert sum(len(batch) for batch in network.inputs) == 3
    assert maps.score_cs[0, [0, 1, 3]].min() > 0.99


@pytest.mark.parametrize("method", METHODS)
def test_windows_without_brain_are_not_scored(method: Method):
    brain = np.zeros((2, 128, 128), dtype=bool)
    brain[0, 10:120, 10:120] = True
    brain[1, 10:20, 10:20] = True  # the far corner of this slab's box holds no brain
    image = np.zeros(brain.shape, dtype=np.float32)
    image[1, 90:, 90:] = 1.0
    maps = run(LocalNetwork(), image, brain, method)
    assert maps.score_cs[0, 1] < 1e-6


def test_nothing_to_look_at_passes_nothing():
    network = LocalNetwork()
    maps = run(network, np.ones((4, 64, 64), np.float32), np.zeros((4, 64, 64), bool), "dense")
    assert not network.inputs and not maps.pixel_cshw.any() and not maps.score_cs.any()


def test_the_channels_are_the_slab_and_its_neighbours_and_the_ends_repeat():
    brain = np.zeros((4, 64, 64), dtype=bool)
    brain[:, 24:40, 24:40] = True
    image = np.where(brain, np.arange(1.0, 5.0)[:, None, None], 0.0).astype(np.float32)
    network = LocalNetwork()
    run(network, image, brain, "dense")
    seen = torch.cat(network.inputs).amax(dim=(-2, -1)).tolist()
    assert seen == [[1, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 4]]


def test_a_single_slab_is_its_own_neighbours():
    assert neighbour_slabs(1, 3).tolist() == [[0, 0, 0]]
    assert neighbour_slabs(3, 5).tolist() == [[0, 0, 0, 1, 2], [0, 0, 1, 2, 2], [0, 1, 2, 2, 2]]


@pytest.mark.parametrize("method", METHODS)
def test_cancel_ends_the_run_before_the_next_batch(method: Method, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ComputeDevice, "batch_size", lambda self, height, width: 1)
    image, brain = exam(slabs=8)
    network = LocalNetwork()
    passes = []

    def cancel_in_the_middle(stage: str, fraction: float) -> None:
        passes.append(len(network.inputs))
        if fraction >= 0.4:
            raise Cancelled("The run was cancelled.")

    with pytest.raises(Cancelled):
        run(network, image, brain, method, progress=cancel_in_the_middle)
    assert len(network.inputs) == passes[-1]
    assert len(passes) < 7


@pytest.mark.parametrize("method", METHODS)
def test_the_same_exam_gives_the_same_bits(small_network: PatchFcn, method: Method):
    image, brain = exam()
    first, second = (run(small_network, image, brain, method) for _ in range(2))
    np.testing.assert_array_equal(first.pixel_cshw, second.pixel_cshw)
    np.testing.assert_array_equal(first.score_cs, second.score_cs)


def test_the_batch_size_changes_nothing(small_network: PatchFcn, monkeypatch: pytest.MonkeyPatch):
    image, brain = exam(slabs=3)
    results = []
    for size in (1, 64):
        monkeypatch.setattr(ComputeDevice, "batch_size", lambda self, height, width, size=size: size)
        results += [run(small_network, image, brain, method) for method in METHODS]
    np.testing.assert_allclose(results[0].score_cs, results[2].score_cs, atol=1e-4)
    np.testing.assert_allclose(results[1].score_cs, results[3].score_cs, atol=1e-4)


def test_patch_sizes_must_fit_the_output_stride():
    with pytest.raises(ConfigError):
        PatchFcnPredictor(LocalNetwork(), CPU, 25, 8)
    with pytest.raises(ConfigError):
        image, brain = exam()
        run(LocalNetwork(), image, brain, "sideways")  # type: ignore[arg-type]
