"""A key holds for whom it was issued, where and as long as it was to; a guess learns nothing."""

from __future__ import annotations

import hmac
import time
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from issuing import PATH, proof

from stillwatch.access.keys import verifier as verifier_module
from stillwatch.access.keys.published import PublishedKeys
from stillwatch.access.keys.refusals import Reason, Refused
from stillwatch.access.keys.verifier import Holder, Shown, Verifier
from stillwatch.access.keys.written import new_key

CERTIFICATE = sha256(b"certificate").hexdigest()


@pytest.fixture
def verify(keys):
    def one(secret, clock=time.time, **shown):
        known = PublishedKeys(keys.published, keys.pepper)
        return Verifier(known, keys.pepper, clock=clock).verify(Shown(secret, **shown))

    return one


def reason(answer) -> Reason | None:
    return answer.reason if isinstance(answer, Refused) else None


def test_a_key_says_whose_it_is_and_what_it_may(keys, verify):
    made = keys.issue("acct-7", scopes=["chat", "embed"])
    assert verify(made.secret) == Holder("acct-7", made.key.id, ("chat", "embed"))


def test_what_is_wrong_is_told_to_who_has_the_whole_key_alone(keys, verify):
    made = keys.issue()
    keys.revoke(made)
    assert reason(verify(made.secret)) is Reason.REVOKED
    other = new_key().text
    forged = made.secret[:14] + other[14:]
    assert verify(forged) == verify(new_key().text) == verify("swk_") == Refused(Reason.UNKNOWN)


def test_its_time_ends(keys, verify):
    made = keys.issue(expires_at=datetime.now(UTC) + timedelta(hours=1))
    assert reason(verify(made.secret)) is None
    assert reason(verify(made.secret, clock=lambda: time.time() + 3601)) is Reason.EXPIRED


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("203.0.113.9", None),
        ("::ffff:203.0.113.9", None),
        ("2001:db8:1::7", None),
        ("203.0.114.9", Reason.ADDRESS),
        ("2001:db8:2::7", Reason.ADDRESS),
        ("", Reason.ADDRESS),
        ("nowhere", Reason.ADDRESS),
    ],
)
def test_it_holds_in_its_address_ranges(keys, verify, address, expected):
    made = keys.issue(networks=["203.0.113.0/24", "2001:db8:1::/48"])
    assert reason(verify(made.secret, address=address)) is expected


def test_it_holds_with_its_certificate(keys, verify):
    made = keys.issue(x5t_s256=CERTIFICATE)
    assert reason(verify(made.secret, certificate=made.key.x5t_s256)) is None
    for other in ("", "A" * 43):
        answer = verify(made.secret, certificate=other)
        assert reason(answer) is Reason.CERTIFICATE
        assert dict(answer.headers)["www-authenticate"].startswith('Bearer error="invalid_token"')


def test_a_bound_key_is_no_bearer_key_and_the_other_way_round(keys, verify):
    bound, free = keys.bound(), keys.issue()
    answer = verify(bound.secret, method="POST", path=PATH, proofs=[proof(bound.secret)])
    assert reason(answer) is Reason.UNPROVEN
    assert dict(answer.headers)["www-authenticate"].startswith('DPoP error="invalid_token"')
    shown = {"is_dpop": True, "method": "POST", "path": PATH, "proofs": [proof(free.secret)]}
    assert reason(verify(free.secret, **shown)) is Reason.UNBOUND


def test_every_key_is_compared_in_constant_time_known_or_not(keys, verify, monkeypatch):
    compared = []

    def compare(given, kept):
        compared.append((len(given), len(kept)))
        return hmac.compare_digest(given, kept)

    monkeypatch.setattr(verifier_module, "compare_digest", compare)
    made = keys.issue()
    for secret in (made.secret, new_key().text, made.secret[:14] + new_key().text[14:], "swk_"):
        verify(secret)
    assert compared == [(32, 32)] * 4


@settings(max_examples=200)
@given(key=st.text(max_size=90), is_dpop=st.booleans(), proofs=st.lists(st.text(max_size=40), max_size=3))
def test_nothing_that_a_client_sends_breaks_it(keys, key, is_dpop, proofs):
    verifier = Verifier(PublishedKeys(keys.published, keys.pepper), keys.pepper)
    shown = Shown(key, is_dpop, "POST", PATH, proofs)
    assert verifier.verify(shown) == Refused(Reason.UNKNOWN)
