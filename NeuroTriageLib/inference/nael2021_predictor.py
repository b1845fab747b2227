"""Nael 2021's networks over one study: a raw score, the localization maps and the latent gradient of each."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..core.errors import ModelError
from ..networks.lfe_classifier import LfeClassifier, latent_gradient
from ..preprocessing.mr_views import NetworkInput
from .device import ComputeDevice, gpu_memory_errors


@dataclass(frozen=True, eq=False)
class NetworkAnswer:
    """What one network says about a study.

    Args:
        score: raw, 0-1 (softmax of absent and present).
        maps_mdhw: (maps, d, h, w) float32 probability of each finding that the localization draws.
        heat_dhw: (d, h, w) float32 0-1, where in latent space the score comes from.
    """

    score: float
    maps_mdhw: np.ndarray
    heat_dhw: np.ndarray

    def within(self, inside_dhw: np.ndarray) -> NetworkAnswer:
        """The same answer with maps that are 0 outside a (d, h, w) bool mask; the score stays."""
        return replace(self, maps_mdhw=self.maps_mdhw * inside_dhw, heat_dhw=self.heat_dhw * inside_dhw)


class LfePredictor:
    """Networks on a device, ready to read studies.

    Args:
        networks: code -> network with its weights; put into evaluation mode and moved in place.
        device: where they run.
    """

    def __init__(self, networks: dict[str, LfeClassifier], device: ComputeDevice) -> None:
        self._device = device
        try:
            self._networks = {code: network.eval().to(device.device) for code, network in networks.items()}
        except torch.OutOfMemoryError as error:
            raise ModelError("The model does not fit on the GPU.", next_step="Use --device cpu.") from error

    def predict(self, code: str, seen: NetworkInput) -> NetworkAnswer:
        """The answer of the finding's network."""
        network = self._networks[code]
        sagittal: tuple[Tensor, ...] = ()
        if seen.sagittal_present.any():
            sagittal = (self._tensor(seen.sagittal), self._tensor(seen.sagittal_present))
        with torch.no_grad(), gpu_memory_errors():
            with self._device.precision():
                output = network(self._tensor(seen.axial), self._tensor(seen.axial_present), *sagittal)
            heat = latent_gradient(network, output.latent.float(), output.peaks.float())
            size = seen.axial.shape[1:]
            heat = F.interpolate(heat[:, None], size=size, mode="trilinear", align_corners=False)[0, 0]
            score = float(torch.softmax(output.study.float(), dim=1)[0, 1])
            return NetworkAnswer(score, _array(output.maps.float().sigmoid()[0]), _array(heat))

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array)[None].to(self._device.device)


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.cpu().numpy()
