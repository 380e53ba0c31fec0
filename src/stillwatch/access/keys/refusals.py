"""Why a request's key does not let it in: a reason for the operator, words and headers for the client."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Final, NamedTuple

from stillwatch.access.keys.dpop import ALGORITHMS, Fault


class Reason(StrEnum):
    """What is wrong with a key itself."""

    NONE = "none"
    SEVERAL = "several"
    UNKNOWN = "unknown"
    REVOKED = "revoked"
    EXPIRED = "expired"
    ADDRESS = "address"
    UNPROVEN = "unproven"
    UNBOUND = "unbound"
    CERTIFICATE = "certificate"


class Refused(NamedTuple):
    """A request that is turned away."""

    reason: Reason | Fault
    key_id: str = ""  # where the key itself is right
    account_id: str = ""  # whose it is
    nonce: str = ""  # for the next proof

    @property
    def status(self) -> int:
        """Of HTTP."""
        return 401

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Headers of the answer, the challenge among them (RFC 9449, 7.1; RFC 6750, 3)."""
        told = [("content-type", "application/json"), ("www-authenticate", self._challenge())]
        if self.nonce:
            told += [("dpop-nonce", self.nonce), ("cache-control", "no-store")]
        return tuple(told)

    @property
    def body(self) -> bytes:
        """The body of the answer, in the form of an OpenAI error."""
        code = _CODES.get(self.reason, "stillwatch_key_proof")
        error = {"message": _WORDS[self.reason], "type": "authentication_error", "code": code}
        return json.dumps({"error": error}).encode()

    def _challenge(self) -> str:
        words = _WORDS[self.reason]
        if self.reason is Reason.NONE:
            return "Bearer"
        if not isinstance(self.reason, Fault) and self.reason is not Reason.UNPROVEN:
            return f'Bearer error="invalid_token", error_description="{words}"'
        error = "use_dpop_nonce" if self.reason is Fault.NONCE else "invalid_dpop_proof"
        if self.reason in (Reason.UNPROVEN, Fault.BOUND):
            error = "invalid_token"
        return f'DPoP error="{error}", error_description="{words}", algs="{" ".join(ALGORITHMS)}"'


_CODES: Final[dict[Reason | Fault, str]] = {
    Reason.NONE: "stillwatch_key_missing",
    Reason.SEVERAL: "stillwatch_key_invalid",
    Reason.UNKNOWN: "stillwatch_key_invalid",
    Reason.REVOKED: "stillwatch_key_revoked",
    Reason.EXPIRED: "stillwatch_key_expired",
    Reason.ADDRESS: "stillwatch_key_address",
    Reason.CERTIFICATE: "stillwatch_key_certificate",
    Reason.UNBOUND: "stillwatch_key_proof",
}

_WORDS: Final[dict[Reason | Fault, str]] = {
    Reason.NONE: "This request has no API key.",
    Reason.SEVERAL: "This request has more than one API key.",
    Reason.UNKNOWN: "This API key is not valid.",
    Reason.REVOKED: "This API key was revoked.",
    Reason.EXPIRED: "This API key has expired.",
    Reason.ADDRESS: "This API key may not be used from this address.",
    Reason.UNPROVEN: "This API key needs a DPoP proof with each request: send it as Authorization: DPoP.",
    Reason.UNBOUND: "This API key is not bound to a DPoP key: send it as Authorization: Bearer.",
    Reason.CERTIFICATE: "This API key needs the client certificate that it is bound to.",
    Fault.MISSING: "The DPoP header is missing.",
    Fault.SEVERAL: "There is more than one DPoP header.",
    Fault.MALFORMED: "The DPoP proof is no JWT with a public key in its header.",
    Fault.TYPE: "The DPoP proof is not of the type dpop+jwt.",
    Fault.ALGORITHM: "The DPoP proof is not signed by an algorithm that is taken.",
    Fault.PRIVATE: "The DPoP proof holds a private key, which is to be thrown away.",
    Fault.SIGNATURE: "The DPoP proof's signature is not by the key in its header.",
    Fault.CLAIMS: "The DPoP proof lacks a claim, or one is not of its kind: jti, htm, htu, iat, ath.",
    Fault.METHOD: "The DPoP proof is for another method.",
    Fault.URL: "The DPoP proof is for another URL.",
    Fault.STALE: "The DPoP proof is too old, or of a time to come.",
    Fault.NONCE: "The DPoP proof needs the nonce that is given with this answer.",
    Fault.KEY_HASH: "The DPoP proof is for another API key.",
    Fault.BOUND: "The DPoP proof is by another key than the API key is bound to.",
    Fault.REPLAYED: "The DPoP proof was used already.",
    Fault.FULL: "Too many DPoP proofs at once: try again in a minute.",
}
