"""report.html: one self-contained page for a radiologist; no scripts, nothing loaded from elsewhere."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from .. import __version__
from ..core.codes import ABNORMAL, ANY, FINDING_CODES
from ..core.errors import output_error
from ..core.findings import ExamResult, Finding, Reading, Region
from ..core.midline import FLAGGED_ABOVE_MM
from ..core.mr_images import CONTRAST_NAMES
from ..core.opinions import source_code
from .heatmap import heat_words
from .key_slices import finding_names, key_slices, lower_first
from .pictures import HEAT_STOPS_RGB, IDEAL_MIDLINE, SHIFT, Picture, PictureMaker, css_color
from .review_text import DECISION_WORDS, REVIEW_WORDS
from .shown_masks import shown_reading
from .slice_chart import slice_chart, slice_scores

TEMPLATE_FILE = "report_template.html"
EXAM_TEMPLATE_FILE = "report_exam.html"
THUMBNAILS = 12  # slices in the overview at most (ours)
REJECTED_SHOWN = 5  # rejected boxes that are listed, the most confident first (ours)
LINE_COLORS = {"A": "#ffeb3b", "B": "#4dd1e0", IDEAL_MIDLINE: "#ffffff", SHIFT: "#ff8c42"}  # as in the Slicer scene
STATUS_WORDS = {"found": "Found", "not_found": "Not found", "could_not_look": "Could not look"}


@dataclass(frozen=True)
class Headline:
    """The answer in one line, and what must be known beside it."""

    status: str
    title: str
    detail: str


@dataclass(frozen=True)
class KeyPicture:
    """A key slice with its heading."""

    title: str
    note: str
    picture: Picture


@dataclass(frozen=True)
class OpinionRow:
    """One finding: the answer, each opinion in the order of the systems (None: not answered), their disagreement."""

    answer: Finding
    opinions: tuple[Finding | None, ...]
    doubt: str


@dataclass(frozen=True)
class OpinionTable:
    """The opinions side by side."""

    systems: tuple[str, ...]
    rows: tuple[OpinionRow, ...]


@dataclass(frozen=True)
class RejectedRegions:
    """What a detector looked at and called no hemorrhage: how many boxes in all, and the most confident ones."""

    system: str
    count: int
    shown: tuple[Region, ...]


def write_report(result: ExamResult | Sequence[ExamResult], path: Path) -> None:
    """Write the page. A result without a reading gives a page that says why it could not be looked at."""
    path.write_text(render_report(result), encoding="utf-8", newline="\n")


def replace_report(result: ExamResult, path: Path) -> None:
    """Write the page in place of an older one, complete or not at all. Raises OutputError."""
    unfinished = path.with_name(f".{path.name}.partial")
    try:
        write_report(result, unfinished)
        os.replace(unfinished, path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise output_error(error, path.parent) from error


def render_report(result: ExamResult | Sequence[ExamResult]) -> str:
    """The page as text; of a study that was read on several series one part for each."""
    results = (result,) if isinstance(result, ExamResult) else tuple(result)
    page = _environment().get_template(TEMPLATE_FILE)
    return page.render(
        version=__version__,
        title="; ".join(headline(item).title for item in results),
        modality=" and ".join(dict.fromkeys(item.volume.modality for item in results)),
        heat_gradient=", ".join(css_color(stop) for stop in HEAT_STOPS_RGB),
        exams=[_render_exam(item) for item in results],
    )


def _render_exam(result: ExamResult) -> str:
    """What is said on one series."""
    reading = shown_reading(result)
    pictures = _picture_context(result, reading)
    return (
        _environment()
        .get_template(EXAM_TEMPLATE_FILE)
        .render(
            result=result,
            anchor=f"{result.contrast}-" if result.contrast else "",
            contrast_name=CONTRAST_NAMES.get(result.contrast, ""),
            headline=headline(result),
            several_systems=len({finding.system for finding in result.findings}) > 1,
            weighed=opinion_table(result),
            rejected=rejected_regions(result),
            overruled=result.review is None and any(_is_overruled(finding) for finding in result.findings),
            abc2_of={item.code: item for item in result.abc2},
            codes=FINDING_CODES,
            status_words=STATUS_WORDS,
            decision_words=DECISION_WORDS,
            review_words=REVIEW_WORDS,
            series=sorted(result.judgements, key=lambda judgement: not judgement.chosen),
            geometry=_geometry(result),
            midline_flag_mm=FLAGGED_ABOVE_MM,
            **pictures,
        )
    )


def _picture_context(result: ExamResult, reading: Reading | None) -> dict[str, Any]:
    """What the template needs for its pictures."""
    maker = PictureMaker(result, reading)
    key_pictures = _key_pictures(result, reading, maker)
    key_pictures += _midline_picture(result, maker, {key.picture.k for key in key_pictures})
    return {
        "key_pictures": key_pictures,
        "pictured": {key.picture.k for key in key_pictures},
        "thumbnails": [maker.thumbnail(k) for k in _overview_slices(result)],
        "chart": slice_chart(result, reading) if reading is not None else None,
        "heatmap_source": reading.heatmap_source if reading is not None else "",
        "view_box": maker.view_box_mm,
        "letters": maker.plane.letters,
        "line_colors": LINE_COLORS,
        "heat_words": heat_words(reading),
        "window_words": maker.window.words,
    }


def headline(result: ExamResult) -> Headline:
    """The answer in one line: found, nothing found and could not look are three different ones."""
    by_status: dict[str, list[Finding]] = {"found": [], "not_found": [], "could_not_look": []}
    for finding in result.findings:
        by_status[finding.status].append(finding)
    unseen = by_status["could_not_look"]
    if result.contrast:
        return _mr_headline(by_status)
    gaps = f"Could not look for {finding_names(unseen)}: {unseen[0].reason}" if unseen else ""
    if by_status["found"]:
        types = [finding for finding in by_status["found"] if finding.code != ANY]
        total = next((finding for finding in by_status["found"] if finding.code == ANY), None)
        named = finding_names(types) if types else "type undetermined"
        size = f"{millilitres(total.volume_ml)} mL in all" if total is not None and total.volume_ml else "not outlined"
        return Headline("found", "Intracranial hemorrhage found", f"{named}; {size}. {gaps}".strip())
    if by_status["not_found"]:
        why = "The probability is below its threshold." if result.review is None else "As the reader left it."
        detail = f"{why} This does not rule hemorrhage out."
        return Headline("not_found", "No intracranial hemorrhage found", f"{detail} {gaps}".strip())
    reason = unseen[0].reason if unseen else "No system has read this exam."
    return Headline("could_not_look", "The exam could not be read", f"{reason} This is not a negative result.")


def _mr_headline(by_status: dict[str, list[Finding]]) -> Headline:
    """The same for a series of a brain MRI, whose findings stand side by side."""
    found, unseen = by_status["found"], by_status["could_not_look"]
    gaps = " ".join(f"Could not look for {lower_first(finding_names([item]))}: {item.reason}" for item in unseen)
    critical = [finding for finding in found if finding.code != ABNORMAL]
    if critical:
        sizes = [f"{finding_names([item])} {millilitres(item.volume_ml)} mL" for item in critical if item.volume_ml]
        detail = f"{'; '.join(sizes)}{'.' if sizes else ''} {gaps}".strip()
        return Headline("found", f"{finding_names(critical)} found", detail)
    seen = [finding for finding in by_status["not_found"] if finding.code != ABNORMAL]
    absent = f"No {lower_first(finding_names(seen)).replace(', ', ', no ')} found" if seen else ""
    if found:
        return Headline("found", "; ".join(filter(None, ("Abnormal brain", absent))), gaps)
    if by_status["not_found"]:
        detail = "The probabilities are below their thresholds. This does not rule anything out."
        return Headline("not_found", absent or "No abnormality found", f"{detail} {gaps}".strip())
    return Headline("could_not_look", "The study could not be read", f"{gaps} This is not a negative result.".strip())


def opinion_table(result: ExamResult) -> OpinionTable | None:
    """The opinions beside the answer; None when the answer is a single system's."""
    answers = {finding.system for finding in result.findings}
    systems = tuple(dict.fromkeys(o.system for o in result.opinions if o.system not in answers))
    if not systems:
        return None
    said = {(opinion.system, opinion.code): opinion for opinion in result.opinions}
    rows = []
    for finding in result.findings:
        opinions = (_opinion(said, system, finding.code) for system in systems)
        rows.append(OpinionRow(finding, tuple(opinions), doubt_words(finding)))
    return OpinionTable(systems, tuple(rows))


