"""The operator's page: what a browser gets, and under which terms."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Final

_STYLE: Final = "page.css"

FILES: Final = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": (_STYLE, "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
"""What is served, by its path: the name of its file and its type."""

POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page runs and asks for nothing but its own files and the API beside it."""


@cache
def content(name: str) -> bytes:
    """Return a file of the page; its style sheet begins with the report's, so that both look alike."""
    own = (resources.files(__name__) / name).read_bytes()
    return _report_style() + own if name == _STYLE else own


def _report_style() -> bytes:
    return (resources.files("stillwatch.evidence") / "templates" / "report.css").read_bytes()
