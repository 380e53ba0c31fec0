"""Chromium without a window, for pages that are to be seen as a reader sees them."""

from __future__ import annotations

import os
import shutil
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

FAULTS = """
  const done = arguments[0];
  axe.run(document, {resultTypes: ['violations']}).then(result => done(result.violations
    .filter(fault => fault.impact === 'serious' || fault.impact === 'critical')
    .map(fault => `${fault.id}: ${fault.nodes[0].html} ${fault.nodes[0].failureSummary}`)), done);
"""
CONTRAST = """
  const probe = document.createElement('canvas').getContext('2d');
  const channels = colour => {
    probe.fillStyle = colour; probe.fillRect(0, 0, 1, 1);
    return [...probe.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = colour => channels(colour)
    .map(value => value / 255).map(value => value <= .04045 ? value / 12.92 : ((value + .055) / 1.055) ** 2.4)
    .reduce((sum, value, index) => sum + value * [.2126, .7152, .0722][index], 0);
  const ratio = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + .05) / (low + .05);
  };
  const value = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  return Object.fromEntries(arguments[0].map(name => [name, ratio(value(name), value('--paper'))]));
"""


def required(found: object, name: str) -> Any:
    """``found``, or a skip that says what is missing; in CI the test must run."""
    if found is not None:
        return found
    if os.environ.get("CI") == "true":
        pytest.fail(f"{name} is missing, and CI must open pages in a browser")
    pytest.skip(f"{name} is not installed: no page was opened in a browser")


def open_browser(profile: Path) -> Any:
    """A session, to be quit by who opened it; a skip where there is no browser."""
    try:
        from selenium import webdriver
    except ImportError:
        webdriver = None  # type: ignore[assignment]
    webdriver = required(webdriver, "selenium")
    options = webdriver.ChromeOptions()
    options.binary_location = required(shutil.which("chromium") or shutil.which("google-chrome"), "Chromium")
    driver = required(shutil.which("chromedriver"), "chromedriver")
    for switch in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        f"--user-data-dir={profile}",
    ):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    session = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    session.set_script_timeout(120)
    return session


def axe_script() -> str:
    """The script of axe-core, which a package of its own ships."""
    found = resources.files("axe_playwright_python") if find_spec("axe_playwright_python") else None
    return str((required(found, "axe-core") / "axe.min.js").read_text("utf-8"))


def resize(browser: Any, width: int, scheme: str) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False},
    )
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


def add_authenticator(browser: Any) -> None:
    """Give the browser a device that keeps passkeys and sees its owner."""
    from selenium.webdriver.common.virtual_authenticator import VirtualAuthenticatorOptions

    options = VirtualAuthenticatorOptions(
        protocol="ctap2",
        transport="internal",
        has_resident_key=True,
        has_user_verification=True,
        is_user_verified=True,
    )
    browser.add_virtual_authenticator(options)
