"""How long a head CT or brain MRI takes from DICOM to findings.json, and how Kuo's dense pass compares with patches.

Prints tables and writes JSON. Every mode runs in a process of its own, so that peak memory is that mode's alone:
cold (a new process for each exam), warm (one process, the system loaded), methods (kuo2019 alone: both ways over one
prepared exam).

    python Testing/Benchmarks/triage_time.py [--system NAME] [--input DICOM_FOLDER] [--model PACK] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from NeuroTriageLib.catalog import MR_SYSTEM, default_system, load_system, modality_read
from NeuroTriageLib.core.resources import sample_data_folder

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = {"CT": sample_data_folder() / "HeadCtSample", "MR": sample_data_folder() / "BrainMrSample"}
COMPARED = "kuo2019"  # the system that can go both ways


@dataclass(frozen=True)
class Run:
    """One exam: seconds by the clock, seconds of all cores together (steadier on a busy machine), and per stage."""

    total_s: float
    cpu_s: float
    stages_s: dict[str, float]


def triage_once(options: argparse.Namespace, system: Any, folder: Path) -> Run:
    """From the input's headers to findings.json on disk."""
    from NeuroTriageLib.outputs.findings_json import write_findings_json
    from NeuroTriageLib.pipeline import Readers, triage_input

    reads_mr = modality_read(options.system, options.model) == "MR"
    readers = Readers(None, lambda: system) if reads_mr else Readers(lambda: system, None)
    start, cpu_start = time.perf_counter(), time.process_time()
    results = triage_input(options.input, readers)
    written = time.perf_counter()
    write_findings_json(results, folder / "findings.json")
    end = time.perf_counter()
    stages = {**results[0].timings_s, "findings.json": end - written}
    members = {reading.system for reading in results[0].readings}  # a consensus times them inside its own stage
    stages["between the stages"] = end - start - sum(s for stage, s in stages.items() if stage not in members)
    return Run(end - start, time.process_time() - cpu_start, stages)


def cold(options: argparse.Namespace) -> dict[str, Any]:
    """One exam in this new process; what came before main() is timed by the caller."""
    system = load_system(options.system, pack=options.model, device=options.device)
    with tempfile.TemporaryDirectory() as folder:
        triage_once(options, system, Path(folder))
    return {"peak_gb": peak_gb()}


def warm(options: argparse.Namespace) -> dict[str, Any]:
    """Medians over exams in one process, after one that is not counted."""
    system = load_system(options.system, pack=options.model, device=options.device)
    with tempfile.TemporaryDirectory() as folder:
        runs = [triage_once(options, system, Path(folder)) for _ in range(1 + options.repeats)][1:]
    return {
        "total_s": median(run.total_s for run in runs),
        "fastest_s": round(min(run.total_s for run in runs), 3),
        "cpu_s": median(run.cpu_s for run in runs),
        "stages_s": {stage: median(run.stages_s.get(stage, 0.0) for run in runs) for stage in runs[0].stages_s},
        "peak_gb": peak_gb(),
        "device": system.device_name,
        "model": {"name": system.pack.identity.name, "sha256": system.pack.identity.sha256},
    }


def methods(options: argparse.Namespace) -> dict[str, Any]:
    """Dense pass and overlapping patches over the same prepared exam: seconds and differences."""
    from NeuroTriageLib.core.codes import ANY
    from NeuroTriageLib.inference.predictor import ExamMaps
    from NeuroTriageLib.io.inputs import open_input, read_volume
    from NeuroTriageLib.pipeline import choose_study
    from NeuroTriageLib.preprocessing.network_grid import prepare

    system = load_system(options.system, pack=options.model, device=options.device)
    with open_input(options.input) as studies:
        series = choose_study(studies, study_uid=None, series=None)[1].series
        assert series is not None
        volume, _ = read_volume(series)
    prepared = prepare(volume, system.config)
    seconds: dict[str, list[float]] = {"dense": [], "patches": []}
    maps: dict[str, ExamMaps] = {}
    for _ in range(1 + options.repeats):
        for method, times in seconds.items():
            start = time.perf_counter()
            maps[method] = system.predict(prepared, method=method)  # type: ignore[arg-type]
            times.append(time.perf_counter() - start)
    medians = {method: median(times[1:]) for method, times in seconds.items()}
    dense, patches = maps["dense"], maps["patches"]
    probability = {method: system.probabilities(found) for method, found in maps.items()}
    codes = (ANY, *system.config.codes)
    raw = np.abs(dense.score_cs.max(axis=1) - patches.score_cs.max(axis=1))
    pixel = np.abs(dense.pixel_cshw[0].astype(np.float32) - patches.pixel_cshw[0])[prepared.brain_shw]
    threshold = system.config.pixel_threshold
    masks = [found.pixel_cshw[0][prepared.brain_shw] >= threshold for found in (dense, patches)]
    union = int((masks[0] | masks[1]).sum())
    return {
        "seconds": medians,
        "speed_ratio": round(medians["patches"] / medians["dense"], 2),
        "probability": probability,
        "probability_difference": {
            code: round(abs(probability["dense"][code] - probability["patches"][code]), 4) for code in codes
        },
        "raw_score_difference": dict(zip(codes, map(float, raw.round(4)), strict=True)),
        "largest_slab_score_difference": float(np.abs(dense.score_cs - patches.score_cs).max().round(4)),
        "pixel_difference_any": {
            "largest": float(pixel.max()),
            "mean": float(pixel.mean()),
            "share_above_0.1": float((pixel > 0.1).mean()),
        },
        "mask_pixels_that_differ": {"pixels": int((masks[0] ^ masks[1]).sum()), "of": union},
        "slabs": int(prepared.has_brain_s.sum()),
        "volume_kji": list(volume.array_kji.shape),
    }


