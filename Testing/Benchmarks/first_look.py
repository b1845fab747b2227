"""How well and how fast a first look ranks exams: one quick system on some slices, on all, and dense voxels alone.

Simulated exams, every second one with bleeding. AUC with a bootstrap interval, and seconds without reading files.

    python Testing/Benchmarks/first_look.py MAPS --exams 40 --json out/bench/first_look.json
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from NeuroTriageLib.catalog import load_system
from NeuroTriageLib.core.codes import ANY
from NeuroTriageLib.core.volume import Volume
from NeuroTriageLib.preprocessing.intracranial import intracranial_mask
from NeuroTriageLib.service.first_look import SYSTEM, slice_step
from NeuroTriageLib.simulation.anatomy import load_anatomy
from NeuroTriageLib.simulation.head_ct import simulate_head_ct
from Testing.Benchmarks import simulated_exams
from Testing.Benchmarks.evaluate_simulated import plan
from Testing.Benchmarks.simulated_exams import HeadCtJob

BLOOD_HU = (55.0, 90.0)  # acute blood on non-contrast CT; ours, between grey matter and calcification
COARSE_MM = 2.0  # the intracranial mask's own grid
BOOTSTRAPS = 2000

Look = Callable[[Volume], float]


def thin(volume: Volume) -> Volume:
    """The slices that a first look takes."""
    step = slice_step(float(np.median(volume.grid.slice_spacings_mm)))
    array = volume.array_kji[::step]
    grid = replace(volume.grid, shape_kji=array.shape, origins_lps_mm=volume.grid.origins_lps_mm[::step])
    return Volume(array, grid)


def dense_share(volume: Volume) -> float:
    """Share of the intracranial voxels that are as dense as blood, on a coarse grid of the thinned stack."""
    thinned = thin(volume)
    grid = thinned.grid
    step = max(1, round(COARSE_MM / grid.spacing_i_mm))
    hu = thinned.array_kji[:, ::step, ::step].astype(np.float32)
    spacing = (float(np.median(grid.slice_spacings_mm)), grid.spacing_j_mm * step, grid.spacing_i_mm * step)
    inside = hu[intracranial_mask(hu, spacing)]
    return float(((inside > BLOOD_HU[0]) & (inside < BLOOD_HU[1])).mean()) if len(inside) else 0.0


def auc(scores: np.ndarray, positive: np.ndarray) -> float:
    """Probability that a positive exam scores higher than a negative one; ties count half."""
    above = scores[positive][:, None] - scores[~positive][None, :]
    return float(((above > 0) + 0.5 * (above == 0)).mean())


def interval(scores: np.ndarray, positive: np.ndarray) -> tuple[float, float]:
    """95 % of the AUC over exams drawn again."""
    drawn, chance = [], np.random.default_rng(0)
    while len(drawn) < BOOTSTRAPS:
        index = chance.integers(0, len(scores), len(scores))
        if positive[index].any() and not positive[index].all():
            drawn.append(auc(scores[index], positive[index]))
    low, high = np.percentile(drawn, (2.5, 97.5))
    return float(low), float(high)


def measure(jobs: Sequence[HeadCtJob], looks: Mapping[str, Look], anatomy_cache: Path | None) -> list[dict[str, Any]]:
    """Each exam's truth, and (score, CPU seconds) of each look; Ctrl-C ends it with what there is."""
    exams: list[dict[str, Any]] = []
    with suppress(KeyboardInterrupt):
        for job in jobs:
            exam = simulate_head_ct(load_anatomy(job.label_map, anatomy_cache), job.seed, job.settings)
            found: dict[str, Any] = {"positive": bool(exam.label_kji.any()), "slices": len(exam.volume.array_kji)}
            for name, look in looks.items():
                start = time.process_time()
                score = look(exam.volume)
                found[name] = (score, time.process_time() - start)
            exams.append(found)
            print(f"{len(exams)} of {len(jobs)}", file=sys.stderr, flush=True)
    return exams


def _row(found: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """AUC, interval and median seconds of one look; found is (exams, 2): score and seconds."""
    return {
        "auc": round(auc(found[:, 0], truth), 3),
        "interval": [round(value, 3) for value in interval(found[:, 0], truth)],
        "cpu_seconds": round(statistics.median(found[:, 1]), 2),
    }


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    simulated_exams.add_arguments(parser, exams=40, first_seed=8_000_000, output="out/bench")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads or 1)
    system = load_system(SYSTEM, device=options.device)
    looks: dict[str, Look] = {
        f"{SYSTEM}, slices 5 mm apart": lambda volume: float(system.read(thin(volume)).probability[ANY]),
        f"{SYSTEM}, all slices": lambda volume: float(system.read(volume).probability[ANY]),
        "dense voxels": dense_share,
    }
    maps = simulated_exams.label_maps(options.maps, options.only)
    jobs = plan(
        maps, exams=options.exams, first_seed=options.first_seed, matrix=options.matrix, settings=options.settings
    )
    exams = measure(jobs, looks, options.anatomy_cache)
    truth = np.array([exam["positive"] for exam in exams])
    table = {name: _row(np.array([exam[name] for exam in exams]), truth) for name in looks}
    slices = np.median([exam["slices"] for exam in exams])
    print(f"{len(exams)} exams ({truth.sum()} with bleeding), {options.settings}, median {slices:g} slices")
    for name, row in table.items():
        print(f"{name:<28} AUC {row['auc']:.3f} {row['interval']}  {row['cpu_seconds']:.2f} s of CPU")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        document = {"machine": platform.platform(), "exams": len(exams), "settings": options.settings, "looks": table}
        options.json.write_text(json.dumps(document, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
