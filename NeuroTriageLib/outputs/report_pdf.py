"""The report as PDF pages for archives: the words and pictures of report.html, and whose exam it is on each page."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from xml.sax.saxutils import escape

from PIL import Image as PillowImage
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Image, KeepTogether, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from .. import __version__
from ..core.codes import FINDING_CODES
from ..core.findings import ExamResult, Finding
from .findings_json import NOTICE
from .key_image import key_image
from .key_slices import key_slices
from .pictures import PictureMaker
from .report import STATUS_WORDS, headline, millilitres, opinion_table
from .review_text import review_sentences
from .shown_masks import shown_reading

# Page layout, ours.
MARGIN_MM, HEADER_MM, FOOTER_MM, PICTURE_MM = 16.0, 26.0, 16.0, 135.0
TONES = {"found": "#a01810", "not_found": "#24455f", "could_not_look": "#6a4700"}
MISSING_GLYPH = "?"
UNPRINTABLE_NAME = "(name in other letters: see the DICOM header)"
_REGULAR, _BOLD = "Vera", "VeraBd"  # come with reportlab; Western European letters


@dataclass(frozen=True)
class PageIdentity:
    """Whose exam it is: what stands at the top of every page.

    Args:
        patient_name: as in DICOM, up to three groups of which the first is alphabetic.
        facts: labels and texts beside it (ID, date of birth, study date, accession number).
    """

    patient_name: str
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def printable_name(self) -> str:
        """The first group that the font can print, in a reader's order of words; never with letters left out."""
        for group in self.patient_name.split("="):
            words = ", ".join(part.strip() for part in group.split("^") if part.strip())
            if words and printable(words) == words:
                return words
        return UNPRINTABLE_NAME if self.patient_name else "(no name)"


def render_pdf(result: ExamResult, identity: PageIdentity) -> bytes:
    """The document; the same input gives the same bytes."""
    story = [*_answer(result), *_findings(result), *_opinions(result), *_pictures(result), *_abc2(result)]
    story += _sentences("Reader", review_sentences(result))
    story += [*_sentences("Image quality", [flag.message for flag in result.quality]), *_origin(result)]
    stream = io.BytesIO()
    document = SimpleDocTemplate(
        stream,
        pagesize=A4,
        leftMargin=MARGIN_MM * mm,
        rightMargin=MARGIN_MM * mm,
        topMargin=HEADER_MM * mm,
        bottomMargin=FOOTER_MM * mm,
        title="NeuroTriage report",
        author="NeuroTriage",
        invariant=1,
    )

    def decorate(canvas: Canvas, template: Any) -> None:
        _decorate(canvas, identity, canvas.getPageNumber())

    document.build(story, onFirstPage=decorate, onLaterPages=decorate)
    return stream.getvalue()


def printable(text: str) -> str:
    """The text with a question mark for every character that the font lacks."""
    _register_fonts()
    glyphs = pdfmetrics.getFont(_REGULAR).face.charToGlyph
    return "".join(c if ord(c) in glyphs else MISSING_GLYPH for c in text)


@cache
def _register_fonts() -> None:
    for name in (_REGULAR, _BOLD):
        pdfmetrics.registerFont(TTFont(name, f"{name}.ttf"))


def _decorate(canvas: Canvas, identity: PageIdentity, page: int) -> None:
    """Head and foot of a page; drawn as plain strings, so nothing in them is markup."""
    width, height = A4
    canvas.saveState()
    canvas.setFont(_BOLD, 10)
    canvas.drawString(MARGIN_MM * mm, height - 11 * mm, _cut(identity.printable_name, _BOLD, 10, 118 * mm))
    canvas.drawRightString(width - MARGIN_MM * mm, height - 11 * mm, NOTICE)
    canvas.setFont(_REGULAR, 8)
    facts = "   ".join(f"{label} {text}" for label, text in identity.facts if text)
    canvas.drawString(MARGIN_MM * mm, height - 16 * mm, _cut(printable(facts), _REGULAR, 8, width - 2 * MARGIN_MM * mm))
    canvas.line(MARGIN_MM * mm, height - 19 * mm, width - MARGIN_MM * mm, height - 19 * mm)
    canvas.drawString(MARGIN_MM * mm, 9 * mm, f"NeuroTriage {__version__}")
    canvas.drawRightString(width - MARGIN_MM * mm, 9 * mm, f"page {page}")
    canvas.restoreState()


def _cut(text: str, font: str, size: float, width: float) -> str:
    """The text up to a width in points."""
    if pdfmetrics.stringWidth(text, font, size) <= width:
        return text
    while text and pdfmetrics.stringWidth(f"{text}…", font, size) > width:
        text = text[:-1]
    return f"{text}…"


def _paragraph(text: str, *, size: float = 9, bold: bool = False, color: str = "#000000") -> Paragraph:
    """Text as it is: what looks like markup is escaped."""
    _register_fonts()
    font, ink = _BOLD if bold else _REGULAR, colors.HexColor(color)
    style = ParagraphStyle("text", fontName=font, fontSize=size, leading=1.3 * size, textColor=ink, splitLongWords=1)
    return Paragraph(escape(printable(text)), style)


