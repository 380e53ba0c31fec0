"""Guesses a mapping for a log that no format knows, from the names and the values of its first records."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from stillwatch.contracts import InputError
from stillwatch.ingest import chat, detect, parquet_rows, values
from stillwatch.ingest.format import Format
from stillwatch.ingest.formats import FORMATS, recognise
from stillwatch.ingest.mapping import READERS, SYSTEM
from stillwatch.ingest.sources import NOTHING, Aside, find
from stillwatch.ingest.values import Malformed, Record

# For each column the names that it goes by, the surest first, as letters and digits alone.
_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "timestamp": (
        "timestamp", "requesttimestamp", "requesttime", "requestedat", "requestcreatedat", "starttime",
        "startedat", "createdat", "receivedat", "eventtime", "datetime", "time", "ts", "created", "date",
        "zeit", "zeitpunkt", "시간", "일시", "时间", "日時",
    ),
    "account_id": (
        "accountid", "account", "customerid", "customer", "userid", "user", "clientid", "tenantid", "tenant",
        "subscriberid", "principal", "owner", "uid", "customid", "consumerid", "consumer", "username",
        "identityarn", "callerid", "subject", "apikeyid", "keyid", "apikeyhash", "keyhash",
        "konto", "kunde", "계정", "고객", "账户", "用户", "アカウント",
    ),
    "exchange_id": (
        "exchangeid", "requestid", "callid", "logid", "correlationid", "eventid", "uuid", "traceid", "id",
    ),
    "key_id": ("keyid", "apikeyid", "apikeyhash", "keyhash", "apikey", "key"),
    "organization_id": ("organizationid", "orgid", "organization", "organisation", "org", "tenantid"),
    "team_id": ("teamid", "team", "projectid", "project", "workspaceid", "workspace"),
    "conversation_id": ("conversationid", "sessionid", "threadid", "chatid", "session", "conversation"),
    "operation": ("operation", "operationname", "calltype"),
    "model": ("model", "modelname", "requestmodel", "modelid", "deployment", "engine", "modell", "모델"),
    "messages": (
        "messages", "inputmessages", "prompt", "promptmessages", "requestmessages", "conversation", "input",
        "question", "query", "userprompt", "requesttext", "text", "frage", "프롬프트",
    ),
    SYSTEM: ("system", "systemprompt", "systemmessage", "instructions"),
    "tools": ("tools", "tooldefinitions", "functions"),
    "answer": (
        "answer", "completion", "responsetext", "outputtext", "response", "output", "reply", "generation",
        "responsebody", "resptext", "resp", "resulttext", "result", "outputbodyjson", "outputmessage",
        "antwort", "응답",
    ),
    "max_tokens": ("maxtokens", "maxcompletiontokens", "maxoutputtokens"),
    "temperature": ("temperature", "temp"),
    "top_p": ("topp",),
    "seed": ("seed",),
    "choice_count": ("choicecount", "n"),
    "stream": ("stream", "isstream", "streaming", "isstreaming"),
    "logprobs": ("logprobs",),
    "input_tokens": ("inputtokens", "prompttokens", "tokensin", "inputtokencount", "prompttokencount"),
    "output_tokens": (
        "outputtokens", "completiontokens", "tokensout", "outputtokencount", "completiontokencount",
    ),
    "reasoning_tokens": ("reasoningtokens", "reasoningoutputtokens", "thinkingtokens"),
    "status": ("status", "statuscode", "httpstatus", "responsestatus", "responsecode", "httpcode", "code"),
    "client_address": (
        "clientaddress", "clientip", "remoteaddr", "remoteip", "sourceip", "srcip", "ipaddress", "ip",
        "xforwardedfor",
    ),
    "asn": ("asn", "asnumber", "autonomoussystem"),
    "user_agent": ("useragent", "ua"),
    "tls_fingerprint": ("tlsfingerprint", "ja4", "ja3"),
}  # fmt: skip
_NEEDED: Final = ("timestamp", "account_id")
_USEFUL: Final = ("messages", "model", "answer", "client_address", "user_agent", "output_tokens")
_CLOSE: Final = 4  # places in the list of names; nearer than this, a person should look
_RARE: Final = 8  # places that a field loses which most records do not have
_GOOD: Final = 0.75  # of a field's values must be the column's; failed requests have no answer
_TELLING: Final = 10  # records from which on it matters how often a value comes
_ODD: Final = 100  # places that an id loses which comes again and again, and an account that is the only one
_DEEPEST: Final = 6
_FIELDS: Final = 2000

Check = Callable[[object], object]


class _Field(NamedTuple):
    path: str
    values: tuple[object, ...]  # in the records that have it
    share: float  # of the records that have it


class _Choice(NamedTuple):
    field: _Field
    others: tuple[str, ...]  # paths that are nearly as likely
    is_by_values: bool = False  # its name says nothing


def guess(path: str, aside: Aside = NOTHING) -> str:
    """A mapping for the file, as TOML with comments on what is unsure; usable as it is where all was found.

    Of a folder the first file is taken that is not to be left ``aside``.

    Raises:
        InputError: the file cannot be read, or holds no records.
    """
    (found, *_) = find([path], aside=aside).found
    try:
        records = detect.sample(found)
    except parquet_rows.Damaged as error:
        raise InputError(str(error), remedy="Name a whole file", file=path) from None
    if not records:
        seen = detect.detect(found, FORMATS)
        raise InputError(seen.unread, remedy=seen.remedy(path, FORMATS), file=path)
    return "\n".join(_written(path, records, _choices(records))) + "\n"


def _choices(records: Sequence[Record]) -> dict[str, _Choice]:
    """The likeliest field of each column; a field that one column has is not offered to the next."""
    fields = _fields(records)
    chosen: dict[str, _Choice] = {}
    for column in _NAMES:
        free = [one for one in fields if one.path not in {choice.field.path for choice in chosen.values()}]
        ranked = sorted((rank, one) for one in free if (rank := _rank(column, one)) is not None)
        if ranked:
            best = ranked[0][0][0]
            others = [one.path for rank, one in ranked[1:] if rank[0] - best < _CLOSE]
            chosen[column] = _Choice(ranked[0][1], tuple(others))
        elif column == "timestamp" and (times := [one for one in fields if _is(column, one)]):
            chosen[column] = _Choice(times[0], tuple(one.path for one in times[1:]), is_by_values=True)
    return chosen


def _rank(column: str, field: _Field) -> tuple[int, int, int] | None:
    """How likely a field is a column's, the smallest first; None where its name or its values say no."""
    steps = field.path.split(".")
    last = _plain(steps[-1])
    spellings = (_plain(field.path), _plain("".join(steps[-2:])), last)
    names = _NAMES[column]
    if any(one in names for one in spellings):
        place = min(names.index(one) for one in spellings if one in names)
    elif (spelt := next((one for one in names if len(one) > 5 and last.endswith(one)), None)) is not None:
        place = names.index(spelt) + len(names)
    else:
        return None
    if not _is(column, field):
        return None
    place += _RARE if field.share < 0.5 else 0
    if len(field.values) >= _TELLING:
        different = len({str(value) for value in field.values}) / len(field.values)
        is_odd = different < _GOOD if column == "exchange_id" else different * len(field.values) == 1
        place += _ODD if is_odd and column in ("exchange_id", "account_id") else 0
    return place, len(steps), round(100 * (1 - field.share))


