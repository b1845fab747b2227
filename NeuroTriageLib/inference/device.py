"""Which device a network runs on, and in which precision: honest about what is there, never a silent fallback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import nn

from ..core.errors import ConfigError, ModelError

# Pixels of network input per batch: large enough to keep the device busy, small enough that a batch on the CPU ends
# within a second or two, so that Cancel is heard (ours).
CPU_BATCH_PIXELS = 4 * 256 * 256
CUDA_BATCH_PIXELS = 64 * 256 * 256


@dataclass(frozen=True)
class ComputeDevice:
    """A device and how it is best used.

    Half precision is used on CUDA (float16 autocast). On the CPU it is float32: bfloat16 has 8 bits of mantissa and
    moves probabilities by up to about 0.02, too much for a score that is compared with a threshold.
    """

    device: torch.device

    @property
    def name(self) -> str:
        """ "cpu" or "cuda: NAME", as results carry it."""
        if self.device.type == "cuda":
            return f"cuda: {torch.cuda.get_device_name(self.device)}"
        return self.device.type

    def precision(self) -> AbstractContextManager[object]:
        """The context in which the network runs."""
        if self.device.type == "cuda":
            return torch.autocast("cuda", dtype=torch.float16)
        return nullcontext()

    def batch_size(self, height: int, width: int) -> int:
        """Images of this size in one batch, at least one."""
        pixels = CUDA_BATCH_PIXELS if self.device.type == "cuda" else CPU_BATCH_PIXELS
        return max(1, pixels // (height * width))


def choose_device(name: str) -> ComputeDevice:
    """ "auto" (CUDA when there is one), "cpu" or "cuda". Raises ConfigError for anything else and for absent CUDA."""
    if name not in ("auto", "cpu", "cuda"):
        raise ConfigError("The device must be auto, cpu or cuda.", where=name)
    has_cuda = torch.cuda.is_available()
    if name == "cuda" and not has_cuda:
        built = torch.version.cuda is not None
        reason = "PyTorch sees no CUDA device" if built else "the installed PyTorch was built without CUDA"
        raise ConfigError(f"CUDA was asked for, but {reason}.", next_step="Use --device cpu or auto.")
    return ComputeDevice(torch.device("cuda" if has_cuda and name != "cpu" else "cpu"))


def place_network(network: nn.Module, device: ComputeDevice) -> nn.Module:
    """The network on the device for inference: batch norms folded into their convolutions, channels last."""
    fold_batch_norms(network.eval())
    try:
        return network.to(device.device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
    except torch.OutOfMemoryError as error:
        raise ModelError("The model does not fit on the GPU.", next_step="Use --device cpu.") from error


@contextmanager
def gpu_memory_errors() -> Iterator[None]:
    """Turns the GPU's out-of-memory into a message that a user can act on."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise ModelError("The GPU ran out of memory.", next_step="Use --device cpu, or free the GPU.") from error


def fold_batch_norms(network: nn.Module) -> None:
    """Merge every batch norm that follows a convolution in a Sequential into it, in place (evaluation mode only)."""
    for module in network.modules():
        if not isinstance(module, nn.Sequential):
            continue
        for index in range(len(module) - 1):
            convolution, norm = module[index], module[index + 1]
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                module[index] = nn.utils.fusion.fuse_conv_bn_eval(convolution, norm)
                module[index + 1] = nn.Identity()
