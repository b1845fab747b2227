"""The hybrid mask R-CNN over one exam: boxes with type, confidence and mask, on the network's grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from ..networks.hybrid_mask_rcnn import HybridMaskRcnn, SlabAnswer, paint
from ..preprocessing.patch_lattice import WindowLattice, lattice_over
from ..systems.chang2018_config import BOX_MULTIPLE, REGION_CODES, Chang2018Config, slab_span, slices_of
from .device import ComputeDevice, gpu_memory_errors, place_network

Progress = Callable[[str, float], None]


@dataclass(frozen=True, eq=False)
class SlabRegion:
    """One box on one slab.

    Args:
        slab: which slab, from below.
        code: of REGION_CODES, what it was taken for.
        confidence: 0-1, of that type.
        box: top, left, bottom, right in pixels of the network's image, at pixel edges.
        corner: row and column of the mask's first pixel; (0, 0) without a mask.
        mask_hw: float16 0-1, the part of the image that the box touches, 0 outside the brain; empty when the confidence
            lies below heat_floor.
    """

    slab: int
    code: str
    confidence: float
    box: tuple[float, float, float, float]
    corner: tuple[int, int]
    mask_hw: np.ndarray

    @property
    def place(self) -> tuple[slice, slice]:
        """Where the mask lies in the network's image."""
        (row, column), (height, width) = self.corner, self.mask_hw.shape
        return slice(row, row + height), slice(column, column + width)


@dataclass(frozen=True, eq=False)
class ExamRegions:
    """What the network says about an exam.

    Args:
        regions: of all slabs with brain, whatever their confidence.
        score_cs: (1 + N, S) float32 highest probability of any region of each slab: of any hemorrhage, then of each of
            REGION_CODES; 0 in slabs without brain.
    """

    regions: tuple[SlabRegion, ...]
    score_cs: np.ndarray


class Chang2018Predictor:
    """A hybrid mask R-CNN on a device, ready to read exams.

    Args:
        network: with its weights; it is changed in place (evaluation mode, batch norms folded).
        config: how many slices a slab needs, and from which confidence on boxes have a mask.
        device: where it runs.
    """

    def __init__(self, network: HybridMaskRcnn, config: Chang2018Config, device: ComputeDevice) -> None:
        self.config, self.device = config, device
        self._network = network
        place_network(network, device)

    def predict(
        self, image_shw: np.ndarray, brain_shw: np.ndarray, *, progress: Progress = lambda stage, fraction: None
    ) -> ExamRegions:
        """Regions of an exam.

        Args:
            image_shw: (S, H, W) float32, zero outside the brain.
            brain_shw: (S, H, W) bool, some of it True; slabs without brain have no regions.
            progress: called between batches; may raise Cancelled.
        """
        has_brain = np.asarray(brain_shw.any(axis=(1, 2)))
        span = slab_span(has_brain)
        lattice = lattice_over(brain_shw, BOX_MULTIPLE, BOX_MULTIPLE)
        slices = slices_of(span, len(image_shw), self.config.slices)
        stack = torch.from_numpy(np.ascontiguousarray(lattice.cut(image_shw[slices]))).to(self.device.device)
        brain = lattice.cut(brain_shw)
        regions: list[SlabRegion] = []
        score_cs = np.zeros((1 + len(REGION_CODES), len(image_shw)), np.float32)
        at_once = self.device.batch_size(lattice.height, lattice.width)
        progress("network", 0.0)
        with torch.inference_mode(), self.device.precision(), gpu_memory_errors():
            for first, answer in self._network.answers(stack, self.config.heat_floor, at_once):
                for number in range(len(answer.masked)):
                    slab = span.start + first + number
                    if has_brain[slab]:
                        score_cs[:, slab] = answer.found.score[number].float().cpu().numpy()
                        regions += _regions(answer, number, slab, brain[slab], lattice)
                progress("network", (first + len(answer.masked)) / len(span))
        return ExamRegions(tuple(regions), score_cs)


def _regions(
    answer: SlabAnswer, number: int, slab: int, brain_hw: np.ndarray, lattice: WindowLattice
) -> list[SlabRegion]:
    """The boxes of one slab, their places counted in the network's image instead of the lattice's box."""
    found, regions = answer.found, []
    pasted = iter((paint(answer, number, *brain_hw.shape).float().cpu().numpy() * brain_hw).astype(np.float16))
    rows = zip(found.boxes[number], found.kind[number], found.confidence[number], found.valid[number], strict=True)
    for (box, kind, confidence, valid), masked in zip(rows, answer.masked[number], strict=True):
        if not valid:
            continue
        top, left, bottom, right = (float(edge) for edge in box)
        corner, mask = (0, 0), np.zeros((0, 0), np.float16)
        if masked:
            rows_used = slice(int(top), int(np.ceil(bottom)))
            columns_used = slice(int(left), int(np.ceil(right)))
            corner = (rows_used.start + lattice.top, columns_used.start + lattice.left)
            mask = next(pasted)[rows_used, columns_used]
        place = (top + lattice.top, left + lattice.left, bottom + lattice.top, right + lattice.left)
        regions.append(SlabRegion(slab, REGION_CODES[int(kind) - 1], float(confidence), place, corner, mask))
    return regions
