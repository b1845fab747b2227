"""The joint CNN-RNN of Ye 2019: VGG16 and one fully connected layer per slice, bidirectional GRU layers along them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence, pad_packed_sequence

from .backbones.drn import scaled
from .backbones.vgg16 import OUTPUT_STRIDE, Vgg16

FC_FEATURES = 256  # Ye 2019, supplement 4
GRU_FEATURES = 32  # Ye 2019, supplement 4: hidden state size
GRU_LAYERS = 2  # Ye 2019, supplement 4
DROPOUT = 0.2  # Ye 2019, supplement 4: for each GRU layer

Pooling = Literal["flatten", "global"]


@dataclass(frozen=True)
class CnnRnnShape:
    """What fixes the layers of a CnnRnn beside its number of outputs.

    Args:
        width: factor on the channels of the convolutions and of the fully connected layer; 1.0 is published.
        batch_norm: see Vgg16.
        pooling: how the last maps reach the fully connected layer: "flatten" (VGG16: all values of the 2x2-pooled maps,
            so that the image size is fixed) or "global" (the maximum of each map, any image size).
        image_size: rows and columns of an image; used by "flatten" only.
    """

    width: float = 1.0
    batch_norm: bool = False
    pooling: Pooling = "flatten"
    image_size: int = 256

    def cnn(self) -> Vgg16:
        """The convolutions, with random weights."""
        return Vgg16(3, self.width, batch_norm=self.batch_norm)


@dataclass(frozen=True, eq=False)
class CnnRnnOutput:
    """Logits of both heads.

    Args:
        slices: (n, outputs), one row per slice of all subjects together.
        subjects: (b, outputs).
    """

    slices: Tensor
    subjects: Tensor


class CnnRnn(nn.Module):
    """CNN per slice, RNN along the slices, a slice head and a subject head (Ye 2019, supplementary figure 1).

    Args:
        outputs: of both heads: 2 (bleeding absent, present) or one per subtype.
        shape: the layers.
        cnn: convolutions that another network has too; its own unless given.
    """

    def __init__(self, outputs: int, shape: CnnRnnShape | None = None, cnn: Vgg16 | None = None) -> None:
        super().__init__()
        shape = shape or CnnRnnShape()
        self.outputs, self.pooling = outputs, shape.pooling
        self.cnn = cnn if cnn is not None else shape.cnn()
        c, cells = self.cnn.out_channels, (shape.image_size // (2 * OUTPUT_STRIDE)) ** 2
        fc = scaled(FC_FEATURES, shape.width)
        self.fc = nn.Sequential(nn.Linear(c * cells if shape.pooling == "flatten" else c, fc), nn.ReLU())
        self.rnn = nn.GRU(fc, GRU_FEATURES, GRU_LAYERS, dropout=DROPOUT, bidirectional=True)
        self.dropout = nn.Dropout(DROPOUT)  # nn.GRU drops between its layers only; this is the last layer's
        self.slice_head = nn.Linear(2 * GRU_FEATURES, outputs)
        self.subject_head = nn.Linear(2 * GRU_FEATURES, outputs)

    def forward(self, x: Tensor, counts: Sequence[int]) -> CnnRnnOutput:
        """x: (n, 3, h, w), the slices of all subjects one after the other; counts: how many belong to each."""
        return self.classify(self.pooled(self.cnn(x)), counts)

    def pooled(self, maps: Tensor) -> Tensor:
        """The last convolution's maps (n, c, h / 16, w / 16) -> what the fully connected layer sees of each slice."""
        if self.pooling == "flatten":
            return nn.functional.max_pool2d(maps, 2).flatten(1)  # (n, c * h / 32 * w / 32)
        return maps.amax((-2, -1))  # (n, c)

    def classify(self, pooled: Tensor, counts: Sequence[int]) -> CnnRnnOutput:
        """Pooled maps of all slices -> logits; the subject head sees the mean of the RNN's outputs over the slices."""
        vectors = self.fc(pooled)  # (n, fc)
        packed = pack_sequence(list(vectors.split(list(counts))), enforce_sorted=False)
        padded, lengths = pad_packed_sequence(self.rnn(packed)[0])  # (longest, b, 64)
        subjects = [self.dropout(padded[:length, b]) for b, length in enumerate(lengths.tolist())]
        means = torch.stack([subject.mean(dim=0) for subject in subjects])  # (b, 64)
        return CnnRnnOutput(self.slice_head(torch.cat(subjects)), self.subject_head(means))


def window_channels(hu: Tensor, windows_hu: Sequence[tuple[float, float]]) -> Tensor:
    """(n, h, w) Hounsfield units -> (n, windows, h, w), each linearly to 0-1 and clipped (Ye 2019, supplement 2)."""
    return torch.stack([((hu - low) / (high - low)).clamp(0.0, 1.0) for low, high in windows_hu], dim=1)
