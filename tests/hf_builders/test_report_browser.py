"""`report.html` in a browser: it draws, it can be read in both languages, on paper-white and on black, on a phone, and
nothing in it acts."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers", reason="prepare tokenizes, which needs transformers")
pytest.importorskip("playwright", reason="playwright drives the browser")

from playwright import sync_api

from hf_builders.prepare import prepare
from tests.hf_builders.report_runs import FILE, SCRIPT, prepare_hostile, prepare_packed, prepare_texts
from tests.hf_builders.span_runs import config_of

pytestmark = pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium is installed to show a page in")
OPTIONS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
NAMES = ("hostile", "packed", "texts", "windows")

Open = Callable[..., Any]
"""Takes the name of a run, and how the page is looked at; gives the page."""


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {name: tmp_path_factory.mktemp(name) for name in NAMES}
    prepare_hostile(folders["hostile"])
    prepare_packed(folders["packed"])
    prepare_texts(folders["texts"])
    prepare(config_of(folders["windows"] / "out"))
    return {name: folder / "out" / "report.html" for name, folder in folders.items()}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Any, reports: dict[str, Path]) -> Iterator[Open]:
    """Opens reports; afterwards none of them has said, asked for or thrown anything."""
    faults: list[str] = []
    contexts = []

    def open_page(name: str, *, width: int = 1280, scheme: str = "light", javascript: bool = True) -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=javascript
        )
        contexts.append(context)
        page = context.new_page()
        address = reports[name].as_uri()
        page.on("console", lambda message: faults.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda sent: None if sent.url in (address, "data:,") else faults.append(sent.url))
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []


def test_the_browser_would_tell_of_a_script_and_of_a_request(browser: Any) -> None:
    page, told = browser.new_page(), []
    page.on("dialog", lambda dialog: (told.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: told.append(request.url))
    page.set_content(f"{SCRIPT}<img src='http://127.0.0.1:9/x.png'>")
    assert told == ["1", "http://127.0.0.1:9/x.png"]


BOXES = """() => [...document.querySelectorAll('svg.chart')].map(chart => [chart.getBoundingClientRect().toJSON(),
  [...chart.querySelectorAll('rect:not(.hatch)')].map(bar => bar.getBoundingClientRect().toJSON())])"""


@pytest.mark.parametrize("name", NAMES)
def test_every_chart_is_drawn(name: str, open_page: Open) -> None:
    page = open_page(name)
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    charts = page.evaluate(BOXES)
    for chart, bars in charts:
        assert chart["width"] > 200
        assert chart["height"] >= 20
        assert bars
        for bar in bars:
            assert bar["width"] > 1
            assert bar["height"] > 1
            assert bar["left"] >= chart["left"] - 1
            assert bar["right"] <= chart["right"] + 1
    assert len(charts) >= 4
    assert sum(len(bars) for _, bars in charts) > 20


def shown_in(page: Any, language: str) -> int:
    """How many texts of a language can be seen; those of an SVG picture have no box of HTML."""
    return int(
        page.evaluate(
            "language => [...document.querySelectorAll('.' + language)]"
            ".filter(each => getComputedStyle(each).display !== 'none').length",
            language,
        )
    )


@pytest.mark.parametrize("name", NAMES)
def test_one_language_is_shown_and_the_keyboard_changes_it(name: str, open_page: Open) -> None:
    page = open_page(name)
    assert shown_in(page, "en") > 100
    assert shown_in(page, "zh") == 0
    assert "What to know, what to do" in page.inner_text("main")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    assert shown_in(page, "zh") > 100
    assert shown_in(page, "en") == 0
    assert "要点与建议" in page.inner_text("main")
    assert "What to know" not in page.inner_text("main")
    page.click("label[for=in-english]")
    assert shown_in(page, "zh") == 0


def test_the_language_changes_without_any_script(open_page: Open) -> None:
    page = open_page("hostile", javascript=False)
    page.click("label[for=in-chinese]")
    assert page.locator("#account").inner_text() == "每一行的去向"
    page.emulate_media(media="print")
    assert page.locator("#account").inner_text() == "每一行的去向"
    assert not page.locator(".contents").is_visible()


def luminance(colour: str) -> float:
    """Of `rgb(…)`, as WCAG 2 defines it."""
    shares = [int(number) / 255 for number in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


CONTRASTS = """() => {
  const behind = each => {
    for (; each; each = each.parentElement) {
      const colour = getComputedStyle(each).backgroundColor;
      if (!colour.endsWith(', 0)') && colour !== 'transparent') return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  document.querySelectorAll('details').forEach(each => each.open = true);
  return [...document.querySelectorAll('main *, header *, nav *')]
    .filter(each => !each.closest('svg') && each.innerText && each.getClientRects().length
      && [...each.childNodes].some(node => node.nodeType === 3 && node.data.trim()))
    .map(each => [getComputedStyle(each).color, behind(each), each.tagName + '.' + each.className]);
}"""


@pytest.mark.parametrize("name", ["hostile", "texts"])
@pytest.mark.parametrize(("scheme", "is_dark"), [("light", False), ("dark", True)])
def test_every_text_has_the_contrast_of_wcag_aa(name: str, scheme: str, is_dark: bool, open_page: Open) -> None:
    page = open_page(name, scheme=scheme)
    body = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (luminance(body) < 0.1) == is_dark
    pairs = {tuple(each) for each in page.evaluate(CONTRASTS)}
    for colour, behind, what in pairs:
        lighter, darker = sorted((luminance(colour), luminance(behind)), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, f"{what}: {colour} on {behind}"
    assert len(pairs) > 20


@pytest.mark.parametrize("name", NAMES)
def test_no_page_is_wider_than_its_window(name: str, open_page: Open) -> None:
    page = open_page(name)
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    for width in (360, 390, 768, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        for label in ("in-chinese", "in-english"):
            page.click(f"label[for={label}]")
            assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("name", NAMES)
def test_labels_of_a_chart_do_not_run_into_each_other_on_a_phone(name: str, open_page: Open) -> None:
    page = open_page(name, width=390)
    num_checked = 0
    for figure in page.query_selector_all("figure"):
        for kind in ("tick:not(.top-of-bar)", "top-of-bar"):
            boxes = [label.bounding_box() for label in figure.query_selector_all(f"text.{kind}")]
            boxes = sorted((box for box in boxes if box), key=lambda box: box["x"])
            for one, other in pairwise(boxes):
                assert one["x"] + one["width"] <= other["x"] + 1, figure.inner_text()
                num_checked += 1
    assert num_checked > 10


def test_what_looks_like_a_script_is_text_wherever_it_stands(open_page: Open) -> None:
    page = open_page("hostile")
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert page.locator("script").count() == 0
    shown = {
        "id": page.locator("#rows ~ .rows summary .names").first.inner_text(),
        "file": page.locator("#origin ~ .scroll th[scope=row]").first.inner_text(),
        "prompt": page.locator(".stretch.context .said").nth(1).inner_text(),
        "answer": page.locator(".stretch.trained .said").first.inner_text(),
        "raw": page.locator("#aside ~ details .raw").nth(1).inner_text(),
    }
    assert shown["id"].startswith(FILE)
    assert shown["file"].startswith(FILE)
    assert all(SCRIPT in shown[name] for name in ("prompt", "answer", "raw"))
    page.wait_for_timeout(200)  # a script that ran would have had the time


def test_trained_tokens_are_told_apart_by_more_than_colour(open_page: Open) -> None:
    page = open_page("hostile")
    lines = {
        kind: page.locator(f".stretch.{kind} .said span").first.evaluate(
            "each => getComputedStyle(each).textDecorationLine"
        )
        for kind in ("trained", "context")
    }
    assert lines == {"trained": "underline", "context": "none"}


def test_chinese_is_drawn_with_glyphs_of_its_own(open_page: Open) -> None:
    page = open_page("hostile")
    page.click("label[for=in-chinese]")
    heading = page.locator("h2#account").bounding_box()
    assert heading["width"] > 100
    assert heading["height"] > 20
    # Boxes in the place of missing glyphs are all the same picture.
    pictures = set()
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p id=glyph style=\"width:2em\"></p>')")
    for character in "每一行的去向":
        page.evaluate("character => { document.getElementById('glyph').textContent = character }", character)
        pictures.add(page.locator("#glyph").screenshot())
    assert len(pictures) == 6
