"""Whose request it is: by the key that a client proves to have, or by a hop that the operator trusts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any, Final

from stillwatch.enforce.keys import KeyFile

Scope = MutableMapping[str, Any]
AccountOf = Callable[[Scope], str | None]
"""Says whose request it is, by what the gateway itself knows; never by what a client says of itself."""

_KEY_HEADERS: Final = (b"authorization", b"x-api-key")
_MOST: Final = 8


def nobody(scope: Scope) -> str | None:
    """Know nobody: what holds until the operator says how accounts are told."""
    return None


def by_key(accounts: Mapping[str, str]) -> AccountOf:
    """Return what tells an account by the keys that a request shows.

    Args:
        accounts: account by key. A key that is not in it is nobody's: the application turns it away itself.
    """

    def account_of(scope: Scope) -> str | None:
        return _first_known(scope, accounts.get)

    return account_of


def by_hashed_key(keys: KeyFile) -> AccountOf:
    """Return what tells an account by the keys that a request shows, whose hashes the key file holds."""

    def account_of(scope: Scope) -> str | None:
        return _first_known(scope, keys.account_of)

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


def _first_known(scope: Scope, account_of: Callable[[str], str | None]) -> str | None:
    """Return the account of the first key that is shown and known.

    Which of several an application reads differs from one to the next: whoever shows a junk key beside a
    known one is still who the known one says.
    """
    known = (account_of(key) for key in _keys(scope))
    return next((account for account in known if account is not None), None)


def _keys(scope: Scope) -> list[str]:
    """Return every key that a request shows, those of ``Authorization`` first, each once.

    With a scheme or without, and one by one where a proxy joined two headers with a comma.
    """
    shown: dict[str, None] = {}
    for name in _KEY_HEADERS:
        for value in _ends(_values(scope, name)):
            for part in (value, *_ends(value.split(","))):
                words = part.split(None, 1)
                shown |= dict.fromkeys([part.strip(), *(word.strip() for word in words[1:])])
    shown.pop("", None)
    return list(shown)


def _ends(parts: list[str]) -> list[str]:
    """Return the first and the last of many: an application reads one there, and each costs a hash."""
    return parts if len(parts) <= 2 * _MOST else [*parts[:_MOST], *parts[-_MOST:]]


def _header(scope: Scope, name: bytes) -> str:
    """Return the header; nothing where it is there more than once, since two may not agree on who it is."""
    values = _values(scope, name)
    return values[0] if len(values) == 1 else ""


def _values(scope: Scope, name: bytes) -> list[str]:
    return [_text(value) for key, value in scope["headers"] if key.lower() == name]


def _text(value: bytes) -> str:
    """Return what a header says: UTF-8, as ids are written in, or where it is none, one character a byte."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
