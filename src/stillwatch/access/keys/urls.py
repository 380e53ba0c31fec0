"""URLs as DPoP proofs name them: without query and fragment, and normalised (RFC 3986, 6.2.2 and 6.2.3)."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

_PORTS: Final = {"http": 80, "https": 443}
_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PLAIN: Final = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9_~.-]*)+")
_FORBIDDEN: Final = re.compile(r"[\x00-\x20\x7f\\]")


def origin_of(url: str) -> str:
    """Return scheme, host and port of a URL.

    Raises:
        ValueError: it is no URL of HTTP, or names a user.
    """
    return split_url(url)[0]


def split_url(url: str) -> tuple[str, str]:
    """Return the origin of a URL and its path, both normalised; query and fragment are left out.

    Raises:
        ValueError: it is no URL of HTTP, or names a user.
    """
    if _FORBIDDEN.search(url):
        raise ValueError("it is no URL")
    parts = urlsplit(url)
    scheme, host = parts.scheme.lower(), (parts.hostname or "").lower()
    if scheme not in _PORTS or not host or parts.username is not None:
        raise ValueError("it is no URL such as https://api.example.com")
    port = parts.port  # raises ValueError where it is none
    place = f"[{host}]" if ":" in host else host
    shown = "" if port is None or port == _PORTS[scheme] else f":{port}"
    return f"{scheme}://{place}{shown}", normal_path(parts.path)


def normal_path(path: str) -> str:
    """Return a path without query, with its escapes and dots resolved as far as they mean nothing."""
    if _PLAIN.fullmatch(path):
        return path
    path = path.partition("?")[0].partition("#")[0]
    return _without_dots(_ESCAPE.sub(_unescaped, path)) or "/"


def _unescaped(found: re.Match[str]) -> str:
    sign = chr(int(found[1], 16))
    return sign if sign in _UNRESERVED else f"%{found[1].upper()}"


def _without_dots(path: str) -> str:
    """Remove dot segments (RFC 3986, 5.2.4)."""
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == "..":
            if len(kept) > 1:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/".join(kept)
