"""Replays a run of Testing/Benchmarks/local_loop.py as the improvement process.

``python replay_improver.py OUT SECONDS``. For pictures: every figure is that of the run, none is made here; only the
waiting is left out.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from NeuroTriageLib.improvement import SHOWN_EXAMS, Improver, curves_of  # noqa: E402
from NeuroTriageLib.model_comparison.tables import change  # noqa: E402

STEPS = 12


class ReplayImprover(Improver):
    """Answers with what the run has written."""

    out, seconds, accepted = Path(), 1.0, False

    def _document(self) -> dict:
        return json.loads((self.out / "comparison.json").read_text(encoding="utf-8"))

    def _status(self, request: dict) -> None:
        document = self._document()
        source = json.loads((self._pack() / "pack.json").read_text(encoding="utf-8"))["training"]["sources"][0]["exams"]
        held_out = document["sets"]["this site"]["exams"]
        counts = {"train": source["train"], "validation": source["validation"], "test": held_out}
        model = document["new" if self.accepted else "old"]
        since = f"{document['when_utc']} accepted by AB" if self.accepted else ""
        in_use = {"name": model["name"], "version": model["version"], "path": "", "accepted": since}
        reader = "kuo2019" if self.accepted else "consensus"
        self.emit(
            event="status", id=request["id"], in_use=in_use, reader=reader, can_go_back=self.accepted,
            signed=sum(counts.values()), **counts,
        )  # fmt: skip

    def _pack(self) -> Path:
        return next((self.out / "run").glob("*-local-*/pack.json")).parent

    def _train(self, request: dict) -> Path:
        curves = curves_of(self.out / "run") or {"losses": [], "validations": []}
        minutes = float(self._document()["options"]["minutes"])
        for step in range(1, STEPS + 1):
            share = step / STEPS
            losses = curves["losses"][: max(2, round(share * len(curves["losses"])))]
            known = [row for row in curves["validations"] if row[0] <= losses[-1][0]]
            self.emit(event="curves", id=request["id"], losses=losses, validations=known)
            left = f"step {losses[-1][0]}  {minutes * (1 - share):.1f} min left"
            self._wait_while_paused(request["id"], left, share)
            time.sleep(self.seconds / STEPS)
        return self._pack()

    def _compare(self, request: dict, pack: Path) -> tuple[dict, Path]:
        document = self._document()
        for name, rows in document["exams"].items():
            document["exams"][name] = sorted(rows, key=change, reverse=True)[: SHOWN_EXAMS // 2]
        return document, pack

    def _accept(self, request: dict) -> None:
        self.accepted = True
        self._tell_model(request, "accepted", "new", "from now on")

    def _back(self, request: dict) -> None:
        self.accepted = False
        self._tell_model(request, "back", "old", "again")

    def _tell_model(self, request: dict, event: str, which: str, since: str) -> None:
        model = self._document()[which]
        line = f"kuo2019 reads with {model['name']} {model['version']} {since}."
        self.emit(event=event, id=request["id"], lines=[line])


if __name__ == "__main__":
    ReplayImprover.out, ReplayImprover.seconds = Path(sys.argv[1]), float(sys.argv[2])
    events, sys.stdout = sys.stdout, sys.stderr
    ReplayImprover(sys.stdin, events).serve()
