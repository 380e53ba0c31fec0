"""DPoP proofs are held against RFC 9449, 4.3, check by check; each test breaks one."""

from __future__ import annotations

import base64
import hmac
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from issuing import ORIGIN, PATH, PROOF_KEY, claims_of, issuing, proof
from joserfc.jwk import ECKey, OKPKey, RSAKey

from stillwatch.access.keys.dpop import ALGORITHMS, Fault
from stillwatch.access.keys.nonces import Nonces
from stillwatch.access.keys.published import PublishedKeys
from stillwatch.access.keys.refusals import Reason, Refused
from stillwatch.access.keys.replays import FullError, OwnReplays
from stillwatch.access.keys.rules import KeyRules
from stillwatch.access.keys.verifier import Holder, Shown, Verifier

OTHER = ECKey.generate_key("P-256")


@pytest.fixture(scope="module")
def bound(keys):
    return keys.bound()


@pytest.fixture(scope="module")
def verifier(keys, bound):
    return Verifier(PublishedKeys(keys.published, keys.pepper), keys.pepper)


@pytest.fixture
def ask(verifier, bound):
    """Asks with these values of the DPoP header."""

    def with_proofs(*proofs, method="POST", path=PATH, by=verifier, **shown):
        return by.verify(Shown(bound.secret, True, method, path, proofs, **shown))

    return with_proofs


def fault(answer) -> Reason | Fault | None:
    return answer.reason if isinstance(answer, Refused) else None


def encoded(told: object) -> str:
    raw = told if isinstance(told, bytes) else json.dumps(told).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def test_a_proof_lets_the_key_in(ask, bound):
    assert ask(proof(bound.secret)) == Holder("acct-1", bound.key.id, ())


# 1. There is not more than one DPoP HTTP request header field.
def test_exactly_one_header(ask, bound):
    one, other = proof(bound.secret), proof(bound.secret)
    assert fault(ask()) is Fault.MISSING
    assert fault(ask(one, other)) is Fault.SEVERAL
    assert fault(ask(f"{one}, {other}")) is Fault.SEVERAL  # as a proxy joins them


# 2. The DPoP HTTP request header field value is a single and well-formed JWT.
@pytest.mark.parametrize("text", ["", "nonsense", "a.b.c", "a.b", "e30.e30.", "é.é.é", "x" * 9000])
def test_a_well_formed_jwt(ask, text):
    assert fault(ask(text)) is Fault.MALFORMED


# 3. All required claims are contained in the JWT.
@pytest.mark.parametrize(
    "changes",
    [{name: None} for name in ("jti", "htm", "htu", "iat", "ath")]
    + [
        {"jti": ""},
        {"jti": "x" * 257},
        {"jti": 7},
        {"iat": "now"},
        {"iat": True},
        {"iat": 1e300},
        {"htu": []},
    ],
)
def test_every_claim_is_there_and_of_its_kind(ask, bound, changes):
    assert fault(ask(proof(bound.secret, **changes))) is Fault.CLAIMS


# 4. The typ JOSE Header Parameter has the value dpop+jwt.
@pytest.mark.parametrize("typ", ["JWT", "at+jwt", "DPOP+JWT", "", None])
def test_its_type(ask, bound, typ):
    assert fault(ask(proof(bound.secret, header={"typ": typ}))) is Fault.TYPE


# 5. The alg JOSE Header Parameter indicates a registered asymmetric digital signature algorithm, is not none,
#    is supported by the application, and is acceptable per local policy.
def test_its_algorithm(ask, bound):
    header = {"typ": "dpop+jwt", "jwk": PROOF_KEY.as_dict(private=False)}
    claims = encoded(claims_of(bound.secret))
    unsigned = f"{encoded(header | {'alg': 'none'})}.{claims}.{encoded(b'x')}"
    assert fault(ask(unsigned)) is Fault.ALGORITHM
    symmetric = f"{encoded(header | {'alg': 'HS256'})}.{claims}"
    secret = PROOF_KEY.as_pem(private=False)  # the old trick: a public key as the secret of an HMAC
    tag = encoded(hmac.digest(secret, symmetric.encode(), "sha256"))
    assert fault(ask(f"{symmetric}.{tag}")) is Fault.ALGORITHM
    octets = {"kty": "oct", "k": encoded(b"0" * 32)}
    assert fault(ask(f"{encoded(header | {'alg': 'ES256', 'jwk': octets})}.{claims}.eA")) is Fault.PRIVATE
    assert fault(ask(proof(bound.secret, header={"alg": "EdDSA"}, by=OKPKey.generate_key("Ed25519")))) is (
        Fault.BOUND  # taken, and of another key
    )
    assert fault(ask(proof(bound.secret, by=RSAKey.generate_key(1024), header={"alg": "RS256"}))) is (
        Fault.ALGORITHM
    )
    mixed = f"{encoded(header | {'alg': 'RS256'})}.{claims}.eA"
    assert fault(ask(mixed)) is Fault.ALGORITHM


