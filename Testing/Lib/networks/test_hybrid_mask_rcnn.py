"""The hybrid mask R-CNN: parameters, shapes from slices to masks, and a stack in turns as a stack at once."""

import dataclasses

import pytest
import torch

from NeuroTriageLib.networks.hybrid_mask_rcnn import HybridMaskRcnn, NetworkSettings, image_size, paint
from NeuroTriageLib.systems.chang2018_config import COMPACT, PUBLISHED, Chang2018Config

TINY = dataclasses.replace(
    COMPACT, width=0.125, pyramid_channels=16, hidden=16, mask_size=8, candidates=40, proposals=10, detections=6
)


def network(seed: int = 0, config: Chang2018Config = TINY) -> HybridMaskRcnn:
    torch.manual_seed(seed)
    return HybridMaskRcnn(NetworkSettings(**config.network)).eval()


def test_the_heads_parameters_at_full_width_are_those_of_their_layers():
    with torch.device("meta"):
        full = HybridMaskRcnn(NetworkSettings(**PUBLISHED.network))
    count = {name: sum(p.numel() for p in part.parameters()) for name, part in full.named_children()}
    conv = 128 * 128 * 9 + 128
    assert count["proposal_head"] == conv + (128 * 3 + 3) + (128 * 12 + 12)
    layers = (128 * 49 * 1024 + 1024) + (1024 * 1024 + 1024)
    assert count["classifier"] == layers + (1024 * 5 + 5) + (1024 * 4 + 4)
    assert count["mask_branch"] == 4 * conv + (128 * 128 * 4 + 128) + (128 * 4 + 4)
    assert count["backbone"] == 4_659_968


def test_the_compact_network_takes_less_than_four_megabytes_in_half_precision():
    with torch.device("meta"):
        compact = HybridMaskRcnn(NetworkSettings(**COMPACT.network))
    assert sum(value.numel() * 4 for value in compact.state_dict().values()) / 2 < 4e6


@pytest.mark.parametrize(("config", "runs", "slabs"), [(TINY, 2, 3), (PUBLISHED, 1, 1)], ids=["tiny", "published"])
def test_shapes_from_slices_to_masks(config: Chang2018Config, runs: int, slabs: int):
    net = network(config=config)
    n, boxes, kept, mask = runs * slabs, config.proposals, config.detections, 2 * config.mask_size
    with torch.no_grad():
        pyramid = net.pyramid(torch.rand(runs, slabs + 4, 64, 96))
        sizes = [(32, 48), (16, 24), (8, 12), (4, 6), (2, 3)]
        assert [tuple(level.shape) for level in pyramid] == [(n, config.pyramid_channels, *size) for size in sizes]
        assert image_size(pyramid) == (64, 96)
        scores = net.search(pyramid)
        anchors = 3 * (16 * 24 + 8 * 12 + 4 * 6 + 2 * 3)
        assert scores.anchors.shape == (anchors, 4) and scores.objectness.shape == (n, anchors)
        proposals = net.propose(scores, pyramid)
        assert proposals.boxes.shape == (n, boxes, 4)
        regions = net.classify(pyramid, proposals.boxes)
        assert regions.types.shape == (n, boxes, 5) and regions.offsets.shape == (n, boxes, 4)
        found = net.detect(pyramid)
        assert found.boxes.shape == (n, kept, 4) and found.score.shape == (n, 5)
        wanted = found.valid & (torch.arange(kept) < 2)
        masks = net.masks(pyramid, found.boxes, found.kind, wanted)
        assert masks.shape == (int(wanted.sum()), mask, mask)


def test_detections_are_inside_the_image_best_first_and_scores_are_the_best_of_all():
    net = network(3)
    with torch.no_grad():
        pyramid = net.pyramid(torch.rand(1, 8, 64, 64))
        found = net.detect(pyramid)
        types = net.classify(pyramid, net.propose(net.search(pyramid), pyramid).boxes).types.softmax(-1)
    assert found.valid.any() and (found.boxes[found.valid] >= 0).all() and (found.boxes[found.valid] <= 64).all()
    for confidence, valid in zip(found.confidence, found.valid, strict=True):
        assert confidence[valid].tolist() == sorted(confidence[valid].tolist(), reverse=True)
    assert ((found.kind >= 1) & (found.kind <= 4)).all()
    assert torch.allclose(found.score[:, 1:], types[..., 1:].amax(1), atol=1e-5)
    assert torch.allclose(found.score[:, 0], 1 - types[..., 0].amin(1), atol=1e-5)


def test_a_stack_read_in_turns_gives_what_it_gives_at_once():
    net, stack = network(1), torch.rand(11, 64, 64)
    ((_, whole),) = net.answers(stack, 0.0, 100)
    parts = list(net.answers(stack, 0.0, 3))
    assert [first for first, _ in parts] == [0, 3, 6]
    for name in ("boxes", "confidence", "score"):
        together = torch.cat([getattr(part.found, name) for _, part in parts])
        torch.testing.assert_close(together, getattr(whole.found, name), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(torch.cat([part.masks for _, part in parts]), whole.masks, atol=1e-3, rtol=1e-3)


def test_painted_masks_belong_to_their_slab():
    net = network(1)
    answer = net.answer(torch.rand(1, 7, 64, 64), 0.0)
    for slab in range(3):
        picture = paint(answer, slab, 64, 64)
        boxes = answer.found.boxes[slab, answer.masked[slab]]
        assert len(picture) == len(boxes)
        for mask, (top, left, bottom, right) in zip(picture, boxes.tolist(), strict=True):
            rows, columns = (mask > 0).any(1).nonzero(), (mask > 0).any(0).nonzero()
            assert rows.min() + 0.5 >= top and rows.max() + 0.5 <= bottom
            assert columns.min() + 0.5 >= left and columns.max() + 0.5 <= right
