"""The operator's page in headless Chromium: what it shows, what it lets a person do, and to whom."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from control_desk import CAMPAIGN, controlled, furnished, write_report

from stillwatch.access.appeals import Appeal, Appeals, Kind, Status
from stillwatch.persistence.address import address_of
from stillwatch.persistence.audit import AuditLog
from stillwatch.persistence.database import Database

sys.path.insert(0, str(Path(__file__).parents[2] / "evidence"))
from headless import FAULTS, axe_script, open_browser, resize

HOSTILE = "<img src=x onerror=document.title='broken'>"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    session = open_browser(tmp_path_factory.mktemp("profile"))
    yield session
    session.quit()


@pytest.fixture
def page(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """The page of a service whose judge failed with somebody else's words."""
    state = tmp_path / "state"
    store = furnished(state)
    write_report(state, error=HOSTILE)
    with controlled(state, store=store) as client:
        browser.get("about:blank")
        for log in ("performance", "browser"):
            browser.get_log(log)
        browser.get(str(client.base_url))
        browser.execute_script("sessionStorage.clear()")
        browser.refresh()
        yield browser


def until(browser: Any, script: str) -> Any:
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, 15, poll_frequency=0.05).until(
        lambda _: browser.execute_script(f"return {script}")
    )


def enter(browser: Any, token: str) -> None:
    until(browser, "!document.getElementById('entry').hidden")
    browser.find_element("id", "token").clear()
    browser.find_element("id", "token").send_keys(f"{token}\n")


def entered(browser: Any) -> None:
    enter(browser, "all")
    until(browser, "document.querySelectorAll('#decisions .entry').length")


def text(browser: Any, selector: str) -> str:
    return str(browser.execute_script("return document.querySelector(arguments[0]).innerText", selector))


def test_a_token_opens_it_and_one_that_does_not_hold_is_told(page: Any):
    enter(page, "wrong")
    until(page, "document.getElementById('refused').textContent.includes('does not hold')")
    assert page.execute_script("return sessionStorage.getItem('token')") is None

    entered(page)
    assert text(page, "#headline") == "1 campaign, 1 to watch"
    assert "throttle for 250 accounts" in text(page, "#lede")
    assert HOSTILE in text(page, "#troubles")
    assert page.title == "stillwatch"

    page.find_element("id", "leave").click()
    assert page.execute_script("return document.getElementById('decisions').childElementCount") == 0


def test_it_asks_its_own_service_alone_and_the_browser_complains_of_nothing(page: Any):
    entered(page)
    messages = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    urls = [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]
    own = page.current_url
    assert [url for url in urls if not url.startswith((own, "data:", "about:"))] == []
    assert page.get_log("browser") == []


def test_a_decision_is_undone_with_a_name_and_a_note(page: Any):
    entered(page)
    page.execute_script("document.querySelector('#decisions button[data-key^=undo]').click()")
    assert page.execute_script("return document.getElementById('say').open")
    page.find_element("id", "by").send_keys("kim")
    page.find_element("id", "note").send_keys("a course, see ticket 314")
    page.find_element("id", "do").click()
    until(page, "document.getElementById('decisions').innerText.includes('None stand')")
    page.execute_script(
        "const which = document.getElementById('which'); which.value = 'any';"
        "which.dispatchEvent(new Event('change'))"
    )
    until(page, "document.getElementById('decisions').innerText.includes('by kim')")
    assert "a course, see ticket 314" in text(page, "#decisions")


def test_what_cannot_be_done_is_told_where_it_was_asked(page: Any):
    entered(page)
    page.execute_script("document.querySelector('#decisions button[data-key^=undo]').click()")
    page.find_element("id", "by").send_keys("kim")
    page.find_element("id", "note").send_keys("appeal")
    page.find_element("id", "account").send_keys("stranger")
    page.find_element("id", "do").click()
    until(page, "document.getElementById('unsaid').textContent.includes('no account of')")


def test_an_appeal_is_read_with_its_evidence_and_answered(page: Any, tmp_path: Path):
    database = Database(address_of(tmp_path / "state" / "decisions.db"))
    told = Appeal("", "acct-00007", "", Kind.WRONG, "ko", HOSTILE, datetime.now(UTC), Status.OPEN)
    filed = Appeals(database, AuditLog(tmp_path / "state" / "audit.jsonl")).file(told, 3, "digest")
    database.close()
    assert filed is not None
    entered(page)
    until(page, "document.querySelectorAll('#appeals .entry').length === 1")
    assert HOSTILE in text(page, "#appeals")
    page.execute_script("document.querySelector('#appeals summary').click()")
    until(page, "document.querySelectorAll('#appeals .reasons li').length === 1")
    resize(page, 360, "dark")
    assert page.execute_script("return document.documentElement.scrollWidth") <= 360
    page.execute_script("document.querySelector('#appeals button[data-key^=accepted]').click()")
    page.find_element("id", "by").send_keys("kim")
    page.find_element("id", "note").send_keys("Sorry.")
    page.find_element("id", "do").click()
    until(page, "document.getElementById('appeals').innerText.includes('None is open')")


def test_why_a_campaign_was_called_is_unfolded(page: Any):
    entered(page)
    page.execute_script(f"document.querySelector('details[data-key=why-{CAMPAIGN}] summary').click()")
    until(page, "document.querySelectorAll('#campaigns .reasons li').length === 2")


def test_nothing_runs_over_the_edge_and_axe_finds_no_serious_fault(page: Any):
    entered(page)
    page.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})  # axe is no part of the page
    page.execute_script(axe_script())
    for width in (360, 1280):
        for scheme in ("light", "dark"):
            resize(page, width, scheme)
            assert page.execute_script("return document.documentElement.scrollWidth") <= width
            assert page.execute_async_script(FAULTS) == [], (width, scheme)
    page.execute_script("document.querySelector('#decisions button').click()")
    assert page.execute_async_script(FAULTS) == []
