"""Figures that all systems' validations share, and modes that come back after one."""

from dataclasses import dataclass

import numpy as np
import pytest
from torch import nn

from NeuroTriageLib.training.exam_validation import ValidationFigures, evaluating, pixel_dice


@dataclass(frozen=True)
class Made(ValidationFigures):
    """Four exams, any hemorrhage told rightly, IPH wrongly, SAH never there."""

    codes: tuple = ("IPH", "SAH")
    answers: tuple = (0, 1, 2, 3)
    scores = np.array([[0.9, 0.1, 0.5], [0.8, 0.2, 0.5], [0.2, 0.9, 0.5], [0.1, 0.8, 0.5]])
    present = np.array([[True, True, False], [True, True, False], [False, False, False], [False, False, False]])

    def figures(self):
        return {"dice": self.by_code([0.75, 0.25, np.nan]), "auc": self.auc()}


def test_what_cannot_be_known_is_none_and_in_no_mean():
    made = Made()
    assert made.summary() == {
        "exams": 4,
        "dice": {"any": 0.75, "IPH": 0.25, "SAH": None},
        "auc": {"any": 1.0, "IPH": 0.0, "SAH": None},
    }
    assert made.merit() == pytest.approx(0.5 + 0.5)
    assert made.curve_figures()["dice_SAH"] is None and made.curve_figures()["auc_any"] == 1.0


def test_dice_of_pixel_counts():
    value = pixel_dice(np.array([3, 0, 0]), np.array([4, 2, 0]), np.array([6, 0, 0]))
    assert value[:2].tolist() == pytest.approx([0.6, 0.0]) and np.isnan(value[2])


def test_every_part_is_back_in_its_own_mode_also_after_an_error():
    network = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout())
    network[0].eval()
    with pytest.raises(KeyError), evaluating(network):
        assert not any(module.training for module in network.modules())
        raise KeyError
    assert network.training and network[1].training and not network[0].training
