"""Keys that stillwatch issued let requests through a real Envoy and a real nginx, and nobody else's do."""

from __future__ import annotations

import json
import sys
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from hashlib import sha256
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from deciding import Answered, Recording, decide, key_file, key_of, until
from documented import documented
from envoy_proxy import envoy_proxy
from gate_process import RunningGate, running_gate
from nginx_proxy import nginx_proxy

sys.path.insert(0, str(Path(__file__).parents[1] / "access"))
from issuing import ORIGIN, PATH, Issuing, issuing, proof

WAYS = ("keys-envoy-http", "keys-envoy-grpc", "envoy-ext-proc", "keys-nginx")
ADDRESS = "x-seen-address"
CERTIFICATE = "x-seen-certificate"


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuing]:
    with issuing(tmp_path_factory.mktemp("issued")) as opened:
        yield opened


@pytest.fixture(scope="module")
def gate(issued: Issuing) -> Iterator[RunningGate]:
    decide(issued.folder / "snapshot")
    settings = {"issued_keys": issued.published, "key_pepper": issued.folder / "keys.pepper"}
    keys = key_file(issued.folder / "keys")
    with running_gate(issued.folder / "snapshot", keys=keys, **settings) as running:
        yield running


@pytest.fixture(scope="module", params=WAYS)
def gateway(request, issued: Issuing, upstream: str, gate: RunningGate) -> Iterator[str]:
    own = issued.folder / request.param
    own.mkdir()
    if request.param == "keys-nginx":
        places = {"127.0.0.1:8000": urlsplit(upstream).netloc, "8787": str(gate.port)}
        with nginx_proxy(own, documented("keys-nginx", "keys.md", **places)) as address:
            yield address
        return
    page = "gateways.md" if request.param == "envoy-ext-proc" else "keys.md"
    clusters = documented("envoy-clusters", **{"8787": str(gate.port), "8788": str(gate.grpc_port)})
    with envoy_proxy(own, upstream, documented(request.param, page), clusters) as address:
        yield address


def ask(address: str, authorization: str, *headers: tuple[str, str], path: str = PATH) -> Answered:
    """Send one request with these headers, some of them perhaps twice."""
    body = json.dumps({"model": "assistant-large", "messages": [{"role": "user", "content": "Hello."}]})
    connection = HTTPConnection(urlsplit(address).netloc, timeout=10)
    try:
        connection.putrequest("POST", path)
        sent = [("authorization", authorization), ("content-length", str(len(body))), *headers]
        for name, value in sent:
            connection.putheader(name, value)
        connection.endheaders(body.encode())
        response = connection.getresponse()
        told = {name.lower(): value for name, value in response.getheaders()}
        assert len(told) == len(response.getheaders())  # no challenge comes twice
        return Answered(response.status, told, response.read())
    finally:
        connection.close()


def code(answered: Answered) -> str:
    return str(answered.json["error"]["code"]) if answered.status == 401 else ""


def until_known(address: str, authorization: str, status: int) -> None:
    until(lambda: ask(address, authorization).status == status, 1)


def test_a_good_key_is_known_by_its_account(gateway, issued):
    made = issued.issue("acct-7 é")
    until_known(gateway, f"Bearer {made.secret}", 200)
    ask(gateway, f"Bearer {made.secret}", ("x-stillwatch-account", "acct-1"))
    assert Recording.asked[-1][0]["x-stillwatch-account"] == "acct-7 %C3%A9"
    assert Recording.asked[-1][0]["x-stillwatch-action"] == "allow"


def test_decisions_hold_of_who_comes_with_one(gateway, issued):
    made = issued.issue("blocked")
    until_known(gateway, f"Bearer {made.secret}", 403)


def test_a_revoked_key_is_turned_away_within_half_a_second(gateway, issued):
    made = issued.issue()
    until_known(gateway, f"Bearer {made.secret}", 200)
    issued.revoke(made)
    until(lambda: ask(gateway, f"Bearer {made.secret}").status == 401, 0.5)
    before = len(Recording.asked)
    answered = ask(gateway, f"Bearer {made.secret}")
    assert answered.json["error"] == {
        "message": "This API key was revoked.",
        "type": "authentication_error",
        "code": "stillwatch_key_revoked",
    }
    assert answered.headers["content-type"] == "application/json"
    assert answered.headers["www-authenticate"].startswith('Bearer error="invalid_token"')
    assert len(Recording.asked) == before


