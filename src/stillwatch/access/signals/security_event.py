"""Security event tokens (RFC 8417) as signed JWTs: how one is made, and what one that comes in says."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from stillwatch.access.signals.refusal import Err, Refusal
from stillwatch.access.signals.signing_keys import SigningKey

TYPE: Final = "secevent+jwt"
MEDIA_TYPE: Final = "application/secevent+jwt"

_ALGORITHMS: Final = ("ES256", "ES384", "RS256", "PS256")
_AHEAD: Final = timedelta(minutes=5)
"""How far the clock of an issuer may be ahead."""

_LONGEST_ID: Final = 1024


@dataclass(frozen=True)
class SecurityEvent:
    """The claims of a token; it tells of one subject, and of one event as a rule."""

    issuer: str
    id: str  # claim ``jti``
    issued_at: datetime  # to the second
    audience: tuple[str, ...]
    subject: Mapping[str, Any] | None  # claim ``sub_id``
    events: Mapping[str, Mapping[str, Any]]  # by event type
    transaction: str = ""  # claim ``txn``
    happened_at: datetime | None = None  # claim ``toe``

    @property
    def claims(self) -> dict[str, Any]:
        """The payload of the token."""
        told: dict[str, Any] = {
            "iss": self.issuer,
            "jti": self.id,
            "iat": int(self.issued_at.timestamp()),
            "aud": self.audience[0] if len(self.audience) == 1 else list(self.audience),
            "sub_id": self.subject,
            "events": self.events,
        }
        return told | ({"txn": self.transaction} if self.transaction else {})


def sign(event: SecurityEvent, key: SigningKey) -> str:
    """Return the token."""
    header = {"alg": key.algorithm, "typ": TYPE, "kid": key.id}
    return jwt.encode(header, event.claims, key.key, algorithms=[key.algorithm])


def issuer_of(token: str) -> str:
    """Return who says to have issued a token, which nobody has verified yet.

    Raises:
        Refusal: it is no token of security events.
    """
    try:
        extracted = jws.extract_compact(token.strip().encode())
        header, claims = extracted.headers(), json.loads(extracted.payload)
    except (JoseError, ValueError, RecursionError, TypeError) as error:
        raise Refusal(Err.INVALID_REQUEST, "the body is no signed token") from error
    kind = header.get("typ")
    if not isinstance(kind, str) or kind.lower().removeprefix("application/") != TYPE:
        raise Refusal(Err.INVALID_REQUEST, f"the header typ is not {TYPE}")
    issuer = claims.get("iss") if isinstance(claims, dict) else None
    if not isinstance(issuer, str):
        raise Refusal(Err.INVALID_REQUEST, "the claim iss is missing")
    return issuer


def verify(
    token: str,
    keys: Callable[[], KeySet],
    audience: Collection[str],
    oldest: timedelta,
    now: datetime | None = None,
) -> SecurityEvent:
    """Return what a token says, once its signature holds.

    Args:
        token: in compact form.
        keys: gives the keys of its issuer.
        audience: names that this receiver goes by; one of them has to be in ``aud``.
        oldest: how long ago it may have been issued.
        now: the present moment.

    Raises:
        Refusal: the signature does not hold, it is for somebody else, or it is no security event.
    """
    try:
        claims = jwt.decode(token.strip(), keys(), algorithms=list(_ALGORITHMS)).claims
    except (JoseError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise Refusal(Err.INVALID_KEY, "no key of the issuer verifies the signature") from error
    told = _names(claims.get("aud"))
    if not set(told) & set(audience):
        raise Refusal(Err.INVALID_AUDIENCE, "the token is for another audience")
    event = _read(claims, told)
    now = now or datetime.now(UTC)
    if not now - oldest <= event.issued_at <= now + _AHEAD:
        raise Refusal(Err.INVALID_REQUEST, "the claim iat lies in the future, or too far in the past")
    return event


def _read(claims: Mapping[str, Any], audience: tuple[str, ...]) -> SecurityEvent:
    name, events, subject = claims.get("jti"), claims.get("events"), claims.get("sub_id")
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_ID:
        raise Refusal(Err.INVALID_REQUEST, "the claim jti is missing, or too long")
    if (
        not isinstance(events, dict)
        or not events
        or not all(isinstance(each, dict) for each in events.values())
    ):
        raise Refusal(Err.INVALID_REQUEST, "the claim events is no object of events")
    if subject is not None and not isinstance(subject, dict):
        raise Refusal(Err.INVALID_REQUEST, "the claim sub_id is no subject identifier (RFC 9493)")
    issued_at = moment_of(claims.get("iat"))
    if issued_at is None:
        raise Refusal(Err.INVALID_REQUEST, "the claim iat is missing, or no time")
    return SecurityEvent(
        issuer=str(claims["iss"]),
        id=name,
        issued_at=issued_at,
        audience=audience,
        subject=subject,
        events=events,
        transaction=str(claims.get("txn") or ""),
        happened_at=moment_of(claims.get("toe")),
    )


def moment_of(value: Any) -> datetime | None:
    """Return a NumericDate (RFC 7519) as a time; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _names(audience: Any) -> tuple[str, ...]:
    listed = audience if isinstance(audience, list) else [audience]
    return tuple(each for each in listed if isinstance(each, str))
