"""The API of the access door as an OpenAPI 3.1 document; a test holds it against the routes."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Final

from stillwatch.app.service.openapi.beside import BESIDE
from stillwatch.app.service.openapi.described import described
from stillwatch.app.service.openapi.keys import KEY_SCHEMAS, KEYS
from stillwatch.app.service.openapi.schemas import SCHEMAS
from stillwatch.app.service.openapi.signing_up import SCREENED_SCHEMAS, SIGNING_UP
from stillwatch.app.service.openapi.stepping_up import STEPPING_UP

_ABOUT: Final = """\
What your own sign-up, key and account pages ask. Times are UTC. Every error has one form. The API is
versioned by its path; fields may be added to it.
"""
_BESIDE: Final = ("/healthz", "/openapi.json")
_SHARED: Final = ("Error", "Health")


def document() -> dict[str, Any]:
    """Return the document as data."""
    paths = {**SIGNING_UP, **STEPPING_UP, **KEYS, **{path: BESIDE[path] for path in _BESIDE}}
    schemas = {**{name: SCHEMAS[name] for name in _SHARED}, **SCREENED_SCHEMAS, **KEY_SCHEMAS}
    return described("stillwatch access", _ABOUT, paths, schemas)


@cache
def text() -> bytes:
    """Return the document as JSON."""
    return json.dumps(document(), separators=(",", ":")).encode()
