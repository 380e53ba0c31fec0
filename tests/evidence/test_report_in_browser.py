"""The report as a reader sees it: in headless Chromium, wide, narrow, light, dark, English, Korean."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stillwatch.evidence.phrases import phrases_in
from stillwatch.evidence.report import render_report
from stillwatch.evidence.tables import RunTables
from stillwatch.evidence.wording import CampaignWording, Scaffold, Wordings

sys.path.insert(0, str(Path(__file__).parent))  # the tests' own modules lie beside this file
from headless import CONTRAST, FAULTS, axe_script, open_browser, resize

WIDTHS = (360, 768, 1280, 2560)
SCHEMES = ("light", "dark")
LANGUAGES = ("en", "ko")
WORDING = Wordings(
    {
        "cmp_7f3ac2d41e90": CampaignWording(
            (Scaffold("Think step by step in <notes>.\nProblem: …\nClose with the answer. …", 48),), 48
        )
    },
    ("-",),
    "2026-07-06",
)
FOCUSED = """
  const style = getComputedStyle(document.activeElement);
  const box = document.activeElement.getBoundingClientRect();
  return {
    place: [...document.querySelectorAll('a, summary, [tabindex]')].indexOf(document.activeElement),
    outline: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
    visible: box.width > 0 && box.height > 0,
  };
"""
AXES_MEASURED = """
  const shown = [...document.querySelectorAll('svg.chart')].filter(chart => chart.getClientRects().length);
  return shown.map(chart => {
    const box = chart.getBoundingClientRect();
    const marks = [...chart.querySelectorAll('path[fill^="var"]')].filter(mark => mark.getBBox().width > 0);
    const text = [...chart.querySelectorAll('text')].filter(label => label.textContent.trim());
    return {
      left: box.left, right: box.right, height: box.height, marks: marks.length,
      smallest: Math.min(...text.map(label => label.getBoundingClientRect().height)),
      colours: [...new Set(marks.map(mark => getComputedStyle(mark).fill))],
    };
  });
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    session = open_browser(tmp_path_factory.mktemp("profile"))
    yield session
    session.quit()


@pytest.fixture(scope="module", params=LANGUAGES)
def opened(
    request: pytest.FixtureRequest, browser: Any, run: RunTables, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    """The report of the run in one language, with everything that a report can hold."""
    page: Path = tmp_path_factory.mktemp("report") / "report.html"
    page.write_text(render_report(run, phrases_in(request.param), WORDING), encoding="utf-8")
    browser.get("about:blank")
    for log in ("performance", "browser"):  # what the browser's own start page asked for
        browser.get_log(log)
    browser.get(page.as_uri())
    return browser


@pytest.fixture(scope="module")
def axe() -> str:
    return axe_script()


def test_it_asks_for_nothing_and_complains_of_nothing(opened: Any):
    messages = [json.loads(entry["message"])["message"] for entry in opened.get_log("performance")]
    requests = [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]
    assert [url for url in requests if not url.startswith("data:")] == [opened.current_url]
    assert opened.get_log("browser") == []


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_charts_are_drawn_and_nothing_runs_over_the_edge(opened: Any, width: int, scheme: str):
    resize(opened, width, scheme)
    charts = opened.execute_script(AXES_MEASURED)
    assert len(charts) == 3 * 5  # five for each campaign, one width of each
    for chart in charts:
        assert chart["marks"] >= 1
        assert chart["height"] > 40
        assert chart["left"] >= 0
        assert chart["right"] <= width
        assert chart["smallest"] >= 9  # pixels: still to be read
        assert all(colour.startswith("rgb") for colour in chart["colours"])
    assert opened.execute_script("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", SCHEMES)
def test_text_stands_out_from_the_page(opened: Any, scheme: str):
    resize(opened, 1280, scheme)
    texts = opened.execute_script(CONTRAST, ["--ink", "--muted"])
    shapes = opened.execute_script(CONTRAST, ["--linking", "--extraction", "--against", "--accent"])
    assert min(texts.values()) >= 4.5, texts
    assert min(shapes.values()) >= 3, shapes


def test_the_keyboard_reaches_everything_in_order_and_shows_where_it_is(opened: Any):
    from selenium.webdriver.common.keys import Keys

    resize(opened, 1280, "light")
    opened.refresh()
    things = opened.find_elements("css selector", "a, summary, [tabindex]")
    for place in range(len(things)):
        opened.switch_to.active_element.send_keys(Keys.TAB)
        assert opened.execute_script(FOCUSED) == {"place": place, "outline": True, "visible": True}


def test_enter_unfolds_and_folds_and_a_link_leads_to_its_place(opened: Any):
    from selenium.webdriver.common.keys import Keys

    resize(opened, 1280, "light")
    assert opened.find_elements("css selector", "details[open]") == []
    summaries = opened.find_elements("css selector", "summary")
    for summary in summaries:
        summary.send_keys(Keys.ENTER)
    assert len(opened.find_elements("css selector", "details[open]")) == len(summaries) >= 5
    for summary in summaries:
        summary.send_keys(Keys.ENTER)
    assert opened.find_elements("css selector", "details[open]") == []
    opened.find_element("css selector", "a[href^='#accounts-']").send_keys(Keys.ENTER)
    assert opened.execute_script("return document.querySelector(':target').id").startswith("accounts-")


def test_it_prints_in_light_colours_with_the_accounts_shown(opened: Any):
    resize(opened, 1280, "dark")
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": []})
    assert opened.execute_script("return getComputedStyle(document.body).color") == "rgb(27, 34, 41)"
    unfolded = "getComputedStyle(document.querySelector('details'), '::details-content').contentVisibility"
    assert opened.execute_script(f"return {unfolded}") == "visible"
    printed = base64.b64decode(opened.execute_cdp_cmd("Page.printToPDF", {})["data"])
    assert printed.startswith(b"%PDF")
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})


@pytest.mark.parametrize("language", LANGUAGES)
def test_axe_finds_no_serious_fault_folded_or_not(
    browser: Any,
    axe: str,
    build_run: Callable[..., RunTables],
    small_groups: tuple[Any, ...],
    language: str,
    tmp_path: Path,
):
    run = build_run(small_groups, clear=10)
    (tmp_path / "report.html").write_text(render_report(run, phrases_in(language), WORDING), encoding="utf-8")
    browser.get((tmp_path / "report.html").as_uri())
    browser.execute_script(axe)
    for unfolded in ("false", "true"):
        browser.execute_script(
            f"document.querySelectorAll('details').forEach(each => each.open = {unfolded})"
        )
        for width in (360, 1280):
            for scheme in SCHEMES:
                resize(browser, width, scheme)
                assert browser.execute_async_script(FAULTS) == [], (width, scheme, unfolded)


def test_axe_finds_no_serious_fault_where_nothing_was_found(
    browser: Any, axe: str, quiet_run: RunTables, tmp_path: Path
):
    (tmp_path / "report.html").write_text(render_report(quiet_run), encoding="utf-8")
    browser.get((tmp_path / "report.html").as_uri())
    browser.execute_script(axe)
    assert browser.execute_async_script(FAULTS) == []
