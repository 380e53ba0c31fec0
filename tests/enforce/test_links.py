"""Step-up links: they hold for their account and their time, and nobody makes one up."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.enforce.links import (
    KEY_BYTES,
    LASTS,
    LinkError,
    Links,
    load_link_key,
    load_or_create_link_key,
)

KEY = bytes(range(KEY_BYTES))


def reason(links: Links, written: str) -> str:
    with pytest.raises(LinkError) as caught:
        links.read(written)
    return caught.value.reason


def test_an_account_of_a_thousand_signs_of_any_script_fits(tmp_path: Path):
    links = Links(KEY)
    for sign in ("x", "한", "\N{GRINNING FACE}"):
        assert links.read(links.make(1024 * sign, decision_id="dec_0123456789ab")).account_id == 1024 * sign


@given(account=st.text(), decision=st.text(max_size=20), level=st.integers(0, 5))
def test_a_link_says_what_it_was_made_for(account, decision, level):
    links = Links(KEY, lambda: 1000.0)
    found = links.read(links.make(account, decision_id=decision, level=level))
    assert found[:4] == (account, decision, level, 1000 + LASTS)


def test_no_two_links_are_one():
    links = Links(KEY)
    assert links.make("acct-1") != links.make("acct-1")


def test_a_link_ends():
    now = [1000.0]
    links = Links(KEY, lambda: now[0])
    link = links.make("acct-1")
    now[0] += LASTS - 1
    assert links.read(link).account_id == "acct-1"
    now[0] += 1
    assert reason(links, link) == "expired"


def test_a_link_of_another_key_is_refused():
    assert reason(Links(bytes(KEY_BYTES)), Links(KEY).make("acct-1")) == "tampered"


@given(place=st.integers(0), bit=st.integers(0, 6))
def test_every_changed_character_is_seen(place, bit):
    links = Links(KEY)
    link = links.make("acct-1", decision_id="dec_1", level=3)
    place %= len(link)
    changed = link[:place] + chr(ord(link[place]) ^ 1 << bit) + link[place + 1 :]
    assert reason(links, changed) in {"tampered", "malformed"}


def test_a_link_for_somebody_else_cannot_be_put_together():
    links = Links(KEY)
    tag = links.make("acct-1").rpartition(".")[2]
    payload = urlsafe_b64encode(json.dumps(["acct-2", "", 0, 2**40, "x"]).encode()).rstrip(b"=").decode()
    assert reason(links, f"v1.{payload}.{tag}") == "tampered"


@given(st.text())
def test_any_text_is_refused_without_a_crash(text):
    assert reason(Links(KEY), text) in {"tampered", "malformed"}


def test_processes_that_begin_at_once_agree_on_the_key(tmp_path: Path):
    found: list[bytes] = []
    threads = [
        Thread(target=lambda: found.append(load_or_create_link_key(tmp_path / "link.key"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(found) == 8
    assert [path.name for path in tmp_path.iterdir()] == ["link.key"]


def test_a_key_that_others_can_read_or_that_is_none_is_refused(tmp_path: Path):
    path = tmp_path / "link.key"
    load_or_create_link_key(path)
    path.chmod(0o644)
    with pytest.raises(ValueError, match="chmod 600"):
        load_link_key(path)
    path.write_text("abc")
    path.chmod(0o600)
    with pytest.raises(ValueError, match="it is no link key"):
        load_link_key(path)
