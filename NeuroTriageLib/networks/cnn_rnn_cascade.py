"""Ye 2019's two networks, one after the other: bleeding or not, then its types."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .cnn_rnn import CnnRnn, CnnRnnOutput, CnnRnnShape

TWO_TYPE_OUTPUTS = 2  # Ye 2019, supplement 4: "2 for 2-type classification"
PRESENT = 1
"""Which of the two outputs of the two-type network means bleeding; 0 means none."""
SHARED = "five_type.cnn."
"""Names of weights that a pack leaves out when the networks share their convolutions."""


@dataclass(frozen=True, eq=False)
class CascadeScores:
    """Scores 0-1 of one subject; row 0 is any hemorrhage, then the N types.

    Args:
        slices: (1 + N, n).
        subject: (1 + N,).
        asked: the five-type network was asked.
    """

    slices: Tensor
    subject: Tensor
    asked: bool


class CnnRnnCascade(nn.Module):
    """The two-type and the five-type network.

    Args:
        types: N, outputs of the five-type network.
        shape: the layers of both.
        shared_cnn: both have the same convolutions (Ye 2019: each its own).
    """

    def __init__(self, types: int = 5, shape: CnnRnnShape | None = None, *, shared_cnn: bool = False) -> None:
        super().__init__()
        self.types, self.shared_cnn = types, shared_cnn
        self.two_type = CnnRnn(TWO_TYPE_OUTPUTS, shape)
        self.five_type = CnnRnn(types, shape, self.two_type.cnn if shared_cnn else None)

    def weights(self) -> dict[str, Tensor]:
        """Every weight once, as a pack stores them."""
        return {
            name: value
            for name, value in self.state_dict().items()
            if not (self.shared_cnn and name.startswith(SHARED))
        }

    def load_weights(self, weights: dict[str, Tensor]) -> None:
        """The inverse of weights(). Raises RuntimeError when they do not fit."""
        if self.shared_cnn:
            own = "two_type.cnn."
            weights = weights | {
                SHARED + name.removeprefix(own): value for name, value in weights.items() if name.startswith(own)
            }
        self.load_state_dict(weights)

    def maps(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Maps of the two-type network's convolutions, and the five-type network's when it has the same ones."""
        maps = self.two_type.cnn(x)
        return maps, maps if self.shared_cnn else None

    def scores(self, two: CnnRnnOutput, five: CnnRnnOutput | None, unasked_share: float) -> CascadeScores:
        """Both networks' logits of one subject -> scores.

        A type's score is the probability of bleeding times that of the type given bleeding, which is what a network
        trained on bleeding subjects says; unasked_share stands in for it when it was not asked (five is None).
        """
        any_slices, any_subject = two.slices[:, PRESENT].sigmoid(), two.subjects[0, PRESENT].sigmoid()
        if five is None:
            types, subject = any_slices.new_full((self.types, len(any_slices)), unasked_share), unasked_share
            return CascadeScores(
                torch.cat([any_slices[None], types * any_slices]),
                torch.cat([any_subject[None], any_subject.new_full((self.types,), subject) * any_subject]),
                asked=False,
            )
        return CascadeScores(
            torch.cat([any_slices[None], five.slices.sigmoid().T * any_slices]),
            torch.cat([any_subject[None], five.subjects[0].sigmoid() * any_subject]),
            asked=True,
        )

    def is_asked(self, two: CnnRnnOutput, gate: float) -> bool:
        """True when the two-type network finds the subject positive, so that the five-type network is asked."""
        return bool(two.subjects[0, PRESENT].sigmoid() >= gate)
