"""What anchors and regions should become, on boxes whose overlap is known."""

import torch

from NeuroTriageLib.networks.detection.anchors import grid_anchors
from NeuroTriageLib.networks.detection.boxes import overlap
from NeuroTriageLib.networks.detection.proposals import Proposals
from NeuroTriageLib.training.chang2018_targets import TrueBoxes, anchor_targets, sample_regions, shaken, true_boxes


def slabs_with_squares() -> torch.Tensor:
    types = torch.zeros(3, 64, 64, dtype=torch.long)
    types[0, 8:24, 8:24] = 1
    types[0, 40:48, 30:60] = 3
    types[2, 20:30, 20:30] = 2
    return types


def test_slabs_with_fewer_boxes_are_padded():
    truth = true_boxes(slabs_with_squares())
    assert truth.kind.tolist() == [[1, 3], [0, 0], [2, 0]]
    assert truth.boxes[0].tolist() == [[8, 8, 24, 24], [40, 30, 48, 60]] and truth.boxes[2, 0].tolist() == [
        20,
        20,
        30,
        30,
    ]
    empty = true_boxes(torch.zeros(1, 8, 8, dtype=torch.long))
    assert empty.kind.tolist() == [[0]]


def test_anchors_are_positive_negative_or_left_out_by_their_overlap():
    truth = true_boxes(slabs_with_squares())
    anchors = grid_anchors(16, 16, 4, 14.0, (0.5, 1.0, 2.0))
    targets = anchor_targets(anchors, truth, 0.3, 0.6)
    best = overlap(anchors, truth.boxes[0]).max(dim=1).values
    label = targets.label[0]
    assert (label[best >= 0.6] == 1).all() and (label[best < 0.1] == 0).all()
    between = (best >= 0.3) & (best < 0.6)
    assert (label[between] != 0).all() and (label[between] == -1).any()
    assert (targets.label[1] == 0).all(), "a slab without blood has negative anchors only"


def test_every_box_has_a_positive_anchor_and_it_learns_that_box():
    truth = true_boxes(slabs_with_squares())
    anchors = grid_anchors(16, 16, 4, 14.0, (1.0,))  # none overlaps the 8 x 30 box by much
    targets = anchor_targets(anchors, truth, 0.3, 0.7)
    for slab, box in ((0, 0), (0, 1), (2, 0)):
        learns = (targets.boxes[slab] == truth.boxes[slab, box]).all(dim=1)
        assert ((targets.label[slab] == 1) & learns).any()


def proposals(boxes: list[list[float]], slabs: int = 3) -> Proposals:
    tensor = torch.tensor(boxes)[None].expand(slabs, -1, -1)
    return Proposals(tensor, torch.ones(tensor.shape[:2]), torch.ones(tensor.shape[:2], dtype=torch.bool))


def test_regions_have_the_type_of_the_box_that_they_overlap_and_a_share_of_positives():
    truth = true_boxes(slabs_with_squares())
    boxes = [[9.0, 9, 25, 25], [0, 40, 10, 60], [50, 0, 60, 20], [30, 2, 36, 12], [0, 30, 6, 40], [21, 21, 31, 31]]
    options = {"count": 6, "positive_share": 0.34, "positive": 0.5, "jittered": 3}
    for seed in range(10):
        torch.manual_seed(seed)
        regions = sample_regions(proposals(boxes), truth, (64, 64), **options)
        assert regions.boxes.shape == (3, 6, 4) and regions.kind.shape == (3, 6)
        for slab in range(3):
            positive = regions.kind[slab] > 0
            assert positive.sum() == (0 if slab == 1 else 2)
            shared = overlap(regions.boxes[slab], truth.boxes[slab]) * (truth.kind[slab] > 0)
            assert (shared[positive].amax(dim=1) >= 0.5).all()
            none = regions.kind[slab] == 0
            assert (shared[none].amax(dim=1) < 0.5).all()
            which = shared.argmax(dim=1)
            assert torch.equal(regions.kind[slab][positive], truth.kind[slab][which][positive])
            assert torch.equal(regions.wanted[slab][positive], truth.boxes[slab][which][positive])


def test_shaken_boxes_stay_near_theirs():
    torch.manual_seed(0)
    boxes = torch.tensor([[10.0, 20, 30, 80]]).expand(500, 4)
    moved = shaken(boxes)
    assert (overlap(moved[:, None], boxes[:, None]).flatten() > 0.5).all()
    reach = (moved - boxes).abs().amax(dim=0)
    assert (reach <= torch.tensor([3.0, 9, 3, 9])).all() and (reach > torch.tensor([2.5, 8, 2.5, 8])).all()


def test_padding_is_never_a_region():
    truth = TrueBoxes(torch.zeros(1, 2, 4), torch.zeros(1, 2, dtype=torch.long))
    regions = sample_regions(
        proposals([[5.0, 5, 9, 9]], 1), truth, (64, 64), count=4, positive_share=0.5, positive=0.5, jittered=1
    )
    assert regions.kind[0].tolist() == [0, -1, -1, -1]
