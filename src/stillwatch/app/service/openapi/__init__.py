"""The API as an OpenAPI 3.1 document, written by hand; a test holds it against the routes."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from stillwatch import __version__
from stillwatch.app.service.openapi.appealing import APPEAL_SCHEMAS, APPEALING
from stillwatch.app.service.openapi.beside import BESIDE
from stillwatch.app.service.openapi.deciding import DECIDING
from stillwatch.app.service.openapi.reading import READING
from stillwatch.app.service.openapi.receiving import RECEIVING
from stillwatch.app.service.openapi.schemas import SCHEMAS

_ABOUT = """\
What comes in, what was found, and what is decided of it. Times are UTC. Lists come in pages: `next` of one is
`after` of the next. Every error has one form. The API is versioned by its path; fields may be added to it.
"""


def document() -> dict[str, Any]:
    """Return the document as data."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "stillwatch",
            "version": __version__,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": {**READING, **DECIDING, **APPEALING, **RECEIVING, **BESIDE},
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": SCHEMAS | APPEAL_SCHEMAS,
        },
    }


@cache
def text() -> bytes:
    """Return the document as JSON."""
    return json.dumps(document(), separators=(",", ":")).encode()
