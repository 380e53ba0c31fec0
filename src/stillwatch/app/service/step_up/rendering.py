"""Step-up pages as HTML, and the files that they name."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from stillwatch.app.service.step_up.desk import StepUpDesk
from stillwatch.app.service.step_up.languages import Language

FILES: Final = {
    "/verify/step-up.css": ("step-up.css", "text/css; charset=utf-8"),
    "/verify/passkey.js": ("passkey.js", "text/javascript; charset=utf-8"),
}
"""What pages load, by its path: the name of its file and its type."""

POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Pages load their own files and nothing else, and send forms nowhere else."""

_STYLE: Final = "step-up.css"
_HERE: Final = "stillwatch.app.service.step_up"


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def rendered(template: str, desk: StepUpDesk, language: Language, **values: Any) -> str:
    """Return a page in a language."""
    return (
        _environment()
        .get_template(template)
        .render(
            base=desk.base,
            service=desk.service,
            support=desk.settings.support_url,
            language=language,
            say=language.say,
            **values,
        )
    )


@cache
def content(name: str) -> bytes:
    """Return a file; the style sheet begins with colours and type of the report, so that all look alike."""
    own = (resources.files(_HERE) / "files" / name).read_bytes()
    if name != _STYLE:
        return own
    report = resources.files("stillwatch.evidence") / "templates" / "report.css"
    return report.read_bytes().partition(b"@page")[0] + own
