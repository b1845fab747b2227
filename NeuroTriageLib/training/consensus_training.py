"""Fitting the consensus on validation exams: opinions, weights, mask rule, familiarity, model pack."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..core.code_version import code_version
from ..core.codes import ANY
from ..core.errors import ConfigError, InputError
from ..core.opinions import pooled, shared_codes, source_code
from ..io.model_packs import CARD_FILE, PackManifest, save_model_pack
from ..preprocessing.exam_features import exam_features
from ..preprocessing.familiarity import FamiliarityModel
from ..systems.consensus_config import ConsensusConfig, ConsensusMember, GridSettings
from .calibration import area_under_curve
from .consensus_card import consensus_card
from .consensus_fit import PENALTY, MaskRule, fit_mask_rule, fit_weights
from .consensus_opinions import CollectedOpinions, ExamOpinions, Reader, collect
from .exam_bank import BankExam
from .exam_producer import ProductionPlan, start_producer, wait_for
from .pack_export import INTENDED_USE, LICENCE, VERSION, ExamScores
from .training_run import Report, TrainOptions

CACHE_FILE = "opinions.jsonl"
TRAINING_EXAMS = 800  # whose figures make the familiarity model; ours
FAMILIAR_SHARE = 0.995  # of the validation exams lie below the threshold before the margin; ours
FAMILIAR_MARGIN = 1.25  # real scanners differ by more than simulated validation exams do; ours
SMALLEST_FIT = 10  # exams with and without blood that a fit needs at least; ours


def train_consensus(options: TrainOptions, readers: Sequence[Reader], report: Report) -> Path:
    """Ask the systems, fit, export; returns the pack's folder. The same call goes on after a kill.

    Args:
        options: folders; exams is the number of training exams for the familiarity model.
        readers: loaded systems in the order in which they shall read, all prepared on one grid.
        report: takes one line of progress.

    Raises:
        ConfigError: no systems, one system twice, or systems with different grids.
        InputError, OutputError.
    """
    grid = shared_grid(readers)
    plan = ProductionPlan(
        options.simulate, options.bank_folder, grid, options.exams or TRAINING_EXAMS, options.validation_exams
    )
    _make_missing_exams(plan, report)
    opinions = collect(readers, plan.bank / "validation", grid, options.out / CACHE_FILE, report)
    fit = fit_consensus(opinions)
    report("measuring how the training exams look")
    familiarity, threshold = fit_familiarity(
        bank_features(plan.bank / "train", grid, options.exams or TRAINING_EXAMS),
        bank_features(plan.bank / "validation", grid, len(opinions.exams)),
    )
    config = ConsensusConfig(
        codes=fit.scores.codes,
        members=tuple(
            ConsensusMember(reader.name, reader.pack.path.name.removesuffix(".zip"), reader.pack.identity.sha256)
            for reader in readers
        ),
        weights=fit.weights,
        mask_weights=dict(zip(opinions.drawing, fit.mask.shares, strict=True)) if fit.mask else {},
        pixel_threshold=fit.mask.threshold if fit.mask else 0.5,
        familiarity_threshold=threshold,
        pixel_spacing_mm=grid.pixel_spacing_mm,
        image_size=grid.image_size,
        slab_mm=grid.slab_mm,
    )
    pack = export(options.out / f"consensus-{options.variant}", config, fit, familiarity)
    report(f"model pack written: {pack}")
    return pack


def shared_grid(readers: Sequence[Reader]) -> GridSettings:
    """The grid of all systems. Raises ConfigError when there is none."""
    names = [reader.name for reader in readers]
    if not names or len(set(names)) != len(names):
        raise ConfigError("The consensus needs one model pack for each of its systems.", next_step="Name --packs.")
    grids = {GridSettings.of(reader.config) for reader in readers}
    if len(grids) > 1:
        raise ConfigError(
            "The systems were made for different grids; they cannot be asked about the same bank.",
            where=", ".join(f"{r.name} {r.config.pixel_spacing_mm} mm" for r in readers),
            next_step="Name packs of one variant.",
        )
    return grids.pop()


@dataclass(frozen=True, eq=False)
class ConsensusFit:
    """What was fitted, and how well it does on the exams that it was fitted on.

    Args:
        weights: code -> system -> share.
        mask: None when no system draws masks.
        scores: pooled raw scores beside the truth, from which calibration and operating points follow.
        single_auc: system -> code -> exam AUC of its own probability (of what informs the code).
    """

    weights: dict[str, dict[str, float]]
    mask: MaskRule | None
    scores: ExamScores
    single_auc: dict[str, dict[str, float]]


def fit_consensus(opinions: CollectedOpinions) -> ConsensusFit:
    """Weights per code, the mask rule, pooled scores. Raises InputError when there are too few exams."""
    exams = opinions.exams
    positives = sum(exam.present[ANY] for exam in exams)
    if min(positives, len(exams) - positives) < SMALLEST_FIT:
        raise InputError(
            f"{len(exams)} validation exams, {positives} of them with hemorrhage, are too few to fit a consensus.",
            next_step=f"Give it at least {SMALLEST_FIT} of each.",
        )
    answered = exams[0].probability
    codes = shared_codes(answered.values())
    weights: dict[str, dict[str, float]] = {}
    single: dict[str, dict[str, float]] = {system: {} for system in answered}
    for code in codes:
        present = np.array([exam.present[code] for exam in exams])
        systems = [system for system, said in answered.items() if source_code(code, said)]
        probability = np.array([[_said(exam, system, code) for system in systems] for exam in exams])
        shares = fit_weights(probability, present).shares()
        weights[code] = {system: round(share, 4) for system, share in zip(systems, shares, strict=True)}
        for n, system in enumerate(systems):
            single[system][code] = area_under_curve(probability[:, n], present)
    pools = [[pooled({s: _said(e, s, code) for s in weights[code]}, weights[code]) for code in codes] for e in exams]
    truth = np.array([[exam.present[code] for code in codes] for exam in exams])
    counts = [exam.overlap for exam in exams if exam.overlap.size]
    mask = fit_mask_rule(counts, len(opinions.drawing)) if counts else None
    return ConsensusFit(weights, mask, ExamScores(codes[1:], np.array(pools), truth), single)


def _said(exam: ExamOpinions, system: str, code: str) -> float:
    said = exam.probability[system]
    source = source_code(code, said)
    assert source is not None
    return said[source]


def bank_features(folder: Path, grid: GridSettings, most: int) -> np.ndarray:
    """(N, F) figures of a bank's first exams that show brain. Raises InputError when there are too few."""
    rows = []
    for path in sorted(folder.glob("*.npz"))[:most]:
        exam = BankExam.load(path)
        if exam.brain_shw.any():
            rows.append(exam_features(exam.hu_shw, exam.brain_shw, grid.pixel_spacing_mm))
    if len(rows) < SMALLEST_FIT:
        raise InputError(f"{len(rows)} exams are too few to know what is usual.", where=str(folder))
    return np.array(rows)


