"""Reads one logged value as the type that the contract asks for, or says what was expected instead.

Each reader takes the value and the name of its field and returns a value or None (absent). What the
gateway writes is read strictly. What a client sends may be anything, and a client must not be able to
have its requests turned away from the log, so it goes through :func:`lenient`.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

import orjson

from stillwatch.ingest.json_text import compact

Record = Mapping[str, object]
Value = TypeVar("Value")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
DAY: Final = 86_400_000_000  # microseconds
EARLIEST_EXCHANGE: Final = 1_420_070_400_000_000  # 2015-01-01: no served language model is older
EARLIEST_ACCOUNT: Final = 631_152_000_000_000  # 1990-01-01
EARLIEST_DOMAIN: Final = 473_385_600_000_000  # 1985-01-01
MOST_DAYS: Final = 2**31 - 1
UNITS: Final = {"s": (1_000_000, 1), "ms": (1000, 1), "us": (1, 1), "ns": (1, 1000)}
"""Units of time: a number times the first, by the second, is in microseconds."""
_DECIMAL: Final = re.compile(r"\s*[+-]?[0-9]{1,20}\.[0-9]{1,20}\s*", re.ASCII)
_DIGITS: Final = re.compile(r"\s*[+-]?[0-9]{1,20}\s*", re.ASCII)
_NO_TIME: Final = 1e30  # a larger number is a time in no unit, and its microseconds may be infinite
HIGHEST_LEVEL: Final = 32_767
"""Of verification: what 16 bits hold."""

_MAX_INT64: Final = 2**63 - 1
_MAX_ASN: Final = 2**32 - 1


class Malformed(ValueError):  # noqa: N818 - it describes the record, which is not our error
    """A record that cannot become an exchange: the field at fault and what was expected there."""

    def __init__(self, field: str, problem: str, *, is_missing: bool = False) -> None:
        super().__init__(f"{field}: {problem}")
        self.field, self.is_missing = field, is_missing


def now() -> int:
    """The present moment, in microseconds since 1970."""
    return time.time_ns() // 1000


def lookup(record: Record, path: str) -> object:
    """The value at a field path such as ``metadata.user_api_key_team_id``; None where there is none.

    A field whose own name contains the dots wins over the nested one.
    """
    if path in record:
        return record[path]
    value: object = record
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def mapping(value: object) -> Record:
    """``value`` if it is an object, an object written as JSON text, else an empty one."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return {}
    return value if isinstance(value, dict) else {}


def lenient(read: Callable[[object, str], Value | None], value: object) -> Value | None:
    """What ``read`` makes of a value that a client chose; None where it makes nothing of it."""
    try:
        return read(value, "")
    except Malformed:
        return None


def required(value: Value | None, field: str) -> Value:
    """``value``, which must be there."""
    if value is None:
        raise Malformed(field, "missing", is_missing=True)
    return value


def text(value: object, field: str) -> str | None:
    """Text, or a whole number (ids often are) as text; empty text is absent."""
    return _text(value, field, "text")


def identifier(value: object, field: str) -> str | None:
    """Text that names something: without the blanks around it."""
    found = _text(value, field, "text or a whole number")
    return (found.strip() or None) if found is not None else None


def _text(value: object, field: str, expected: str) -> str | None:
    if isinstance(value, str):
        return value or None
    if value is None:
        return None
    if isinstance(value, bytes):
        return _decoded(value, field) or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise _unlike(expected, value, field)


def json_text(value: object, field: str) -> str | None:
    """JSON as text: text stays as it is, an object or a list is written compactly."""
    if isinstance(value, list | dict):
        return compact_field(value, field) if value else None
    return text(value, field)


def compact_field(value: object, field: str) -> str:
    """``value`` as compact JSON text."""
    try:
        return compact(value)
    except RecursionError:
        raise Malformed(field, "nested too deeply") from None


def whole(value: object, field: str) -> int | None:
    """A whole number that fits 64 bits, or its digits."""
    found = int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else value
    if type(found) is not int:  # true and false are not numbers
        found = number(found, field)
    if found is None:
        return None
    if found != int(found) or abs(found) > _MAX_INT64:
        raise Malformed(field, "expected a whole number of at most 64 bits")
    return int(found)


def count(value: object, field: str) -> int | None:
    """A whole number of 0 or more."""
    found = whole(value, field)
    if found is not None and found < 0:
        raise Malformed(field, "expected a whole number of 0 or more, found a negative one")
    return found


def level(value: object, field: str) -> int | None:
    """A level of verification."""
    found = count(value, field)
    if found is not None and found > HIGHEST_LEVEL:
        raise Malformed(field, f"expected a level of at most {HIGHEST_LEVEL}")
    return found


def status(value: object, field: str) -> int | None:
    """An HTTP status; 0 where the connection broke."""
    found = count(value, field)
    if found is not None and found > 999:
        raise Malformed(field, "expected an HTTP status of at most three digits")
    return found