def _is(column: str, field: _Field) -> bool:
    """Whether most of the field's values could be the column's."""
    return sum(_fits(column, value) for value in field.values) >= _GOOD * len(field.values)


def _fits(column: str, value: object) -> bool:
    try:
        found = _CHECKS[column](value)
    except Malformed:
        return False
    return found is not None and (column != "answer" or not isinstance(found, bool))


def _fields(records: Sequence[Record]) -> list[_Field]:
    """Every field of the records by its path, in the order in which they first appear."""
    held: dict[str, list[object]] = {}
    for record in records:
        for path, value in _leaves(record, "", 0):
            if len(held) < _FIELDS or path in held:
                held.setdefault(path, []).append(value)
    return [_Field(path, tuple(found), len(found) / len(records)) for path, found in held.items()]


def _leaves(record: Record, prefix: str, depth: int) -> Iterator[tuple[str, object]]:
    for name, value in record.items():
        if value is None or value == "" or (prefix and "." in name):
            continue
        path = f"{prefix}{name}"
        yield path, value
        inner = values.mapping(value)
        if inner and depth < _DEEPEST:
            yield from _leaves(inner, f"{path}.", depth + 1)


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())


def _address(value: object) -> object:
    found = values.text(value, "")
    return found if found and re.fullmatch(r"[0-9a-fA-F.:, %\[\]]{3,}", found) else None


def _name(value: object) -> object:
    return values.identifier(value, "")


def _reader(column: str) -> Check:
    read = READERS[column]
    if column in ("messages", "answer", "tools"):
        return lambda value: None if isinstance(value, bool | int | float) else _body(column, value)
    strict = {"max_tokens": values.count, "temperature": values.number, "top_p": values.number}
    strict |= {"seed": values.whole, "choice_count": values.count}
    chosen = strict.get(column, read)
    return lambda value: chosen(value, "")


def _body(column: str, value: object) -> object:
    if column == "answer":
        return chat.answer_text(value)
    return chat.messages_json(value) if column == "messages" else values.json_text(value, "")


