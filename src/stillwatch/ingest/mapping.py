"""A mapping file: how any other table or log becomes exchanges, column by column.

TOML, such as ``stillwatch formats --guess FILE`` prints::

    time_unit = "ms"                      # s, ms, us or ns; without it numbers are told by their size

    [columns]                             # column of the exchange table = field path, or several to try
    timestamp = "ts"
    account_id = ["customer.id", "key.owner"]
    messages = "request.messages"         # messages, a prompt, or JSON text of them
    answer = "response"                   # a response's body, or the text of the answer

    [constants]                           # columns that the log does not have
    operation = "chat"

A path goes through objects, JSON text of objects, and lists by number (``choices.0.message.content``).
``system`` beside the columns is a system prompt that is logged apart from the messages.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from stillwatch.contracts import UsageError
from stillwatch.ingest import chat, values
from stillwatch.ingest.exchange import Exchange, identified
from stillwatch.ingest.format import Format, account_of
from stillwatch.ingest.values import Malformed, Record, lenient, mapping, required

NAME: Final = "mapping"
SYSTEM: Final = "system"

Read = Callable[[object, str], object]


def _messages(value: object, _: str) -> str | None:
    return chat.messages_json(value)


def _tools(value: object, field: str) -> str | None:
    return values.json_text(value, field)


def _answer(value: object, _: str) -> str | None:
    return chat.answer_text(value)


def _client(read: Read) -> Read:
    """A value that the client chose: whatever it is, it cannot have the request turned away."""
    return lambda value, _: lenient(read, value)


READERS: Final[Mapping[str, Read]] = {  # every column but time and account, which have their own rules
    "exchange_id": values.identifier,
    "key_id": values.identifier,
    "organization_id": values.identifier,
    "team_id": values.identifier,
    "conversation_id": _client(values.identifier),
    "operation": values.text,
    "model": _client(values.text),
    "messages": _messages,
    "tools": _client(_tools),
    "answer": _answer,
    "max_tokens": _client(values.count),
    "temperature": _client(values.number),
    "top_p": _client(values.number),
    "seed": _client(values.whole),
    "choice_count": _client(values.count),
    "stream": _client(values.flag),
    "logprobs": _client(values.flag),
    "input_tokens": values.count,
    "output_tokens": values.count,
    "reasoning_tokens": values.count,
    "status": values.status,
    "client_address": values.text,
    "asn": values.asn,
    "user_agent": values.text,
    "tls_fingerprint": values.text,
}
_TIME, _ACCOUNT = "timestamp", "account_id"
_COLUMNS: Final = (_TIME, _ACCOUNT, SYSTEM, *READERS)


class Rules(NamedTuple):
    """What a mapping file says."""

    paths: Mapping[str, tuple[str, ...]]  # column -> field paths, the first that holds something counts
    constants: Mapping[str, object]
    unit: str | None

    def read(self, record: Record, account_fields: Sequence[str]) -> Exchange:
        """A record as an exchange.

        Raises:
            Malformed: time or account are missing, or a value is not of its column's type.
        """
        account = account_of({path: reach(record, path) for path in account_fields}, account_fields)
        row = {"timestamp": self._time(record), "account_id": account}
        row |= {name: self._value(name, record) for name in READERS} | {"messages": self._messages(record)}
        return identified(Exchange._make(row[name] for name in Exchange._fields))

    def _value(self, column: str, record: Record) -> object:
        for path in self.paths.get(column, ()):
            found = READERS[column](reach(record, path), path)
            if found is not None:
                return found
        return self.constants.get(column)

    def _messages(self, record: Record) -> str | None:
        systems = (reach(record, path) for path in self.paths.get(SYSTEM, ()))
        system = next(filter(None, systems), self.constants.get(SYSTEM))
        held = (reach(record, path) for path in self.paths.get("messages", ()))
        return next(filter(None, (chat.messages_json(one, system) for one in held)), None)

    def _time(self, record: Record) -> int:
        paths = self.paths[_TIME]
        for path in paths:
            value = reach(record, path)
            found = values.moment_in(self.unit, value, path) if self.unit else values.moment(value, path)
            if found is not None:
                return found
        return required(None, " or ".join(paths))


def load(path: Path) -> Format:
    """The format that a mapping file describes.

    Raises:
        UsageError: the file is not TOML, names what no column is called, or lacks time or account.
    """
    rules = _rules(_toml(path), str(path))
    return Format(
        name=NAME,
        summary=f"any table or log, by the mapping {path.name}",
        example="{}",
        account_fields=rules.paths[_ACCOUNT],
        recognises=lambda record: True,
        read=rules.read,
    )


def reach(record: Record, path: str) -> object:
    """The value at a path, through JSON text and by number through lists; None where there is none."""
    if path in record:
        return record[path]
    value: object = record
    for step in path.split("."):
        value = _item(value, step) if isinstance(value, list) else mapping(value).get(step)
    return value


def _item(items: Sequence[object], step: str) -> object:
    is_number = step.isascii() and step.isdecimal() and len(step) < 7
    return items[int(step)] if is_number and int(step) < len(items) else None


def _toml(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        place = re.search(r"line (\d+)", str(error))
        raise UsageError(
            f"the mapping is not TOML ({error})",
            remedy="Begin with what `stillwatch formats --guess FILE` prints",
            file=str(path),
            line=int(place[1]) if place else None,
        ) from None


def _rules(held: Mapping[str, object], file: str) -> Rules:
    for name in held.keys() - {"columns", "constants", "time_unit"}:
        raise _wrong("is no part of a mapping", "Use columns, constants and time_unit", file, name)
    unit = held.get("time_unit")
    if unit is not None and unit not in values.UNITS:
        raise _wrong(f"is none of {', '.join(values.UNITS)}", "Name one, or leave it out", file, "time_unit")
    columns, constants = _section(held, "columns", file), _section(held, "constants", file)
    paths = {name: _paths(name, value, file) for name, value in columns.items()}
    for name in (_TIME, _ACCOUNT):
        if name not in paths:
            raise _wrong("is missing", "Name the field that holds it", file, f"columns.{name}")
    fixed = {name: _constant(name, value, file) for name, value in constants.items()}
    return Rules(paths, fixed, str(unit) if unit is not None else None)


def _section(held: Mapping[str, object], name: str, file: str) -> Mapping[str, object]:
    section = held.get(name, {})
    if not isinstance(section, dict):
        raise _wrong("is no section", f"Write [{name}] and its columns below", file, name)
    for column in section.keys() - set(_COLUMNS):
        raise _wrong("is no column", f"The columns are {', '.join(_COLUMNS)}", file, f"{name}.{column}")
    return section


def _paths(column: str, value: object, file: str) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else [value]
    if not listed or not all(isinstance(one, str) and one for one in listed):
        raise _wrong("is no field path", "Write text, or a list of texts", file, f"columns.{column}")
    return tuple(listed)


def _constant(column: str, value: object, file: str) -> object:
    if column in (_TIME, _ACCOUNT, "exchange_id", "messages"):
        raise _wrong("differs between requests", "Name its field under columns", file, f"constants.{column}")
    if column == SYSTEM:
        return value
    found = None
    try:
        found = READERS[column](value, column)
    except Malformed as error:
        raise _wrong(str(error).partition(": ")[2], "Correct it", file, f"constants.{column}") from None
    if found is None:
        raise _wrong("is not of its column's type", "Correct it", file, f"constants.{column}")
    return found


def _wrong(what: str, remedy: str, file: str, field: str) -> UsageError:
    return UsageError(what, remedy=remedy, file=file, field=field)
