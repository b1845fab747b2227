"""The CNN-RNN against Ye 2019, supplements 2 and 4: layers, parameters, both heads, windows."""

from __future__ import annotations

import pytest
import torch

from NeuroTriageLib.networks.cnn_rnn import CnnRnn, CnnRnnShape, window_channels

SMALL = CnnRnnShape(width=0.0625, pooling="flatten", image_size=64)
GLOBAL = CnnRnnShape(width=0.0625, pooling="global")


def network(shape: CnnRnnShape = SMALL, outputs: int = 2) -> CnnRnn:
    torch.manual_seed(0)
    return CnnRnn(outputs, shape).eval()


@pytest.mark.parametrize(("outputs", "heads"), [(2, 2 * 130), (5, 2 * 325)])
def test_the_published_network_has_the_parameters_of_its_layers(outputs: int, heads: int):
    full = CnnRnn(outputs)
    layer = {name: sum(p.numel() for p in part.parameters()) for name, part in full.named_children()}
    assert layer["cnn"] == 14_714_688
    assert layer["fc"] == 8 * 8 * 512 * 256 + 256  # the maps of 16 x 16 pooled once more
    gates, biases = 3 * 32, 2 * 3 * 32
    assert layer["rnn"] == 2 * (gates * (256 + 32) + biases) + 2 * (gates * (64 + 32) + biases)
    assert layer["slice_head"] + layer["subject_head"] == heads
    assert sum(layer.values()) == 14_714_688 + 8_388_864 + 74_496 + heads


def test_the_rnn_is_two_bidirectional_gru_layers_of_32_with_dropout_after_each():
    rnn, dropout = CnnRnn(2, SMALL).rnn, CnnRnn(2, SMALL).dropout
    assert isinstance(rnn, torch.nn.GRU)
    assert (rnn.num_layers, rnn.hidden_size, rnn.bidirectional, rnn.dropout, dropout.p) == (2, 32, True, 0.2, 0.2)


def test_every_stage_has_its_shape():
    net, x = network(), torch.rand(7, 3, 64, 64)
    with torch.inference_mode():
        maps = net.cnn(x)
        pooled = net.pooled(maps)
        out = net.classify(pooled, [3, 4])
        vectors = net.fc(pooled)
    assert maps.shape == (7, 32, 4, 4)
    assert pooled.shape == (7, 32 * 2 * 2) and vectors.shape == (7, 16)
    assert out.slices.shape == (7, 2) and out.subjects.shape == (2, 2)


def test_every_stage_after_the_convolutions_has_its_published_shape():
    net = CnnRnn(5).eval()
    with torch.inference_mode():
        pooled = net.pooled(torch.rand(3, 512, 16, 16))  # maps of 256 x 256 images
        vectors = net.fc(pooled)
        hidden = net.rnn(vectors[:, None])[0]
        out = net.classify(pooled, [3])
    assert pooled.shape == (3, 512 * 8 * 8) and vectors.shape == (3, 256) and hidden.shape == (3, 1, 64)
    assert out.slices.shape == (3, 5) and out.subjects.shape == (1, 5)


def test_global_pooling_takes_any_image_size_and_gives_the_maximum_of_each_map():
    net, maps = network(GLOBAL), torch.rand(2, 32, 5, 7)
    pooled = net.pooled(maps)
    torch.testing.assert_close(pooled, maps.flatten(2).max(dim=2).values)


def test_the_subject_head_sees_the_mean_of_the_rnn_outputs_not_of_the_probabilities():
    net = network()
    pooled = torch.rand(6, 128)
    with torch.inference_mode():
        hidden = net.rnn(net.fc(pooled)[:, None])[0][:, 0]  # (6, 64)
        out = net.classify(pooled, [6])
        torch.testing.assert_close(out.subjects[0], net.subject_head(hidden.mean(0)))
        torch.testing.assert_close(out.slices, net.slice_head(hidden))


def test_subjects_of_different_length_do_not_see_each_other():
    net = network()
    pooled = torch.rand(9, 128)
    with torch.inference_mode():
        together = net.classify(pooled, [2, 6, 1])
        for b, part in enumerate(pooled.split([2, 6, 1])):
            alone = net.classify(part, [len(part)])
            torch.testing.assert_close(together.subjects[b], alone.subjects[0])
        torch.testing.assert_close(together.slices[2:8], net.classify(pooled[2:8], [6]).slices)


def test_a_slice_knows_the_slices_on_both_sides():
    net = network()
    pooled = torch.rand(5, 128)
    with torch.inference_mode():
        before = net.classify(pooled, [5]).slices
        changed = pooled.clone()
        changed[2] += 1.0
        after = net.classify(changed, [5]).slices
    assert ((before - after).abs().amax(dim=1) > 1e-6).all()


def test_the_three_windows_are_the_papers():
    hu = torch.tensor([-1024.0, -50.0, 50.0, 100.0, 150.0, 200.0, 300.0, 350.0, 3000.0]).view(1, 3, 3)
    windows = ((-50.0, 150.0), (100.0, 300.0), (250.0, 450.0))
    x = window_channels(hu, windows).flatten(2)[0]
    assert x.shape == (3, 9)
    torch.testing.assert_close(x[0], torch.tensor([0, 0, 0.5, 0.75, 1, 1, 1, 1, 1]))
    torch.testing.assert_close(x[1], torch.tensor([0, 0, 0, 0, 0.25, 0.5, 1, 1, 1]))
    torch.testing.assert_close(x[2], torch.tensor([0, 0, 0, 0, 0, 0, 0.25, 0.5, 1]))