def asn(value: object, field: str) -> int | None:
    """An autonomous system's number, with or without ``AS`` before it."""
    if isinstance(value, str):
        value = value.strip().upper().removeprefix("AS")
    found = count(value, field)
    if found is not None and found > _MAX_ASN:
        raise Malformed(field, "expected the number of an autonomous system (at most 32 bits)")
    return found


def number(value: object, field: str) -> float | None:
    """A finite number, or its digits."""
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _unlike("a number", value, field)
    try:
        found = float(value)
    except (ValueError, OverflowError):
        raise _unlike("a number", value, field) from None
    if not math.isfinite(found):
        raise Malformed(field, "expected a finite number")
    return found


def flag(value: object, field: str) -> bool | None:
    """True or false, as JSON, 0 or 1, or as words."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return value
    words = str(value).strip().lower() if isinstance(value, int | float | str) else ""
    if words in ("true", "1", "t", "yes"):
        return True
    if words in ("false", "0", "f", "no"):
        return False
    raise _unlike("true or false", value, field)


def moment(value: object, field: str, earliest: int = EARLIEST_EXCHANGE) -> int | None:
    """A point in time, in microseconds since 1970.

    Reads numbers (or their digits) counted since 1970 in seconds, milli-, micro- or nanoseconds, told
    apart by their size; ISO 8601 text, taken as UTC where it names no zone; and datetimes.

    Raises:
        Malformed: not a time, before ``earliest``, or more than a day in the future.
    """
    return _plausible(_microseconds(value, field), field, earliest)


def moment_in(unit: str, value: object, field: str) -> int | None:
    """As :func:`moment`, but numbers and their digits count in ``unit``, one of ``UNITS``.

    Raises:
        Malformed: as :func:`moment`.
    """
    counted = int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else value
    counted = number(counted, field) if isinstance(counted, str) and _DECIMAL.fullmatch(counted) else counted
    if isinstance(counted, bool) or not isinstance(counted, int | float) or not abs(counted) < _NO_TIME:
        return moment(value, field)
    parts, whole_unit = UNITS[unit]
    return _plausible(round(counted * parts) // whole_unit, field, EARLIEST_EXCHANGE)


def _plausible(found: int | None, field: str, earliest: int) -> int | None:
    if found is None:
        return None
    if found < earliest:
        raise Malformed(field, f"absurd time, before {(_EPOCH + earliest * _MICROSECOND).year}")
    if found > now() + DAY:
        raise Malformed(field, "absurd time, more than a day in the future")
    return found


def account_moment(value: object, field: str) -> int | None:
    """When an account was made: as :func:`moment`, but accounts may be older than language models."""
    return moment(value, field, EARLIEST_ACCOUNT)


def domain_moment(value: object, field: str) -> int | None:
    """When a domain was registered: as :func:`moment`; the first were in 1985."""
    return moment(value, field, EARLIEST_DOMAIN)


def days(value: object, field: str) -> int | None:
    """An age in days, at most what 32 bits hold."""
    found = count(value, field)
    if found is not None and found > MOST_DAYS:
        raise Malformed(field, f"expected a number of days of at most {MOST_DAYS:,}")
    return found


def _microseconds(value: object, field: str) -> int | None:
    if value is None or value == "":
        return None
    if isinstance(value, datetime):
        return _since_epoch(value, field)
    if isinstance(value, str):
        return _written(value.strip(), field)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _unlike("a time", value, field)
    return _scaled(value, field)


def _written(value: str, field: str) -> int:
    if value.replace(".", "", 1).lstrip("+-").isdecimal() and 8 < len(value) < 100:
        return _scaled(float(value) if "." in value else int(value), field)
    try:
        return _since_epoch(datetime.fromisoformat(value.removesuffix(" UTC")), field)
    except (ValueError, OverflowError):
        raise Malformed(field, "expected a time (ISO 8601 or seconds since 1970), found other text") from None


def _since_epoch(value: datetime, field: str) -> int:
    try:
        return ((value if value.tzinfo else value.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND
    except OverflowError:
        raise Malformed(field, "absurd time") from None


def _scaled(value: float, field: str) -> int:
    """Microseconds; a product of a float is rounded once, which is exact for six decimals until 2255."""
    size = abs(value)
    if not size < _NO_TIME:  # which infinity is, and what is no number
        raise Malformed(field, "absurd time")
    if size < 1e11:
        return round(value * 1_000_000)
    if size < 1e14:
        return round(value * 1000)
    return round(value) if size < 1e17 else int(value) // 1000


def _decoded(value: bytes, field: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise Malformed(field, "expected UTF-8 text, found other bytes") from None


def _unlike(expected: str, value: object, field: str) -> Malformed:
    return Malformed(field, f"expected {expected}, found {kind_of(value)}")


def kind_of(value: object) -> str:
    """What a value is, in JSON's words."""
    if value is None:
        return "null"
    if isinstance(value, bytes):
        return "bytes that are no UTF-8 text"
    kinds: tuple[tuple[type, str], ...] = (
        (bool, "true or false"),
        (str, "text"),
        (int, "a number"),
        (float, "a decimal number"),
        (list, "a list"),
    )
    return next((name for kind, name in kinds if isinstance(value, kind)), "an object")
