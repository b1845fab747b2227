"""Ye 2019's two networks over one exam: scores per slab and exam, and the Grad-CAM heatmap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..networks.cnn_rnn import CnnRnn, window_channels
from ..networks.cnn_rnn_cascade import PRESENT, CnnRnnCascade
from ..preprocessing.brain_field import BLANK_HU, BrainField
from ..systems.ye2019_config import Ye2019Config
from .device import ComputeDevice, gpu_memory_errors, place_network
from .grad_cam import grad_cam

Progress = Callable[[str, float], None]
SHOWN_FROM = 0.05
"""Slices with a lower score have no heatmap: scaled by it, it would be dark anyway (ours)."""


@dataclass(frozen=True, eq=False)
class CnnRnnAnswer:
    """What the networks say about an exam; row 0 is any hemorrhage, then the N types.

    Args:
        slab_scores: (1 + N, S) float32 raw scores 0-1; 0 in slabs that were not seen.
        exam_scores: (1 + N,) float32 raw scores 0-1.
        heat_shw: (S, H, W) float16: Grad-CAM of the bleeding class, its highest value on each slab being the slab's raw
            score of any hemorrhage, so that slabs without bleeding are dark; 0 where the networks saw nothing.
        types_asked: the five-type network was asked.
    """

    slab_scores: np.ndarray
    exam_scores: np.ndarray
    heat_shw: np.ndarray
    types_asked: bool


class Ye2019Predictor:
    """Both networks on a device, ready to read exams.

    Args:
        cascade: with its weights; it is changed in place (evaluation mode, batch norms folded).
        config: windows and gate.
        device: where it runs.
    """

    def __init__(self, cascade: CnnRnnCascade, config: Ye2019Config, device: ComputeDevice) -> None:
        self.config, self.device = config, device
        self._cascade = cascade
        place_network(cascade, device)

    def predict(self, field: BrainField, *, progress: Progress = lambda stage, fraction: None) -> CnnRnnAnswer:
        """Scores and heatmap of an exam's field; progress is called between batches and may raise Cancelled."""
        count, cascade = len(field.slabs), self._cascade
        progress("network", 0.0)
        with torch.no_grad(), gpu_memory_errors():
            maps = self._maps(cascade.two_type, field, progress, (0.0, 0.8 if cascade.shared_cnn else 0.45))
            two = cascade.two_type.classify(cascade.two_type.pooled(maps), [count])
            five = None
            if cascade.is_asked(two, self.config.gate):
                own = maps
                if not cascade.shared_cnn:
                    own = self._maps(cascade.five_type, field, progress, (0.45, 0.9))
                five = cascade.five_type.classify(cascade.five_type.pooled(own), [count])
            scores = cascade.scores(two, five, self.config.unasked_share)
            heat = self._heat(maps, scores.slices[0], field)
        progress("network", 1.0)
        slab_scores = np.zeros((len(scores.slices), field.whole_shape[0]), dtype=np.float32)
        slab_scores[:, field.slabs] = scores.slices.cpu().numpy()
        return CnnRnnAnswer(slab_scores, scores.subject.cpu().numpy(), field.paste(heat), scores.asked)

    def _maps(self, network: CnnRnn, field: BrainField, progress: Progress, share: tuple[float, float]) -> Tensor:
        """(s, c, h / 16, w / 16) float32 maps of all slabs, in batches."""
        hu_shw, maps = field.hu_shw, []
        batch = self.device.batch_size(*hu_shw.shape[1:])
        for start in range(0, len(hu_shw), batch):
            hu = torch.from_numpy(hu_shw[start : start + batch]).to(self.device.device).float()
            x = window_channels(hu, self.config.windows_hu).contiguous(memory_format=torch.channels_last)
            with self.device.precision():
                maps.append(network.cnn(x).float())
            progress("network", share[0] + (share[1] - share[0]) * min(1.0, (start + batch) / len(hu_shw)))
        return torch.cat(maps)

    def _heat(self, maps: Tensor, slab_scores: Tensor, field: BrainField) -> np.ndarray:
        """(s, h, w) float16 heatmap of the field."""
        slabs, height, width = field.hu_shw.shape
        heat = np.zeros((slabs, height, width), dtype=np.float16)
        shown = torch.nonzero(slab_scores >= SHOWN_FROM)[:, 0].tolist()
        if not shown:
            return heat
        cam = grad_cam(self._cascade.two_type, maps, PRESENT, shown)  # (m, h / 16, w / 16), sum 1
        cam = F.interpolate(cam[:, None], size=(height, width), mode="bilinear", align_corners=False)[:, 0]
        cam *= torch.from_numpy(field.hu_shw[shown] > BLANK_HU).to(cam.device)
        peak = cam.amax(dim=(-2, -1), keepdim=True).clamp_min(torch.finfo(cam.dtype).tiny)
        heat[shown] = (cam / peak * slab_scores[shown, None, None]).half().cpu().numpy()
        return heat
