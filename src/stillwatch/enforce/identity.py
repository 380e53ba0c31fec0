"""Whose request it is: by the key that a client proves to have, or by a hop that the operator trusts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any

from stillwatch.enforce.keys import KeyFile

Scope = MutableMapping[str, Any]
AccountOf = Callable[[Scope], str | None]
"""Says whose request it is, by what the gateway itself knows; never by what a client says of itself."""


def nobody(scope: Scope) -> str | None:
    """Know nobody: what holds until the operator says how accounts are told."""
    return None


def by_key(accounts: Mapping[str, str]) -> AccountOf:
    """Return what tells an account by the bearer key of a request.

    Args:
        accounts: account by key. A key that is not in it is nobody's: the application turns it away itself.
    """

    def account_of(scope: Scope) -> str | None:
        key = _key(scope)
        return accounts.get(key) if key else None

    return account_of


def by_hashed_key(keys: KeyFile) -> AccountOf:
    """Return what tells an account by the bearer key of a request, whose hash the key file holds."""

    def account_of(scope: Scope) -> str | None:
        key = _key(scope)
        return keys.account_of(key) if key else None

    return account_of


def by_hop(header: str, trusted: Iterable[str]) -> AccountOf:
    """Return what tells an account by a header that a trusted hop sets.

    Args:
        header: names the account, such as ``x-account-id``.
        trusted: addresses or networks of the hops; from anywhere else the header says nothing, since any
            client can send it.
    """
    name, networks = header.lower().encode(), [ip_network(part, strict=False) for part in trusted]

    def account_of(scope: Scope) -> str | None:
        client = scope.get("client")
        if client is None or not is_trusted(client[0]):
            return None
        return _header(scope, name) or None

    @lru_cache(4096)
    def is_trusted(client: str) -> bool:
        try:
            address = ip_address(client)
        except ValueError:  # a socket in the file system has no address
            return False
        return any(address in network for network in networks)

    return account_of


def first_of(*ways: AccountOf) -> AccountOf:
    """Return what asks several ways in turn, until one knows whose request it is."""

    def account_of(scope: Scope) -> str | None:
        for way in ways:
            found = way(scope)
            if found is not None:
                return found
        return None

    return account_of


def _key(scope: Scope) -> str:
    """Return the key of a request: of a bearer, or as Anthropic's clients send it."""
    scheme, _, key = _header(scope, b"authorization").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else _header(scope, b"x-api-key").strip()


def _header(scope: Scope, name: bytes) -> str:
    """Return the header; nothing where it is there more than once, since two may not agree on who it is."""
    values = [value for key, value in scope["headers"] if key.lower() == name]
    return values[0].decode("latin-1") if len(values) == 1 else ""
