"""DPoP proofs: that whoever sends a request has the private key that its API key is bound to.

The checks are those of RFC 9449, 4.3, in its order; each has its reason. An API key stands where the RFC has
an access token.
"""

from __future__ import annotations

import json
import re
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from enum import StrEnum
from hashlib import sha256
from hmac import compare_digest
from typing import Any, Final, NamedTuple

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from stillwatch.access.keys.nonces import Nonces
from stillwatch.access.keys.replays import FullError, Replays, proof_id
from stillwatch.access.keys.rules import KeyRules
from stillwatch.access.keys.urls import normal_path, split_url

ALGORITHMS: Final = ("ES256", "ES384", "Ed25519", "EdDSA", "PS256", "RS256")
"""Asymmetric signatures that a proof may have (RFC 7518, RFC 8037, RFC 9864)."""

EARLY: Final = 10
"""Seconds by which the clock of whoever makes proofs may go before ours."""

_LONGEST: Final = 8192
_LONGEST_JTI: Final = 256
_RSA_BITS: Final = range(2048, 4097)
_JWT: Final = re.compile(r"[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+")
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_KINDS: Final[dict[str, Any]] = {"EC": ECKey, "OKP": OKPKey, "RSA": RSAKey}
_FITTING: Final = {"EC": {"ES256", "ES384"}, "OKP": {"EdDSA", "Ed25519"}, "RSA": {"PS256", "RS256"}}
_REGISTRY: Final = jws.JWSRegistry(algorithms=list(ALGORITHMS), strict_check_header=False)


class Fault(StrEnum):
    """Why a proof is none, for the operator; the client is told in words."""

    MISSING = "proof-missing"
    SEVERAL = "proof-several"
    MALFORMED = "proof-malformed"
    TYPE = "proof-type"
    ALGORITHM = "proof-algorithm"
    PRIVATE = "proof-private-key"
    SIGNATURE = "proof-signature"
    CLAIMS = "proof-claims"
    METHOD = "proof-method"
    URL = "proof-url"
    STALE = "proof-stale"
    NONCE = "proof-nonce"
    KEY_HASH = "proof-key-hash"
    BOUND = "proof-other-key"
    REPLAYED = "proof-replayed"
    FULL = "proof-no-room"


class ProofError(Exception):
    """A proof that does not prove what it is to."""

    def __init__(self, fault: Fault) -> None:
        """``fault`` says which check it failed."""
        super().__init__(fault.value)
        self.fault = fault


class Proven(NamedTuple):
    """What is to be proven: that this request was made with this API key."""

    key: str
    jkt: str  # of the key that the API key is bound to
    method: str
    path: str  # as the client asked for it; a query is left out


class Proofs:
    """Checks proofs; knows which it has seen."""

    def __init__(self, replays: Replays, nonces: Nonces, clock: Callable[[], float] = time.time) -> None:
        """Remember proofs in ``replays``; ``clock`` tells seconds since 1970."""
        self.replays, self.nonces, self._clock = replays, nonces, clock
        self._began = int(clock() * 1_000_000) / 1_000_000  # as nonces count

    def check(self, headers: Sequence[str], proven: Proven, rules: KeyRules) -> None:
        """Pass where the request's DPoP headers hold one proof that proves it.

        Raises:
            ProofError: they do not; of its ``fault``, NONCE asks for another proof with the nonce given.
        """
        proof = _only(headers)
        signed = _extracted(proof)
        header = signed.headers()
        jkt = _verified(proof, header)
        claims = _claims(signed.payload)
        self._is_of_request(claims, proven, rules)
        self._is_of_now(claims, rules)
        _is_of_key(claims, jkt, proven)
        self._is_new(jkt, claims["jti"], rules)

    def _is_of_request(self, claims: dict[str, Any], proven: Proven, rules: KeyRules) -> None:
        if claims["htm"] != proven.method:
            raise ProofError(Fault.METHOD)
        try:
            origin, path = split_url(claims["htu"])
        except ValueError:
            raise ProofError(Fault.URL) from None
        if origin not in rules.origins or path != normal_path(proven.path):
            raise ProofError(Fault.URL)

    def _is_of_now(self, claims: dict[str, Any], rules: KeyRules) -> None:
        age = self._clock() - claims["iat"]
        if not -EARLY <= age <= rules.proof_seconds:
            raise ProofError(Fault.STALE)
        if "nonce" not in claims:
            if rules.nonce or claims["iat"] < self._began:
                raise ProofError(Fault.NONCE)
            return
        given_at = self.nonces.given_at(str(claims["nonce"]), rules.nonce_seconds)
        # What was made before this process began may have been used on the process before it.
        if given_at is None or max(claims["iat"], given_at) < self._began:
            raise ProofError(Fault.NONCE)

    def _is_new(self, jkt: str, jti: str, rules: KeyRules) -> None:
        try:
            new = self.replays.is_new(proof_id(jkt, jti), rules.proof_seconds + EARLY)
        except FullError:
            raise ProofError(Fault.FULL) from None
        if not new:
            raise ProofError(Fault.REPLAYED)


