"""Verifiers know at once what becomes of a key, from a file that grows by what changes."""

from __future__ import annotations

import os

import pytest
from issuing import ORIGIN, issuing

from stillwatch.access.keys.cached import LASTS, CachedKeys
from stillwatch.access.keys.pepper import load_or_create_pepper
from stillwatch.access.keys.published import LOOK_EVERY, PublishedKeys
from stillwatch.access.keys.rules import KeyRules
from stillwatch.contracts import StoreError


class Ticks:
    """Time that goes on when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ticks():
    return Ticks()


@pytest.fixture
def own(tmp_path):
    with issuing(tmp_path) as opened:
        yield opened


def test_a_key_is_known_and_no_more_once_it_is_revoked(own, ticks):
    known = PublishedKeys(own.published, own.pepper, ticks)
    assert known.rules.origins == (ORIGIN,)
    made = own.issue(networks=["203.0.113.0/24"], scopes=["chat"])
    ticks.now += LOOK_EVERY
    found = known.find(made.key.id)
    assert (found.account_id, found.hash.hex(), found.scopes) == ("acct-1", made.key.hash, ("chat",))
    own.revoke(made)
    assert not known.find(made.key.id).revoked
    ticks.now += LOOK_EVERY
    assert known.find(made.key.id).revoked


def test_a_change_costs_its_own_line(own):
    for _ in range(5):
        made = own.issue()
    inode, before = own.published.stat().st_ino, own.published.read_bytes()
    own.revoke(made)
    assert own.published.stat().st_ino == inode
    assert own.published.read_bytes().startswith(before)
    assert own.published.read_bytes().count(b"\n") == before.count(b"\n") + 1
    assert own.published.stat().st_mode & 0o077 == 0


def test_rules_that_change_and_accounts_that_are_forgotten_make_a_new_file(own, ticks):
    known = PublishedKeys(own.published, own.pepper, ticks)
    made, kept = own.issue("acct-gone"), own.issue("acct-kept")
    own.store.forget(own.audit, ["acct-gone"], made.key.made_at, "kim")
    own.publish(KeyRules(nonce=True))
    ticks.now += LOOK_EVERY
    assert (known.find(made.key.id), known.find(kept.key.id).account_id) == (None, "acct-kept")
    assert known.rules == KeyRules(nonce=True)
    own.publish()  # by a command that has no access file
    ticks.now += LOOK_EVERY
    known.find("any")
    assert known.rules == KeyRules(nonce=True)


@pytest.mark.parametrize("harm", ["torn", "gone", "empty", "nonsense"])
def test_a_file_that_is_damaged_leaves_verifiers_as_they_were_and_is_mended(own, ticks, harm):
    made = own.issue()
    known = PublishedKeys(own.published, own.pepper, ticks)
    if harm == "torn":
        os.truncate(own.published, own.published.stat().st_size - 5)
    elif harm == "gone":
        own.published.unlink()
    else:
        own.published.write_text("" if harm == "empty" else "nonsense\n")
    ticks.now += LOOK_EVERY
    assert known.find(made.key.id).account_id == "acct-1"
    after = own.issue("acct-2")
    ticks.now += LOOK_EVERY
    assert known.find(after.key.id).account_id == "acct-2"
    assert known.find(made.key.id).account_id == "acct-1"
    assert known.trouble == ""


def test_another_pepper_and_no_file_are_said(own, tmp_path):
    other = load_or_create_pepper(tmp_path / "other.pepper")
    assert "another pepper" in PublishedKeys(own.published, other).trouble
    assert "cannot be read" in PublishedKeys(tmp_path / "nowhere", other).trouble


def test_a_file_that_cannot_be_written_is_an_error_of_its_own(own):
    made = own.issue()
    own.published.unlink()
    own.published.mkdir()
    with pytest.raises(StoreError, match="verifiers cannot be told"):
        own.revoke(made)
    assert own.store.get(made.key.id).revoked_at is not None


def test_from_the_database_a_revoked_key_holds_a_moment_and_no_longer(own, ticks):
    known = CachedKeys(own.store, ticks=ticks)
    made = own.issue()
    assert known.find(made.key.id).account_id == "acct-1"
    assert known.find("nobody") is None
    own.revoke(made)
    assert not known.find(made.key.id).revoked
    ticks.now += LASTS
    assert known.find(made.key.id).revoked
