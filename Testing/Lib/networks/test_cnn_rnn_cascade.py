"""Bleeding or not, then its types: scores, gate, and one set of convolutions where they are shared."""

from __future__ import annotations

import pytest
import torch

from NeuroTriageLib.networks.cnn_rnn import CnnRnnOutput, CnnRnnShape
from NeuroTriageLib.networks.cnn_rnn_cascade import CnnRnnCascade

SMALL = CnnRnnShape(width=0.0625, batch_norm=True, pooling="global")


def logits(*probability: float) -> torch.Tensor:
    return torch.logit(torch.tensor([probability], dtype=torch.float64))


def test_a_type_has_the_probability_of_bleeding_times_its_own_given_bleeding():
    cascade = CnnRnnCascade(2, SMALL)
    two = CnnRnnOutput(logits(0.4, 0.6), logits(0.2, 0.8))
    five = CnnRnnOutput(logits(0.5, 0.1), logits(0.9, 0.25))
    scores = cascade.scores(two, five, 0.2)
    assert scores.asked
    assert scores.subject.tolist() == pytest.approx([0.8, 0.72, 0.2])
    assert scores.slices[:, 0].tolist() == pytest.approx([0.6, 0.3, 0.06])


def test_without_the_five_type_network_each_type_has_a_share_of_any():
    scores = CnnRnnCascade(2, SMALL).scores(CnnRnnOutput(logits(0.7, 0.3), logits(0.9, 0.1)), None, 0.2)
    assert not scores.asked
    assert scores.subject.tolist() == pytest.approx([0.1, 0.02, 0.02])
    assert scores.slices[:, 0].tolist() == pytest.approx([0.3, 0.06, 0.06])


def test_the_types_are_asked_from_the_gate_on():
    cascade = CnnRnnCascade(2, SMALL)
    for probability, asked in ((0.4999, False), (0.5, True), (0.9, True)):
        assert cascade.is_asked(CnnRnnOutput(logits(0.5, 0.5), logits(0.1, probability)), 0.5) is asked


@pytest.mark.parametrize("shared", [False, True])
def test_weights_are_stored_once_and_come_back(shared: bool):
    torch.manual_seed(0)
    cascade, other = (CnnRnnCascade(5, SMALL, shared_cnn=shared).eval() for _ in range(2))
    weights = cascade.weights()
    assert sum(value.numel() for value in weights.values() if value.is_floating_point()) == sum(
        tensor.numel() for tensor in (*cascade.parameters(), *cascade.buffers()) if tensor.is_floating_point()
    )
    assert any(name.startswith("five_type.cnn.") for name in weights) is not shared
    other.load_weights(weights)
    x = torch.rand(3, 3, 32, 48)
    for name in ("two_type", "five_type"):
        torch.testing.assert_close(getattr(other, name)(x, [3]).slices, getattr(cascade, name)(x, [3]).slices)


def test_weights_that_do_not_fit_are_refused():
    weights = CnnRnnCascade(5, SMALL, shared_cnn=True).weights()
    weights.pop("two_type.cnn.0.weight")
    with pytest.raises(RuntimeError):
        CnnRnnCascade(5, SMALL, shared_cnn=True).load_weights(weights)
