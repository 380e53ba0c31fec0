"""The keys that tokens are signed with: in a file that nobody else may read, overlapping as they change."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

from joserfc.jwk import ECKey, KeySet, RSAKey

from stillwatch.contracts import KeyFileError
from stillwatch.engines.parquet import replacing

FILE: Final = "signal-keys.json"
"""What the file is called in a state folder."""

OVERLAP: Final = timedelta(days=7)
"""How long a key that was replaced is still published: tokens that it signed may be looked at late."""

Algorithm = Literal["ES256", "RS256"]

_RSA_BITS: Final = 3072
_REMEDY: Final = "Restore it from a copy, or remove it: a new key is made, which receivers fetch"


@dataclass(frozen=True)
class SigningKey:
    """One key with both its halves."""

    key: ECKey | RSAKey
    algorithm: str
    made_at: datetime
    replaced_at: datetime | None = None

    @property
    def id(self) -> str:
        """Its ``kid``: the thumbprint of RFC 7638."""
        return str(self.key.kid)


class SigningKeys:
    """The keys of one state folder; read anew when the file changes."""

    def __init__(self, state: Path) -> None:
        """Use the file in ``state``, which is made with the first key."""
        self._path = state / FILE
        self._known: list[SigningKey] = []
        self._seen: tuple[int, int] | None = None

    def current(self, algorithm: Algorithm) -> SigningKey:
        """Return the key to sign with, a new one where there is none of this algorithm.

        Raises:
            KeyFileError: the file cannot be read or written, or is open to other users.
        """
        own = [one for one in self._read() if one.algorithm == algorithm and one.replaced_at is None]
        return own[-1] if own else self.rotate(algorithm)

    def rotate(self, algorithm: Algorithm, now: datetime | None = None) -> SigningKey:
        """Make a new key to sign with; those before it stay published for a week.

        Raises:
            KeyFileError: the file cannot be read or written.
        """
        now = now or datetime.now(UTC)
        made = SigningKey(_generate(algorithm), algorithm, now)
        replaced = [_replaced(one, now) for one in self._read()]
        kept = [one for one in replaced if one.replaced_at is None or now - one.replaced_at < OVERLAP]
        self._write([*kept, made])
        return made

    def published(self) -> dict[str, Any]:
        """Return the JWK set (RFC 7517) that receivers verify with."""
        return {"keys": [one.key.as_dict(private=False) for one in self._read()]}

    def _read(self) -> list[SigningKey]:
        try:
            with self._path.open("rb") as file:
                status = os.fstat(file.fileno())
                if status.st_mode & 0o077:
                    raise KeyFileError(
                        "the keys of security events are open to other users",
                        remedy=f"Run: chmod 600 {self._path}",
                        file=str(self._path),
                    )
                if (status.st_ino, status.st_mtime_ns) != self._seen:
                    self._known = [_key(row) for row in json.load(file)]
                    self._seen = status.st_ino, status.st_mtime_ns
        except FileNotFoundError:
            self._known, self._seen = [], None
        except (OSError, ValueError, KeyError, TypeError) as error:
            what = f"the keys of security events cannot be read ({error})"
            raise KeyFileError(what, remedy=_REMEDY, file=str(self._path)) from error
        return self._known

    def _write(self, keys: list[SigningKey]) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(self._path) as unfinished:
                handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump([_row(one) for one in keys], file)
        except OSError as error:
            raise KeyFileError(
                f"the keys of security events cannot be written ({error.strerror})",
                remedy="Look at the folder's rights and its room",
                file=str(self._path),
            ) from error


def _generate(algorithm: Algorithm) -> ECKey | RSAKey:
    parameters: Any = {"use": "sig", "alg": algorithm}
    if algorithm == "RS256":
        return RSAKey.generate_key(_RSA_BITS, parameters, auto_kid=True)
    return ECKey.generate_key("P-256", parameters, auto_kid=True)


def _replaced(key: SigningKey, now: datetime) -> SigningKey:
    return SigningKey(key.key, key.algorithm, key.made_at, key.replaced_at or now)


def _key(row: dict[str, Any]) -> SigningKey:
    jwk: Any = KeySet.import_key_set({"keys": [row["jwk"]]}).keys[0]
    ended = row["replaced_at"]
    return SigningKey(
        jwk,
        str(row["jwk"]["alg"]),
        datetime.fromisoformat(row["made_at"]),
        None if ended is None else datetime.fromisoformat(ended),
    )


def _row(key: SigningKey) -> dict[str, Any]:
    return {
        "jwk": key.key.as_dict(private=True),
        "made_at": key.made_at.isoformat(),
        "replaced_at": None if key.replaced_at is None else key.replaced_at.isoformat(),
    }