def test_a_bound_key_lets_in_who_proves_it_once(gateway, issued):
    made = issued.bound("acct-bound")
    unproven = f"Bearer {made.secret}"
    until(lambda: code(ask(gateway, unproven)) == "stillwatch_key_proof", 1)
    used = ("dpop", proof(made.secret))
    assert ask(gateway, f"DPoP {made.secret}", used, path=f"{PATH}?trace=1").status == 200
    assert Recording.asked[-1][0]["x-stillwatch-account"] == "acct-bound"
    replayed = ask(gateway, f"DPoP {made.secret}", used)
    assert (replayed.status, replayed.json["error"]["message"]) == (401, "The DPoP proof was used already.")
    assert 'DPoP error="invalid_dpop_proof"' in replayed.headers["www-authenticate"]
    elsewhere = ("dpop", proof(made.secret, htu=f"{ORIGIN}/v1/embeddings"))
    assert ask(gateway, f"DPoP {made.secret}", elsewhere).json["error"]["message"].endswith("another URL.")
    twice = [("dpop", proof(made.secret)) for _ in range(2)]
    assert "more than one" in ask(gateway, f"DPoP {made.secret}", *twice).json["error"]["message"]
    old = ask(gateway, f"DPoP {made.secret}", ("dpop", proof(made.secret, iat=1)))
    assert "too old" in old.json["error"]["message"]
    early = ask(gateway, f"DPoP {made.secret}", ("dpop", proof(made.secret, nonce="x" * 32)))
    assert 'error="use_dpop_nonce"' in early.headers["www-authenticate"]
    fresh = ("dpop", proof(made.secret, nonce=early.headers["dpop-nonce"]))
    assert ask(gateway, f"DPoP {made.secret}", fresh).status == 200


def test_an_address_range_and_a_certificate_are_asked_for(gateway, issued):
    elsewhere = issued.issue(networks=["203.0.113.0/24"])
    until(lambda: code(ask(gateway, f"Bearer {elsewhere.secret}")) == "stillwatch_key_address", 1)
    certified = issued.issue(x5t_s256="ab" * 32)
    until(lambda: code(ask(gateway, f"Bearer {certified.secret}")) == "stillwatch_key_certificate", 1)


def test_other_keys_are_what_they_were(gateway):
    assert ask(gateway, f"Bearer {key_of('honest')}").status == 200
    assert Recording.asked[-1][0]["x-stillwatch-account"] == "honest"
    assert ask(gateway, f"Bearer {key_of('blocked')}").status == 403
    assert ask(gateway, "Bearer sk-of-nobody").status == 200
    assert Recording.asked[-1][0]["x-stillwatch-account"] == "?"
    assert code(ask(gateway, "Bearer swk_made-up")) == "stillwatch_key_invalid"


def test_what_was_refused_is_counted(gate, gateway):
    ask(gateway, "Bearer swk_made-up")
    with urlopen(f"{gate.http}/metrics", timeout=5) as answered:
        assert b'stillwatch_gate_keys_refused_total{reason="unknown"}' in answered.read()


def test_a_trusted_hop_says_where_a_client_is_and_what_certificate_it_has(issued):
    fingerprint = sha256(b"certificate").digest()
    bound = issued.issue(
        networks=["203.0.113.0/24"], x5t_s256=urlsafe_b64encode(fingerprint).rstrip(b"=").decode()
    )
    headers = {"address_header": ADDRESS, "certificate_header": CERTIFICATE}
    told = ((ADDRESS, "198.51.100.1, 203.0.113.9"), (CERTIFICATE, f"By=x;Hash={fingerprint.hex()}"))
    settings = {"issued_keys": issued.published, "key_pepper": issued.folder / "keys.pepper", **headers}
    for hop, status in (("127.0.0.1", 200), ("192.0.2.1", 401)):
        with running_gate(issued.folder / "snapshot", trusted_hops=(hop,), **settings) as own:
            address = f"http://127.0.0.1:{own.port}"
            answered = ask(address, f"Bearer {bound.secret}", *told, path=f"/v1/authorize{PATH}")
            assert answered.status == status
