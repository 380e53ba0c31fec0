"""Keys are issued, rotated, revoked and forgotten; what is kept lets nobody in."""

from __future__ import annotations

import json
import re
import stat
from datetime import UTC, datetime, timedelta

import pytest
from issuing import issuing

from stillwatch.access.keys.pepper import load_or_create_pepper, load_pepper
from stillwatch.access.keys.published import PublishedKeys
from stillwatch.access.keys.verifier import Holder, Shown, Verifier
from stillwatch.access.keys.wanted import wanted
from stillwatch.access.keys.written import PATTERN
from stillwatch.contracts import KeyFileError, StoreError, UnknownSubjectError, UsageError
from stillwatch.persistence.audit import AuditLog, verify_audit

NOW = datetime.now(UTC)


def test_a_key_is_told_once_and_kept_as_a_keyed_hash(keys):
    made = keys.issue(name="laptop", scopes=["chat"], networks=["203.0.113.0/24"])
    kept = keys.store.get(made.key.id)
    assert kept == made.key
    assert kept.hash == keys.pepper.hash(made.secret).hex()
    assert made.secret not in json.dumps(kept.document(), default=str)


def test_a_leaked_database_shows_no_usable_key(tmp_path):
    with issuing(tmp_path) as keys:
        made = keys.issue()
        keys.store.rotate(keys.audit, made.key.id, timedelta(hours=1), NOW, "kim")
        keys.publish()
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "keys.pepper"]
    assert {"decisions.db", "audit.jsonl", "issued-keys"} <= {path.name for path in files}
    secret = made.secret.encode()[14:57]
    for path in files:
        content = path.read_bytes()
        assert secret not in content
        assert not re.search(PATTERN.encode(), content)
    # With the hash in hand and another pepper, nothing that is kept verifies.
    stranger = load_or_create_pepper(tmp_path / "other.pepper")
    assert stranger.hash(made.secret).hex() != made.key.hash
    verifier = Verifier(PublishedKeys(tmp_path / "issued-keys", keys.pepper), keys.pepper)
    assert isinstance(verifier.verify(Shown(made.secret)), Holder)
    for guess in (made.key.hash, f"swk_{made.key.id}", made.secret[:-1]):
        assert not isinstance(verifier.verify(Shown(guess)), Holder)


def test_a_rotated_key_holds_for_the_overlap_and_no_longer(keys):
    old = keys.issue(scopes=["chat"], expires_at=NOW + timedelta(days=30))
    new = keys.store.rotate(keys.audit, old.key.id, timedelta(hours=1), NOW, "kim", "yearly")
    ends = keys.store.get(old.key.id)
    assert ends.holds(NOW + timedelta(minutes=59))
    assert not ends.holds(NOW + timedelta(hours=1))
    assert (new.key.replaces, new.key.scopes, new.key.account_id) == (old.key.id, ("chat",), "acct-1")
    assert new.key.expires_at - NOW == old.key.expires_at - old.key.made_at
    assert new.secret != old.secret


def test_a_key_that_does_not_hold_is_not_rotated(keys):
    made = keys.issue()
    keys.revoke(made)
    with pytest.raises(UnknownSubjectError, match="that holds"):
        keys.store.rotate(keys.audit, made.key.id, timedelta(), NOW, "kim")
    with pytest.raises(UnknownSubjectError, match="there is no key 'nope'"):
        keys.store.revoke(keys.audit, "nope", NOW, "kim", "")


def test_what_was_revoked_stays_revoked_by_whom_it_was(keys):
    made = keys.issue()
    first = keys.store.revoke(keys.audit, made.key.id, NOW, "kim", "it leaked")
    assert keys.store.revoke(keys.audit, made.key.id, NOW + timedelta(1), "lee", "again") == first
    assert (first.revoked_by, first.why) == ("kim", "it leaked")


def test_forgotten_accounts_leave_no_trace_but_in_the_audit_log(tmp_path):
    with issuing(tmp_path) as keys:
        keys.issue("acct-forgotten", name="secret-project")
        kept = keys.issue("acct-kept")
        assert keys.store.forget(keys.audit, ["acct-forgotten"], NOW, "kim") == 1
        assert keys.store.forget(keys.audit, ["acct-forgotten"], NOW, "kim") == 0
        keys.publish()
        assert [key.id for key in keys.store.page()] == [kept.key.id]
    for path in tmp_path.iterdir():
        if path.name not in ("audit.jsonl",) and path.is_file():
            assert b"acct-forgotten" not in path.read_bytes(), path


def test_every_change_is_in_the_audit_log_first(tmp_path):
    with issuing(tmp_path) as keys:
        made = keys.issue()
        keys.store.rotate(keys.audit, made.key.id, timedelta(), NOW, "kim")
        keys.revoke(made)
        keys.store.forget(keys.audit, ["acct-1"], NOW, "kim")
        log = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
        assert [entry["kind"] for entry in log] == [
            "key-created",
            "key-rotated",
            "key-revoked",
            "keys-forgotten",
        ]
        assert [entry["revision"] for entry in log] == [1, 2, 3, 4]
        assert verify_audit(tmp_path / "audit.jsonl").entries == 4
        assert made.key.hash not in (tmp_path / "audit.jsonl").read_text()
        with pytest.raises(StoreError, match="audit log cannot be written"):
            keys.store.issue(AuditLog(tmp_path), wanted("acct-2", now=NOW), NOW, "kim")
        assert keys.store.page("acct-2") == []


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"account_id": " "}, "account_id"),
        ({"scopes": ["a b"]}, "scopes"),
        ({"networks": ["203.0.113.7/24"]}, "networks"),
        ({"networks": ["office"]}, "networks"),
        ({"jkt": "short"}, "jkt"),
        ({"x5t_s256": "ab" * 31}, "x5t_s256"),
        ({"expires_at": NOW}, "expires_at"),
    ],
)
def test_what_no_key_can_be_is_refused(asked, field):
    with pytest.raises(UsageError) as refused:
        wanted(**{"account_id": "acct-1", "now": NOW} | asked)
    assert refused.value.field == field


def test_the_pepper_is_its_owners_alone(tmp_path):
    path = tmp_path / "new" / "keys.pepper"
    made = load_or_create_pepper(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_pepper(path) == made
    assert made.secret.hex() not in repr(made)
    path.chmod(0o640)
    with pytest.raises(KeyFileError, match="open to other users"):
        load_pepper(path)
    path.chmod(0o600)
    path.write_text("nonsense")
    with pytest.raises(KeyFileError, match="64 hexadecimal digits"):
        load_pepper(path)
