"""RoIAlign: exact on linear functions; masks pasted and targets cut lie where their boxes are."""

import pytest
import torch

from NeuroTriageLib.networks.detection.painting import highest_per_layer
from NeuroTriageLib.networks.detection.region_pooling import crop_targets, level_of, paste_masks, pool_regions

STRIDES = (2, 4, 8)


def linear_maps(slabs: int = 3, size: int = 64) -> list[torch.Tensor]:
    """Maps whose value is a linear function of the place in the image, another one for every slab."""
    maps = []
    for stride in STRIDES:
        at = (torch.arange(size // stride) + 0.5) * stride
        plane = 3 * at[:, None] - 2 * at[None, :]
        maps.append(torch.stack([(plane + 100 * slab)[None] for slab in range(slabs)]))
    return maps


@pytest.mark.parametrize("samples", [1, 2])
def test_pooling_is_exact_where_the_map_is_linear(samples: int):
    torch.manual_seed(1)
    corner, side = 8 + torch.rand(3, 7, 2) * 20, 3 + torch.rand(3, 7, 2) * 20  # a cell of the coarsest map off the rim
    boxes, level = torch.cat([corner, corner + side], -1), torch.randint(0, 3, (3, 7))
    pooled = pool_regions(linear_maps(), STRIDES, boxes, level, 4, samples).view(3, 7, 4, 4)
    share = (torch.arange(4) + 0.5) / 4
    row = corner[..., 0, None] + share * side[..., 0, None]
    column = corner[..., 1, None] + share * side[..., 1, None]
    expected = 3 * row[..., None] - 2 * column[..., None, :] + 100 * torch.arange(3)[:, None, None, None]
    assert torch.allclose(pooled, expected, atol=1e-3)


def test_boxes_that_are_not_wanted_are_left_out_and_the_order_stays():
    boxes = torch.tensor([[10.0, 10, 20, 20], [30, 30, 40, 40], [12, 40, 18, 50]]).expand(2, 3, 4)
    level = torch.tensor([[1, -1, 0], [-1, 2, -1]])
    pooled = pool_regions(linear_maps(2), STRIDES, boxes, level, 1, 2).flatten()
    assert pooled.tolist() == pytest.approx([15.0, 3 * 15 - 2 * 45, 35 + 100.0], abs=1e-3)
    assert pool_regions(linear_maps(2), STRIDES, boxes, torch.full((2, 3), -1), 5, 2).shape == (0, 1, 5, 5)


def test_gradients_reach_the_maps():
    maps = [m.requires_grad_() for m in linear_maps(1)]
    boxes = torch.tensor([[[10.0, 10, 20, 20], [20, 20, 50, 50]]])
    pool_regions(maps, STRIDES, boxes, torch.tensor([[0, 2]]), 2, 2).sum().backward()
    assert maps[0].grad is not None and maps[0].grad.sum() == pytest.approx(4.0, abs=1e-4)
    assert maps[1].grad is None and maps[2].grad.sum() == pytest.approx(4.0, abs=1e-4)


def test_the_level_doubles_with_the_size():
    side = torch.tensor([1.0, 9.9, 19.9, 20.1, 40.1, 80.1, 900.0])
    boxes = torch.stack([torch.zeros(7), torch.zeros(7), side, side], 1)
    assert level_of(boxes, 4, 10.0).tolist() == [0, 0, 0, 1, 2, 3, 3]


def test_a_mask_of_ones_fills_its_box_and_nothing_else():
    masks, boxes = torch.ones(2, 6, 6), torch.tensor([[3.0, 5, 9, 20], [-4, -4, 2, 2]])
    pasted = paste_masks(masks, boxes, 24, 30)
    expected = torch.zeros(2, 24, 30)
    expected[0, 3:9, 5:20] = 1
    expected[1, :2, :2] = 1
    torch.testing.assert_close(pasted, expected, atol=1e-5, rtol=0)


def test_a_target_that_was_cut_out_and_pasted_back_is_the_target():
    target = torch.zeros(1, 40, 40, dtype=torch.long)
    target[0, 10:20, 12:30] = 2
    target[0, 14:18, 5:9] = 1
    box = torch.tensor([[[4.0, 4.0, 36.0, 36.0]]])
    cut = crop_targets(target, box, torch.tensor([[2]]), 64)  # two bins per pixel
    assert cut.shape == (1, 1, 64, 64)
    back = paste_masks(cut[0], box[0], 40, 40) >= 0.5
    assert torch.equal(back[0], target[0] == 2)


def test_layers_hold_the_highest_of_their_masks():
    masks = torch.tensor([0.2, 0.9, 0.5])[:, None, None].expand(3, 2, 2).contiguous()
    layers = highest_per_layer(masks, torch.tensor([0, 2, 0]), 3)
    assert layers[:, 0, 0].tolist() == pytest.approx([0.5, 0.0, 0.9])
    assert highest_per_layer(masks[:0], torch.tensor([], dtype=torch.long), 2).shape == (2, 2, 2)
