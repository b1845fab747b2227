"""Non-maximum suppression of many slabs at once, against the greedy rule written out for one."""

import torch

from NeuroTriageLib.networks.detection.boxes import overlap
from NeuroTriageLib.networks.detection.suppression import keep_best, suppress, suppress_by_type


def by_hand(boxes: torch.Tensor, score: torch.Tensor, valid: torch.Tensor, threshold: float) -> list[int]:
    kept: list[int] = []
    for n in sorted(range(len(boxes)), key=lambda n: -score[n]):
        if valid[n] and all(overlap(boxes[n : n + 1], boxes[m : m + 1]).item() <= threshold for m in kept):
            kept.append(n)
    return kept


def many_boxes(slabs: int, count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(4)
    corner, side = torch.rand(slabs, count, 2) * 40, 4 + torch.rand(slabs, count, 2) * 30
    return torch.cat([corner, corner + side], -1), torch.rand(slabs, count), torch.rand(slabs, count) < 0.8


def test_many_slabs_at_once_give_what_the_greedy_rule_gives_for_each():
    boxes, score, valid = many_boxes(6, 60)
    for threshold in (0.1, 0.5, 0.9):
        kept = suppress(boxes, score, valid, threshold)
        for slab in range(6):
            expected = by_hand(boxes[slab], score[slab], valid[slab], threshold)
            assert sorted(expected) == kept[slab].nonzero().flatten().tolist()


def test_boxes_of_different_types_do_not_suppress_each_other():
    boxes, score, valid = many_boxes(4, 40)
    kind = torch.randint(0, 3, score.shape)
    kept = suppress_by_type(boxes, score, kind, valid, 0.4)
    for slab in range(4):
        expected = []
        for value in range(3):
            expected += by_hand(boxes[slab], score[slab], valid[slab] & (kind[slab] == value), 0.4)
        assert sorted(expected) == kept[slab].nonzero().flatten().tolist()


def test_nothing_valid_keeps_nothing():
    boxes, score, valid = many_boxes(2, 5)
    assert not suppress(boxes, score, torch.zeros_like(valid), 0.5).any()


def test_the_best_come_first_and_the_rest_is_marked_as_padding():
    score = torch.tensor([[0.2, 0.9, 0.5, 0.7]])
    kept = torch.tensor([[True, True, False, True]])
    (values,), real = keep_best((torch.arange(4)[None],), score, kept, 4)
    assert values[0, :3].tolist() == [1, 3, 0] and real.tolist() == [[True, True, True, False]]
    (values,), real = keep_best((torch.arange(4)[None],), score, kept, 2)
    assert values.tolist() == [[1, 3]] and real.all()
