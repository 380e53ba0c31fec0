"""Client certificates by their thumbprint, ``x5t#S256`` (RFC 8705, 3.1), as proxies tell them.

A proxy ends TLS and names the certificate in a header: Envoy as ``x-forwarded-client-cert`` with ``Hash=``,
others as a fingerprint or as the certificate itself, PEM in percent-encoding. Such a header proves nothing
unless it comes from a hop that is trusted, and that takes away what clients send under its name.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from functools import lru_cache
from hashlib import sha256
from typing import Final
from urllib.parse import unquote

_HEXADECIMAL: Final = re.compile(r"(?:[0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}")
_BASE64URL: Final = re.compile(r"[0-9A-Za-z_-]{43}")
_HASH: Final = re.compile(r'(?:^|;)\s*Hash="?([0-9A-Fa-f]{64})"?\s*(?:;|$)', re.IGNORECASE)
_PEM: Final = re.compile(
    r"\s*-----BEGIN CERTIFICATE-----\s+([A-Za-z0-9+/=\s]+?)-----END CERTIFICATE-----", re.ASCII
)


def thumbprint_of(told: str) -> str | None:
    """Return the thumbprint in what a proxy's header says, as base64url; None where there is none.

    Of several elements, as proxies that pass on what came before them send, the last is what the nearest
    hop saw.
    """
    return _thumbprint(told) if told else None


@lru_cache(4096)
def _thumbprint(told: str) -> str | None:
    text = told.strip()
    if _HEXADECIMAL.fullmatch(text):
        return _encoded(bytes.fromhex(text.replace(":", "")))
    if _BASE64URL.fullmatch(text):
        return text if _encoded(urlsafe_b64decode(f"{text}=")) == text else None
    if "BEGIN" in text:
        return _of_pem(unquote(text))
    found = _HASH.search(_last_element(text))
    return _encoded(bytes.fromhex(found[1])) if found else None


def _last_element(text: str) -> str:
    """Return the last element of a header; a comma within quotes is none between elements."""
    quoted, begin = False, 0
    for place, sign in enumerate(text):
        if sign == '"' and text[place - 1 : place] != "\\":
            quoted = not quoted
        elif sign == "," and not quoted:
            begin = place + 1
    return text[begin:]


def _of_pem(text: str) -> str | None:
    found = _PEM.match(text)
    if found is None:
        return None
    try:
        return _encoded(sha256(b64decode("".join(found[1].split()), validate=True)).digest())
    except binascii.Error:
        return None


def _encoded(digest: bytes) -> str:
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
