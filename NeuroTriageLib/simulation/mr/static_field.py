"""The static field's error in a head, whose air and tissue magnetise differently: the dipole formula on the map."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F

from ..anatomy import Anatomy
from ..tissue import BRAIN_TISSUES, Tissue

NODE_MM = 2.5
AIR_PPM = 9.4  # volume susceptibility of air (+0.36) minus that of tissue (-9.05): Schenck, Med Phys 1996
PAD_NODES = 20  # the head's surroundings, so that the periodic Fourier sum does not see its own copies


@lru_cache(maxsize=24)
def static_field(anatomy: Anatomy) -> torch.Tensor:
    """(1, 4, k, j, i) float32 on nodes that span the map: error in ppm, and its slopes along i, j, k in ppm/mm.

    The main field is taken along the map's k. What a scanner's shim takes away (a polynomial of second order, fitted
    in the brain) is left out. The convolution with a dipole is a product in Fourier space: Marques and Bowtell,
    Concepts Magn Reson 2005.
    """
    air = torch.from_numpy(np.isin(anatomy.tissue, (Tissue.OUTSIDE, Tissue.AIR)).astype(np.float32))
    shape = [max(8, round(n / NODE_MM)) for n in anatomy.shape_kji]
    coarse = F.adaptive_avg_pool3d(air[None, None], (shape[0], shape[1], shape[2]))
    # The neck goes on below the map; all round is air.
    padded = F.pad(coarse, (PAD_NODES,) * 4 + (0, PAD_NODES), value=1.0)
    padded = F.pad(padded, (0, 0, 0, 0, PAD_NODES, 0), mode="replicate")[0, 0]
    steps = [(n - 1) / (m - 1) for n, m in zip(anatomy.shape_kji, shape, strict=True)]
    field = dipole_field(AIR_PPM * padded, steps)
    middle = tuple(slice(PAD_NODES, PAD_NODES + n) for n in shape)
    field = _shimmed(field[middle], anatomy)
    slopes = torch.gradient(field, spacing=steps)
    return torch.stack([field, slopes[2], slopes[1], slopes[0]])[None]


def dipole_field(susceptibility: torch.Tensor, steps_mm: list[float]) -> torch.Tensor:
    """(k, j, i) field error, in the unit of the susceptibility, of a map of it in a main field along k.

    The map is taken to go on periodically. The mean is left out.
    """
    frequencies = [torch.fft.fftfreq(n, d=step) for n, step in zip(susceptibility.shape, steps_mm, strict=True)]
    waves = torch.meshgrid(*frequencies, indexing="ij")
    squared = waves[0] ** 2 + waves[1] ** 2 + waves[2] ** 2
    kernel = 1.0 / 3.0 - waves[0] ** 2 / squared.clamp(min=1e-12)
    kernel[0, 0, 0] = 0.0
    return torch.fft.ifftn(torch.fft.fftn(susceptibility) * kernel).real


def _shimmed(field: torch.Tensor, anatomy: Anatomy) -> torch.Tensor:
    axes = [torch.linspace(-1, 1, n) for n in field.shape]
    z, y, x = torch.meshgrid(*axes, indexing="ij")
    one = torch.ones_like(x)
    terms = torch.stack([one, x, y, z, x * y, x * z, y * z, x * x - y * y, 2 * z * z - x * x - y * y], -1)
    index = [torch.linspace(0, n - 1, m).round().long() for n, m in zip(anatomy.shape_kji, field.shape, strict=True)]
    brain = torch.from_numpy(np.isin(anatomy.tissue, BRAIN_TISSUES))[index[0]][:, index[1]][:, :, index[2]]
    fitted = torch.linalg.lstsq(terms[brain], field[brain][:, None]).solution
    return field - (terms @ fitted)[..., 0]