_CHECKS: Final[Mapping[str, Check]] = {
    **{column: _reader(column) for column in READERS},
    "timestamp": lambda value: values.moment(value, ""),
    "account_id": _name,
    "client_address": _address,
    SYSTEM: lambda value: value if isinstance(value, str | list) else None,
}


def _written(path: str, records: Sequence[Record], chosen: Mapping[str, _Choice]) -> Iterator[str]:
    yield f"# A mapping guessed from the first {len(records)} records; look at what is marked with (?)."
    yield "# Use it with: stillwatch scan LOG --mapping THIS-FILE"
    known = recognise(records, FORMATS)
    if known is not None:
        yield _told_of(known, records)
    elif detect.look_like_accounts(records) and not {"messages", "answer", "model"} & chosen.keys():
        yield "# (?) The file looks like account records, which scan takes with --accounts."
    yield ""
    if "timestamp" in chosen:
        yield from _time_unit(chosen["timestamp"].field)
    yield "[columns]"
    for column in _NAMES:
        if column in chosen:
            yield from _line(column, chosen[column], len(records))
        elif column in _NEEDED:
            yield f'# {column} = ""  # (?) nothing looks like it, and without it no record can be read'
    missing = [column for column in _USEFUL if column not in chosen]
    if missing:
        yield f"# (?) nothing looks like: {', '.join(missing)}. A scan works without, and sees less."
    unused = _unused(records, chosen)
    if unused:
        yield f"# Fields that no column takes: {', '.join(map(_quoted, unused[:30]))}"
    yield ""
    yield "[constants]"
    yield '# operation = "chat"  # for a column that is the same in all records and not logged'


def _told_of(known: Format, records: Sequence[Record]) -> str:
    """Whether the format that the records look like reads them."""
    reasons: Counter[str] = Counter()
    for record in records:
        try:
            for part in known.unpack(record):
                known.read(part, known.account_fields)
        except Malformed as error:
            reasons[str(error)] += 1
    if reasons.total() <= len(records) / 2:
        return f"# The file looks like the format {known.name}, which needs no mapping: scan it as it is."
    field, _, problem = reasons.most_common(1)[0][0].partition(": ")
    reason = f"{field.split(' or ', 1)[0]}: {problem}"
    return f"# The file looks like the format {known.name}, which cannot read it ({reason}): map it."


def _time_unit(field: _Field) -> Iterator[str]:
    numbers = [value for value in field.values if isinstance(value, int | float | str)]
    first = numbers[0] if numbers else None
    found = values.moment(field.values[0], "")
    when = datetime.fromtimestamp((found or 0) / 1e6, UTC).isoformat(timespec="seconds")
    unit = _unit(first, found or 0)
    if unit:
        yield f'time_unit = "{unit}"  # so the first record is of {when}'
        yield ""
    elif isinstance(first, str) and not re.search(r"(?:Z|UTC|:.*[+-]\d\d(?::?\d\d)?)$", first.strip()):
        yield f"# (?) The times name no zone and are taken as UTC: the first record is of {when}."
        yield ""


def _unit(value: object, found: int) -> str | None:
    """The unit in which a number, or text of digits, is the moment that was found."""
    try:
        number = float(value) if isinstance(value, int | float | str) else None
    except ValueError:
        return None
    if not number or (isinstance(value, str) and len(value) <= 8):
        return None
    exact = (name for name, (parts, by) in values.UNITS.items() if abs(number * parts / by - found) < 2)
    return next(exact, None)


def _line(column: str, choice: _Choice, records: int) -> Iterator[str]:
    field = choice.field
    notes = ["(?) by its values alone"] if choice.is_by_values else []
    if choice.others:
        notes.append(f"(?) or {', '.join(map(_quoted, choice.others[:5]))}")
    if field.share < 1 and column in (*_NEEDED, "messages"):
        notes.append(f"(?) in {round(field.share * records)} of {records} records")
    if column == "account_id":
        different = len({str(value) for value in field.values})
        doubt = "(?) " if different == 1 and len(field.values) >= _TELLING else ""
        notes.append(f"{doubt}{different} different in {len(field.values)} records")
    yield f"{column} = {_quoted(field.path)}" + (f"  # {'; '.join(notes)}" if notes else "")


def _unused(records: Sequence[Record], chosen: Mapping[str, _Choice]) -> list[str]:
    taken = {choice.field.path for choice in chosen.values()}
    top = dict.fromkeys(name for record in records for name in record)
    return [name for name in top if not _reaches(name, taken)]


def _reaches(name: str, taken: Iterable[str]) -> bool:
    return any(path == name or path.startswith(f"{name}.") for path in taken)


def _quoted(text: str) -> str:
    """Text as a basic string of TOML, which is JSON's but for one character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
