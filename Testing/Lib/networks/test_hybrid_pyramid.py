"""The hybrid backbone: shapes of every stage, parameters at full width, and slabs in a row as slabs one by one."""

from itertools import pairwise

import pytest
import torch

from NeuroTriageLib.networks.backbones.hybrid_pyramid import BLOCKS, CHANNELS, SLICES, HybridPyramid, join_slices


def bottleneck(c: int) -> int:
    m = c // 4
    return (c * m + 2 * m) + (9 * m * m + 2 * m) + (m * c + 2 * c)


@pytest.mark.parametrize(("width", "channels"), [(0.25, [16, 32, 64, 128, 128]), (1.0, [64, 128, 256, 512, 512])])
def test_the_contracting_arm_goes_from_five_slices_to_one(width: float, channels: list[int]):
    network = HybridPyramid(width)
    shapes = []
    for blocks in network.blocks:
        blocks.register_forward_hook(lambda module, x, y: shapes.append(tuple(y.shape)))
    network(torch.rand(1, 5, 64, 96))
    slices = [shape[0] for shape in shapes]
    assert slices == [5, 4, 3, 2, 1]
    assert [shape[2:] for shape in shapes] == [(32, 48), (16, 24), (8, 12), (4, 6), (2, 3)]
    assert [shape[1] for shape in shapes] == channels


def test_the_expanding_arm_is_flat_and_has_128_channels_at_full_width():
    with torch.device("meta"):
        pyramid = HybridPyramid()(torch.rand(2, 5, 512, 512))
    assert [tuple(level.shape) for level in pyramid] == [(2, 128, n, n) for n in (256, 128, 64, 32, 16)]


def test_the_number_of_parameters_at_full_width_is_that_of_the_layers():
    expected = 9 * CHANNELS[0] + 2 * CHANNELS[0]  # stem
    for a, b in pairwise(CHANNELS):  # 1x2x2 and 2x1x1, each with batch norm
        expected += (4 * a * b + 2 * b) + (2 * b * b + 2 * b)
    expected += sum(count * bottleneck(c) for c, count in zip(CHANNELS, BLOCKS, strict=True))
    expected += sum((SLICES - n) * c * 128 + 128 for n, c in enumerate(CHANNELS))  # N x 1x1 with bias
    expected += 5 * 2 * 128  # batch norm of the five maps
    assert sum(p.numel() for p in HybridPyramid().parameters()) == expected == 4_659_968


def test_slabs_in_a_row_are_the_same_as_slabs_one_by_one():
    torch.manual_seed(0)
    network = HybridPyramid(0.125, channels=16).eval()
    stack = torch.rand(1, 9, 64, 32)
    with torch.no_grad():
        together = network(stack)
        for slab in range(5):
            alone = network(stack[:, slab : slab + 5])
            for level, expected in zip(together, alone, strict=True):
                torch.testing.assert_close(level[slab : slab + 1], expected, atol=1e-4, rtol=1e-4)


def test_a_slab_sees_its_five_slices_and_no_other():
    torch.manual_seed(0)
    network = HybridPyramid(0.125, channels=16).eval()
    stack = torch.rand(1, 9, 32, 32)
    with torch.no_grad():
        before = network(stack)[0]
        for changed in range(9):
            other = stack.clone()
            other[:, changed] += 1.0
            moved = (network(other)[0] != before).flatten(1).any(dim=1)
            assert moved.tolist() == [slab <= changed <= slab + 4 for slab in range(5)]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_joined_slices_are_runs_of_neighbours(count: int):
    slices = torch.arange(12.0).view(12, 1, 1, 1)  # two stacks of six
    joined = join_slices(slices, 6, count).flatten(1)
    expected = [[base + first + n for n in range(count)] for base in (0, 6) for first in range(7 - count)]
    assert joined.tolist() == expected
