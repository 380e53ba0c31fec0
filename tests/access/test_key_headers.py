"""What a request shows: one key, where it comes from, and what only a trusted hop may say of it."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from hashlib import sha256
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.access.keys.certificates import thumbprint_of
from stillwatch.access.keys.headers import shown_in
from stillwatch.access.keys.refusals import Reason, Refused
from stillwatch.access.keys.trusted import Seen, Trusted
from stillwatch.access.keys.written import new_key

KEY, OTHER = new_key().text, new_key().text
DER = b"a certificate"
DIGEST = sha256(DER)
THUMBPRINT = urlsafe_b64encode(DIGEST.digest()).rstrip(b"=").decode()
PEM = f"-----BEGIN CERTIFICATE-----\n{b64encode(DER).decode()}\n-----END CERTIFICATE-----\n"
SEEN = Seen("POST", "/v1/x", "203.0.113.9")


def shown(*headers: tuple[str, str]):
    return shown_in([(name.encode(), value.encode()) for name, value in headers], SEEN)


def test_a_key_is_found_where_clients_put_it():
    assert shown(("Authorization", f"bearer  {KEY}")).key == KEY
    assert shown(("x-api-key", KEY)).key == KEY
    found = shown(("authorization", f"DPoP {KEY}"), ("DPoP", "proof"), ("dpop", "more"))
    assert (found.key, found.is_dpop, found.proofs) == (KEY, True, ["proof", "more"])
    assert (found.method, found.path, found.address) == ("POST", "/v1/x", "203.0.113.9")


def test_other_keys_are_not_ours():
    assert shown() is None
    assert shown(("authorization", "Bearer sk-other"), ("x-api-key", "sk-other")) is None
    assert shown(("authorization", f"Basic {KEY}")) is None


@pytest.mark.parametrize(
    "headers",
    [
        [("authorization", f"Bearer {KEY}"), ("x-api-key", OTHER)],
        [("authorization", f"Bearer {KEY}"), ("x-api-key", "sk-other")],
        [("authorization", f"Bearer {KEY}"), ("authorization", f"Bearer {OTHER}")],
    ],
)
def test_two_that_do_not_agree_are_refused(headers):
    assert shown(*headers) == Refused(Reason.SEVERAL)


@pytest.mark.parametrize(
    "told",
    [
        DIGEST.hexdigest(),
        ":".join(DIGEST.hexdigest().upper()[at : at + 2] for at in range(0, 64, 2)),
        THUMBPRINT,
        quote(PEM),
        f"Hash={DIGEST.hexdigest()}",
        f'By=spiffe://x;Hash={DIGEST.hexdigest()};Subject="CN=a,O=b;c";URI=spiffe://y',
        f'Hash={"0" * 64};Subject="a,b",By=x;Hash={DIGEST.hexdigest()}',
    ],
)
def test_a_certificate_is_known_however_a_proxy_tells_it(told):
    assert thumbprint_of(told) == THUMBPRINT


@pytest.mark.parametrize(
    "told",
    [
        "",
        "Hash=",
        "By=x",
        f"Hash={DIGEST.hexdigest()},By=x",
        "ab" * 31,
        "-----BEGIN CERTIFICATE-----",
        "A" * 42,
        f'Subject="Hash={DIGEST.hexdigest()}"',
        "-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----",
    ],
)
def test_what_names_no_certificate_names_none(told):
    assert thumbprint_of(told) is None


@given(st.text(max_size=200))
def test_no_header_breaks_it(told):
    assert thumbprint_of(told) is None or len(thumbprint_of(told)) == 43


def scope(client: str | None, *headers: tuple[str, str]) -> dict:
    pairs = [(name.encode(), value.encode()) for name, value in headers]
    return {"client": None if client is None else (client, 1), "headers": pairs}


def test_headers_of_a_hop_that_nobody_trusts_say_nothing():
    trusted = Trusted(["10.0.0.0/8"], address_header="X-Forwarded-For", certificate_header="X-Cert")
    told = (("x-forwarded-for", "198.51.100.1, 203.0.113.9"), ("x-cert", "first"), ("x-cert", "last"))
    assert trusted.seen(scope("10.1.2.3", *told), "GET", "/") == Seen("GET", "/", "203.0.113.9", "last")
    assert trusted.seen(scope("192.0.2.1", *told), "GET", "/") == Seen("GET", "/", "", "")
    assert trusted.seen(scope(None, *told), "GET", "/") == Seen("GET", "/", "", "")
    assert Trusted().seen(scope("192.0.2.1", *told), "GET", "/") == Seen("GET", "/", "192.0.2.1", "")
    certificates = Trusted(["10.0.0.0/8"], certificate_header="x-cert")
    assert certificates.seen(scope("192.0.2.1", *told), "GET", "/") == Seen("GET", "/", "192.0.2.1", "")
