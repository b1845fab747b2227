"""Region proposals: the anchors of all levels in one order, and the best of them after suppression."""

import torch
import torch.nn.functional as F

from NeuroTriageLib.networks.detection.boxes import encode, overlap
from NeuroTriageLib.networks.detection.proposals import AnchorScores, AnchorSettings, ProposalHead, propose
from NeuroTriageLib.networks.detection.region_heads import LEAK

SETTINGS = AnchorSettings((4, 8), (10.0, 20.0), (0.5, 1.0, 2.0))


def test_scores_and_offsets_stand_in_the_order_of_the_anchors():
    head = ProposalHead(8, SETTINGS)
    maps = [torch.randn(2, 8, 6, 5), torch.randn(2, 8, 3, 4)]
    scores = head(maps)
    count = 3 * (6 * 5 + 3 * 4)
    assert scores.anchors.shape == (count, 4) and scores.objectness.shape == (2, count)
    assert scores.offsets.shape == (2, count, 4)
    # Row 4, column 2, ratio 1 of the first level; offset 3 of it.
    place = (4 * 5 + 2) * 3 + 1
    hidden = F.leaky_relu(head.shared(maps[0]), LEAK)
    assert torch.allclose(scores.objectness[:, place], head.objectness(hidden)[:, 1, 4, 2])
    assert torch.allclose(scores.offsets[:, place, 3], head.offsets(hidden)[:, 1 * 4 + 3, 4, 2])
    assert scores.anchors[place].tolist() == [18 - 5, 10 - 5, 18 + 5, 10 + 5]


def test_proposals_are_the_best_anchors_moved_and_apart():
    anchors = ProposalHead(4, SETTINGS)([torch.zeros(1, 4, 16, 16), torch.zeros(1, 4, 8, 8)]).anchors
    wanted = torch.tensor([[8.0, 8, 30, 20], [40, 36, 60, 62]])
    shared = overlap(anchors, wanted)
    score = torch.full((1, len(anchors)), -9.0)
    score[0, shared[:, 0] > 0.3], score[0, shared[:, 1] > 0.3] = 2.0, 3.0
    offsets = encode(wanted[shared.argmax(dim=1)], anchors)[None]
    found = propose(AnchorScores(anchors, score, offsets), 64, 64, candidates=200, count=3, threshold=0.7)
    assert found.boxes.shape == (1, 3, 4)
    assert torch.allclose(found.boxes[0, :2], wanted.flip(0), atol=1e-3)
    assert found.score[0, 0] > found.score[0, 1] > 0.8 and found.valid[0, :2].all()
