"""Batch normalisation over a minibatch that several processes share: its statistics are those of the whole batch.

torch.nn.SyncBatchNorm does the same on CUDA alone; this one runs on any device.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from .processes import Processes


def share_batch_norms(network: nn.Module, processes: Processes) -> None:
    """Replace every batch normalisation of a network; its parameters and statistics stay the same tensors."""
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, _BatchNorm) and not isinstance(child, SharedBatchNorm):
                setattr(module, name, SharedBatchNorm.of(child, processes))


class SharedBatchNorm(_BatchNorm):
    """nn.BatchNorm2d or 3d whose training statistics are taken over the rows of all processes."""

    processes: Processes

    @classmethod
    def of(cls, norm: _BatchNorm, processes: Processes) -> SharedBatchNorm:
        """The same layer, shared."""
        shared = cls(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        shared._parameters, shared._buffers = norm._parameters, norm._buffers
        shared.processes = processes
        return shared.train(norm.training)

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of dimensions after the channels."""

    def forward(self, input: Tensor) -> Tensor:
        """(b, c, ...) -> the same shape; b are this process's rows."""
        if not self.training or self.momentum is None:
            return super().forward(input)
        out, mean, variance, count = _Normalise.apply(input.float(), self.weight, self.bias, self.eps, self.processes)  # type: ignore[no-untyped-call]
        with torch.no_grad():
            self.num_batches_tracked.add_(1)  # type: ignore[operator, union-attr]
            unbiased = variance * count / (count - 1).clamp_min(1)
            self.running_mean.lerp_(mean, self.momentum)  # type: ignore[union-attr]
            self.running_var.lerp_(unbiased, self.momentum)  # type: ignore[union-attr]
        return out.to(input.dtype)


class _Normalise(torch.autograd.Function):
    """Normalised values, and the mean, biased variance and number of values per channel of all processes."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float, processes: Processes
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        axes = [0, *range(2, x.dim())]
        own = x.new_tensor([x.numel() / x.shape[1]])
        own_mean = x.mean(dim=axes)
        sums = processes.total(torch.cat([own_mean * own, own]))
        count = sums[-1:]
        mean = sums[:-1] / count
        squares = (x - _wide(mean, x)).square().sum(dim=axes)
        variance = processes.total(squares) / count
        scale = (variance + eps).rsqrt()
        ctx.save_for_backward(x, weight, mean, scale, count)
        ctx.processes = processes
        out = (x - _wide(mean, x)) * _wide(scale * weight, x) + _wide(bias, x)
        ctx.mark_non_differentiable(mean, variance, count)
        return out, mean, variance, count

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Any) -> tuple[Tensor, Tensor, Tensor, None, None]:
        x, weight, mean, scale, count = ctx.saved_tensors
        axes = [0, *range(2, x.dim())]
        normal = (x - _wide(mean, x)) * _wide(scale, x)
        bias_gradient = gradient.sum(dim=axes)
        weight_gradient = (gradient * normal).sum(dim=axes)
        both = ctx.processes.total(torch.cat([bias_gradient, weight_gradient])) / count
        of_bias, of_weight = both.chunk(2)
        inner = gradient - _wide(of_bias, x) - normal * _wide(of_weight, x)
        return inner * _wide(scale * weight, x), weight_gradient, bias_gradient, None, None


def _wide(values: Tensor, like: Tensor) -> Tensor:
    """(c,) as (1, c, 1, ...)."""
    return values.view(1, -1, *[1] * (like.dim() - 2))
