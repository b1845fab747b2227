"""The worklist's page in a browser: live, led by keys, named for screen readers, and no name becomes a script."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from Testing.Lib.service.headless_browser import CHROMIUM, HeadlessBrowser
from Testing.Lib.service.made_node import (
    FOUND,
    NOTHING,
    PASSWORD,
    SCRIPT_NAME,
    USER,
    MadeNode,
    ServedNode,
    findings_json,
)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")

CHOSEN = "document.querySelector('#exams tr[aria-selected=true]')?.id"
ROWS = "[...document.querySelectorAll('#exams tr')].map(row => row.id)"
# Contrast of each text's colour against the first opaque background behind it (WCAG 2.2, 1.4.3), lowest first.
CONTRAST = """(() => {
  const parts = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const linear = (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const behind = (element) => {
    const color = parts(getComputedStyle(element).backgroundColor);
    return color.length === 3 || color[3] > 0 || !element.parentElement ? color : behind(element.parentElement);
  };
  const ratio = (element) => {
    const [a, b] = [light(parts(getComputedStyle(element).color)), light(behind(element))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  };
  const hasText = (element) => [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
  const texts = [...document.querySelectorAll('body *')].filter(e => e.checkVisibility() && hasText(e));
  return texts.map(e => [ratio(e), `${e.tagName} ${e.className} ${e.textContent}`]).sort((x, y) => x[0] - y[0])[0];
})()"""


@pytest.fixture(scope="module")
def answered_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = MadeNode(tmp_path_factory.mktemp("answered"))
    made.add_answered(PatientName=SCRIPT_NAME, StudyDescription="</td><script>alert(3)</script>")
    made.ledger.close()
    return made.folder


@pytest.fixture
def node(answered_folder: Path, tmp_path: Path) -> MadeNode:
    made = MadeNode(shutil.copytree(answered_folder, tmp_path / "node"))
    with made.ledger.transaction() as db:
        db.execute("UPDATE exam SET reason = '<b onclick=alert(4)>' WHERE id = 1")
    made.add("2.2", "reading", stage="network", fraction=0.4, urgency=0.9)
    made.add("3.3", "set_aside", reason="No reader could finish it; tried three times.", tries=3)
    made.add("4.4", "done", findings=findings_json(NOTHING))
    made.add("5.5", "receiving", dicom_priority=1)
    return made


def log_in(browser: HeadlessBrowser, url: str) -> None:
    browser.open(f"{url}/login")
    browser.say(f"user.value = {json.dumps(USER)}; password.value = {json.dumps(PASSWORD)}; document.forms[0].submit()")
    browser.wait_for("document.querySelectorAll('#exams tr').length > 0")


def test_the_page_is_live_led_by_keys_and_shows_names_as_text(node: MadeNode, tmp_path: Path):
    with ServedNode(node) as served, HeadlessBrowser() as browser:
        log_in(browser, served.url)
        assert browser.say(ROWS) == ["exam-1", "exam-3", "exam-2", "exam-5", "exam-4"]

        # names are text
        assert browser.say("document.querySelectorAll('script').length") == 1
        assert "<script>alert(1)</script>, <svg onload>" in browser.say("document.querySelector('#exam-1').innerText")
        assert browser.say("document.querySelectorAll('#exams b, #exams svg').length") == 0

        # keys
        assert browser.say(CHOSEN) == "exam-1"
        browser.press("j", "j", "ArrowDown", "k")
        assert browser.say(CHOSEN) == "exam-2" and browser.say("document.activeElement.id") == "exam-2"
        browser.press("G")
        assert browser.say(CHOSEN) == "exam-4"
        browser.press("g", "Enter")
        browser.wait_for("!document.querySelector('#exam').hidden")
        browser.wait_for("[...document.querySelectorAll('#exam img')].every(i => i.complete && i.naturalWidth > 100)")
        assert "report opened" not in browser.say("document.querySelector('#exam').innerText")
        assert browser.say("document.querySelectorAll('#exam b, #exam svg').length") == 0
        browser.press("Escape")
        assert browser.say("document.querySelector('#exam').hidden") is True
        browser.press("/", *"subdural")
        assert browser.say("document.activeElement.id") == "filter" and browser.say(ROWS) == []
        browser.press("Escape", "/", *"third set as", "Escape")
        assert len(browser.say(ROWS)) == 5

        # live: progress, then the answer at its new place, told to screen readers
        assert browser.say("document.querySelector('#exam-2 progress').value") == 0.4
        with node.ledger.transaction() as db:
            db.execute("UPDATE exam SET fraction = 0.8 WHERE id = 2")
        browser.wait_for("document.querySelector('#exam-2 progress').value === 0.8")
        with node.ledger.transaction() as db:
            db.execute("UPDATE exam SET state = 'answered', findings = ? WHERE id = 2", (findings_json(FOUND),))
        browser.wait_for("document.querySelector('#exam-2').className === 'found'")
        assert browser.say(ROWS)[:2] == ["exam-1", "exam-2"]
        assert browser.say("document.querySelector('#news').textContent") == "New: Intraparenchymal hemorrhage"
        assert browser.say("document.querySelector('#news').getAttribute('aria-live')") == "polite"
        assert browser.say("document.title").startswith("(2) ")

        # nothing from elsewhere, nothing blocked, nothing failed
        assert all(url.startswith((served.url, "about:")) for url in browser.asked_for())
        assert browser.complaints() == []


def test_what_is_shown_has_names_for_screen_readers_and_enough_contrast_in_light_and_dark(node: MadeNode):
    with ServedNode(node) as served:
        for dark in (False, True):
            with HeadlessBrowser(dark=dark) as browser:
                browser.open(f"{served.url}/login")
                ratio, where = browser.say(CONTRAST)
                assert ratio >= 4.5, where
                log_in(browser, served.url)
                browser.press("?", "Enter")
                browser.wait_for("!document.querySelector('#exam').hidden")
                ratio, where = browser.say(CONTRAST)
                assert ratio >= 4.5, where
                nameless = "[...document.querySelectorAll('input, select')].filter(e => !e.labels.length).length"
                assert browser.say(nameless) == 0
                assert browser.say("[...document.images].filter(i => !i.alt).length") == 0
                assert browser.say("document.querySelectorAll('#exams tr[tabindex=\"0\"]').length") == 1


def test_when_the_node_is_gone_the_page_says_how_old_its_list_is(node: MadeNode):
    with HeadlessBrowser() as browser:
        with ServedNode(node) as served:
            log_in(browser, served.url)
            browser.say("list.answeredAt -= 60000, 0")
            browser.wait_for("Date.now() - list.answeredAt < 30000")
        browser.say("list.answeredAt -= 60000, 0")
        browser.wait_for("!document.querySelector('#trouble').hidden")
        assert "does not answer" in browser.say("document.querySelector('#trouble').textContent")
        assert len(browser.say(ROWS)) == 5
