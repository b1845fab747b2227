"""The report says what the exam says, and stands alone."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from NeuroTriageLib.core.findings import Familiarity, QualityFlag
from NeuroTriageLib.outputs.report import (
    headline,
    millilitres,
    opinion_table,
    rejected_regions,
    render_report,
    write_report,
)
from Testing.Lib.exam_builder import IPH, SHA256, ExamSettings, build_exam, build_unreadable_exam
from Testing.Lib.weighed_exam import REJECTED, build_weighed_exam

POSITIVE = build_exam()
NEGATIVE = build_exam(ExamSettings())
UNREADABLE = build_unreadable_exam()


class Page(HTMLParser):
    """Tags, attributes and visible text of a page; fails on tags that do not match."""

    VOID = frozenset({"meta", "br", "img", "link", "image", "rect", "line", "path", "polyline"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        assert not self._open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID or tag == "path" or tag == "rect":
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if "style" not in self._open:
            self.text += data


@pytest.mark.parametrize("exam", [POSITIVE, NEGATIVE, UNREADABLE], ids=["positive", "negative", "unreadable"])
def test_page_stands_alone(exam):
    html = render_report(exam)
    page = Page(html)
    assert not {"script", "link", "iframe", "object", "img"} & {tag for tag, _ in page.tags}
    for _, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("href", "src"):
                assert value.startswith(("data:image/png;base64,", "#"))
    assert "http" not in re.sub(r"base64,[A-Za-z0-9+/=]+", "", html)
    assert "url(" not in html
    assert '<meta charset="utf-8">' in html


@pytest.mark.parametrize("exam", [POSITIVE, NEGATIVE, UNREADABLE], ids=["positive", "negative", "unreadable"])
def test_notice_stands_once_at_the_top(exam):
    page = Page(render_report(exam))
    assert page.text.lower().count("not for diagnosis") == 1
    assert page.text.index("Not for diagnosis") < page.text.index("Findings")


@pytest.mark.parametrize("exam", [POSITIVE, NEGATIVE, UNREADABLE], ids=["positive", "negative", "unreadable"])
def test_links_lead_to_a_picture_on_the_page(exam):
    page = Page(render_report(exam))
    targets = {attributes.get("id") for _, attributes in page.tags}
    for tag, attributes in page.tags:
        if tag == "a":
            assert attributes["href"].removeprefix("#") in targets


def test_found_nothing_found_and_could_not_look_are_three_different_answers():
    titles = [headline(exam).title for exam in (POSITIVE, NEGATIVE, UNREADABLE)]
    assert titles == [
        "Intracranial hemorrhage found",
        "No intracranial hemorrhage found",
        "The exam could not be read",
    ]
    assert "not a negative result" in headline(UNREADABLE).detail
    assert "Not found" not in Page(render_report(UNREADABLE)).text
    assert "Could not look" not in Page(render_report(NEGATIVE)).text


def test_headline_names_types_and_volume():
    assert headline(POSITIVE).detail.startswith("Intraparenchymal hemorrhage, subdural hemorrhage; ")


def test_hemorrhage_of_undetermined_type_is_named_so():
    exam = build_exam(ExamSettings(blood=IPH, found=frozenset({"any"})))
    assert "type undetermined" in headline(exam).detail
    assert "Intracranial hemorrhage, type undetermined" in Page(render_report(exam)).text


def test_each_found_type_has_its_key_slice_pictured_with_outline_and_heat():
    page = Page(render_report(POSITIVE))
    figures = [attributes["id"] for tag, attributes in page.tags if attributes.get("class") == "key"]
    slices = {f"slice-{finding.key_slice + 1}" for finding in POSITIVE.findings[1:] if finding.key_slice is not None}
    assert set(figures) == slices
    labels = [attributes.get("aria-label") or "" for tag, attributes in page.tags if tag == "svg"]
    assert sum("with outlines" in label for label in labels) == len(slices)
    assert sum("probability of hemorrhage" in label for label in labels) == len(slices)


def test_type_above_its_threshold_in_a_negative_exam_is_explained():
    exam = build_exam(ExamSettings())
    findings = tuple(
        replace(finding, probability=0.7) if finding.code == "SDH" else finding for finding in exam.findings
    )
    assert "A type counts only when" in Page(render_report(replace(exam, findings=findings))).text
    assert "A type counts only when" not in Page(render_report(exam)).text


def test_negative_exam_shows_the_slices_that_came_closest():
    assert "Highest score, below threshold" in Page(render_report(NEGATIVE)).text


def test_every_picture_is_described_for_who_cannot_see_it():
    for tag, attributes in Page(render_report(POSITIVE)).tags:
        if tag == "svg":
            assert attributes["role"] == "img"
            assert attributes["aria-label"]


def test_origin_quality_and_series_with_reasons_are_told():
    text = Page(render_report(POSITIVE)).text
    for words in (
        SHA256,
        "kuo2019-test 0.1",
        "The slices are 10 mm apart.",
        "It is a scout. It has two images.",
        "cpu",
    ):
        assert words in text


def test_table_shows_volume_and_percent_off():
    text = " ".join(Page(render_report(POSITIVE)).text.split())
    sdh = next(finding for finding in POSITIVE.findings if finding.code == "SDH")
    assert f"{sdh.volume_ml:.1f}" in text
    assert "+20 %" in text
    assert "A crescent is no ellipsoid." in text


def test_text_from_outside_cannot_become_markup():
    flag = QualityFlag("x", "<script>alert(1)</script> & <b>", None)
    exam = replace(POSITIVE, quality=(flag,), input='"><img src=x>')
    html = render_report(exam)
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;" in html


def test_same_exam_gives_the_same_page():
    assert render_report(POSITIVE) == render_report(POSITIVE)


def test_single_slice_and_scores_missing_are_no_obstacle():
    exam = build_exam(ExamSettings(shape_kji=(1, 48, 56)))
    reading = replace(exam.readings[0], slice_probability={})
    assert "No intracranial hemorrhage" in render_report(replace(exam, readings=(reading,)))


def test_page_is_utf8(tmp_path):
    write_report(replace(POSITIVE, input="Schädel/頭"), tmp_path / "report.html")
    assert "Schädel/頭" in (tmp_path / "report.html").read_bytes().decode("utf-8")


@pytest.mark.parametrize(
    ("volume_ml", "words"),
    [(None, "–"), (0.0, "0.0"), (0.004, "< 0.01"), (0.123, "0.12"), (7.42, "7.4"), (130.26, "130.3")],
)
def test_volumes_are_rounded_to_what_a_reader_needs(volume_ml, words):
    assert millilitres(volume_ml) == words


def test_opinions_stand_side_by_side_with_the_doubt():
    exam = build_weighed_exam()
    table = opinion_table(exam)
    assert table.systems == ("kuo2019", "chang2018", "ye2019")
    rows = {row.answer.code: row for row in table.rows}
    assert [opinion.probability for opinion in rows["IPH"].opinions] == [0.97, 0.13, 0.13]
    assert rows["IVH"].opinions[1] is None, "chang2018 does not answer it"
    assert rows["SDH"].opinions[1].code == rows["EDH"].opinions[1].code == "SDH+EDH"
    assert rows["SDH"].doubt == "split, 0.31" and rows["IPH"].doubt == "agree, 0.12"
    page = render_report(exam)
    assert "split, 0.31" in page and "(SDH+EDH)" in page and "<h2>Opinions</h2>" in page


def test_a_single_system_has_no_table_of_opinions():
    assert opinion_table(build_exam()) is None
    assert "<h2>Opinions</h2>" not in render_report(build_exam())


def test_rejected_regions_are_counted_and_the_most_confident_are_listed():
    (item,) = rejected_regions(build_weighed_exam())
    assert (item.system, item.count) == ("chang2018", len(REJECTED))
    assert [region.confidence for region in item.shown] == sorted((r.confidence for r in REJECTED), reverse=True)[:5]
    page = render_report(build_weighed_exam())
    assert f"looked at {len(REJECTED)} more places and rejected them" in page


def test_the_page_says_how_usual_the_exam_is():
    assert "unlike the exams" not in render_report(build_weighed_exam())
    odd = Familiarity(7.1, 3.5, ("the noise in the brain is high",), accepted=True)
    page = render_report(build_weighed_exam(odd))
    assert "unlike the exams that the models learned from" in page and "on the user" in page
