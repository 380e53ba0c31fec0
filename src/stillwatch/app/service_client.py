"""Asks a running service by its API, with the standard library alone."""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from stillwatch.contracts import ServiceError, UsageError

TOKEN: Final = "STILLWATCH_TOKEN"
"""Variable that holds a token where no file is named."""

_SECONDS: Final = 10.0
_MOST: Final = 64 * 2**20


class ServiceClient:
    """Reads from one service with one token."""

    def __init__(self, url: str, token: str) -> None:
        """Ask the service at ``url``.

        Raises:
            UsageError: it is no address of a service.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(
                f"{url!r} is no address of a service", remedy="Write http://127.0.0.1:8790", field="--url"
            )
        self.url = url.rstrip("/")
        self._token = token
        # neither through a proxy nor to another address: the token is for this service alone
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _StayHere)

    def ask(self, path: str) -> dict[str, Any]:
        """Return the document at ``path``.

        Raises:
            ServiceError: the service does not answer, refuses the token, or answers something else.
        """
        headers = {"Authorization": f"Bearer {self._token}"}
        request = urllib.request.Request(f"{self.url}{path}", headers=headers)
        try:
            with self._opener.open(request, timeout=_SECONDS) as answer:
                return self._document(answer.read(_MOST))
        except urllib.error.HTTPError as error:
            with error:
                raise self._refused(error.code, error.read(_MOST)) from None
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "reason", error)
            raise ServiceError(
                f"it does not answer ({getattr(why, 'strerror', None) or why})",
                remedy="See that `stillwatch serve` runs there",
                file=self.url,
            ) from None

    def _document(self, content: bytes) -> dict[str, Any]:
        try:
            found: Any = json.loads(content)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise self.stranger()
        return found

    def stranger(self) -> ServiceError:
        """Return what to raise where something else answers."""
        remedy = "Name the address of its API"
        return ServiceError("what answers there is no stillwatch", remedy=remedy, file=self.url)

    def _refused(self, status: int, content: bytes) -> ServiceError:
        if status in (401, 403):
            what = "the token does not hold" if status == 401 else "the token has not the scope `read`"
            return ServiceError(
                what, remedy=f"Give another with --token-file or {TOKEN}", file=self.url, field="token"
            )
        error = self._document(content).get("error")
        told = error if isinstance(error, dict) else {}
        return ServiceError(
            str(told.get("message", f"it answered {status}")),
            remedy=str(told.get("remedy", "See the service's log")).rstrip("."),
            file=self.url,
        )


class _StayHere(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow nowhere."""


def read_token(file: Path | None) -> str:
    """Return the token in a file, or in the environment where none is named.

    Raises:
        UsageError: there is none, or it cannot be read.
    """
    if file is None:
        token = os.environ.get(TOKEN, "").strip()
        if not token:
            raise UsageError(
                "there is no token", remedy=f"Name its file, or set {TOKEN}", field="--token-file"
            )
    else:
        try:
            token = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is no text"
            raise UsageError(
                f"the token cannot be read ({why})", remedy="Name its file", field="--token-file"
            ) from error
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError("it is no token", remedy="Make one for the scope `read`", field="--token-file")
    return token