MODES = {"cold": cold, "warm": warm, "methods": methods}


def in_new_process(mode: str, arguments: Sequence[str]) -> tuple[float, dict[str, Any]]:
    """Run one mode of this file; its whole seconds, start-up included, and what it found."""
    start = time.perf_counter()
    command = [sys.executable, __file__, *arguments, "--mode", mode]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return time.perf_counter() - start, json.loads(done.stdout.splitlines()[-1])


def median(values: Any) -> float:
    """Median, to a millisecond."""
    return round(statistics.median(values), 3)


def peak_gb() -> float:
    """Largest resident memory of this process so far."""
    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, kibibytes elsewhere
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9, 2)


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    import torch

    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    changed = subprocess.run(
        ["git", "status", "--porcelain", "-uno"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    model = [line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")]
    return {
        "commit": commit.stdout.strip() + (" with changes" if changed.stdout.strip() else ""),
        "processor": model[0] if model else platform.processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def print_tables(report: dict[str, Any]) -> None:
    """The report for people."""
    about, warm_run, cold_run = (report[key] for key in ("machine", "warm", "cold"))
    print(f"{about['processor']}, {about['cores']} cores, {about['threads']} threads, torch {about['torch']}")
    print(f"commit {about['commit']}, load before the run {about['load_before']}")
    print(f"model {warm_run['model']['name']}\n")
    print(f"{'DICOM to findings.json':<28}{'seconds':>9}{'peak GB':>9}")
    print(f"{'cold process':<28}{cold_run['total_s']:>9.2f}{cold_run['peak_gb']:>9.2f}")
    print(f"{'warm process':<28}{warm_run['total_s']:>9.2f}{warm_run['peak_gb']:>9.2f}")
    print(f"{'  seconds of all cores':<28}{warm_run['cpu_s']:>9.2f}")
    for stage, seconds in warm_run["stages_s"].items():
        print(f"{'  ' + stage:<28}{seconds:>9.3f}")
    if "methods" in report:
        print_methods(report["methods"])


def print_methods(both: dict[str, Any]) -> None:
    """Dense pass beside patches."""
    print(f"\nseries {both['volume_kji']}, {both['slabs']} slabs with brain")
    print(f"{'network':<28}{'seconds':>9}")
    for method, seconds in both["seconds"].items():
        print(f"{method:<28}{seconds:>9.2f}")
    print(f"{'patches / dense':<28}{both['speed_ratio']:>9.2f}\n")
    print(f"{'probability':<12}{'dense':>9}{'patches':>9}{'differ':>9}")
    for code, difference in both["probability_difference"].items():
        dense, patches = (both["probability"][method][code] for method in ("dense", "patches"))
        print(f"{code:<12}{dense:>9.4f}{patches:>9.4f}{difference:>9.4f}")
    pixel, mask = both["pixel_difference_any"], both["mask_pixels_that_differ"]
    print(f"\nlargest pixel difference {pixel['largest']:.3f}, mean {pixel['mean']:.5f}; ", end="")
    print(f"{mask['pixels']} of {mask['of']} mask pixels differ")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--system", default=default_system(), help="default: %(default)s")
    parser.add_argument("--input", type=Path, help="DICOM folder (default: the system's sample that ships)")
    parser.add_argument("--model", type=Path, help="model pack (default: the one that ships)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, default=Path("out/triage_time.json"))
    parser.add_argument("--mode", choices=MODES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.input = options.input or SAMPLES["MR" if options.system == MR_SYSTEM else "CT"]
    if options.mode:
        print(json.dumps(MODES[options.mode](options)))
        return
    arguments = sys.argv[1:]
    about = machine()
    runs = [in_new_process("cold", arguments) for _ in range(min(3, options.repeats))]
    report = {
        "machine": about,
        "input": str(options.input),
        "repeats": options.repeats,
        "cold": {"total_s": median(seconds for seconds, _ in runs), "peak_gb": max(run["peak_gb"] for _, run in runs)},
        "warm": in_new_process("warm", arguments)[1],
    }
    if options.system == COMPARED:
        report["methods"] = in_new_process("methods", arguments)[1]
    print_tables(report)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report, indent=1), encoding="utf-8")
    print(options.json)


if __name__ == "__main__":
    main()
