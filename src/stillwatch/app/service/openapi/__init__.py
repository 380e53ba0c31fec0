"""The API as an OpenAPI 3.1 document, written by hand; a test holds it against the routes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from stillwatch import __version__
from stillwatch.app.service.openapi.beside import BESIDE
from stillwatch.app.service.openapi.deciding import DECIDING
from stillwatch.app.service.openapi.reading import READING
from stillwatch.app.service.openapi.receiving import RECEIVING
from stillwatch.app.service.openapi.schemas import SCHEMAS
from stillwatch.app.service.openapi.signing_up import SCREENED_SCHEMAS, SIGNING_UP

_ABOUT = """\
What comes in, what was found, and what is decided of it. Times are UTC. Lists come in pages: `next` of one is
`after` of the next. Every error has one form. The API is versioned by its path; fields may be added to it.
"""


_ABOUT_ACCESS: Final = """\
The access door: what the provider's own sign-up and account pages ask. Times are UTC. Every error has one
form. The API is versioned by its path; fields may be added to it.
"""


def document() -> dict[str, Any]:
    """Return the document of the service as data."""
    return _document(_ABOUT, {**READING, **DECIDING, **RECEIVING, **BESIDE}, SCHEMAS)


def access_document() -> dict[str, Any]:
    """Return the document of the access door as data."""
    beside = {path: BESIDE[path] for path in ("/healthz", "/openapi.json")}
    schemas = {name: SCHEMAS[name] for name in ("Error", "Health")}
    return _document(_ABOUT_ACCESS, {**SIGNING_UP, **beside}, {**schemas, **SCREENED_SCHEMAS})


def _document(about: str, paths: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "stillwatch",
            "version": __version__,
            "description": about,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": dict(paths),
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": dict(schemas),
        },
    }


@cache
def text() -> bytes:
    """Return the document of the service as JSON."""
    return json.dumps(document(), separators=(",", ":")).encode()


@cache
def access_text() -> bytes:
    """Return the document of the access door as JSON."""
    return json.dumps(access_document(), separators=(",", ":")).encode()
