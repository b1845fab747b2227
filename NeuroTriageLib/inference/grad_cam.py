"""Grad-CAM of Ye 2019 (supplement 6): where on a slice the slice head's score comes from."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..networks.cnn_rnn import CnnRnn


def grad_cam(network: CnnRnn, maps: Tensor, output: int, slices: Sequence[int]) -> Tensor:
    """Heatmaps of one subject's slices, each with sum 1 (0 everywhere when nothing speaks for the output).

    Args:
        network: in evaluation mode.
        maps: (n, c, h, w) float32, the last convolution's maps of all slices of the subject.
        output: of the slice head; its logit is explained (Ye 2019: the bleeding class before the sigmoid).
        slices: which of the n slices to explain.

    Returns:
        (len(slices), h, w).
    """
    gradients = slice_gradients(network, maps, output, slices)  # (m, c, h, w)
    importance = gradients.mean(dim=(-2, -1), keepdim=True)  # Ye 2019: the mean gradient is the weight of a map
    heat = (importance * maps[list(slices)]).sum(dim=1).relu()
    return heat / heat.sum(dim=(-2, -1), keepdim=True).clamp_min(torch.finfo(heat.dtype).tiny)


def slice_gradients(network: CnnRnn, maps: Tensor, output: int, slices: Sequence[int]) -> Tensor:
    """Gradient of each slice's own logit with respect to its own maps: (len(slices), c, h, w).

    A slice's logit depends on its maps only through its pooled vector; so the way back through the RNN is taken slice
    by slice, and the way back to the maps once for all.
    """
    chosen = list(slices)
    if not chosen:
        return maps.new_zeros((0, *maps.shape[1:]))
    with torch.enable_grad():
        leaf = maps.detach().requires_grad_()
        pooled = network.pooled(leaf)
        vectors = pooled.detach().requires_grad_()
        with torch.backends.cudnn.flags(enabled=False):  # cuDNN has no backward pass for an RNN in evaluation mode
            logits = network.classify(vectors, [len(maps)]).slices[:, output]
            rows = torch.zeros_like(vectors)
            for t in chosen:
                rows[t] = torch.autograd.grad(logits[t], vectors, retain_graph=True)[0][t]
        gradient = torch.autograd.grad(pooled, leaf, rows)[0]
    return gradient[chosen]
