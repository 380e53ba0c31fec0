"""The API of the access door as an OpenAPI 3.1 document; a test holds it against the routes."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Final

from stillwatch import __version__
from stillwatch.app.service.openapi.beside import BESIDE
from stillwatch.app.service.openapi.keys import KEY_SCHEMAS, KEYS
from stillwatch.app.service.openapi.schemas import SCHEMAS

_ABOUT: Final = "What your own sign-up, key and account pages ask. Times are UTC. Every error has one form."
_BESIDE: Final = ("/healthz", "/openapi.json")
_SHARED: Final = ("Error", "Health")


def document() -> dict[str, Any]:
    """Return the document as data."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "stillwatch access",
            "version": __version__,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": {**KEYS, **{path: BESIDE[path] for path in _BESIDE}},
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {**{name: SCHEMAS[name] for name in _SHARED}, **KEY_SCHEMAS},
        },
    }


@cache
def text() -> bytes:
    """Return the document as JSON."""
    return json.dumps(document(), separators=(",", ":")).encode()
