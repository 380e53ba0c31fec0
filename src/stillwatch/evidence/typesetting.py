"""Typesetting with Typst: a template, data that is never taken for markup, and fonts that travel along.

Only the fonts in ``fonts/`` and those inside Typst are used, never the machine's, so that a document is
the same everywhere, byte for byte. Text is spelled out where they have no glyph for it.
"""

from __future__ import annotations

import json
import unicodedata
from bisect import bisect_right
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Any, Final

import typst

from stillwatch.evidence.phrases import spelled, visible

_STANDARD: Final = "ua-1"  # PDF/UA: tagged, titled, pictures described, and no character without a glyph
_PACKAGE: Final = "stillwatch.evidence"


def typeset(template: str, content: Any, pictures: Mapping[str, str], date: datetime) -> bytes:
    """The PDF that ``templates/<template>`` makes of ``content``, which it reads from ``content.json``.

    ``pictures`` are SVG by file name. The document is dated ``date``. Every text in ``content`` stays
    text, whatever it holds: control characters and those that no font draws are spelled out.
    """
    files = {"main.typ": (resources.files(_PACKAGE) / "templates" / template).read_bytes()}
    files["content.json"] = json.dumps(_drawable(content), ensure_ascii=False).encode()
    files |= {name: drawable(picture).encode() for name, picture in pictures.items()}
    with resources.as_file(resources.files(_PACKAGE) / "fonts") as fonts:
        compiler = typst.Compiler(
            files,  # type: ignore[misc]  # documented, but left out of its types
            ignore_system_fonts=True,
            font_paths=[fonts],
        )
        pdf = compiler.compile(format="pdf", pdf_standards=[_STANDARD], timestamp=round(date.timestamp()))
    assert isinstance(pdf, bytes), "one document was asked for"
    return pdf


def drawable(text: str) -> str:
    r"""``text``, composed (NFC), with all that no font draws spelled out: ``\u8d26``, ``\U0001f600``."""
    text = visible(text)
    if text.isascii():
        return text
    text = unicodedata.normalize("NFC", text)
    return "".join(char if _is_drawn(ord(char)) else spelled(char) for char in text)


def _drawable(value: Any) -> Any:
    if isinstance(value, str):
        return drawable(value)
    if isinstance(value, Mapping):
        return {key: _drawable(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_drawable(entry) for entry in value]
    return value


def _is_drawn(char: int) -> bool:
    spans = _spans()
    place = bisect_right(spans, char, key=lambda span: span[0]) - 1
    return place >= 0 and char <= spans[place][1]


@cache
def _spans() -> list[tuple[int, int]]:
    """The characters that the fonts in ``fonts/`` draw, as ranges in order; see ``scripts/make_fonts.py``."""
    found: list[tuple[int, int]] = json.loads(
        (resources.files(_PACKAGE) / "fonts" / "drawn.json").read_bytes()
    )
    return found
