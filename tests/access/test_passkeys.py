"""Passkeys as WebAuthn wants them verified: each of its rules, broken once."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from soft_authenticator import PRESENT, SoftAuthenticator

from stillwatch.access import passkeys
from stillwatch.access.passkeys import PasskeyError, site_of

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SITE = site_of("https://accounts.example.com/stillwatch", "Example")


def made(database, account: str = "acct-1") -> SoftAuthenticator:
    device = SoftAuthenticator()
    with database.writing() as connection:
        asked = passkeys.ask_to_make(connection, SITE, account, b"handle", "ac•••-1")
        passkeys.keep(connection, SITE, account, asked.challenge, device.make(asked.options), NOW)
    return device


def use(database, device: SoftAuthenticator, account: str = "acct-1", **changes) -> None:
    with database.writing() as connection:
        asked = passkeys.ask_to_use(connection, SITE, account)
        passkeys.use(connection, SITE, account, asked.challenge, device.use(asked.options, **changes), NOW)


def test_a_passkey_is_made_and_used(database):
    device = made(database)
    use(database, device)
    use(database, device)
    with database.reading() as connection:
        assert passkeys.has_passkey(connection, "acct-1")
        asked = json.loads(passkeys.ask_to_use(connection, SITE, "acct-1").options)
        assert len(asked["allowCredentials"]) == 1
        assert asked["userVerification"] == "required"
        assert asked["rpId"] == "accounts.example.com"


def test_what_asks_for_one_names_those_there_are_and_nothing_of_the_person(database):
    made(database)
    with database.reading() as connection:
        asked = json.loads(passkeys.ask_to_make(connection, SITE, "acct-1", b"handle", "ac•••-1").options)
    assert len(asked["excludeCredentials"]) == 1
    assert asked["attestation"] == "none"
    assert "acct-1" not in json.dumps(asked, ensure_ascii=False)


@pytest.mark.parametrize(
    ("device", "changes"),
    [
        (SoftAuthenticator(origin="https://accounts.example.com.evil.example"), {}),
        (SoftAuthenticator(host="example.com"), {}),
        (SoftAuthenticator(flags=PRESENT), {}),  # the device did not see that it is its owner
        (SoftAuthenticator(), {"challenge": "AAAA"}),
        (SoftAuthenticator(), {"type": "webauthn.get"}),
    ],
)
def test_a_passkey_that_was_made_otherwise_is_not_kept(database, device, changes):
    with database.writing() as connection:
        asked = passkeys.ask_to_make(connection, SITE, "acct-1", b"handle", "ac•••-1")
        answer = device.make(asked.options, **changes)
        with pytest.raises(PasskeyError):
            passkeys.keep(connection, SITE, "acct-1", asked.challenge, answer, NOW)
        assert not passkeys.has_passkey(connection, "acct-1")


@pytest.mark.parametrize(
    "answer", ["", "{}", "[]", "null", '{"id": 7}', '{"id": "x", "response": []}', "[" * 9999]
)
def test_no_answer_breaks_it(database, answer):
    with database.writing() as connection, pytest.raises(PasskeyError):
        passkeys.keep(connection, SITE, "acct-1", "AAAA", answer, NOW)
    with database.writing() as connection, pytest.raises(PasskeyError):
        passkeys.use(connection, SITE, "acct-1", "AAAA", answer, NOW)


def test_a_passkey_of_another_account_does_not_pass(database):
    device, other = made(database), made(database, "acct-2")
    with pytest.raises(PasskeyError, match="no passkey of this account"):
        use(database, other)
    use(database, device)


def test_one_passkey_is_of_one_account(database):
    device = made(database)
    with database.writing() as connection:
        asked = passkeys.ask_to_make(connection, SITE, "acct-2", b"handle", "ac•••-2")
        with pytest.raises(PasskeyError, match="known already"):
            passkeys.keep(connection, SITE, "acct-2", asked.challenge, device.make(asked.options), NOW)


def test_a_key_that_was_copied_is_seen_by_its_counter(database):
    device = made(database)
    use(database, device)
    device.count = 0
    with pytest.raises(PasskeyError):
        use(database, device)


def test_a_device_that_does_not_see_its_owner_does_not_pass(database):
    device = made(database)
    device.flags = PRESENT
    with pytest.raises(PasskeyError):
        use(database, device)