def _heading(text: str) -> list[Flowable]:
    return [Spacer(0, 4 * mm), _paragraph(text, size=11, bold=True), Spacer(0, 1.5 * mm)]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], widths_mm: Sequence[float]) -> Table:
    cells = [[_paragraph(text, size=7.5, bold=True) for text in head]]
    cells += [[_paragraph(text, size=8) for text in row] for row in rows]
    table = Table(cells, colWidths=[width * mm for width in widths_mm], repeatRows=1)
    lines = [("LINEBELOW", (0, 0), (-1, -1), 0.4, colors.grey), ("VALIGN", (0, 0), (-1, -1), "TOP")]
    table.setStyle(TableStyle([*lines, ("LEFTPADDING", (0, 0), (-1, -1), 2), ("RIGHTPADDING", (0, 0), (-1, -1), 2)]))
    return table


def _answer(result: ExamResult) -> list[Flowable]:
    answer = headline(result)
    return [
        _paragraph(answer.title, size=15, bold=True, color=TONES[answer.status]),
        Spacer(0, 1 * mm),
        _paragraph(answer.detail),
    ]


def _findings(result: ExamResult) -> list[Flowable]:
    abc2 = {item.code: item.volume_ml for item in result.abc2}
    head = ("Finding", "Result", "Probability / threshold", "Volume (mL)", "ABC/2 (mL)", "Key slice")
    rows = [_finding_row(finding, abc2.get(finding.code)) for finding in result.findings]
    return [*_heading("Findings"), _table(head, rows, (50, 26, 36, 22, 22, 20))] if rows else []


def _finding_row(finding: Finding, abc2_ml: float | None) -> tuple[str, ...]:
    name, status = FINDING_CODES[finding.code].name, STATUS_WORDS[finding.status]
    if finding.probability is None or finding.threshold is None:
        return name, status, finding.reason, "–", "–", "–"
    outlined = finding.status == "found" and finding.components
    volume = millilitres(finding.volume_ml) if outlined else "–"
    key_slice = "–" if finding.key_slice is None else str(finding.key_slice + 1)
    return name, status, f"{finding.probability:.3f} / {finding.threshold:.3f}", volume, millilitres(abc2_ml), key_slice


def _opinions(result: ExamResult) -> list[Flowable]:
    """What each system of a consensus said by itself."""
    weighed = opinion_table(result)
    if weighed is None:
        return []
    rows = [
        (FINDING_CODES[row.answer.code].name, *(_opinion_words(opinion) for opinion in row.opinions), row.doubt)
        for row in weighed.rows
    ]
    each = 96.0 / len(weighed.systems)
    widths = (50.0, *(each for _ in weighed.systems), 30.0)
    return [*_heading("Opinions"), _table(("Finding", *weighed.systems, "Doubt"), rows, widths)]


def _opinion_words(opinion: Finding | None) -> str:
    if opinion is None:
        return "–"
    words = STATUS_WORDS[opinion.status]
    return words if opinion.probability is None else f"{words} {opinion.probability:.2f}"


def _pictures(result: ExamResult) -> list[Flowable]:
    maker = PictureMaker(result, shown_reading(result))
    width = PICTURE_MM * mm
    blocks: list[Flowable] = []
    for number, key in enumerate(key_slices(result)):
        pixels = key_image(maker, key, NOTICE)
        stream = io.BytesIO()
        PillowImage.fromarray(pixels).save(stream, "PNG")
        stream.seek(0)
        picture = Image(stream, width=width, height=width * pixels.shape[0] / pixels.shape[1])
        heading = _heading("Key pictures") if number == 0 else [Spacer(0, 3 * mm)]
        blocks.append(KeepTogether([*heading, picture]))
    return blocks


def _abc2(result: ExamResult) -> list[Flowable]:
    head = ("Finding", "A (mm)", "B (mm)", "C (mm)", "ABC/2 (mL)", "Measured (mL)", "Off by", "Mind")
    rows = [
        (
            item.code,
            *(f"{length:.1f}" for length in (item.a_mm, item.b_mm, item.c_mm)),
            millilitres(item.volume_ml),
            millilitres(item.voxel_volume_ml),
            f"{item.percent_off:+.0f} %",
            item.caveat,
        )
        for item in result.abc2
    ]
    widths = (18, 18, 18, 18, 22, 26, 18, 38)
    return [*_heading("ABC/2 beside the measured volume"), _table(head, rows, widths)] if rows else []


def _sentences(title: str, sentences: Sequence[str]) -> list[Flowable]:
    return [*_heading(title), *(_paragraph(sentence) for sentence in sentences)] if sentences else []


def _origin(result: ExamResult) -> list[Flowable]:
    """Which models read which series."""
    lines = [
        f"Model: {model.name} {model.version} ({system}), weights SHA-256 {model.sha256}"
        for system, model in ((reading.system, reading.model) for reading in result.readings)
    ]
    lines += [f"Study: {result.study_instance_uid}", f"Series: {result.volume.series_instance_uid}"]
    return _sentences("Origin", lines)
