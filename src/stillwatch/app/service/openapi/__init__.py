"""The API as an OpenAPI 3.1 document, written by hand; a test holds it against the routes."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Final

from stillwatch.app.service.openapi.appealing import APPEAL_SCHEMAS, APPEALING
from stillwatch.app.service.openapi.beside import BESIDE
from stillwatch.app.service.openapi.deciding import DECIDING
from stillwatch.app.service.openapi.described import described
from stillwatch.app.service.openapi.reading import READING
from stillwatch.app.service.openapi.receiving import RECEIVING
from stillwatch.app.service.openapi.schemas import SCHEMAS
from stillwatch.app.service.openapi.signalling import SIGNALLED, SIGNALLING

_ABOUT: Final = """\
What comes in, what was found, and what is decided of it. Times are UTC. Lists come in pages: `next` of one is
`after` of the next. Every error has one form. The API is versioned by its path; fields may be added to it.
"""


def document() -> dict[str, Any]:
    """Return the document of the service as data."""
    paths = {**READING, **DECIDING, **APPEALING, **RECEIVING, **SIGNALLING, **BESIDE}
    return described("stillwatch", _ABOUT, paths, {**SCHEMAS, **APPEAL_SCHEMAS, **SIGNALLED})


@cache
def text() -> bytes:
    """Return the document of the service as JSON."""
    return json.dumps(document(), separators=(",", ":")).encode()
