"""An improvement process that speaks the protocol and trains nothing: ``python fake_improver.py MODE``.

Modes: good, worse (the comparison advises against), slow (learns until it is told to resume after a pause), crash.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from NeuroTriageLib.improvement import Improver  # noqa: E402

OLD = {"name": "kuo2019-compact", "version": "1", "path": "/models/old", "accepted": ""}
NEW = {**OLD, "name": "kuo2019-compact-local-1", "accepted": "2026-01-01T00:00:00Z kuo2019: accepted by AB"}
LOSSES = [[step, 1.2 / (1 + 0.02 * step) + 0.05 * (step % 3)] for step in range(0, 300, 5)]
VALIDATIONS = [[step, 0.55 + 0.0004 * step, 0.86 + 0.0002 * step] for step in range(60, 301, 60)]


def figure(name: str, old: float, new: float, reach: float) -> dict:
    """One line of a comparison."""
    change = new - old
    difference = {"value": change, "low": change - reach, "high": change + reach}
    return {"figure": name, "code": "any", "exams": 24, "old": old, "new": new, "difference": difference}


def exam(number: int, types: list[str], ml: float, old: tuple[float, float], new: tuple[float, float]) -> dict:
    """One exam of a comparison: probability and Dice of both models."""
    answers = [{"probability": p, "called": p > 0.5, "volume_ml": ml, "dice": dice} for p, dice in (old, new)]
    row = {
        "exam": f"labels/case-{number:04d}",
        "finding": "any",
        "present": bool(types),
        "types": types,
        "truth_ml": ml,
    }
    return row | dict(zip(("old", "new"), answers, strict=True))


class FakeImprover(Improver):
    """Answers at once what Improver works for."""

    mode, accepted = "good", False

    def _status(self, request: dict) -> None:
        counts = {"signed": 24, "train": 15, "validation": 2, "test": 7}
        reader = "kuo2019" if self.accepted else "consensus"
        self.emit(
            event="status", id=request["id"], in_use=NEW if self.accepted else OLD, reader=reader,
            can_go_back=self.accepted, **counts,
        )  # fmt: skip

    def _train(self, request: dict) -> Path:
        for step in range(1, len(LOSSES), 6):
            share = step / len(LOSSES)
            self.emit(event="curves", id=request["id"], losses=LOSSES[:step], validations=VALIDATIONS[: int(6 * share)])
            self._wait_while_paused(request["id"], f"joint step {5 * step}  {20 * (1 - share):.1f} min left", share)
            if self.mode == "crash":
                sys.stdout.flush()
                sys.exit(3)
            while self.mode == "slow" and step > 30 and not self.was_paused:
                self._wait_while_paused(request["id"], f"joint step {5 * step}", share)
                time.sleep(0.05)
        return Path("/improvement/kuo2019-compact-local-1")

    was_paused = False

    def heard(self, command: str) -> None:
        """Remember that it was paused and went on."""
        super().heard(command)
        self.was_paused |= command == "resume"

    def _compare(self, request: dict, pack: Path) -> tuple[dict, Path]:
        local = [
            figure("AUC", 0.871, 0.942, 0.05),
            figure("Dice", 0.412, 0.583, 0.08),
            figure("error, mL", 6.1, 3.2, 2.0),
        ]
        elsewhere = [figure("AUC", 0.931, 0.928, 0.02), figure("Dice", 0.592, 0.588, 0.01)]
        worse = self.mode == "worse"
        lines = [
            "On the exams of this site: Dice of any hemorrhage 0.412 -> 0.583 "
            "(difference +0.171 [+0.091, +0.251], better; 24 exams).",
            "Advice: keep the old model." if worse else "Advice: use the new model.",
        ]
        exams = [
            exam(3, ["SDH"], 31.0, (0.31, 0.12), (0.94, 0.71)),
            exam(11, ["IPH", "IVH"], 18.4, (0.88, 0.44), (0.97, 0.69)),
            exam(17, [], 0.0, (0.74, 0.0), (0.12, 0.0)),
        ]
        document = {
            "sets": {"this site": {"figures": local}, "simulated": {"figures": elsewhere}},
            "exams": {"this site": exams}, "verdict": lines, "advice": "keep" if worse else "accept",
        }  # fmt: skip
        return document, Path("/kept")

    def _accept(self, request: dict) -> None:
        self.accepted = True
        lines = [f"kuo2019 reads with {NEW['name']} 1 from now on.", f"({request['despite'] or 'compared'})"]
        self.emit(event="accepted", id=request["id"], lines=lines)

    def _back(self, request: dict) -> None:
        self.accepted = False
        self.emit(event="back", id=request["id"], lines=["kuo2019 reads with kuo2019-compact 1 again."])


if __name__ == "__main__":
    FakeImprover.mode = sys.argv[1]
    events, sys.stdout = sys.stdout, sys.stderr
    FakeImprover(sys.stdin, events).serve()
