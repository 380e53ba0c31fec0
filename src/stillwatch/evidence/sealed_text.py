"""The wording of campaigns at rest: encrypted under the sketch key, and not shown after its day.

AES-256-GCM under a key that HKDF-SHA-256 (RFC 5869) derives from the sketch key with a salt of its own for
each file; what stands beside the text in the clear (key id, day of expiry) is authenticated with it.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from stillwatch.contracts import StillwatchError
from stillwatch.engines.parquet import replacing
from stillwatch.evidence.wording import CampaignWording, Scaffold, Wordings

FILE: Final = "scaffolds.sealed.json"
KEPT: Final = timedelta(days=30)

_PURPOSE: Final = b"stillwatch scaffolds 1"
_AGAIN: Final = "Scan the inputs again with --with-scaffolds"


class SealedTextError(StillwatchError):
    """The wording of a run's campaigns is absent, expired, damaged, or sealed with another key."""


def expiry(now: datetime) -> str:
    """The day, ISO 8601, from which on wording that is sealed now is not shown any more."""
    return (now + KEPT).astimezone(UTC).date().isoformat()


def seal(folder: Path, wordings: Wordings, secret: bytes, key_id: str) -> None:
    """Write the wordings, encrypted, into a run folder."""
    salt, nonce = os.urandom(16), os.urandom(12)
    header = {
        "version": 1,
        "key": key_id,
        "expires": wordings.expires,
        "salt": salt.hex(),
        "nonce": nonce.hex(),
    }
    plain = json.dumps(asdict(wordings), ensure_ascii=False).encode("utf-8", "surrogatepass")
    sealed = _cipher(secret, salt).encrypt(nonce, plain, _authenticated(header))
    with replacing(folder / FILE) as unfinished:
        unfinished.write_text(json.dumps(header | {"text": base64.b64encode(sealed).decode()}) + "\n")


def unseal(folder: Path, secret: bytes, key_id: str, now: datetime) -> Wordings:
    """Read the wordings of a run folder.

    Raises:
        SealedTextError: there are none, their day is over, they are damaged, or the key is another one.
    """
    path = folder / FILE
    header = _header(path)
    if header["expires"] <= now.astimezone(UTC).date().isoformat():
        raise _error(path, f"the wording expired on {header['expires']}", f"Delete the file. {_AGAIN}")
    if header.get("key") != key_id:
        raise _error(
            path,
            "the wording was sealed with another sketch key",
            "Name the key of the scan with --sketch-key",
        )
    try:
        text = base64.b64decode(str(header.pop("text")), validate=True)
        salt, nonce = bytes.fromhex(str(header["salt"])), bytes.fromhex(str(header["nonce"]))
        plain = _cipher(secret, salt).decrypt(nonce, text, _authenticated(header))
        return _wordings(json.loads(plain.decode("utf-8", "surrogatepass")))
    except (InvalidTag, KeyError, TypeError, ValueError) as error:
        raise _error(path, "the file is damaged or was changed", _AGAIN) from error


def _header(path: Path) -> dict[str, Any]:
    try:
        header = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise _error(path, "the run keeps no wording of its campaigns", _AGAIN) from None
    except (OSError, ValueError) as error:
        raise _error(path, "the file is damaged: it cannot be read as JSON", _AGAIN) from error
    if not isinstance(header, dict) or not isinstance(header.get("expires"), str):
        raise _error(path, "the file is damaged: it is no sealed wording", _AGAIN)
    return header


def _authenticated(header: Mapping[str, Any]) -> bytes:
    return json.dumps({name: header[name] for name in sorted(header) if name != "text"}).encode()


def _cipher(secret: bytes, salt: bytes) -> AESGCM:
    return AESGCM(HKDF(SHA256(), 32, salt, _PURPOSE).derive(secret))


def _wordings(stored: dict[str, Any]) -> Wordings:
    campaigns = {
        name: CampaignWording(
            tuple(Scaffold(**scaffold) for scaffold in one["scaffolds"]), int(one["accounts_read"])
        )
        for name, one in stored["campaigns"].items()
    }
    return Wordings(campaigns, tuple(stored["unread"]), str(stored["expires"]))


def _error(path: Path, what: str, remedy: str) -> SealedTextError:
    return SealedTextError(what, remedy=remedy, file=str(path))
