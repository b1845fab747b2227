"""The device is the one that was asked for or an error, and preparing a network for it changes no answer."""

from __future__ import annotations

import pytest
import torch

from NeuroTriageLib.core.errors import ConfigError
from NeuroTriageLib.inference.device import ComputeDevice, choose_device, fold_batch_norms, place_network
from NeuroTriageLib.networks.patchfcn import PatchFcn


def trained_like() -> PatchFcn:
    """A network whose batch norms do something."""
    torch.manual_seed(0)
    network = PatchFcn(types=2, width=0.0625)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0.0, 0.3)
            module.running_var.uniform_(0.5, 2.0)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0.0, 0.2)
    return network.eval()


def test_folding_the_batch_norms_changes_no_output():
    network, x = trained_like(), torch.rand(2, 3, 32, 40)
    with torch.inference_mode():
        before = network(x)
        fold_batch_norms(network)
        after = network(x)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules())
    torch.testing.assert_close(after.pixel, before.pixel, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(after.patch, before.patch, atol=1e-4, rtol=1e-4)


def test_channels_last_changes_no_output():
    x = torch.rand(2, 3, 32, 40)
    with torch.inference_mode():
        before = trained_like()(x)
        placed = place_network(trained_like(), ComputeDevice(torch.device("cpu")))
        after = placed(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(after.patch, before.patch, atol=1e-4, rtol=1e-4)


def test_cuda_that_is_not_there_is_an_error_and_auto_is_the_cpu(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="CUDA"):
        choose_device("cuda")
    assert choose_device("auto").name == "cpu"
    assert choose_device("cpu").name == "cpu"


def test_an_unknown_device_is_an_error():
    with pytest.raises(ConfigError, match="auto, cpu or cuda"):
        choose_device("tpu")


def test_at_least_one_image_makes_a_batch():
    cpu = choose_device("cpu")
    assert cpu.batch_size(256, 256) == 4
    assert cpu.batch_size(4096, 4096) == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_half_precision_on_cuda_stays_near_the_cpu():
    x = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        expected = torch.softmax(trained_like()(x).pixel, dim=1)
        device = choose_device("cuda")
        network = place_network(trained_like(), device)
        with device.precision():
            pixel = network(x.to(device.device, memory_format=torch.channels_last)).pixel
    torch.testing.assert_close(torch.softmax(pixel.float(), dim=1).cpu(), expected, atol=5e-3, rtol=0)
