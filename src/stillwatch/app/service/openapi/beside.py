"""Routes beside the API, which everybody may ask."""

from __future__ import annotations

from typing import Final

from stillwatch.app.service.openapi.parts import Part, ref, refusal


def _open(name: str, words: str, kind: str, schema: Part, **more: Part) -> Part:
    ok = {"description": "As it is now.", "content": {kind: {"schema": schema}}}
    return {
        "get": {
            "operationId": name,
            "summary": words,
            "security": [],
            "tags": ["beside"],
            "responses": {"200": ok, **more},
        }
    }


_TEXT: Final[Part] = {"type": "string"}
_JSON: Final = "application/json"

BESIDE: Final[dict[str, Part]] = {
    "/healthz": _open("healthz", "Whether the process answers.", _JSON, ref("Health")),
    "/readyz": _open(
        "readyz",
        "Whether records are taken.",
        _JSON,
        ref("Readiness"),
        **{
            "503": {
                "description": "They are not.",
                "content": {_JSON: {"schema": ref("Readiness")}},
            }
        },
    ),
    "/metrics": _open(
        "metrics",
        "Metrics for Prometheus; with a token of the scope `read` where they are not open.",
        "text/plain",
        _TEXT,
        **{str(status): refusal(status) for status in (401, 403, 429)},
    ),
    "/openapi.json": _open("openapi", "This document.", _JSON, {"type": "object"}),
    "/": _open("page", "The operator's page.", "text/html", _TEXT),
    "/page.css": _open("page_css", "Its style sheet.", "text/css", _TEXT),
    "/page.js": _open("page_js", "Its script.", "text/javascript", _TEXT),
}