def _opinion(said: dict[tuple[str, str], Finding], system: str, code: str) -> Finding | None:
    """A system's own word on a finding; one on subdural or epidural stands in both rows."""
    return said.get((system, source_code(code, {c for s, c in said if s == system}) or code))


def doubt_words(finding: Finding) -> str:
    """The disagreement in words: "split, 0.31"."""
    return "–" if finding.doubt is None else f"{finding.agreement or 'one opinion'}, {finding.doubt:.2f}"


def rejected_regions(result: ExamResult) -> tuple[RejectedRegions, ...]:
    """One entry per system that rejected boxes."""
    entries = []
    for reading in result.readings:
        rejected = sorted((r for r in reading.regions if not r.accepted), key=lambda region: -region.confidence)
        if rejected:
            entries.append(RejectedRegions(reading.system, len(rejected), tuple(rejected[:REJECTED_SHOWN])))
    return tuple(entries)


def millilitres(volume_ml: float | None) -> str:
    """A volume for people: one decimal, two below 1 mL."""
    if volume_ml is None:
        return "–"
    if 0 < volume_ml < 0.01:
        return "< 0.01"
    return f"{volume_ml:.1f}" if volume_ml >= 1 or volume_ml == 0 else f"{volume_ml:.2f}"


def _key_pictures(result: ExamResult, reading: Reading | None, maker: PictureMaker) -> list[KeyPicture]:
    """The key slice of every type that was found; in a negative exam the slices that came closest."""
    shown = key_slices(result)
    if shown or reading is None or any(finding.status == "found" for finding in result.findings):
        return [KeyPicture(item.title, item.note, maker.picture(item.k)) for item in shown]
    return _closest_slices(reading, maker)