def fit_familiarity(training_nf: np.ndarray, validation_nf: np.ndarray) -> tuple[FamiliarityModel, float]:
    """The model of the training exams as the pack will hold it, and the threshold from the validation exams."""
    fitted = FamiliarityModel.fitted(training_nf).arrays()
    stored = FamiliarityModel.from_arrays({name: values.astype(np.float16) for name, values in fitted.items()})
    scores = [stored.score(features) for features in validation_nf]
    return stored, round(FAMILIAR_MARGIN * float(np.quantile(scores, FAMILIAR_SHARE)), 3)


def export(out: Path, config: ConsensusConfig, fit: ConsensusFit, familiarity: FamiliarityModel) -> Path:
    """Write the pack with its model card; returns out. Raises OutputError."""
    calibration, points = fit.scores.calibrate()
    manifest = PackManifest(
        name=out.name,
        version=VERSION,
        system="consensus",
        config=config.to_json(),
        codes=config.codes,
        operating_points=points,
        calibration=calibration,
        training={
            "data": "opinions of the members on simulated validation exams, label maps 17 and 18",
            "exams": len(fit.scores.scores),
            "penalty": PENALTY,
            "code": code_version(),
        },
        metrics={"validation": _figures(fit) | fit.scores.at_points(calibration, points)},
        licence=LICENCE,
        intended_use=INTENDED_USE,
    )
    weights = {name: values.astype(np.float32) for name, values in familiarity.arrays().items()}
    manifest = save_model_pack(out, manifest, weights, overwrite=True)
    (out / CARD_FILE).write_text(consensus_card(manifest), encoding="utf-8")
    return out


def _figures(fit: ConsensusFit) -> dict[str, Any]:
    known: Callable[[float], float | None] = lambda value: None if np.isnan(value) else round(value, 4)  # noqa: E731
    codes = (ANY, *fit.scores.codes)
    auc = {code: area_under_curve(fit.scores.scores[:, n], fit.scores.present[:, n]) for n, code in enumerate(codes)}
    return {
        "exams": len(fit.scores.scores),
        "auc": {code: known(value) for code, value in auc.items()},
        "auc_of_members": {s: {c: known(v) for c, v in values.items()} for s, values in fit.single_auc.items()},
        "dice": round(fit.mask.dice, 4) if fit.mask else None,
    }


def _make_missing_exams(plan: ProductionPlan, report: Report) -> None:
    """Simulate what the bank lacks; a bank that holds enough is taken as it is."""
    wanted = {"train": plan.training_exams, "validation": plan.validation_exams}
    if all(len(list((plan.bank / name).glob("*.npz"))) >= count for name, count in wanted.items()):
        return
    plan.check()
    producer = start_producer(plan)
    try:
        for name, count in wanted.items():
            report(f"simulating {count} {name} exams")
            wait_for(plan.bank / name, count, producer)
    finally:
        producer.terminate()
        producer.join()
