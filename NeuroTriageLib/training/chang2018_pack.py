"""From a checkpoint of Chang 2018 to a model pack."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ..networks.hybrid_mask_rcnn import HybridMaskRcnn
from ..systems.chang2018_config import Chang2018Config
from .chang2018_card import CHANG_2018
from .chang2018_trainer import build_network
from .chang2018_validation import validate
from .exam_bank import BankExam
from .pack_export import AssessedModel, PackExport, as_stored, kept_tensors
from .windowed_exam import WindowedExam

DETECTOR = "detector."
"""What the names of the weights begin with that ship, in a checkpoint's running mean."""


def view_of(config: Chang2018Config) -> Callable[[BankExam], WindowedExam]:
    """What the detector keeps of a bank's exam."""
    return partial(WindowedExam.of, window_hu=config.window_hu)


def kept_network(state: dict[str, Any], config: Chang2018Config) -> HybridMaskRcnn:
    """The best validated weights of a checkpoint, or the latest ones; rounded as a pack stores them."""
    averaged = state["training"]["recipe"]["average_decay"] > 0
    weights = kept_tensors(state, "average" if averaged else "network", DETECTOR)
    network = build_network(config)
    network.load_state_dict({name: as_stored(name, value) for name, value in weights.items()})
    return network.eval()


def assess(state: dict[str, Any], config: Chang2018Config, exams: Sequence[WindowedExam]) -> AssessedModel:
    """The kept network on the validation exams."""
    network = kept_network(state, config)
    return AssessedModel(config, network.state_dict(), validate(network, exams, config, bfloat16=False))


export_pack = PackExport("chang2018", Chang2018Config, view_of, assess, CHANG_2018)
"""See PackExport."""