def _midline_picture(result: ExamResult, maker: PictureMaker, shown: set[int]) -> list[KeyPicture]:
    """The slice on which midline shift was measured; none when it is shown already, or no slice holds the points."""
    shift = result.midline
    if shift is None or shift.key_slice is None or shift.key_slice in shown:
        return []
    return [KeyPicture("Midline shift", f"{shift.words.capitalize()}.", maker.picture(shift.key_slice))]


def _is_overruled(finding: Finding) -> bool:
    """True for a type above its threshold that is not found, because hemorrhage as such is not."""
    if finding.status != "not_found" or finding.probability is None or finding.threshold is None:
        return False
    return finding.probability >= finding.threshold


def _closest_slices(reading: Reading, maker: PictureMaker) -> list[KeyPicture]:
    """Up to two slices with the highest scores that are not neighbours."""
    scores = slice_scores(reading)
    chosen: list[int] = []
    for k in np.argsort(-scores, kind="stable"):
        if len(chosen) < 2 and all(abs(int(k) - other) > 2 for other in chosen):
            chosen.append(int(k))
    title = "Highest score" if reading.decided else "Highest score, below threshold"
    return [KeyPicture(title, f"Score of this slice: {scores[k]:.3f}.", maker.picture(k)) for k in chosen]


def _overview_slices(result: ExamResult) -> list[int]:
    """Evenly spaced slices over the stack."""
    count = result.grid.shape_kji[0]
    middles = (np.arange(min(count, THUMBNAILS)) + 0.5) * count / min(count, THUMBNAILS)
    return [int(k) for k in middles]


def _geometry(result: ExamResult) -> dict[str, str]:
    """The grid in words."""
    grid = result.grid
    slices, rows, columns = grid.shape_kji
    words = {
        "Slices": f"{slices} of {rows} × {columns} pixels, {grid.spacing_j_mm:.3g} × {grid.spacing_i_mm:.3g} mm",
        "Slice thickness": f"{grid.slice_thickness_mm:.3g} mm",
    }
    if slices > 1:
        low, high = grid.slice_spacings_mm.min(), grid.slice_spacings_mm.max()
        words["Slice spacing"] = f"{low:.3g} mm" if high - low < 0.05 else f"{low:.3g} to {high:.3g} mm"
        words["Gantry tilt"] = f"{grid.tilt_deg:.1f}°"
    return words


@cache
def _environment() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    filters: dict[str, Any] = {"millilitres": millilitres, "css_color": css_color}
    environment.filters.update(filters)
    return environment
