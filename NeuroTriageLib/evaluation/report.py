"""The evaluation as one document, Markdown and JSON, and as files: tables, records, plots."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..core.errors import OutputError
from .exam_records import ExamRecord, append_record
from .plots import draw_plots
from .tables import Section, evaluation_sections

MARKDOWN_FILE, JSON_FILE, RECORDS_FILE = "evaluation.md", "evaluation.json", "exams.jsonl"

INTERVALS = (
    "Intervals hold 95 % and come from 1,000 bootstrap draws of exams. Exams made from the same head are not "
    "independent, so the true intervals are wider. Where all n exams are right (or wrong) the interval has no width; "
    "by the rule of three the truth may then still lie 3/n away."
)


@dataclass(frozen=True)
class Evaluation:
    """Everything that is printed and written.

    Args:
        title: heading.
        about: name -> value, how the figures came about.
        notes: sentences that a reader needs before the tables.
        sections: the tables.
    """

    title: str
    sections: tuple[Section, ...]
    about: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, title: str, records: Sequence[ExamRecord], about: Mapping[str, Any], notes: Sequence[str] = ()
    ) -> Evaluation:
        """All tables of the records, with what must be said about them."""
        return cls(title, evaluation_sections(records), about, (origin_note(records), INTERVALS, *notes))

    def to_markdown(self) -> str:
        """The document as people read it."""
        about = [
            f"- {name.replace('_', ' ')}: {value}" for name, value in self.about.items() if value not in (None, "")
        ]
        parts = [f"# {self.title}\n"]
        if about:
            parts.append("\n".join(about) + "\n")
        parts += [f"{note}\n" for note in self.notes]
        return "\n".join([*parts, *(section.to_markdown() for section in self.sections)])

    def to_json(self) -> dict[str, Any]:
        """The document as plain values."""
        return {
            "title": self.title,
            "about": dict(self.about),
            "notes": list(self.notes),
            "sections": [section.to_json() for section in self.sections],
        }

    def write(self, folder: Path) -> list[Path]:
        """Write evaluation.md and evaluation.json into a folder (made if needed). Raises OutputError."""
        paths = [folder / MARKDOWN_FILE, folder / JSON_FILE]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            paths[0].write_text(self.to_markdown(), encoding="utf-8")
            text = json.dumps(self.to_json(), indent=1, ensure_ascii=False, allow_nan=False)
            paths[1].write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise OutputError(f"The evaluation cannot be written: {error.strerror}.", where=str(folder)) from error
        return paths


def origin_note(records: Sequence[ExamRecord]) -> str:
    """Says plainly which exams are no patients."""
    simulated = sum(record.simulated is True for record in records)
    if simulated and simulated == len(records):
        return "**These are simulated exams, not patients.** The papers' figures were measured on patients."
    if simulated:
        return f"**{simulated} of {len(records)} exams are simulated, not patients**; the figures mix both."
    return "The truth does not say that exams are simulated; where they come from is for its owner to say."


def write_evaluation(evaluation: Evaluation, records: Sequence[ExamRecord], folder: Path) -> list[Path]:
    """Tables, records and, when matplotlib is installed, plots. Raises OutputError."""
    paths = evaluation.write(folder)
    records_path = folder / RECORDS_FILE
    try:
        records_path.unlink(missing_ok=True)
        for record in records:
            append_record(record, records_path)
        return [*paths, records_path, *draw_plots(records, folder)]
    except OSError as error:
        raise OutputError(f"The evaluation cannot be written: {error.strerror}.", where=str(folder)) from error
