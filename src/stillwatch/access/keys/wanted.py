"""What a key that is to be issued is asked to be."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from stillwatch.access.keys.certificates import thumbprint_of
from stillwatch.access.keys.issued import network_of
from stillwatch.contracts import UsageError

_SCOPE: Final = re.compile(r"[!#-\[\]-~]{1,100}")
"""A scope-token of RFC 6749, 3.3."""

_THUMBPRINT: Final = re.compile(r"[0-9A-Za-z_-]{43}")
_LONGEST: Final = 1024
_MOST: Final = 100


class Wanted(NamedTuple):
    """A key that is to be issued; made by :func:`wanted`, which checks it."""

    account_id: str
    name: str
    scopes: tuple[str, ...]
    networks: tuple[str, ...]
    jkt: str | None
    x5t_s256: str | None
    expires_at: datetime | None


def wanted(
    account_id: str,
    name: str = "",
    *,
    scopes: Iterable[str] = (),
    networks: Iterable[str] = (),
    jkt: str | None = None,
    x5t_s256: str | None = None,
    expires_at: datetime | None = None,
    now: datetime,
) -> Wanted:
    """Return a key that may be issued.

    Args:
        account_id: whose it is going to be.
        name: what it is for, as lists show it.
        scopes: what it may, in words of the provider's own.
        networks: addresses or ranges (CIDR) that it may be used from; none: any.
        jkt: thumbprint (RFC 7638, SHA-256) of the key that is to prove each request.
        x5t_s256: SHA-256 of the client certificate that it is bound to, hexadecimal or as base64url.
        expires_at: when it ends; None: never.
        now: the moment.

    Raises:
        UsageError: one of these cannot be; ``field`` names it.
    """
    if not account_id.strip() or len(account_id) > _LONGEST:
        raise _wrong("account_id", "it is empty or too long to be an account")
    if len(name) > _LONGEST:
        raise _wrong("name", f"it is longer than {_LONGEST} characters")
    if jkt is not None and not _THUMBPRINT.fullmatch(jkt):
        raise _wrong("jkt", "it is no SHA-256 thumbprint of a JWK: 43 characters of base64url")
    if expires_at is not None and expires_at <= now:
        raise _wrong("expires_at", "the key would never hold")
    certificate = None if x5t_s256 is None else thumbprint_of(x5t_s256)
    if x5t_s256 is not None and certificate is None:
        raise _wrong("x5t_s256", "it is no SHA-256 of a certificate: 64 hexadecimal digits or base64url")
    return Wanted(
        account_id.strip(), name, _scopes(scopes), _networks(networks), jkt, certificate, expires_at
    )


def _scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(scopes))
    for scope in found:
        if not _SCOPE.fullmatch(scope):
            raise _wrong("scopes", f"{scope[:40]!r} is no scope: letters, digits and signs without blanks")
    if len(found) > _MOST:
        raise _wrong("scopes", f"there are more than {_MOST}")
    return found


def _networks(networks: Iterable[str]) -> tuple[str, ...]:
    found = []
    for written in networks:
        try:
            found.append(str(network_of(written)))
        except ValueError:
            what = f"{written[:60]!r} is no address or range such as 203.0.113.0/24"
            raise _wrong("networks", what) from None
    if len(found) > _MOST:
        raise _wrong("networks", f"there are more than {_MOST}")
    return tuple(dict.fromkeys(found))


def _wrong(field: str, what: str) -> UsageError:
    return UsageError(what, remedy="See docs/keys.md for what a key may be", field=field)
