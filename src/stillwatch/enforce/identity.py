"""Whose request it is: by the key that a client proves to have, or by a hop that the operator trusts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping
from ipaddress import ip_address, ip_network
from typing import Any

Scope = MutableMapping[str, Any]


def by_key(accounts: Mapping[str, str]) -> Callable[[Scope], str | None]:
    """Return what tells an account by the bearer key of a request.

    Args:
        accounts: account by key. A key that is not in it is nobody's: the application turns it away itself.
    """

    def account_of(scope: Scope) -> str | None:
        scheme, _, key = _header(scope, b"authorization").partition(" ")
        return accounts.get(key.strip()) if scheme.lower() == "bearer" else None

    return account_of


def by_hop(header: str, trusted: Iterable[str]) -> Callable[[Scope], str | None]:
    """Return what tells an account by a header that a trusted hop sets.

    Args:
        header: names the account, such as ``x-account-id``.
        trusted: addresses or networks of the hops; from anywhere else the header says nothing, since any
            client can send it.
    """
    name, networks = header.lower().encode(), [ip_network(part, strict=False) for part in trusted]

    def account_of(scope: Scope) -> str | None:
        client = scope.get("client")
        try:
            address = ip_address(client[0]) if client else None
        except ValueError:  # a socket in the file system has no address
            return None
        if address is None or not any(address in network for network in networks):
            return None
        return _header(scope, name) or None

    return account_of


def _header(scope: Scope, name: bytes) -> str:
    """Return the header; nothing where it is there more than once, since two may not agree on who it is."""
    values = [value for key, value in scope["headers"] if key.lower() == name]
    return values[0].decode("latin-1") if len(values) == 1 else ""
