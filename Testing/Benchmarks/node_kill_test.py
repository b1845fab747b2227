"""Nothing lost, nothing double: exams from eight senders, the node killed at random moments, the PACS stopped twice.

The node, its ledger, inbox, queue, reader processes and courier are the real ones; the reader answers at once with a
small structured report (Testing/Lib/service/quick_reader.py), so that the run is bounded and the kills fall everywhere.

    python Testing/Benchmarks/node_kill_test.py --json out/bench/node_kill_test.json
"""

from __future__ import annotations

import argparse
import json
import logging
import platform
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from Testing.Lib.service.kill_run import KillPlan, KillRun, KillTable

COLUMNS = (
    *("at_s", "when", "life_s", "pacs", "images", "arriving"),
    *("receiving", "queued", "reading", "answered", "done"),
)


def main() -> int:
    """Run, print the table of what was there at each kill, and what became of everything; 1 when anything is wrong."""
    options = _options()
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)
    plan = KillPlan(
        exams=options.exams,
        senders=options.senders,
        kills=options.kills,
        pacs_stops=options.pacs_stops,
        longest_life_s=options.longest_life_s,
        limit_s=options.limit_s,
        seed=options.seed,
    )
    with tempfile.TemporaryDirectory(prefix="neurotriage-kill-") as folder:
        table = KillRun(Path(folder), plan).run()
    print(" ".join(f"{name:>9}" for name in ("kill", *COLUMNS)))
    for number, row in enumerate(table.kills, 1):
        print(" ".join(f"{value!s:>9}" for value in (number, *(row[name] for name in COLUMNS))))
    summary = _summary(plan, table)
    for key, value in summary.items():
        print(f"{key}: {value}")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        document = {"plan": asdict(plan), "machine": platform.platform(), "summary": summary, "kills": table.kills}
        options.json.write_text(json.dumps(document, indent=1), encoding="utf-8")
    wrong = (summary["images lost"], summary["exams lost"], summary["answered twice"], summary["results missing"])
    return 1 if any(wrong) else 0


def _summary(plan: KillPlan, table: KillTable) -> dict[str, float]:
    counts = list(table.answers.values())
    return {
        "exams sent": plan.exams,
        "kills": len(table.kills),
        "exams answered once": counts.count(1),
        "answered twice": sum(count > 1 for count in counts),
        "exams lost": counts.count(0) + table.unfinished,
        "images lost": table.lost_images,
        "results at the PACS": len(table.results),
        "results missing": max(0, plan.exams - len(table.results)),
        "the same object sent again after a kill": sum(count - 1 for count in table.results.values()),
        "seconds": table.seconds,
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exams", type=int, default=200)
    parser.add_argument("--senders", type=int, default=8)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--pacs-stops", type=int, default=2)
    parser.add_argument("--longest-life-s", type=float, default=12.0)
    parser.add_argument("--limit-s", type=float, default=1500.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
