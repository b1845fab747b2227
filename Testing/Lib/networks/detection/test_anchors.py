"""Anchors: their area, shape and place."""

import pytest
import torch

from NeuroTriageLib.networks.detection.anchors import cell_anchors, grid_anchors
from NeuroTriageLib.networks.detection.boxes import area


def test_anchors_have_the_area_of_their_size_and_the_shape_of_their_ratio():
    anchors = cell_anchors(24.0, (0.5, 1.0, 2.0))
    assert area(anchors).tolist() == pytest.approx([24.0**2] * 3)
    height, width = (anchors[:, 2:] - anchors[:, :2]).T
    assert (height / width).tolist() == pytest.approx([0.5, 1.0, 2.0])


def test_every_cell_has_anchors_around_its_middle_in_the_order_of_the_maps():
    anchors = grid_anchors(3, 5, 8, 10.0, (0.5, 2.0)).view(3, 5, 2, 4)
    middle = (anchors[..., :2] + anchors[..., 2:]) / 2
    for row in range(3):
        for column in range(5):
            expected = torch.tensor([8 * row + 4.0, 8 * column + 4.0]).expand(2, 2)
            assert torch.allclose(middle[row, column], expected)