def key_hash(key: str) -> str:
    """Return ``ath`` of an API key: the base64url of its SHA-256."""
    return urlsafe_b64encode(sha256(key.encode()).digest()).rstrip(b"=").decode()


def _only(headers: Sequence[str]) -> str:
    if not headers:
        raise ProofError(Fault.MISSING)
    if len(headers) > 1 or "," in headers[0]:  # a proxy joins several with a comma, which no JWT has
        raise ProofError(Fault.SEVERAL)
    proof = headers[0].strip()
    if len(proof) > _LONGEST or not _JWT.fullmatch(proof):
        raise ProofError(Fault.MALFORMED)
    return proof


def _extracted(proof: str) -> jws.CompactSignature:
    try:
        return jws.extract_compact(proof.encode(), registry=_REGISTRY)
    except (JoseError, ValueError, TypeError, KeyError, RecursionError):
        raise ProofError(Fault.MALFORMED) from None


def _verified(proof: str, header: dict[str, Any]) -> str:
    """Return the thumbprint of the key that signed the proof."""
    if header.get("typ") != "dpop+jwt":
        raise ProofError(Fault.TYPE)
    if header.get("alg") not in ALGORITHMS:
        raise ProofError(Fault.ALGORITHM)
    jwk = header.get("jwk")
    if not isinstance(jwk, dict) or "crit" in header:
        raise ProofError(Fault.MALFORMED)
    if not _PRIVATE.isdisjoint(jwk):
        raise ProofError(Fault.PRIVATE)
    if header["alg"] not in _FITTING.get(str(jwk.get("kty")), ()):
        raise ProofError(Fault.ALGORITHM)
    try:
        key = _KINDS[jwk["kty"]].import_key(jwk)
        if isinstance(key, RSAKey) and key.raw_value.key_size not in _RSA_BITS:
            raise ProofError(Fault.ALGORITHM)
        jws.deserialize_compact(proof, key, algorithms=[header["alg"]], registry=_REGISTRY)
        return str(key.thumbprint())
    except (JoseError, ValueError, TypeError, KeyError):
        raise ProofError(Fault.SIGNATURE) from None


def _claims(payload: bytes) -> dict[str, Any]:
    try:
        claims = json.loads(payload)
    except (ValueError, RecursionError):
        raise ProofError(Fault.CLAIMS) from None
    if not isinstance(claims, dict):
        raise ProofError(Fault.CLAIMS)
    texts = all(isinstance(claims.get(name), str) for name in ("jti", "htm", "htu", "ath"))
    iat = claims.get("iat")
    times = isinstance(iat, int | float) and not isinstance(iat, bool) and abs(iat) < 2**53
    if not texts or not times or not 0 < len(claims["jti"]) <= _LONGEST_JTI:
        raise ProofError(Fault.CLAIMS)
    return claims


def _is_of_key(claims: dict[str, Any], jkt: str, proven: Proven) -> None:
    if not compare_digest(claims["ath"].encode("utf-8", "surrogatepass"), key_hash(proven.key).encode()):
        raise ProofError(Fault.KEY_HASH)
    if jkt != proven.jkt:
        raise ProofError(Fault.BOUND)
