"""Step-up links: where one account proves who uses it, for a short time, signed so that nobody makes one up.

A gateway that turns a request away with ``verify`` names such a link. It is made without asking anybody:
whoever has the link key makes one, and the step-up pages hold it against the same key. That a link opens
once is for the pages to see to, which keep the number of each that was used.

A link is ``v1.PAYLOAD.TAG``: the payload as base64url of JSON, the tag as base64url of its HMAC-SHA-256.
"""

from __future__ import annotations

import hmac
import json
import os
import re
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

LASTS: Final = 900
"""Seconds that a link holds: enough to take a phone out, too little for one that is found later."""

KEY_BYTES: Final = 32
_KEY: Final = re.compile(rf"[0-9a-f]{{{2 * KEY_BYTES}}}")
PLACE: Final = "{link}"
"""What stands in a policy's ``verify_url`` where a link is to be."""

_VERSION: Final = "v1"
_LONGEST: Final = 8192  # characters: an account id of a thousand signs of any script
_PURPOSE: Final = b"stillwatch step-up link"


class LinkError(Exception):
    """A link that does not hold: ``malformed``, ``tampered`` or ``expired``."""

    def __init__(self, reason: str) -> None:
        """``reason`` is one of those words."""
        super().__init__(reason)
        self.reason = reason


class Link(NamedTuple):
    """What a link says."""

    account_id: str
    decision_id: str  # that asks for it; empty where the provider asks by itself
    level: int  # that is to be reached; 0: as the access file says
    expires_at: int  # seconds since 1970
    number: str  # of this link and no other


class Links:
    """Makes links and reads them."""

    def __init__(self, key: bytes, clock: Callable[[], float] = time.time) -> None:
        """Sign by ``key``, of 32 random bytes; ``clock`` tells seconds since 1970."""
        self._key = hmac.digest(key, _PURPOSE, sha256)
        self._clock = clock

    def make(self, account_id: str, *, decision_id: str = "", level: int = 0, seconds: int = LASTS) -> str:
        """Return a link for an account, as it stands in a URL."""
        link = Link(account_id, decision_id, level, int(self._clock()) + seconds, secrets.token_urlsafe(12))
        written = json.dumps(link, separators=(",", ":"), ensure_ascii=False)
        payload = _text(written.encode("utf-8", "surrogatepass"))
        return f"{_VERSION}.{payload}.{_text(self._tag(payload))}"

    def read(self, written: str) -> Link:
        """Return what a link says.

        Raises:
            LinkError: it is none, somebody changed it, or its time is over.
        """
        version, _, rest = written.partition(".")
        payload, dot, tag = rest.partition(".")
        if version != _VERSION or not dot or len(written) > _LONGEST:
            raise LinkError("malformed")
        # The text is compared, not the bytes: base64 has several spellings of one value.
        if not hmac.compare_digest(_text(self._tag(payload)).encode(), tag.encode("utf-8", "replace")):
            raise LinkError("tampered")
        written = urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode("utf-8", "surrogatepass")
        link = Link(*json.loads(written))
        if self._clock() >= link.expires_at:
            raise LinkError("expired")
        return link

    def _tag(self, payload: str) -> bytes:
        return hmac.digest(self._key, payload.encode("utf-8", "surrogatepass"), sha256)


class LinkFile:
    """Makes links by the key in a file, which may come later than the gateway."""

    def __init__(self, path: Path) -> None:
        """Look for the key in ``path`` once a link is asked for."""
        self._path = path
        self._links: Links | None = None
        self.trouble = ""  # why there are no links, for who looks after the gateway

    def fill(self, address: str, account_id: str, decision_id: str) -> str:
        """Return an address with a link for this account in the place of ``{link}``.

        Without a key the place stays empty: the page behind the address then says how to get a link.
        """
        if PLACE not in address:
            return address
        links = self._links or self._loaded()
        return address.replace(
            PLACE, "" if links is None else links.make(account_id, decision_id=decision_id)
        )

    def _loaded(self) -> Links | None:
        try:
            self._links, self.trouble = Links(load_link_key(self._path)), ""
        except (OSError, ValueError) as error:
            self.trouble = str(error)
        return self._links


def load_link_key(path: Path) -> bytes:
    """Return the key in a file.

    Raises:
        OSError: the file cannot be read.
        ValueError: it holds no key, or others can read it.
    """
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_mode & 0o077:
            raise ValueError(f"{path}: the link key is open to other users: run chmod 600 {path}")
        written = file.read(4 * KEY_BYTES).decode("ascii", "replace").strip()
    if not _KEY.fullmatch(written):
        raise ValueError(f"{path}: it is no link key of {2 * KEY_BYTES} hexadecimal digits")
    return bytes.fromhex(written)


def load_or_create_link_key(path: Path) -> bytes:
    """Return the key in a file, which is made where there is none, for its owner alone.

    Raises:
        OSError: the file can be neither read nor made.
        ValueError: it holds no key, or others can read it.
    """
    with suppress(FileNotFoundError):
        return load_link_key(path)
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
        with suppress(FileExistsError):  # another process was first: its key holds
            path.hardlink_to(unfinished)
    finally:
        unfinished.unlink()
    return load_link_key(path)


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
