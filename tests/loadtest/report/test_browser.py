"""The report as a browser shows it: Debian's Chromium, driven by Playwright."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, sync_playwright

from loadtest.report.page import write_report
from loadtest.results.comparison import Report
from loadtest.results.reading import read_report
from tests.loadtest.examples import two_candidates
from tests.loadtest.report.example_campaign import example_campaign, example_candidate

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# Without them Chromium asks its maker's servers, which are none of a test's business, and wants a user who is not root.
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
CHECKS = (Path(__file__).parent / "page_checks.js").read_text(encoding="utf-8")
SCREENS: dict[str, tuple[Literal["light", "dark"], int]] = {
    "light": ("light", 1200),
    "dark": ("dark", 1200),
    "phone": ("light", 390),
}

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="There is no Chromium; install Debian's package chromium."),
    pytest.mark.timeout(120),
]


def _long_names() -> Report:
    """Fourteen candidates, some of them with names that fit in no column."""
    variants = [f"layers-{n}+sparse-70+int8" if n % 3 == 0 else f"nas-{n}" for n in range(14)]
    made = [
        example_candidate(f"{variant}@onnxruntime", 5.0 + n, 40.0 + 9 * n, 770 + n, 10.0 + n)
        for n, variant in enumerate(variants)
    ]
    return replace(example_campaign(), candidates=tuple(made), canary=())


REPORTS: dict[str, Callable[[], Report]] = {
    "whole campaign": example_campaign,
    "fourteen candidates": _long_names,
    "two candidates": two_candidates,
    "schema 1": lambda: read_report(Path("docs/results/sst2-containers/report.json")),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield opened
        opened.close()


@pytest.fixture(scope="module", params=REPORTS)
def page_file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(REPORTS[request.param](), tmp_path_factory.mktemp("report"))


@pytest.mark.parametrize("screen", SCREENS)
def test_no_text_overlaps_nothing_scrolls_sideways_and_all_can_be_seen(
    browser: Browser, page_file: Path, screen: str
) -> None:
    scheme, width = SCREENS[screen]
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(page_file.as_uri())
    found = page.evaluate(CHECKS)
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    found += page.evaluate(CHECKS)
    assert not found, "\n".join(found[:40])
    assert asked == [page_file.as_uri()]
    context.close()


def test_dark_is_dark_and_light_is_light_charts_included(browser: Browser, page_file: Path) -> None:
    shown, schemes = {}, {scheme for scheme, _ in SCREENS.values()}
    for scheme in schemes:
        context = browser.new_context(color_scheme=scheme)
        page = context.new_page()
        page.goto(page_file.as_uri())
        style = "getComputedStyle(document.querySelector('{}')).{}"
        wanted = [("body", "backgroundColor"), ("svg path", "fill"), ("svg text", "fill")]
        shown[scheme] = [page.evaluate(style.format(*one)) for one in wanted]
        context.close()
    assert shown["light"] == ["rgb(255, 255, 255)", "rgb(255, 255, 255)", "rgb(31, 35, 40)"]
    assert shown["dark"] == ["rgb(13, 17, 23)", "rgb(13, 17, 23)", "rgb(230, 237, 243)"]


def test_the_page_is_whole_without_javascript(browser: Browser, page_file: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(page_file.as_uri())
    assert page.locator("svg").count() >= 4
    assert page.locator("table").first.is_visible()
    assert [page.locator(f"h{level}").count() > 0 for level in (1, 2, 3)] == [True, True, True]
    context.close()


def test_it_prints_dark_on_light_with_nothing_cut_off(browser: Browser, page_file: Path) -> None:
    context = browser.new_context(color_scheme="dark", viewport={"width": 700, "height": 1000})
    page = context.new_page()
    page.goto(page_file.as_uri())
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(31, 35, 40)"
    found = page.evaluate(CHECKS)
    assert not found, "\n".join(found[:40])
    context.close()
