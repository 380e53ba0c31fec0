"""JSON text to values and back, forgiving what real writers get wrong: NaN and lone surrogates.

A lone surrogate is no text. It becomes what stood in the JSON, a backslash, ``u`` and four digits, so that
two ids that differ in one stay two.
"""

from __future__ import annotations

import codecs
import json
import math
from typing import Final

import orjson

_SPELT_OUT: Final = "stillwatch.spelt_out"


class NotJson(ValueError):  # noqa: N818 - it describes the text
    """Text that is not JSON; the message says why, never what it holds."""


def parse(raw: bytes) -> object:
    """The value that ``raw`` is the JSON text of; NaN and infinities become null.

    Raises:
        NotJson: not UTF-8, not JSON, cut short, or nested deeper than about a thousand levels.
    """
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as strict:
        return _forgiving(raw, strict)


def compact(value: object) -> str:
    """``value`` as JSON text without blanks.

    Raises:
        RecursionError: nested too deeply.
    """
    try:
        return orjson.dumps(value, default=str).decode()
    except orjson.JSONEncodeError:  # it stops at 254 levels
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def written(value: object) -> bytes:
    """``value`` as the bytes of its JSON text, for a digest; none where it is nested too deeply."""
    try:
        return compact(value).encode()
    except RecursionError:
        return b""


def _forgiving(raw: bytes, strict: orjson.JSONDecodeError) -> object:
    try:
        value = json.loads(raw.decode(), parse_constant=lambda _: None, parse_float=_finite, strict=False)
        clean = json.dumps(value, ensure_ascii=False).encode(errors=_SPELT_OUT)
        return orjson.loads(clean)
    except UnicodeDecodeError as error:
        raise NotJson(f"not UTF-8 text (byte {error.start + 1})") from None
    except RecursionError:
        raise NotJson("nested too deeply") from None
    except orjson.JSONDecodeError as error:
        deep = "nested too deeply" if "depth" in error.msg else error.msg
        raise NotJson(deep) from None
    except ValueError:
        raise NotJson(f"not JSON ({_place(strict)})") from None


def _spelt_out(error: UnicodeError) -> tuple[str, int]:
    """What stands for lone surrogates inside JSON text: their escapes, with the backslash escaped."""
    assert isinstance(error, UnicodeEncodeError)
    found = error.object[error.start : error.end]
    return "".join(f"\\\\u{ord(one):04x}" for one in found), error.end


def _finite(digits: str) -> float | None:
    return found if math.isfinite(found := float(digits)) else None


def _place(error: orjson.JSONDecodeError) -> str:
    if "end of data" in error.msg:
        return "it ends early"
    return f"{error.msg}, at character {error.pos + 1}"


codecs.register_error(_SPELT_OUT, _spelt_out)