# 6. The JWT signature verifies with the public key contained in the jwk JOSE Header Parameter.
def test_its_signature(ask, bound):
    stolen = proof(bound.secret, by=OTHER, header={"jwk": PROOF_KEY.as_dict(private=False)})
    assert fault(ask(stolen)) is Fault.SIGNATURE
    head, claims, signature = proof(bound.secret).split(".")
    longer = encoded(claims_of(bound.secret, htm="GET"))
    assert fault(ask(f"{head}.{longer}.{signature}", method="GET")) is Fault.SIGNATURE
    for jwk in ({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}, {"kty": "EC"}):
        broken = encoded({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk})
        assert fault(ask(f"{broken}.{claims}.{signature}")) is Fault.SIGNATURE
    for jwk in (None, "key", [PROOF_KEY.as_dict(private=False)]):
        broken = encoded({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk})
        assert fault(ask(f"{broken}.{claims}.{signature}")) is Fault.MALFORMED


# 7. The jwk JOSE Header Parameter does not contain a private key.
def test_it_shows_no_private_key(ask, bound):
    assert fault(ask(proof(bound.secret, header={"jwk": PROOF_KEY.as_dict(private=True)}))) is Fault.PRIVATE


# 8. The htm claim matches the HTTP method of the current request.
@pytest.mark.parametrize("method", ["GET", "post", "PATCH"])
def test_its_method(ask, bound, method):
    assert fault(ask(proof(bound.secret, htm=method))) is Fault.METHOD
    assert fault(ask(proof(bound.secret), method=method)) is Fault.METHOD


# 9. The htu claim matches the HTTP URI value for the HTTP request, ignoring any query and fragment parts.
@pytest.mark.parametrize(
    "htu",
    [
        f"{ORIGIN}/v1/embeddings",
        f"{ORIGIN}{PATH}/",
        f"{ORIGIN}/v1/chat%2Fcompletions",
        f"https://api.example.net{PATH}",
        f"http://api.example.com{PATH}",
        f"{ORIGIN}:8443{PATH}",
        f"https://api.example.com@evil.example{PATH}",
        f"https://user@api.example.com{PATH}",
        PATH,
        "nonsense",
        f"{ORIGIN}:port{PATH}",
    ],
)
def test_its_url(ask, bound, htu):
    assert fault(ask(proof(bound.secret, htu=htu))) is Fault.URL


@pytest.mark.parametrize(
    ("htu", "path"),
    [
        (f"HTTPS://API.Example.COM:443{PATH}", PATH),
        (f"{ORIGIN}{PATH}", f"{PATH}?api-version=1"),
        (f"{ORIGIN}{PATH}?a=b#c", PATH),
        (f"{ORIGIN}/v1/./x/../chat/%63ompletions", PATH),
        (f"{ORIGIN}/v1/a%2fb", "/v1/a%2Fb"),
        (ORIGIN, "/"),
    ],
)
def test_its_url_is_normalised(ask, bound, htu, path):
    assert fault(ask(proof(bound.secret, htu=htu), path=path)) is None


# 10. If the server provided a nonce value to the client, the nonce claim matches that value.
def test_its_nonce(tmp_path):
    with issuing(tmp_path, rules=KeyRules(origins=(ORIGIN,), nonce=True, nonce_seconds=60)) as keys:
        made, now = keys.bound(), time.time()
        clock = [now]
        verifier = Verifier(PublishedKeys(keys.published, keys.pepper), keys.pepper, clock=lambda: clock[0])

        def ask(**changes):
            return verifier.verify(Shown(made.secret, True, "POST", PATH, [proof(made.secret, **changes)]))

        first = ask()
        assert fault(first) is Fault.NONCE
        told = dict(first.headers)
        assert told["dpop-nonce"] == first.nonce
        assert told["www-authenticate"].startswith('DPoP error="use_dpop_nonce"')
        assert fault(ask(nonce=first.nonce)) is None
        assert fault(ask(nonce=first.nonce)) is None  # another proof: a nonce holds for its time
        for wrong in ("", "x" * 32, first.nonce[:-1] + "A", first.nonce + "A", 7):
            assert fault(ask(nonce=wrong)) is Fault.NONCE
        clock[0] = now + 61
        assert fault(ask(nonce=first.nonce, iat=int(now) + 61)) is Fault.NONCE
        elsewhere = Nonces(keys.pepper)  # another process takes it as well
        assert int(elsewhere.given_at(first.nonce, 600)) == int(now)


