"""Tokens as RFC 8417 and RFC 9493 have them, and why one is not taken, code by code."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from stillwatch.access.levels import Level
from stillwatch.access.signals.believing import Issuers, KeysUnavailableError
from stillwatch.access.signals.received import meant
from stillwatch.access.signals.refusal import Err, Refusal
from stillwatch.access.signals.security_event import SecurityEvent, sign, verify
from stillwatch.access.signals.signals_file import Issuer, read_signals_file
from stillwatch.access.signals.signing_keys import SigningKeys
from stillwatch.access.signals.standing import Standing, changes
from stillwatch.access.signals.subjects import Subjects
from stillwatch.access.signals.vocabulary import (
    RECEIVED,
    Risk,
    Signal,
    assurance_change,
    credential_compromise,
)
from stillwatch.contracts import AccountEvent, InputError, KeyFileError

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
IDP = "https://accounts.example.com"
US = "https://stillwatch.example.com"
DISABLED = next(uri for uri, event in RECEIVED.items() if event is AccountEvent.ACCOUNT_DISABLED)
KEY = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    keys = tmp_path_factory.mktemp("idp") / "jwks.json"
    keys.write_text(json.dumps(KeySet([KEY]).as_dict(private=False)))
    return Issuer(issuer=IDP, audience=(US,), jwks_file=keys)


def claims(**changes: Any) -> dict[str, Any]:
    told = {
        "iss": IDP,
        "aud": US,
        "jti": "j1",
        "iat": int(NOW.timestamp()),
        "sub_id": {"format": "iss_sub", "iss": IDP, "sub": "acct-1"},
        "events": {DISABLED: {"reason": "hijacking"}},
    } | changes
    return {name: value for name, value in told.items() if value is not None}


def token(key: ECKey = KEY, header: dict[str, Any] | None = None, **changes: Any) -> str:
    head = {"alg": "ES256", "typ": "secevent+jwt", "kid": key.kid} | (header or {})
    return jwt.encode(head, claims(**changes), key)


def test_a_token_that_is_signed_is_read_as_it_was(tmp_path: Path) -> None:
    keys = SigningKeys(tmp_path)
    event = SecurityEvent(US, "j", NOW, ("a", "b"), {"format": "opaque", "id": "x"}, {"urn:e": {}}, "dec_1")
    for algorithm in ("ES256", "RS256"):
        signed = sign(event, keys.current(algorithm))
        published = KeySet.import_key_set(keys.published())
        assert verify(signed, lambda held=published: held, ["b"], timedelta(days=1), NOW) == event
    assert all("d" not in each for each in keys.published()["keys"])


def test_keys_overlap_and_are_nobody_elses_business(tmp_path: Path) -> None:
    keys = SigningKeys(tmp_path)
    first = keys.rotate("ES256", NOW)
    second = keys.rotate("ES256", NOW + timedelta(days=1))
    assert SigningKeys(tmp_path).current("ES256").id == second.id
    assert [each["kid"] for each in keys.published()["keys"]] == [first.id, second.id]
    third = keys.rotate("ES256", NOW + timedelta(days=9))
    assert [each["kid"] for each in keys.published()["keys"]] == [second.id, third.id]
    path = tmp_path / "signal-keys.json"
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    with pytest.raises(KeyFileError, match="open to other users"):
        keys.published()


STRANGER = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)


@pytest.mark.parametrize(
    ("sent", "err"),
    [
        ("nonsense", Err.INVALID_REQUEST),
        ("", Err.INVALID_REQUEST),
        (token(header={"typ": "JWT"}), Err.INVALID_REQUEST),
        (token(iss=None), Err.INVALID_REQUEST),
        (token(jti=None), Err.INVALID_REQUEST),
        (token(iat=None), Err.INVALID_REQUEST),
        (token(iat=int(NOW.timestamp()) + 3600), Err.INVALID_REQUEST),
        (token(iat=int(NOW.timestamp()) - 8 * 86_400), Err.INVALID_REQUEST),
        (token(events=None), Err.INVALID_REQUEST),
        (token(events={}), Err.INVALID_REQUEST),
        (token(events={DISABLED: "yes"}), Err.INVALID_REQUEST),
        (token(sub_id="acct-1"), Err.INVALID_REQUEST),
        (token(iss="https://other.example.com"), Err.INVALID_ISSUER),
        (token(STRANGER), Err.INVALID_KEY),
        (token(STRANGER, {"kid": KEY.kid}), Err.INVALID_KEY),
        (token()[:-6] + "AAAAAA", Err.INVALID_KEY),
        (token(aud="https://other.example.com"), Err.INVALID_AUDIENCE),
        (token(aud=None), Err.INVALID_AUDIENCE),
    ],
)
def test_what_is_not_believed_has_its_code(issuer: Issuer, sent: str, err: Err) -> None:
    with pytest.raises(Refusal) as caught:
        Issuers([issuer]).believe(sent, NOW)
    assert caught.value.err is err
    assert caught.value.document == {"err": err.value, "description": caught.value.description}


def test_an_unsigned_token_is_not_believed(issuer: Issuer) -> None:
    head, body, _ = token().split(".")
    none = "eyJhbGciOiJub25lIiwidHlwIjoic2VjZXZlbnQrand0In0"
    for sent in (f"{none}.{body}.", f"{head}.{body}."):
        with pytest.raises(Refusal) as caught:
            Issuers([issuer]).believe(sent, NOW)
        assert caught.value.err in (Err.INVALID_KEY, Err.INVALID_REQUEST)


def test_keys_that_cannot_be_had_are_no_fault_of_the_sender(tmp_path: Path) -> None:
    gone = Issuer(issuer=IDP, audience=(US,), jwks_file=tmp_path / "none.json")
    with pytest.raises(KeysUnavailableError):
        Issuers([gone]).believe(token(), NOW)


def test_an_event_says_when_it_happened_and_of_whom(issuer: Issuer) -> None:
    earlier = int(NOW.timestamp()) - 600
    _, event = Issuers([issuer]).believe(token(events={DISABLED: {"event_timestamp": earlier}}), NOW)
    (row,) = meant(event, issuer, "/ssf/events").rows
    assert (row["event_id"], row["account_id"], row["event"]) == ("j1", "acct-1", "account-disabled")
    assert row["timestamp"] == NOW - timedelta(minutes=10)
    assert row["issuer"] == IDP


def test_two_events_in_one_token_are_two(issuer: Issuer) -> None:
    both = {uri: {} for uri, event in RECEIVED.items() if event.startswith("credential")}
    _, event = Issuers([issuer]).believe(token(events=both | {"urn:unknown": {}}), NOW)
    told = meant(event, issuer, "/ssf/events")
    assert {row["event_id"] for row in told.rows} == {"j1/credential-change", "j1/credential-compromise"}


def test_an_event_of_nobody_known_is_told_and_not_lost(issuer: Issuer) -> None:
    subject = {"format": "email", "email": "someone@example.com"}
    _, event = Issuers([issuer]).believe(token(sub_id=subject), NOW)
    assert meant(event, issuer, "/").reasons == ["subject: it names no account (account-disabled)"]


@pytest.mark.parametrize(
    ("subject", "account"),
    [
        ({"format": "opaque", "id": "acct-\ud800"}, None),
        ({"format": "iss_sub", "iss": IDP, "sub": "acct-1"}, "acct-1"),
        ({"subject_type": "iss-sub", "iss": IDP, "sub": "acct-1"}, "acct-1"),
        ({"format": "iss_sub", "iss": "https://other.example.com", "sub": "acct-1"}, None),
        ({"format": "opaque", "id": "acct-1"}, "acct-1"),
        ({"format": "account", "uri": "acct:acct-1@example.com"}, "acct-1"),
        ({"format": "account", "uri": "acct:acct-1@other.example.com"}, None),
        ({"format": "complex", "user": {"format": "opaque", "id": "acct-1"}}, "acct-1"),
        ({"user": {"format": "opaque", "id": "acct-1"}, "device": {}}, "acct-1"),
        (
            {
                "format": "aliases",
                "identifiers": [{"format": "phone_number"}, {"format": "opaque", "id": "a"}],
            },
            "a",
        ),
        ({"format": "email", "email": "someone@example.com"}, None),
    ],
)
def test_a_subject_names_its_account(subject: dict[str, Any], account: str | None) -> None:
    assert Subjects(issuer=IDP, domain="example.com").account_of(subject) == account


@pytest.mark.parametrize("form", ["iss_sub", "opaque", "account"])
def test_what_is_named_is_read_again(form: Any) -> None:
    subjects = Subjects(format=form, issuer=IDP, domain="example.com")
    assert subjects.account_of(subjects.name("acct-1@x")) == "acct-1@x"


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from([*claims(), "toe", "txn", "exp"]), JSON, max_size=5), JSON)
def test_no_token_can_break_the_receiver(issuer: Issuer, changes_: dict[str, Any], subject: Any) -> None:
    with suppress(Refusal):
        known, event = Issuers([issuer]).believe(token(**changes_), NOW)
        meant(event, known, "/")
    Subjects(issuer=IDP).account_of(subject)


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_no_body_can_break_the_receiver(body: str) -> None:
    with pytest.raises(Refusal):
        Issuers([]).believe(body, NOW)


def test_what_changes_is_told_once() -> None:
    high = Standing(Risk.HIGH, frozenset({Signal.CREDENTIAL_CHANGE_REQUIRED}), "dec_1", ("payment-shared",))
    told = list(changes("acct-1", Standing(), high, NOW))
    assert [each.signal.value for each in told] == ["risk-level-change", "account-credential-change-required"]
    assert told[0].claims == {
        "event_timestamp": int(NOW.timestamp()),
        "initiating_entity": "policy",
        "principal": "USER",
        "previous_level": "LOW",
        "current_level": "HIGH",
        "risk_reason": "payment-shared",
    }
    assert list(changes("acct-1", high, Standing(Risk.HIGH, high.asks, "dec_2"), NOW)) == []
    (back,) = changes("acct-1", high, Standing(), NOW)
    assert (back.claims["previous_level"], back.claims["current_level"]) == ("HIGH", "LOW")
    assert "risk_reason" not in back.claims


def test_what_was_disabled_is_enabled_again() -> None:
    blocked = Standing(Risk.HIGH, frozenset({Signal.ACCOUNT_DISABLED}), "dec_1")
    assert [each.signal.value for each in changes("a", Standing(), blocked, NOW)][1:] == ["account-disabled"]
    assert [each.signal.value for each in changes("a", blocked, Standing(), NOW)][1:] == ["account-enabled"]


def test_what_others_tell_has_the_standards_form() -> None:
    raised = assurance_change("a", Level.MAIL, Level.PASSKEY, NOW)
    assert raised.signal.uri.endswith("/caep/event-type/assurance-level-change")
    assert raised.claims["change_direction"] == "increase"
    leaked = credential_compromise("a", "api-key", NOW)
    assert leaked.signal.uri.endswith("/risc/event-type/credential-compromise")
    assert leaked.claims["credential_type"] == "api-key"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('issuer = "https://s.example.com/x"', "issuer"),
        ('issuer = "https://s.example.com"\n[[streams]]\nname = "a b"\naudience = "x"', "streams"),
        (f'issuer = "{US}"\n[[issuers]]\nissuer = "{IDP}"\naudience = ["{US}"]', "jwks_url or jwks_file"),
        (f'issuer = "{US}"\n[mapping]\nverify = ["account-purged"]', "mapping"),
    ],
)
def test_a_signals_file_that_is_wrong_is_refused(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "signals.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=what):
        read_signals_file(path)
