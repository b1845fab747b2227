"""PatchFCN over a whole exam in two ways that agree: the paper's overlapping patches, and one dense pass per slab.

Both use the same windows. A patch passed alone sees zeros beyond its border where the dense pass sees the neighbouring
tissue; that, and nothing else, is the difference between them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ..core.errors import ConfigError
from ..networks.patchfcn import OUTPUT_STRIDE, PatchFcn, patch_logits, window_logits
from ..preprocessing.patch_lattice import WindowLattice, lattice_over
from .device import ComputeDevice, gpu_memory_errors, place_network

Method = Literal["dense", "patches"]
Progress = Callable[[str, float], None]


@dataclass(frozen=True, eq=False)
class ExamMaps:
    """What the network says about an exam, on its own grid. Channel 0 is any hemorrhage, then the N types.

    Args:
        pixel_cshw: (1 + N, S, H, W) float16 probability of each pixel; 0 outside the windows and in skipped slabs.
        score_cs: (1 + N, S) float32 highest patch score of each slab; 0 in skipped slabs.
    """

    pixel_cshw: np.ndarray
    score_cs: np.ndarray


class PatchFcnPredictor:
    """A PatchFCN on a device, ready to read exams.

    Args:
        network: with its weights; it is changed in place (evaluation mode, batch norms folded).
        device: where it runs.
        patch_size, patch_stride: windows of the patch scores, multiples of 8.
    """

    def __init__(self, network: PatchFcn, device: ComputeDevice, patch_size: int, patch_stride: int) -> None:
        if patch_size % OUTPUT_STRIDE or patch_stride % OUTPUT_STRIDE:
            raise ConfigError(f"Patch size and stride must be multiples of {OUTPUT_STRIDE}.")
        self.device = device
        self.patch_size, self.patch_stride = patch_size, patch_stride
        self._types, self._sharpness = network.types, network.patch_sharpness
        self._network = place_network(network, device)

    def predict(
        self,
        image_shw: np.ndarray,
        brain_shw: np.ndarray,
        neighbours: np.ndarray,
        *,
        method: Method = "dense",
        progress: Progress = lambda stage, fraction: None,
    ) -> ExamMaps:
        """Pixel probabilities and patch scores of an exam.

        Args:
            image_shw: (S, H, W) float32, zero outside the brain.
            brain_shw: (S, H, W) bool; slabs without brain are not passed, windows without brain are not scored.
            neighbours: (S, slices) indices of the slabs that are the channels for each slab.
            method: "dense" or "patches".
            progress: called between batches; may raise Cancelled.
        """
        if method not in ("dense", "patches"):
            raise ConfigError("The method must be dense or patches.", where=str(method))
        maps = ExamMaps(
            np.zeros((1 + self._types, *image_shw.shape), dtype=np.float16),
            np.zeros((1 + self._types, len(image_shw)), dtype=np.float32),
        )
        slabs = np.flatnonzero(brain_shw.any(axis=(1, 2)))
        if len(slabs) == 0:
            return maps
        lattice = lattice_over(brain_shw, self.patch_size, self.patch_stride)
        scored_sji = np.asarray(lattice.windows(lattice.cut(brain_shw)).any(axis=(-2, -1)))
        exam = _Exam(lattice.cut(image_shw), scored_sji, neighbours, slabs)
        run = self._dense if method == "dense" else self._patches
        done = 0
        progress("network", 0.0)
        with torch.inference_mode(), self.device.precision(), gpu_memory_errors():
            for members, pixel_bchw, score_cb in run(exam, lattice):
                for number, s in enumerate(members):
                    lattice.paste(pixel_bchw[number], maps.pixel_cshw[:, s])
                maps.score_cs[:, members] = score_cb
                done += len(members)
                progress("network", done / len(slabs))
        return maps

    def _dense(self, exam: _Exam, lattice: WindowLattice) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Batches of whole slabs: (slabs, pixel (b, 1 + N, h, w), score (1 + N, b))."""
        batch = self.device.batch_size(lattice.height, lattice.width)
        window, stride = self.patch_size // OUTPUT_STRIDE, self.patch_stride // OUTPUT_STRIDE
        for start in range(0, len(exam.slabs), batch):
            members = exam.slabs[start : start + batch]
            output = self._network(self._tensor(exam.image_shw[exam.neighbours[members]]))
            scores = _present(window_logits(output.patch.float(), window, stride, self._sharpness))  # (b, 1+N, wj, wi)
            scores = scores * torch.from_numpy(exam.scored_sji[members])[:, None].to(scores.device)
            pixel = _any_and_types(torch.softmax(output.pixel.float(), dim=1))
            yield members, _array(pixel.half()), _array(scores.amax((-2, -1)).T)

    def _patches(self, exam: _Exam, lattice: WindowLattice) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """One slab at a time, its patches in batches; overlapping pixel probabilities are averaged."""
        batch = self.device.batch_size(self.patch_size, self.patch_size)
        for s in exam.slabs:
            places = np.argwhere(exam.scored_sji[s])
            patches = lattice.windows(exam.image_shw[exam.neighbours[s]])  # (c, wj, wi, size, size)
            pixel_sum = np.zeros((1 + self._types, lattice.height, lattice.width), dtype=np.float32)
            covered = np.zeros((lattice.height, lattice.width), dtype=np.float32)
            best = np.zeros(1 + self._types, dtype=np.float32)
            for start in range(0, len(places), batch):
                at = places[start : start + batch]
                output = self._network(self._tensor(patches[:, at[:, 0], at[:, 1]].swapaxes(0, 1)))
                scores = _array(_present(patch_logits(output.patch.float(), self._sharpness)))  # (b, 1 + N)
                best = np.maximum(best, scores.max(axis=0))
                pixel = _array(_any_and_types(torch.softmax(output.pixel.float(), dim=1)))
                for (j, i), probability in zip(at * lattice.stride, pixel, strict=True):
                    place = (slice(j, j + lattice.size), slice(i, i + lattice.size))
                    pixel_sum[:, *place] += probability
                    covered[place] += 1
            mean = (pixel_sum / np.maximum(covered, 1)).astype(np.float16)
            yield np.array([s]), mean[None], best[:, None]

    def _tensor(self, images_bchw: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(images_bchw))
        return tensor.to(self.device.device, memory_format=torch.channels_last)


@dataclass(frozen=True, eq=False)
class _Exam:
    """The exam cut to the box: image, (S, wj, wi) windows with brain, channel indices, slabs with brain."""

    image_shw: np.ndarray
    scored_sji: np.ndarray
    neighbours: np.ndarray
    slabs: np.ndarray


def _present(logits: Tensor) -> Tensor:
    """Softmax over the (absent, present) pair of (b, 1 + N, 2, ...), the share of present; the pair goes away."""
    return torch.softmax(logits, dim=2).select(2, 1)


def _any_and_types(pixel: Tensor) -> Tensor:
    """(b, 1 + N, h, w) background and types -> any (1 - background) and types."""
    return torch.cat([1 - pixel[:, :1], pixel[:, 1:]], dim=1)


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.cpu().numpy()
