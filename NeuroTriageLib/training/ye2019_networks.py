"""The networks that a training run of Ye 2019 holds."""

from __future__ import annotations

import torch
from torch import nn

from ..networks.cnn_rnn import CnnRnnShape
from ..networks.cnn_rnn_cascade import CnnRnnCascade
from ..systems.ye2019_config import Ye2019Config

CASCADE = "cascade."
"""What the names of the weights begin with that ship, in a checkpoint's running mean."""


class TrainedNetworks(nn.Module):
    """Both networks, and the layer that marks cells in the convolutions' own stage and does not ship.

    Args:
        config: the networks.
        slice_labels: False when slices have no labels (Sub-Lab): then the subject head scores each slice too. It is
            linear, so the subject's logit is the mean of its slices', and slice scores and Grad-CAM show where the
            subject's answer comes from (ours; Ye 2019 has no slice scores under Sub-Lab).
    """

    def __init__(self, config: Ye2019Config, *, slice_labels: bool = True) -> None:
        super().__init__()
        self.cascade = build_cascade(config)
        if not slice_labels:
            for network in (self.cascade.two_type, self.cascade.five_type):
                network.slice_head = network.subject_head
        self.cells = nn.Conv2d(self.cascade.two_type.cnn.out_channels, 1 + len(config.codes), 1)
        with torch.no_grad():
            self.cells.bias.fill_(-3.0)  # type: ignore[union-attr]  # most cells hold no blood; ours


def build_cascade(config: Ye2019Config) -> CnnRnnCascade:
    """The networks of the settings, with random weights."""
    return CnnRnnCascade(len(config.codes), CnnRnnShape(**config.layers), shared_cnn=config.shared_cnn)
