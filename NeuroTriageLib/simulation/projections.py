"""Parallel projections of coarse slices and their filtered back-projection, as one sparse matrix."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch


@dataclass(frozen=True, eq=False)
class Projector:
    """Line integrals of square slices and back.

    Args:
        size: rows and columns of a slice.
        angles: views over 180 degrees.
        forward: sparse (angles * detectors, size * size) weights; detectors are one pixel apart.
        back: its transpose.
        ramp: (detectors_padded // 2 + 1,) frequency response of the ramp filter, per pixel.
    """

    size: int
    angles: int
    detectors: int
    forward: torch.Tensor
    back: torch.Tensor
    ramp: torch.Tensor

    def project(self, slices: torch.Tensor) -> torch.Tensor:
        """(angles * detectors, N) sums along rays, in pixels, of N slices (N, size, size)."""
        return torch.sparse.mm(self.forward, slices.reshape(len(slices), -1).T.contiguous())

    def smear(self, rays: torch.Tensor) -> torch.Tensor:
        """(N, size, size) mean over the views of what rays (angles * detectors, N) carry through each pixel."""
        return (torch.sparse.mm(self.back, rays) / self.angles).T.reshape(-1, self.size, self.size)

    def reconstruct(self, rays: torch.Tensor) -> torch.Tensor:
        """(N, size, size) filtered back-projection of rays (angles * detectors, N), per pixel."""
        count = rays.shape[1]
        views = rays.reshape(self.angles, self.detectors, count)
        length = 2 * (len(self.ramp) - 1)
        spectrum = torch.fft.rfft(views, n=length, dim=1) * self.ramp[None, :, None]
        filtered = torch.fft.irfft(spectrum, n=length, dim=1)[:, : self.detectors]
        return self.smear(filtered.reshape(-1, count).contiguous()) * np.pi


@lru_cache(maxsize=4)
def projector(size: int, angles: int, device: torch.device) -> Projector:
    """The projector of a size, made once and kept."""
    detectors = int(np.ceil(size * 2**0.5)) + 2
    middle = (size - 1) / 2.0
    y, x = np.meshgrid(np.arange(size) - middle, np.arange(size) - middle, indexing="ij")
    rows, columns, weights = [], [], []
    for number, angle in enumerate(np.pi * np.arange(angles) / angles):
        place = (x * np.cos(angle) + y * np.sin(angle) + (detectors - 1) / 2.0).ravel()
        low = np.floor(place).astype(np.int64)
        part = place - low
        for detector, weight in ((low, 1.0 - part), (low + 1, part)):
            rows.append(number * detectors + detector)
            columns.append(np.arange(size * size))
            weights.append(weight)
    index = np.stack([np.concatenate(rows), np.concatenate(columns)])
    shape = (angles * detectors, size * size)
    values = torch.from_numpy(np.concatenate(weights).astype(np.float32))
    with warnings.catch_warnings():  # torch calls its compressed rows "beta"
        warnings.simplefilter("ignore", UserWarning)
        matrix = torch.sparse_coo_tensor(torch.from_numpy(index), values, shape).coalesce()
        forward = matrix.to_sparse_csr().to(device)
        back = matrix.t().coalesce().to_sparse_csr().to(device)
    return Projector(size, angles, detectors, forward, back, _ramp(detectors).to(device))


def _ramp(detectors: int) -> torch.Tensor:
    """The band-limited ramp of Ramachandran and Lakshminarayanan (1971), sampled in space so that its mean is right."""
    length = 2 ** int(np.ceil(np.log2(2 * detectors)))
    kernel = np.zeros(length)
    kernel[0] = 0.25
    odd = np.arange(1, length // 2, 2)
    kernel[odd] = kernel[-odd] = -1.0 / (np.pi * odd) ** 2
    return torch.from_numpy(np.fft.rfft(kernel).real.astype(np.float32))
