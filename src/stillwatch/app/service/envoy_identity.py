"""Whose request Envoy asks about: by its headers, from a trusted hop, or by what its filters found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from stillwatch.enforce.asgi import Scope

_LOCAL: Final = "unix:"


class MetadataPath(NamedTuple):
    """Where a filter of Envoy's leaves the account, such as the payload of a verified JWT."""

    namespace: str  # envoy.filters.http.jwt_authn
    path: tuple[str, ...]  # names inside it, from the outside in


def metadata_path(written: str) -> MetadataPath:
    """Read ``NAMESPACE:NAME.NAME``, such as ``envoy.filters.http.jwt_authn:payload.sub``."""
    namespace, _, path = written.partition(":")
    return MetadataPath(namespace, tuple(path.split(".")))


def scope_of(headers: Iterable[tuple[str, str]], peer: str) -> Scope:
    """Return a request as an ASGI scope has it.

    Args:
        headers: of the request; a header that came twice may be joined by a comma, so that it names nobody.
        peer: who asks, as gRPC says it: ``ipv4:127.0.0.1:5000``, ``ipv6:[::1]:5000`` or ``unix:...``.
    """
    pairs = [
        (name.lower().encode("latin-1", "replace"), _as_sent(value))
        for name, value in headers
        if not name.startswith(":")
    ]
    return {"type": "http", "headers": pairs, "client": client_of(peer)}


def account_by_metadata(found: Mapping[str, Any], where: MetadataPath) -> str | None:
    """Return the account in what Envoy's filters found, which no client can set; None where it is not."""
    value: Any = found.get(where.namespace)
    for name in where.path:
        try:
            value = value[name]
        except (KeyError, TypeError, ValueError):
            return None
    return value.strip() or None if isinstance(value, str) else None


def client_of(peer: str) -> tuple[str, int] | None:
    """Return address and port of who asks; None for a socket in the file system."""
    if peer.startswith(_LOCAL):
        return None
    _, _, rest = unquote(peer).partition(":")
    address, _, port = rest.rpartition(":")
    return address.strip("[]"), int(port) if port.isdigit() else 0


def _as_sent(value: str) -> bytes:
    """Return the bytes of a header, which Envoy tells as bytes or as the text that they are in UTF-8."""
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogatepass")
