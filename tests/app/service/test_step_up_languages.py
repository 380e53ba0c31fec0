"""The languages of the step-up pages: catalogues that say the same, and the one that a browser prefers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources

import pytest
from step_up_desk import Door, Visitor, served

from stillwatch.app.service.step_up.languages import LANGUAGES, language, preferred
from stillwatch.app.service.step_up.reasons import KINDS
from stillwatch.evidence.phrases import catalogue


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with served(tmp_path_factory.mktemp("access") / "state") as found:
        yield found


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_language_says_everything_with_the_same_placeholders(code):
    english, other = language("en").texts, language(code).texts
    assert list(other) == list(english)
    for key, text in english.items():
        assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", other[key])), key
        assert other[key].strip() == other[key] != ""
        if code != "en":
            assert other[key] != text, key


def test_every_text_that_a_page_says_is_in_the_catalogue():
    folder = resources.files("stillwatch.app.service.step_up") / "templates"
    said = " ".join(path.read_text("utf-8") for path in folder.iterdir())
    named = set(re.findall(r'say\([\'"]([\w.-]+[\w])[\'"][,)]', said))
    assert len(named) > 60
    assert named - language("en").texts.keys() == set()


@pytest.mark.parametrize(
    ("accepted", "code"),
    [
        ("", "en"),
        ("ko-KR,ko;q=0.9,en;q=0.8", "ko"),
        ("de, zh-CN;q=0.7, en;q=0.3", "zh"),
        ("en;q=0.1, ja;q=0.2", "ja"),
        ("ko;q=0", "en"),
        ("ko;q=x,;;,,=", "en"),
        ("*", "en"),
    ],
)
def test_the_language_is_the_one_that_the_browser_prefers(accepted, code):
    assert preferred(accepted) == code


def test_a_door_below_a_path_names_it_everywhere(tmp_path):
    with served(tmp_path / "state", "/accounts") as door:
        link = door.link()
        page = Visitor(door).http.get(link.replace("/accounts/", "/"))  # as the proxy passes it on
        assert link.startswith(f"{door.url}/verify?")
        named = re.findall(r'(?:action|href|src)="(/[^"]*)"', page.text)
        assert len(named) > 5
        assert [each for each in named if not each.startswith("/accounts/")] == []


def test_a_language_that_was_chosen_is_kept(door):
    link = door.link("acct-language")
    visitor = Visitor(door, "ja").open(link)
    assert '<html lang="ja">' in visitor.page.text
    chosen = re.search(r'href="([^"]+)" lang="zh-Hans"', visitor.page.text)
    assert chosen is not None
    assert '<html lang="zh-Hans">' in visitor.open(chosen.group(1).replace("&amp;", "&")).page.text
    assert '<html lang="zh-Hans">' in visitor.send("/verify", method="passkey").page.text


def test_every_signal_that_a_decision_may_rest_on_is_told_in_some_words():
    told = [signal for signals in KINDS.values() for signal in signals]
    assert sorted(told) == sorted(catalogue("ko")["statements"])
    assert {f"why.{kind}" for kind in KINDS} <= language("en").texts.keys()
