"""How often MR series are identified rightly from real headers, with their descriptions and without.

The file is JSON lines: {"dataset", "subject", "truth", "header"}, the header a BIDS sidecar. Subjects are split by a
hash of dataset and subject: the rules were written while looking at one part, and the other was kept aside. Prints
confusion tables of both parts, as given and with every free text blanked, and every series that is wrong; writes them
as JSON.

    python Testing/Benchmarks/series_identification.py mr_headers.jsonl.gz -o out/series_identification.json
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from NeuroTriageLib.evaluation.table import Table
from NeuroTriageLib.series_selection.mr_contrast import Identification, identify
from NeuroTriageLib.series_selection.mr_facts import facts_of

KEPT_ASIDE_PERCENT = 40
FREE_TEXT = (
    *("SeriesDescription", "ProtocolName", "ProcedureStepDescription", "StudyDescription", "ImageComments"),
    *("RequestedProcedureDescription", "BodyPartExamined", "BidsGuess"),
)
# What each label of the data sets means among our answers: BIDS' T1w says nothing of contrast agent.
RIGHT = {
    "T1w": {"T1", "T1post"},
    "T2w": {"T2"},
    "FLAIR": {"FLAIR"},
    "ADC": {"ADC"},
    "TRACE": {"TRACE"},
    "dwi": {"DWI"},
    "bold": {"BOLD"},
    "sbref": {"SBREF"},
}
NEVER = {"bold", "sbref", "dwi"}
"""Labels that may not be taken for a trace image or an ADC map."""

_PLANE_WORDS = (("axial", r"\bAX(IAL)?\b|\bTRA\b"), ("sagittal", r"\bSAG\b"), ("coronal", r"\bCOR\b"))
_PLANE_TEXT = {"TRA": "axial", "SAG": "sagittal", "COR": "coronal"}


@dataclass(frozen=True)
class Case:
    """One line of the file."""

    subject: str
    truth: str
    header: dict[str, Any]

    @property
    def kept_aside(self) -> bool:
        """True for the part that the rules were not written on."""
        digest = hashlib.sha256(self.subject.encode()).hexdigest()
        return int(digest[:8], 16) % 100 < KEPT_ASIDE_PERCENT

    def identified(self, *, blanked: bool) -> Identification:
        """Our answer."""
        dropped = FREE_TEXT if blanked else ("BidsGuess",)
        return identify(facts_of({key: value for key, value in self.header.items() if key not in dropped}))


def read_cases(path: Path) -> list[Case]:
    """The cases of a file."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    rows = [json.loads(line) for line in data.decode("utf-8").splitlines() if line.strip()]
    return [Case(f"{row['dataset']}/{row['subject']}", row["truth"], row["header"]) for row in rows]


def plane_said(header: dict[str, Any]) -> str:
    """The plane that words in the header name, not its cosines, which ours comes from; "" when none or two do."""
    text = str(header.get("SeriesDescription", "")).upper().replace("_", " ")
    named = {plane for plane, pattern in _PLANE_WORDS if re.search(pattern, text)}
    if orientation := str(header.get("ImageOrientationText", "")):
        named = {_PLANE_TEXT.get(orientation[:3].upper(), "")}
    return named.pop() if len(named) == 1 else ""


def measure(cases: list[Case], *, blanked: bool) -> dict[str, Any]:
    """Confusion of contrasts and planes, shares, and the wrong ones."""
    contrasts: dict[str, Counter[str]] = {truth: Counter() for truth in RIGHT}
    planes: dict[str, Counter[str]] = {}
    wrong = []
    for case in cases:
        known = case.identified(blanked=blanked)
        contrasts[case.truth][known.contrast] += 1
        if said := plane_said(case.header):
            planes.setdefault(said, Counter())[known.plane] += 1
        if known.contrast not in RIGHT[case.truth]:
            described = case.header.get("SeriesDescription", "")
            wrong.append({"subject": case.subject, "truth": case.truth, "answer": known.contrast})
            wrong[-1] |= {"confidence": known.confidence, "description": described, "reasons": list(known.reasons)}
    return {
        "series": len(cases),
        "contrasts": {truth: dict(found) for truth, found in contrasts.items()},
        "right": {truth: _share(contrasts, truth) for truth in RIGHT if contrasts[truth]},
        "never_as_trace_or_adc": sum(contrasts[t][c] for t in NEVER for c in ("TRACE", "ADC")),
        "planes": {plane: dict(found) for plane, found in planes.items()},
        "wrong": wrong,
    }


def _share(contrasts: dict[str, Counter[str]], truth: str) -> float:
    found = contrasts[truth]
    return sum(found[name] for name in RIGHT[truth]) / sum(found.values())


def contrast_table(title: str, result: dict[str, Any]) -> Table:
    """Truth in rows, answers in columns."""
    answers = sorted({name for found in result["contrasts"].values() for name in found})
    rows = tuple(
        (truth, *(found.get(name, 0) for name in answers), f"{result['right'][truth]:.1%}")
        for truth, found in result["contrasts"].items()
        if found
    )
    note = f"bold, sbref or dwi taken for trace or ADC: {result['never_as_trace_or_adc']}"
    return Table(f"{title}: {result['series']} series", ("truth", *answers, "right"), rows, note)


def plane_table(result: dict[str, Any]) -> Table:
    """Planes that words name (rows) and ours (columns)."""
    answers = sorted({name for found in result["planes"].values() for name in found})
    rows = tuple((said, *(found.get(name, 0) for name in answers)) for said, found in sorted(result["planes"].items()))
    return Table("Planes, both parts", ("words", *answers), rows)


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("headers", type=Path, help="JSON lines with truth")
    parser.add_argument("-o", "--output", type=Path, help="JSON file for the results")
    options = parser.parse_args()
    cases = read_cases(options.headers)
    parts = {
        "written on": [case for case in cases if not case.kept_aside],
        "kept aside": [case for case in cases if case.kept_aside],
    }
    started, results = time.perf_counter(), {}
    for part, members in parts.items():
        for name, blanked in (("as given", False), ("free text blanked", True)):
            result = results[f"{part}, {name}"] = measure(members, blanked=blanked)
            print(contrast_table(f"Part {part}, {name}", result).to_markdown())
            for item in result["wrong"]:
                print(f"  {item['subject']}: {item['truth']} called {item['answer']} ({item['description']})")
    everything = measure(cases, blanked=True)
    print(plane_table(everything).to_markdown())
    seconds = time.perf_counter() - started
    print(f"{seconds / (3 * len(cases)) * 1e6:.0f} microseconds a header")
    if options.output is not None:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(results, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
