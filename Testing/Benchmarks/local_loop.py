"""The whole loop at a simulated hospital: the shipped kuo2019 errs there, learns from 20 corrected masks, is compared.

The hospital has one scanner: little dose and a very smooth kernel, so that its noise comes in blotches as large as
small bleedings, and 5 mm slices (training exams show nothing like it: their noise_hu is 1.8-5.5, their softest kernel
has 0.26/mm).
Its patients' heads are those that training uses; the held-out patients have heads that none does. The reader's masks
are the simulation's truth. Everything goes the way that a user's exams go: split by patients, fine-tuning with
rehearsal, comparison with paired intervals. A run that was stopped goes on where it was. It ends with code 1 when AUC
or Dice of any hemorrhage did not rise there, or fell by more than 0.01 elsewhere.

    python Testing/Benchmarks/local_loop.py MAPS -o out/local_loop
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from NeuroTriageLib.catalog import models_folder
from NeuroTriageLib.core.codes import ANY
from NeuroTriageLib.datasets.case_source import CaseSource
from NeuroTriageLib.datasets.labelled_case import Case, LabelledCt
from NeuroTriageLib.datasets.split import Part
from NeuroTriageLib.model_comparison.command import compare_packs
from NeuroTriageLib.model_comparison.comparison import Comparison
from NeuroTriageLib.model_comparison.figures import AUC, DICE
from NeuroTriageLib.model_comparison.held_out import LOCAL, SIMULATED, TEST_MAPS, HeldOut, simulated_cases
from NeuroTriageLib.model_comparison.tables import comparison_markdown
from NeuroTriageLib.simulation.anatomy import load_anatomy
from NeuroTriageLib.simulation.head_ct import simulate_head_ct
from NeuroTriageLib.training.exam_producer import SETTINGS, TRAINING_MAPS, label_maps
from NeuroTriageLib.training.fine_tuning import tuned_name
from NeuroTriageLib.training.registry import TRAINED_SYSTEMS
from NeuroTriageLib.training.rehearsal import FINE_TUNING_SPLIT, REHEARSED_EXAMS
from NeuroTriageLib.training.training_run import TrainOptions

# Range by range; the simulator caps the noise at what anybody would read (reconstruction_kernel.NOISIEST_HU).
HOSPITAL = dataclasses.replace(
    SETTINGS,
    noise_hu=(22.0, 26.0),
    soft_kernel_per_mm=(0.19, 0.21),
    sharp_kernel_probability=0.0,
    denoising=(0.0, 0.1),
    blur_mm=(0.6, 0.8),
    slice_spacings_mm=(5.0,),
    mixed_stack_probability=0.0,
    gap_probability=0.0,
    overlap_probability=0.0,
)
VALIDATIONS = 3
VALIDATING = 3  # of the corrected exams


def hospital_case(head: Path, seed: int, positive: bool, patient: str, heads: Path) -> Case:
    """One exam of the hospital with its true mask; it is simulated when it is read."""
    settings = dataclasses.replace(HOSPITAL, positive_probability=float(positive))

    def read() -> LabelledCt:
        exam = simulate_head_ct(load_anatomy(head, heads), seed, settings)
        return LabelledCt(exam.volume, exam.label_kji)

    return Case(f"hospital/{seed}", patient, read)


def patients_of(part: Part) -> Iterator[str]:
    """Names of patients whom the split puts there."""
    names = (f"hospital:{number}" for number in range(1_000_000))
    return (name for name in names if FINE_TUNING_SPLIT.part_of(name) == part)


def corrected_cases(maps: Path, options: argparse.Namespace) -> list[Case]:
    """The exams whose masks a reader has corrected: most train, some validate."""
    chosen, training, validating = label_maps(maps, TRAINING_MAPS), patients_of("train"), patients_of("validation")
    cases = []
    for number in range(options.corrected):
        patient = next(validating if number >= options.corrected - VALIDATING else training)
        positive = number % 4 != 3  # readers correct what bleeds, and some false alarms
        seed = options.first_seed + number
        cases.append(hospital_case(chosen[number % len(chosen)], seed, positive, patient, options.heads))
    return cases


def held_out_cases(maps: Path, options: argparse.Namespace) -> HeldOut:
    """Other patients of the hospital; every second exam bleeds."""
    chosen, patients = label_maps(maps, TEST_MAPS), patients_of("test")
    cases = []
    for number in range(options.held_out):
        positive = (number // len(chosen)) % 2 == 0
        seed = options.first_seed + 10_000 + number
        cases.append(hospital_case(chosen[number % len(chosen)], seed, positive, next(patients), options.heads))
    return HeldOut(LOCAL, tuple(cases))


def fine_tune(options: argparse.Namespace, start: Path) -> Path:
    """The new pack; that of a run that was stopped after it."""
    if (done := options.output / "run" / tuned_name(start.name)).is_dir():
        return done
    cases = corrected_cases(options.maps, options)
    source = CaseSource("hospital", "CT", ("masks",), "simulated", lambda: iter(cases))
    run = TrainOptions(
        simulate=options.maps,
        out=options.output / "run",
        minutes=options.minutes,
        exams=options.rehearsed,
        validation_exams=options.validation,
        validate_minutes=options.minutes / VALIDATIONS,
        device=options.device,
        threads=options.threads,
        bank=options.bank,
        sources=(source,),
        split=FINE_TUNING_SPLIT,
        start=start,
        heads=options.heads,
    )
    return TRAINED_SYSTEMS["kuo2019"]()(run, lambda line: print(line, flush=True))


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("maps", type=Path, help="folder of head label maps")
    parser.add_argument("-o", "--output", type=Path, default=Path("out/local_loop"))
    parser.add_argument("--corrected", type=int, default=20, help="exams with a corrected mask")
    parser.add_argument("--held-out", type=int, default=60, help="other exams of the hospital")
    parser.add_argument("--elsewhere", type=int, default=60, help="exams as training draws them")
    parser.add_argument("--rehearsed", type=int, default=REHEARSED_EXAMS, help="simulated exams beside the corrected")
    parser.add_argument("--validation", type=int, default=80, help="simulated exams that validate and calibrate")
    parser.add_argument("--minutes", type=float, default=12.0, help="of training, by the clock")
    parser.add_argument("--first-seed", type=int, default=7_000_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="cpu")
    parser.add_argument("--heads", type=Path, help="folder for prepared heads (12 s each to prepare)")
    parser.add_argument("--bank", type=Path, help="folder of prepared exams; in the output folder unless named")
    options = parser.parse_args(arguments)
    options.heads = options.heads or options.output / "heads"
    start = models_folder() / "kuo2019-compact"
    began, cpu = time.monotonic(), time.process_time()
    new = fine_tune(options, start)
    trained = {"minutes": (time.monotonic() - began) / 60, "cpu_minutes": (time.process_time() - cpu) / 60}
    elsewhere = simulated_cases(
        options.maps, options.elsewhere, first_seed=options.first_seed + 20_000, cache=options.heads
    )
    comparison = compare_packs(
        new,
        start,
        [held_out_cases(options.maps, options), elsewhere],
        lambda stage, share: print(f"{stage} {share:.0%}", flush=True),
        device=options.device,
        with_reader=False,
        keep_in=options.output / "compared",
    )
    text = comparison_markdown(comparison)
    (options.output / "comparison.md").write_text(text, encoding="utf-8")
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {options.threads} thread"
    document = {"machine": machine, "trained": trained, "options": {k: str(v) for k, v in vars(options).items()}}
    document |= {"hospital": dataclasses.asdict(HOSPITAL)} | comparison.to_json()
    (options.output / "comparison.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(text)
    short = falls_short(comparison)
    print("\n".join(short) or "The loop has gained there and lost nothing elsewhere.")
    return 1 if short else 0


def falls_short(comparison: Comparison) -> list[str]:
    """What the loop promises and did not keep: AUC and Dice rise there, and fall by 0.01 at most elsewhere."""
    least = {LOCAL: 0.0, SIMULATED: -0.01}
    return [
        f"{each.name}: {figure.figure} {figure.old:.3f} -> {figure.new:.3f}"
        for each in comparison.sets
        for figure in each.figures()
        if figure.code == ANY and figure.figure in (AUC, DICE) and figure.difference.value <= least[each.name]
    ]


if __name__ == "__main__":
    sys.exit(main())
