"""What Ye 2019's networks say about exams of the bank: raw scores of slabs and exams, and their AUC."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from ..core.codes import ANY
from ..networks.cnn_rnn import window_channels
from ..networks.cnn_rnn_cascade import CnnRnnCascade
from ..systems.ye2019_config import Ye2019Config
from .exam_validation import ValidationFigures, areas, evaluating
from .labelled_exam import LabelledExam

BATCH_PIXELS = 8 * 256 * 256  # of one pass; ours


@dataclass(frozen=True, eq=False)
class ExamAnswer:
    """Raw scores 0-1 of one exam beside the truth; columns are any hemorrhage, then the N types.

    Args:
        exam: (1 + N,).
        slabs: (s, 1 + N), none where slabs have no labels.
        present: (1 + N,) bool.
        shown: (s, 1 + N) bool.
    """

    exam: np.ndarray
    slabs: np.ndarray
    present: np.ndarray
    shown: np.ndarray


@dataclass(frozen=True, eq=False)
class Validation(ValidationFigures):
    """Answers on a set of exams, and the figures made of them."""

    codes: tuple[str, ...]
    answers: tuple[ExamAnswer, ...]

    @property
    def scores(self) -> np.ndarray:
        """(exams, 1 + N)."""
        return self.stacked("exam")

    @property
    def present(self) -> np.ndarray:
        """(exams, 1 + N) bool."""
        return self.stacked("present")

    def gated(self, gate: float, unasked_share: float) -> Validation:
        """The answers as they are when types are asked from a gate on, made of answers in which they always were."""

        def unasked(scores: np.ndarray) -> np.ndarray:
            share = np.full(scores.shape[-1], unasked_share, dtype=scores.dtype)
            share[0] = 1.0
            return scores[..., :1] * share

        return Validation(
            self.codes,
            tuple(
                answer
                if answer.exam[0] >= gate
                else replace(answer, exam=unasked(answer.exam), slabs=unasked(answer.slabs))
                for answer in self.answers
            ),
        )

    def slice_auc(self) -> dict[str, float]:
        """AUC over all slabs, per code."""
        slabs, shown = (np.concatenate([getattr(a, name) for a in self.answers]) for name in ("slabs", "shown"))
        return self.by_code(areas(slabs, shown))

    def figures(self) -> dict[str, dict[str, float]]:
        """Exam and slice AUC."""
        return {"auc": self.auc(), "slice_auc": self.slice_auc()}

    def stage_merit(self, *, two_type: bool, slice_labels: bool = True) -> float:
        """Mean of exam and slice AUC: of any hemorrhage alone while only the two-type network is trained.

        Without slice labels (Sub-Lab) the slices are not looked at.
        """
        figures = (self.auc(), self.slice_auc()) if slice_labels else (self.auc(),)
        values = [v for by_code in figures for c, v in by_code.items() if c == ANY or not two_type]
        return float(np.nanmean(values)) if np.isfinite(values).any() else 0.0

    def stage_figures(self, *, two_type: bool) -> dict[str, float | None]:
        """For the curves; None for types while only the two-type network is trained."""
        shown = self.curve_figures()
        return {name: v if name.endswith(f"_{ANY}") or not two_type else None for name, v in shown.items()}


Answer = Callable[[LabelledExam], tuple[Tensor, Tensor]]
"""An exam to its raw scores: (1 + N,) of the exam and (s, 1 + N) of its slabs."""


@torch.no_grad()
def validate(
    network: nn.Module, answer: Answer, exams: Iterable[LabelledExam], config: Ye2019Config, minimum_pixels: int
) -> Validation:
    """The answers on exams; the network is put in evaluation mode and back."""
    answers = []
    with evaluating(network):
        for exam in exams:
            scores, slabs = answer(exam)
            known = slice(None if exam.knows_slabs else 0)  # slabs without labels are in no figure
            shown = exam.slab_labels(minimum_pixels)
            answers.append(ExamAnswer(_array(scores), _array(slabs)[known], exam.present, shown[known]))
    return Validation(config.codes, tuple(answers))


def cascade_answer(cascade: CnnRnnCascade, config: Ye2019Config, *, bfloat16: bool) -> Answer:
    """Both networks, one after the other, as inference runs them."""

    def answer(exam: LabelledExam) -> tuple[Tensor, Tensor]:
        counts = [len(exam.field.slabs)]
        if not counts[0]:
            return torch.zeros(1 + cascade.types), torch.zeros(0, 1 + cascade.types)
        maps = cnn_maps(cascade.two_type.cnn, exam, config, bfloat16=bfloat16)
        two = cascade.two_type.classify(cascade.two_type.pooled(maps), counts)
        five = None
        if cascade.is_asked(two, config.gate):
            if not cascade.shared_cnn:
                maps = cnn_maps(cascade.five_type.cnn, exam, config, bfloat16=bfloat16)
            five = cascade.five_type.classify(cascade.five_type.pooled(maps), counts)
        scores = cascade.scores(two, five, config.unasked_share)
        return scores.subject, scores.slices.T

    return answer


def cell_answer(cnn: nn.Module, cells: nn.Module, config: Ye2019Config, *, bfloat16: bool) -> Answer:
    """The convolutions' own stage: a slab's score is that of its highest cell, an exam's that of its highest slab."""

    def answer(exam: LabelledExam) -> tuple[Tensor, Tensor]:
        if not len(exam.field.slabs):
            return torch.zeros(1 + len(config.codes)), torch.zeros(0, 1 + len(config.codes))
        slabs = cells(cnn_maps(cnn, exam, config, bfloat16=bfloat16)).amax((-2, -1)).sigmoid()  # (s, 1 + N)
        return slabs.amax(0), slabs

    return answer


@torch.no_grad()
def cnn_maps(cnn: nn.Module, exam: LabelledExam, config: Ye2019Config, *, bfloat16: bool) -> Tensor:
    """(s, c, h / 16, w / 16) float32 maps of an exam's field, in batches."""
    hu_shw = exam.field.hu_shw
    batch = max(1, BATCH_PIXELS // (hu_shw.shape[1] * hu_shw.shape[2]))
    device = next(cnn.parameters()).device
    maps = []
    for start in range(0, len(hu_shw), batch):
        hu = torch.from_numpy(hu_shw[start : start + batch]).to(device).float()
        # Channels last is about twice as fast here; training must not use it on a CPU, see kuo2019_trainer.py.
        x = window_channels(hu, config.windows_hu).contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
            maps.append(cnn(x).float())
    return torch.cat(maps)


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.float().cpu().numpy()
