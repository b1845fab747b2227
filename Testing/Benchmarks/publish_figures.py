"""Writes what an evaluation measured into a model pack: into pack.json for programs, into its model card for people.

The weights and their hash stay as they are, so results and consensus go on naming the same model.

    python Testing/Benchmarks/publish_figures.py Resources/Models/kuo2019-compact out/evaluation \
        --real "head CT without hemorrhage, 28 slices, tilted" STUDY_FOLDER
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from NeuroTriageLib.catalog import MR_SYSTEM, load_system
from NeuroTriageLib.core.codes import ANY, MR_CODES
from NeuroTriageLib.evaluation import metrics
from NeuroTriageLib.evaluation.columns import Columns, answered_groups, mean
from NeuroTriageLib.evaluation.exam_records import ExamRecord, read_records
from NeuroTriageLib.evaluation.mask_tables import SIZED_GROUPS
from NeuroTriageLib.evaluation.report import JSON_FILE, RECORDS_FILE
from NeuroTriageLib.io.model_packs import CARD_FILE, MANIFEST_FILE, PackManifest, read_manifest
from NeuroTriageLib.training.chang2018_card import CHANG_2018
from NeuroTriageLib.training.consensus_card import consensus_card
from NeuroTriageLib.training.held_out_section import HELD_OUT, REAL_SCANS
from NeuroTriageLib.training.kuo2019_card import KUO_2019
from NeuroTriageLib.training.model_card import model_card
from NeuroTriageLib.training.nael2021_card import NAEL_2021
from NeuroTriageLib.training.ye2019_card import YE_2019
from Testing.Benchmarks.false_alarms import read_real

PUBLICATIONS = {"kuo2019": KUO_2019, "chang2018": CHANG_2018, "ye2019": YE_2019, MR_SYSTEM: NAEL_2021}


def held_out(records: Sequence[ExamRecord], system: str, settings: str) -> dict[str, Any]:
    """A system's figures per finding, as plain values; None where one is not defined."""
    groups = answered_groups(records, system, MR_CODES if system == MR_SYSTEM else SIZED_GROUPS)
    counted = groups if system == MR_SYSTEM else (ANY,)
    return {
        "exams": len(records),
        "settings": settings,
        "heads": sorted({record.anatomy for record in records}),
        "positive": sum(any(record.truth[code].present for code in counted) for record in records),
        "positive_of": "one of these findings" if system == MR_SYSTEM else "hemorrhage",
        "findings": {group: figures(Columns.of(records, system, group)) for group in groups},
    }


def figures(c: Columns) -> dict[str, Any]:
    """AUC with its interval, and plain figures of one finding."""
    area = metrics.bootstrap(metrics.auc, c.probability, c.present)
    interval = [_known(value) for value in (area.value, area.low, area.high)]
    masked = c.where(c.has_masks)
    found = masked.present & (masked.predicted_ml > 0)
    return {
        "auc": [value for value in interval if value is not None],
        "sensitivity": _share(c.called[c.present]),
        "specificity": _share(~c.called[~c.present]),
        "dice": _known(mean(masked.dice[masked.present])) if len(masked) else None,
        "dice_found": _known(mean(masked.dice[found])) if len(masked) else None,
        "volume_r": _known(metrics.pearson_r(masked.predicted_ml[masked.present], masked.truth_ml[masked.present]))
        if masked.present.sum() > 1
        else None,
    }


def _share(values: np.ndarray) -> float | None:
    return _known(float(values.mean())) if len(values) else None


def _known(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else round(float(value), 4)


def real_scan(pack: Path, name: str, study: Path) -> dict[str, Any]:
    """The pack's answer on a real head CT. Raises NeuroTriageError when it cannot be read."""
    system = read_manifest(pack).system
    _, readings = read_real(study, {system: load_system(system, pack=pack)})
    reading = readings[system]
    if reading is None:
        raise SystemExit(f"{system} could not look at {name}.")
    return {
        "scan": name,
        "answer": "hemorrhage called" if reading.is_present(ANY) else "nothing called",
        "probability": round(float(reading.probability[ANY]), 4),
        "threshold": round(float(reading.threshold[ANY]), 4),
    }


def card(manifest: PackManifest) -> str:
    """The model card of a manifest."""
    if manifest.system == "consensus":
        return consensus_card(manifest)
    return model_card(manifest, PUBLICATIONS[manifest.system])


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack", type=Path)
    parser.add_argument("evaluation", type=Path, help="folder that evaluate_simulated(_mr).py wrote")
    parser.add_argument("--real", nargs=2, action="append", default=[], metavar=("NAME", "STUDY"))
    options = parser.parse_args(arguments)
    manifest = read_manifest(options.pack)
    about = json.loads((options.evaluation / JSON_FILE).read_text(encoding="utf-8"))["about"]
    records = read_records(options.evaluation / RECORDS_FILE)
    added: dict[str, Any] = {HELD_OUT: held_out(records, manifest.system, about["simulator_settings"])}
    if options.real:
        added[REAL_SCANS] = [real_scan(options.pack, name, Path(study)) for name, study in options.real]
    manifest = dataclasses.replace(manifest, metrics=manifest.metrics | added)
    text = json.dumps(manifest.to_json(), indent=2, allow_nan=False) + "\n"
    (options.pack / MANIFEST_FILE).write_text(text, encoding="utf-8")
    (options.pack / CARD_FILE).write_text(card(manifest), encoding="utf-8")
    print(card(manifest))
    return 0


if __name__ == "__main__":
    sys.exit(main())
