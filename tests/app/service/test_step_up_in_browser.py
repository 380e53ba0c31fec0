"""Step-up done by a real Chromium with a virtual authenticator, in each language, on phone and desktop."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyotp
import pytest
from openid_provider import provider
from step_up_desk import Door, served, write_secret

from stillwatch.access.levels import Level
from stillwatch.app.service.step_up.languages import language

sys.path.insert(0, str(Path(__file__).parents[2] / "evidence"))
from headless import FAULTS, axe_script, open_browser, resize

PHONE, DESKTOP = 360, 1280


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("access")
    write_secret(folder / "webhook")
    checks = "https://checks.example.com/start?ref={reference}&back={return_url}"
    identity = {"name": "Example Checks", "start_url": checks, "secret_file": str(folder / "webhook")}
    person = {"sub": "kim", "email": "kim@example.edu", "email_verified": True}
    with provider([person]) as issuer:
        organization = {
            "id": "uni",
            "name": "Example University",
            "issuer": issuer,
            "client_id": "stillwatch",
        }
        write_secret(folder / "secret", "secret")
        organization |= {"domains": ["example.edu"], "client_secret_file": str(folder / "secret")}
        told = {"service": "Example Models", "organizations": [organization], "identity": identity}
        with served(folder / "state", **told) as found:
            yield found


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    session = open_browser(tmp_path_factory.mktemp("profile"))
    yield session
    session.quit()


@pytest.fixture
def device(browser: Any) -> Iterator[Any]:
    """A phone or laptop that keeps passkeys and sees its owner."""
    from selenium.webdriver.common.virtual_authenticator import VirtualAuthenticatorOptions

    options = VirtualAuthenticatorOptions(
        protocol="ctap2",
        transport="internal",
        has_resident_key=True,
        has_user_verification=True,
        is_user_verified=True,
    )
    browser.add_virtual_authenticator(options)
    browser.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})  # axe is no part of the pages
    browser.execute_cdp_cmd("Network.clearBrowserCookies", {})
    browser.get_log("performance")
    yield browser
    browser.remove_virtual_authenticator()


def heading(browser: Any) -> str:
    return str(browser.find_element("tag name", "h1").text).replace("\n", " ")


def until(browser: Any, condition: Any) -> Any:
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, 15, poll_frequency=0.05).until(condition)


def arrive(browser: Any, path: str) -> None:
    until(browser, lambda _: re.search(rf"{path}$", browser.current_url))


def choose(browser: Any, page: str, method: str = "") -> None:
    """Choose a method, and be on its page."""
    browser.find_element("css selector", f"button[value={method or page}]").click()
    arrive(browser, f"/verify/{page}")


def check(browser: Any, width: int, scheme: str) -> None:
    """See that nothing runs over the edge, and that axe finds no serious fault."""
    resize(browser, width, scheme)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    browser.execute_script(axe_script())
    assert browser.execute_async_script(FAULTS) == [], browser.current_url


def asked_elsewhere(browser: Any, *own: str) -> list[str]:
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [each["params"] for each in messages if each["method"] == "Network.requestWillBeSent"]
    urls = [each["request"]["url"] for each in sent]
    return [url for url in urls if not url.startswith((*own, "data:", "about:", "chrome:"))]


@pytest.mark.parametrize(
    ("code", "width", "scheme"),
    [("en", PHONE, "light"), ("ko", DESKTOP, "dark"), ("zh", PHONE, "dark"), ("ja", DESKTOP, "light")],
)
def test_a_passkey_is_set_up_and_used_in_each_language(door, device, code, width, scheme):
    say, account = language(code).say, f"acct-{code}-0001"
    device.get(f"{door.link(account)}&lang={code}")
    assert device.find_element("tag name", "html").get_attribute("lang") == language(code).tag
    assert heading(device) == say("choose.title")
    check(device, width, scheme)
    choose(device, "passkey")
    assert heading(device) == say("passkey.make.title")
    check(device, width, scheme)
    device.find_element("id", "begin").click()
    arrive(device, "/verify/passed")
    assert heading(device) == say("passed.title")
    check(device, width, scheme)
    assert door.verifications.levels([account]) == {account: Level.PASSKEY}

    device.get(door.link(account))
    choose(device, "passkey")
    assert heading(device) == say("passkey.use.title")
    device.find_element("id", "begin").click()
    arrive(device, "/verify/passed")
    assert len(door.verifications.of_account(account)) == 2
    assert asked_elsewhere(device, door.url) == []


def test_it_is_done_by_the_keyboard_alone_and_the_browser_complains_of_nothing(door, device):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    def press(*keys: str) -> None:
        ActionChains(device).send_keys(*keys).perform()

    def focused() -> str:
        return str(device.execute_script("return document.activeElement.innerText"))

    resize(device, DESKTOP, "light")
    device.execute_cdp_cmd("Page.setBypassCSP", {"enabled": False})
    device.get_log("browser")
    device.get(f"{door.link('acct-keyboard')}&lang=en")
    press(Keys.TAB)
    assert focused() == "Skip to the content"
    press(*[Keys.TAB] * 4)
    assert focused() == "Passkey"
    press(Keys.ENTER)
    arrive(device, "/verify/passkey")
    press(*[Keys.TAB] * 5)
    assert focused() == "Set up a passkey"
    press(Keys.ENTER)
    arrive(device, "/verify/passed")
    assert door.verifications.levels(["acct-keyboard"]) == {"acct-keyboard": Level.PASSKEY}
    device.get(f"{door.link('acct-keyboard-codes', level=2)}&lang=en")
    choose(device, "codes", "totp")
    assert device.get_log("browser") == []


def test_who_does_not_have_the_passkey_or_is_not_its_owner_does_not_pass(door, device):
    def begin(account: str) -> None:
        device.get(f"{door.link(account)}&lang=en")
        choose(device, "passkey")
        device.find_element("id", "begin").click()

    begin("acct-owner")
    arrive(device, "/verify/passed")
    kept = device.get_credentials()

    device.set_user_verified(False)
    begin("acct-owner")
    until(device, lambda _: "cancelled" in device.find_element("id", "told").text)
    device.set_user_verified(True)
    device.remove_all_credentials()
    device.find_element("id", "begin").click()
    until(device, lambda _: "cancelled" in device.find_element("id", "told").text)
    assert len(door.verifications.of_account("acct-owner")) == 1
    device.find_element("partial link text", "Write to a person").click()
    assert device.find_element("css selector", "input[value=lost-device]").is_selected()

    device.add_credential(kept[0])  # found again
    device.get(f"{door.url}/verify/methods")
    device.find_element("partial link text", "Passkey").click()
    device.find_element("id", "begin").click()
    arrive(device, "/verify/passed")


def test_a_second_passkey_is_set_up_on_another_device(door, device):
    device.get(f"{door.link('acct-two')}&lang=en")
    choose(device, "passkey")
    device.find_element("id", "begin").click()
    arrive(device, "/verify/passed")
    device.find_element("partial link text", "second passkey").click()
    device.find_element("id", "begin").click()
    until(device, lambda _: "already has" in device.find_element("id", "told").text)  # on the same device
    device.remove_all_credentials()
    device.find_element("id", "begin").click()
    arrive(device, r"/verify/passed\?added=1")
    assert "second passkey is set up" in device.find_element("tag name", "main").text


def test_every_other_page_is_read_on_a_phone_and_a_desk_in_light_and_dark(door, device):
    def everywhere() -> None:
        for width, scheme in ((PHONE, "dark"), (DESKTOP, "light")):
            check(device, width, scheme)

    device.get(f"{door.link('acct-pages', level=2)}&lang=en")
    choose(device, "codes", "totp")
    everywhere()
    device.find_element("id", "code").send_keys("000000\n")
    until(device, lambda _: device.title.startswith("There is a problem"))
    everywhere()
    for path, submits in (("/verify/organization", False), ("/verify/identity", True), ("/appeal", True)):
        device.get(door.url + path)
        everywhere()
        if submits:
            device.find_element("css selector", "main form button").click()
            everywhere()
    device.find_element("id", "kind-0").click()
    device.find_element("id", "text").send_keys("An ordinary class.")
    device.find_element("css selector", "main form button").click()
    arrive(device, r"/appeal/[\w-]+")
    everywhere()
    device.get(door.link("acct-different"))
    assert heading(device) == "You are confirming another account"
    everywhere()
    device.get(door.url + "/verify?link=v1.none.such")
    everywhere()


def test_codes_are_set_up_from_what_the_page_shows(door, device):
    device.get(f"{door.link('acct-browser-codes', level=2)}&lang=en")
    choose(device, "codes", "totp")
    assert device.find_element("css selector", "svg.qr").size["width"] > 150
    key = device.find_element("css selector", "code.key").text.replace(" ", "")
    device.find_element("id", "code").send_keys(pyotp.TOTP(key).now() + "\n")
    arrive(device, "/verify/passed")


def test_a_person_signs_in_at_their_organisation_and_comes_back(door, device):
    device.get(f"{door.link('acct-organization', level=4)}&lang=en")
    choose(device, "organization")
    device.find_element("partial link text", "Example University").click()
    device.find_element("css selector", "[name=sub][value=kim]").click()
    arrive(device, "/verify/passed")
    assert door.verifications.levels(["acct-organization"]) == {"acct-organization": Level.ORGANIZATION}
