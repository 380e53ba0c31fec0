"""A key file says whose a key is without holding a key, and a file that is wrong changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from stillwatch.enforce.identity import by_hashed_key, by_hop, first_of
from stillwatch.enforce.keys import LOOK_EVERY, KeyFile, KeyFileCheck, write_keys


@dataclass
class Ticks:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def digest(key: str) -> str:
    return sha256(key.encode()).hexdigest()


def test_a_key_is_known_by_its_hash_and_the_newest_file_counts(tmp_path):
    ticks = Ticks()
    write_keys(tmp_path / "keys", {digest("sk-a"): "acct-a"})
    keys = KeyFile(tmp_path / "keys", ticks)
    assert (keys.account_of("sk-a"), keys.account_of("sk-b"), keys.account_of(digest("sk-a"))) == (
        "acct-a",
        None,
        None,
    )
    assert (tmp_path / "keys").stat().st_mode & 0o077 == 0
    write_keys(tmp_path / "keys", {digest("sk-b"): "acct-b"})
    ticks.now += LOOK_EVERY
    assert (keys.account_of("sk-a"), keys.account_of("sk-b")) == (None, "acct-b")


def test_a_file_that_is_wrong_or_gone_leaves_what_was_known(tmp_path, caplog):
    ticks = Ticks()
    path = tmp_path / "keys"
    assert "No such file" in KeyFile(path, ticks).trouble
    path.write_text(f"# keys\n\n{digest('sk-a').upper()}, acct-a\n")
    keys = KeyFile(path, ticks)
    assert keys.account_of("sk-a") == "acct-a"
    for text in ("sk-a,acct-a\n", f"{digest('sk-a')},\n", f"{digest('sk-a')}\n"):
        path.write_text(text)
        ticks.now += LOOK_EVERY
        assert keys.account_of("sk-a") == "acct-a"
        assert f"{path}:1" in keys.trouble
        assert KeyFileCheck(path).trouble() == keys.trouble
    ticks.now += LOOK_EVERY
    logged = len(caplog.records)
    keys.refresh()
    assert len(caplog.records) == logged  # once
    path.write_bytes(b"\xef\xbb\xbf" + f"{digest('sk-a')},acct-a\n".encode())
    ticks.now += LOOK_EVERY
    assert (keys.account_of("sk-a"), keys.trouble, KeyFileCheck(path).trouble()) == ("acct-a", "", "")
    check = KeyFileCheck(path)
    path.rename(tmp_path / "away")
    assert "No such file" in check.trouble()
    (tmp_path / "away").rename(path)
    assert check.trouble() == ""
    path.unlink()
    ticks.now += LOOK_EVERY
    assert keys.account_of("sk-a") == "acct-a"


def test_ways_are_asked_in_turn_and_a_key_counts_as_each_client_sends_it(tmp_path):
    write_keys(tmp_path / "keys", {digest("sk-a"): "acct-a"})
    told = first_of(by_hop("x-account-id", ["10.0.0.1"]), by_hashed_key(KeyFile(tmp_path / "keys")))
    named = (b"x-account-id", b"acct-h")
    for header in ((b"authorization", b"Bearer sk-a"), (b"x-api-key", b"sk-a")):
        assert told({"headers": [header, named], "client": ("10.0.0.1", 1)}) == "acct-h"
        assert told({"headers": [header, named], "client": ("192.0.2.1", 1)}) == "acct-a"
    assert told({"headers": [], "client": None}) is None