# 11. The creation time of the JWT is within an acceptable window.
@pytest.mark.parametrize("off", [-61, 11, 10**6])
def test_its_time(ask, bound, off):
    assert fault(ask(proof(bound.secret, iat=time.time() + off))) is Fault.STALE


def test_what_may_have_been_used_before_a_restart_asks_for_another(keys, bound, ask):
    old = proof(bound.secret, iat=int(time.time()) - 5)
    restarted = Verifier(PublishedKeys(keys.published, keys.pepper), keys.pepper)
    answer = ask(old, by=restarted)
    assert fault(answer) is Fault.NONCE
    again = proof(bound.secret, iat=int(time.time()), nonce=answer.nonce)  # what a client does then, at once
    assert fault(ask(again, by=restarted)) is None


# 12.a The ath claim value is equal to the hash of the presented access token.
def test_it_is_for_this_key(ask, keys, bound):
    other = keys.bound("acct-2")
    assert fault(ask(proof(other.secret))) is Fault.KEY_HASH
    assert fault(ask(proof(bound.secret, ath="\ud800"))) is Fault.KEY_HASH


# 12.b The public key to which the access token is bound matches the public key from the DPoP proof.
def test_it_is_by_the_key_that_this_one_is_bound_to(ask, bound):
    answer = ask(proof(bound.secret, by=OTHER))
    assert fault(answer) is Fault.BOUND
    assert 'error="invalid_token"' in dict(answer.headers)["www-authenticate"]


# 11.1. Replay.
def test_it_is_used_once(ask, bound):
    used = proof(bound.secret)
    assert fault(ask(used)) is None
    assert fault(ask(used)) is Fault.REPLAYED
    again = proof(bound.secret, jti="chosen")
    assert fault(ask(again)) is None
    assert fault(ask(proof(bound.secret, jti="chosen"))) is Fault.REPLAYED


def test_a_refusal_is_what_the_rfc_says_it_is(ask, bound):
    answer = ask(proof(bound.secret, htm="GET"))
    assert answer.status == 401
    told = dict(answer.headers)
    assert told["www-authenticate"] == (
        'DPoP error="invalid_dpop_proof", error_description="The DPoP proof is for another method.", '
        f'algs="{" ".join(ALGORITHMS)}"'
    )
    assert json.loads(answer.body) == {
        "error": {
            "message": "The DPoP proof is for another method.",
            "type": "authentication_error",
            "code": "stillwatch_key_proof",
        }
    }


@pytest.mark.parametrize("by", [OKPKey.generate_key("Ed25519"), ECKey.generate_key("P-384")])
def test_other_algorithms_are_taken(keys, by):
    made = keys.issue(jkt=by.thumbprint())
    verifier = Verifier(PublishedKeys(keys.published, keys.pepper), keys.pepper)
    for alg in ("EdDSA", "Ed25519") if by.key_type == "OKP" else ("ES384",):
        signed = proof(made.secret, by=by, header={"alg": alg})
        assert isinstance(verifier.verify(Shown(made.secret, True, "POST", PATH, [signed])), Holder)


def test_proofs_are_remembered_for_their_time_and_no_longer():
    now = [0.0]
    replays = OwnReplays(most=3, ticks=lambda: now[0])
    assert replays.is_new(b"a", 70)
    now[0] = 69.0
    assert replays.is_new(b"b", 70)
    now[0] = 71.0
    assert not replays.is_new(b"b", 70)
    assert replays.is_new(b"c", 70)
    with pytest.raises(FullError):
        replays.is_new(b"d", 70)
    now[0] = 138.0
    assert not replays.is_new(b"b", 70)
    now[0] = 145.0
    assert replays.is_new(b"d", 70)
    assert "each of 4 processes" in OwnReplays(processes=4).trouble


def test_of_threads_that_come_with_one_proof_one_is_let_in():
    replays = OwnReplays()
    with ThreadPoolExecutor(8) as pool:
        for number in range(200):
            proof_seen = number.to_bytes(16, "big")
            assert sum(pool.map(lambda _: replays.is_new(proof_seen, 60), range(8))) == 1  # noqa: B023
