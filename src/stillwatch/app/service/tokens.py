"""Bearer tokens: who may send records, ask for decisions, read and operate; kept as hashes alone.

A token is ``swt_``, its name in the file, and 256 random bits. Of these the file has the SHA-256: nobody can
guess what is hashed, so that a slow hash would only make every request slow.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from starlette.requests import HTTPConnection

from stillwatch.app.service.authorising import SCOPES
from stillwatch.app.service.errors import ApiError
from stillwatch.contracts import TokenError
from stillwatch.engines.parquet import replacing
from stillwatch.ledger.locks import locked

FILE: Final = "tokens.json"
_PREFIX: Final = "swt"
_LOOK_EVERY: Final = 0.5
_REMEDY: Final = "Restore it from a copy, or remove it and make new tokens"


@dataclass(frozen=True)
class Token:
    """What is kept of a token."""

    id: str
    name: str  # what it is for
    scopes: tuple[str, ...]
    sha256: str
    made_at: str  # ISO 8601
    expires_at: str | None = None

    def holds(self, now: datetime) -> bool:
        """Whether its time is not over."""
        return self.expires_at is None or now < datetime.fromisoformat(self.expires_at)


class Made(NamedTuple):
    """A new token; ``secret`` is told once and kept nowhere."""

    token: Token
    secret: str


class Tokens:
    """The tokens of a service, in a file that nobody else may read; read anew when it changes."""

    def __init__(self, state: Path) -> None:
        """Use the tokens in a state folder; there need not be any."""
        self._path = state / FILE
        self._known: dict[str, Token] = {}
        self._state: tuple[int, int] | None = None
        self._looked = 0.0

    def list(self) -> list[Token]:
        """Return all tokens, the oldest first.

        Raises:
            TokenError: the file cannot be read.
        """
        return list(self._read().values())

    def make(self, name: str, scopes: Iterable[str], expires_at: datetime | None = None) -> Made:
        """Make a token, and return it with its secret.

        Raises:
            TokenError: a scope is none, or the file cannot be read or written.
        """
        wanted = tuple(dict.fromkeys(scopes))
        wrong = [scope for scope in wanted if scope not in SCOPES]
        if wrong or not wanted:
            raise TokenError(
                f"there is no scope {wrong[0]!r}" if wrong else "a token needs a scope",
                remedy=f"Choose from {', '.join(SCOPES)}",
            )
        number = secrets.token_hex(4)
        secret = f"{_PREFIX}_{number}_{secrets.token_urlsafe(32)}"
        ends = None if expires_at is None else expires_at.isoformat()
        made_at = datetime.now(UTC).isoformat(timespec="seconds")
        token = Token(number, name, wanted, _hash(secret), made_at, ends)
        self._change(lambda known: known | {number: token})
        return Made(token, secret)

    def revoke(self, number: str) -> Token:
        """Take a token back; it holds no more within half a second.

        Raises:
            TokenError: there is none of this id, or the file cannot be read or written.
        """
        gone = self._read().get(number)
        if gone is None:
            raise TokenError(f"there is no token {number!r}", remedy="See `stillwatch tokens list`")
        self._change(lambda known: {key: one for key, one in known.items() if key != number})
        return gone

    def authorise(self, connection: HTTPConnection, scope: str) -> None:
        """Pass where the connection's bearer token has the scope; see ``authorising.Authorise``.

        Raises:
            ApiError: there is no token, none that holds (401), or it lacks the scope (403).
        """
        scheme, _, secret = connection.headers.get("authorization", "").partition(" ")
        token = self._find(secret.strip()) if scheme.lower() == "bearer" else None
        if token is None:
            what = "the token does not hold" if secret else "there is no bearer token"
            raise ApiError(401, "unauthorized", what, remedy="Send Authorization: Bearer swt_...")
        if scope not in token.scopes:
            raise ApiError(
                403,
                "forbidden",
                f"the token has no scope {scope}",
                remedy=f"Make one with `stillwatch tokens create NAME --scope {scope}`.",
            )

    def allows(self, secret: str, scope: str) -> bool:
        """Whether a token holds and has the scope."""
        token = self._find(secret)
        return token is not None and scope in token.scopes

    def _find(self, secret: str) -> Token | None:
        _, _, rest = secret.partition("_")
        number = rest.partition("_")[0]
        token = self._fresh().get(number) or self._as_it_is().get(number)  # it may be new
        if token is None or not hmac.compare_digest(token.sha256, _hash(secret)):
            return None
        return token if token.holds(datetime.now(UTC)) else None

    def _fresh(self) -> dict[str, Token]:
        """Return the tokens of half a second ago at most; while the file is broken, those before."""
        now = time.monotonic()
        if now - self._looked >= _LOOK_EVERY or not self._looked:
            self._looked = now
            return self._as_it_is()
        return self._known

    def _as_it_is(self) -> dict[str, Token]:
        """Return the tokens of this moment; while the file is broken, those before."""
        with suppress(TokenError):
            self._read()
        return self._known

    def _read(self) -> dict[str, Token]:
        try:
            with self._path.open("rb") as file:
                status = os.fstat(file.fileno())
                if (status.st_ino, status.st_mtime_ns) != self._state:
                    rows = json.load(file)
                    self._known = {row["id"]: _token(row) for row in rows}
                    self._state = status.st_ino, status.st_mtime_ns
        except FileNotFoundError:
            self._known, self._state = {}, None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TokenError(
                f"the tokens cannot be read ({error})", remedy=_REMEDY, file=str(self._path)
            ) from error
        return self._known

    def _change(self, change: Callable[[dict[str, Token]], dict[str, Token]]) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with locked(self._path.with_name(f".{FILE}.lock")):
                rows = [asdict(token) for token in change(self._read()).values()]
                with replacing(self._path) as unfinished:
                    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                    with os.fdopen(handle, "w", encoding="utf-8") as file:
                        json.dump(rows, file, indent=2)
        except OSError as error:
            raise TokenError(
                f"the tokens cannot be written ({error.strerror})",
                remedy="Look at the folder's rights and its room",
                file=str(self._path),
            ) from error


def scopes_of(text: Collection[str]) -> tuple[str, ...]:
    """Return the scopes of values such as ``read,operate``."""
    return tuple(scope.strip() for part in text for scope in part.split(",") if scope.strip())


def _token(row: dict[str, Any]) -> Token:
    return Token(**row | {"scopes": tuple(row["scopes"])})


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
