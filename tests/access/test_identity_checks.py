"""The webhook of identity checks: its bytes, and everything that is not believed."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.access import identity_checks
from stillwatch.access.identity_checks import Status, WebhookError, read_webhook, secret_of, signature

SECRET = secret_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
BODY = b'{"reference":"ref-1","status":"passed","subject":"person-7"}'
AT = 1_780_315_200


def headers(body: bytes = BODY, **changes: str) -> dict[str, str]:
    signed = signature(SECRET, "msg_1", str(AT), body)
    return {"webhook-id": "msg_1", "webhook-timestamp": str(AT), "webhook-signature": signed} | changes


def refused(told: dict[str, str], body: bytes = BODY, now: float = AT) -> str:
    with pytest.raises(WebhookError) as caught:
        read_webhook(SECRET, told, body, now)
    return caught.value.reason


def test_what_is_signed_is_as_standard_webhooks_says():
    assert (
        signature(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
        == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )
    own = hmac.new(SECRET, b"msg_1." + str(AT).encode() + b"." + BODY, hashlib.sha256).digest()
    assert signature(SECRET, "msg_1", str(AT), BODY) == "v1," + base64.b64encode(own).decode()


def test_a_webhook_that_is_right_is_believed():
    assert read_webhook(SECRET, headers(), BODY, AT + 299) == ("ref-1", Status.PASSED, "person-7")
    several = "v1,AAAA " + headers()["webhook-signature"]
    assert read_webhook(SECRET, headers(**{"webhook-signature": several}), BODY, AT).reference == "ref-1"


def test_what_is_changed_old_or_unsigned_is_not():
    assert refused(headers(), BODY + b" ") == "unsigned"
    assert refused(headers(**{"webhook-id": "msg_2"})) == "unsigned"
    assert refused(headers(**{"webhook-timestamp": str(AT + 1)})) == "unsigned"
    assert refused(headers(**{"webhook-signature": ""})) == "unsigned"
    assert refused({}) == "unsigned"
    assert refused(headers(), now=AT + 301) == "stale"
    assert refused(headers(), now=AT - 301) == "stale"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"nothing",
        b'{"reference":"r","status":"maybe"}',
        b'{"reference":7,"status":"passed"}',
        b'{"reference":"r","status":"passed","subject":"' + b"x" * 201 + b'"}',
    ],
)
def test_what_says_nothing_known_is_told_so(body):
    assert refused(headers(body), body) == "malformed"


@given(st.binary(max_size=80), st.text(max_size=40), st.text(max_size=40))
def test_nobody_without_the_secret_is_believed(body, timestamp, signed):
    assert refused({"webhook-id": "1", "webhook-timestamp": timestamp, "webhook-signature": signed}, body)


@pytest.mark.parametrize(
    "text", ["", "whsec_", "whsec_!!!", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
)
def test_what_is_no_secret_is_refused(text):
    with pytest.raises(ValueError, match="no secret"):
        secret_of(text)


def test_a_check_under_way_is_gone_on_with_and_only_so_many_are_begun(database):
    now = datetime(2026, 6, 1, tzinfo=UTC)
    with database.writing() as connection:
        first = identity_checks.begin(connection, "acct-1", "dec_1", now)
        assert identity_checks.begin(connection, "acct-1", "dec_2", now) == first._replace(
            decision_id="dec_2"
        )
        for number in range(identity_checks.A_DAY):
            at = now + timedelta(minutes=number)
            found = identity_checks.begin(connection, "acct-1", "dec_1", at)
            identity_checks.settle(connection, found, Status.FAILED, at)
        assert identity_checks.begin(connection, "acct-1", "dec_1", at + timedelta(minutes=1)) is None
        assert identity_checks.find(connection, first.reference, now + identity_checks.LASTS) is None
        assert len(identity_checks.of_account(connection, "acct-1")) == identity_checks.A_DAY
