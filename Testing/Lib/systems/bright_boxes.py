"""A stand-in for the hybrid mask R-CNN: it boxes the largest dark part of a slab, and its mask is that part exactly."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import SimpleITK as sitk
import torch
from torch import Tensor, nn

from NeuroTriageLib.networks.detection.region_pooling import crop_targets
from NeuroTriageLib.networks.hybrid_mask_rcnn import Detections, SlabAnswer

MASK = 96


class DarkPartBoxes(nn.Module):
    """Boxes pixels within half_width of level.

    Args:
        kind: type (from 1) that the part is taken for.
        confidence: of the box.
        level, half_width: brightness of the lesion.
    """

    def __init__(self, kind: int = 1, confidence: float = 0.9, level: float = 0.145, half_width: float = 0.1) -> None:
        super().__init__()
        self.kind, self.confidence, self.level, self.half_width = kind, confidence, level, half_width

    def answers(self, stack: Tensor, mask_floor: float, slabs_at_once: int) -> Iterator[tuple[int, SlabAnswer]]:
        for slab in range(len(stack) - 4):
            yield slab, self._answer(stack[slab + 2], mask_floor)

    def _answer(self, image: Tensor, mask_floor: float) -> SlabAnswer:
        part = _largest_part((image - self.level).abs() < self.half_width)
        rows, columns = part.nonzero(as_tuple=True)
        there = len(rows) > 0
        edges = [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1] if there else [0, 0, 1, 1]
        boxes = torch.tensor([[[float(edge) for edge in edges]]])
        kind, score = torch.tensor([[self.kind]]), torch.zeros(1, 5)
        score[0, [0, self.kind]] = self.confidence * there
        found = Detections(boxes, kind, torch.tensor([[self.confidence]]), torch.tensor([[there]]), score)
        masked = found.valid & (found.confidence >= mask_floor)
        masks = crop_targets(part.long()[None], boxes, torch.ones_like(kind), MASK)[masked]
        return SlabAnswer(found, masked, masks)


def _largest_part(mask: Tensor) -> Tensor:
    parts = sitk.GetArrayFromImage(sitk.ConnectedComponent(sitk.GetImageFromArray(mask.numpy().astype(np.uint8))))
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return torch.from_numpy(parts == sizes.argmax()) if sizes.max() >= 20 else torch.zeros_like(mask)
