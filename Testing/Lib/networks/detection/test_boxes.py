"""Boxes: overlap counted in pixels, and offsets that decode to the box that they were made of."""

import pytest
import torch

from NeuroTriageLib.networks.detection.boxes import area, clip, decode, encode, overlap


def random_boxes(count: int, seed: int = 0) -> torch.Tensor:
    torch.manual_seed(seed)
    corner, side = torch.rand(count, 2) * 80, 1 + torch.rand(count, 2) * 60
    return torch.cat([corner, corner + side], dim=1)


def test_the_overlap_is_the_share_of_pixels_in_both():
    first = torch.tensor([[2.0, 3, 12, 9], [0, 0, 4, 4]])
    second = torch.tensor([[5.0, 1, 20, 7], [0, 0, 4, 4], [30, 30, 31, 31]])
    image = torch.zeros(2, 40, 40, dtype=torch.bool), torch.zeros(3, 40, 40, dtype=torch.bool)
    for boxes, pixels in zip((first, second), image, strict=True):
        for box, plane in zip(boxes.int().tolist(), pixels, strict=True):
            plane[box[0] : box[2], box[1] : box[3]] = True
    both = (image[0][:, None] & image[1]).sum((2, 3))
    either = (image[0][:, None] | image[1]).sum((2, 3))
    assert torch.allclose(overlap(first, second), both / either)


def test_decoded_offsets_give_the_box_back():
    boxes, reference = random_boxes(50, 1), random_boxes(50, 2)
    assert torch.allclose(decode(encode(boxes, reference), reference), boxes, atol=1e-3)
    assert torch.allclose(encode(reference, reference), torch.zeros(50, 4), atol=1e-6)


def test_an_offset_moves_by_sides_and_grows_by_factors():
    reference = torch.tensor([10.0, 20, 30, 60])  # 20 x 40 around (20, 40)
    moved = decode(torch.tensor([0.5, -0.25, 0.0, torch.log(torch.tensor(2.0))]), reference)
    assert moved.tolist() == pytest.approx([20, -10, 40, 70])  # 20 x 80 around (30, 30)


def test_boxes_turned_inside_out_have_no_area_and_no_overlap():
    wrong = torch.tensor([[5.0, 5, 3, 9]])
    assert area(wrong).item() == 0 and overlap(wrong, wrong).item() == 0


def test_clipped_boxes_end_at_the_image():
    assert clip(torch.tensor([[-3.0, 4, 50, 200]]), 40, 100).tolist() == [[0, 4, 40, 100]]
