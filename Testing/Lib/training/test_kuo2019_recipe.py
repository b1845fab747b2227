"""The recipe's numbers are the paper's; wrong options are refused."""

import pytest

from NeuroTriageLib.core.errors import ConfigError
from NeuroTriageLib.training.kuo2019_recipe import COMPACT_TRAINING, PUBLISHED_TRAINING
from NeuroTriageLib.training.training_run import TrainOptions, training_device


def test_the_default_recipe_has_the_papers_numbers():
    segmentation, patch, joint = PUBLISHED_TRAINING.stages
    assert (segmentation.name, segmentation.learning_rate, segmentation.epochs) == ("segmentation", 1e-3, 400)
    assert (patch.name, patch.epochs) == ("patch", 40)
    assert (joint.name, joint.learning_rate, joint.epochs) == ("joint", 5e-5, 30)
    assert (PUBLISHED_TRAINING.optimizer, PUBLISHED_TRAINING.momentum) == ("sgd", 0.99)
    assert (PUBLISHED_TRAINING.positive_share, PUBLISHED_TRAINING.positive_pixel_weight) == (0.30, 3.0)
    assert PUBLISHED_TRAINING.minutes is None and PUBLISHED_TRAINING.whole_share == 0.0


def test_the_published_rate_falls_to_a_tenth_every_160_epochs():
    stage = PUBLISHED_TRAINING.stages[0]
    rates = [PUBLISHED_TRAINING.learning_rate(stage, epoch / 400, epoch) for epoch in (0, 159.9, 160, 320, 399)]
    assert rates == pytest.approx([1e-3, 1e-3, 1e-4, 1e-5, 1e-5])


def test_the_compact_rate_warms_up_and_falls():
    stage = COMPACT_TRAINING.stages[0]
    start, top, end = (COMPACT_TRAINING.learning_rate(stage, fraction, 0) for fraction in (0.0, 0.08, 1.0))
    assert top == pytest.approx(stage.learning_rate) and start < 0.2 * top and end < 0.02 * top


def test_the_shares_of_the_time_add_up():
    for recipe in (PUBLISHED_TRAINING, COMPACT_TRAINING):
        assert sum(stage.share for stage in recipe.stages) == pytest.approx(1)


@pytest.mark.parametrize("wrong", [{"minutes": 0}, {"minutes": float("nan")}])
def test_wrong_options_are_refused(tmp_path, wrong):
    with pytest.raises(ConfigError):
        TrainOptions(tmp_path, tmp_path, **wrong)


def test_an_unknown_device_is_refused():
    with pytest.raises(ConfigError):
        training_device("tpu")
