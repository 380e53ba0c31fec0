"""Writes ``docs/reference/`` from the code: commands, settings, formats, tables, evidence, cues, errors.

``python scripts/make_reference.py`` after a change to any of them; a test fails while a page is stale.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import io
import pkgutil
import tokenize
import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
from typer.main import get_command

import stillwatch
from stillwatch import contracts
from stillwatch.accounts.signals import FACET as SAMPLING
from stillwatch.accounts.signals import LIMIT, SignalCard, account_signals
from stillwatch.app import cli
from stillwatch.contracts import Cue, StillwatchError
from stillwatch.ingest.format import Format
from stillwatch.ingest.formats import ACCOUNT_FORMATS, EVENT_FORMATS, FORMATS
from stillwatch.linking.facets import Facet, facets
from stillwatch.linking.facets.elicitation import CUE_SIGNALS
from stillwatch.settings import (
    ExpireSettings,
    ReplaySettings,
    ReportSettings,
    ScanSettings,
    ServeSettings,
    Settings,
    SimulateSettings,
    default_text,
    option_name,
    variable_name,
)
from stillwatch.simulate.presets import PRESETS
from stillwatch.sketch import cues

PAGES = Path(__file__).parents[1] / "docs" / "reference"
_NOTE = "<!-- Made by scripts/make_reference.py: change the code, not this page. -->"
_INTRODUCTIONS = {
    "commands": """\
# Commands

Every command takes `--help`. Progress is shown on stderr, and only where that is a terminal.
""",
    "settings": """\
# Settings

Each setting can be given as an option, as an environment variable, or as a keyword of
`stillwatch.scan(...)`. An option or keyword goes before the variable, the variable before the default.
""",
    "formats": """\
# Formats

Containers are JSON lines, JSON arrays, CSV and Parquet, plain or compressed with gzip or zstd; what
an input is, is told from its content and not from its name. An input may be a file, a folder, a
glob, or `-` for standard input. A record that cannot be read is rejected with its place and reason,
and its neighbours are kept; records of one call id, account and time are counted once.
""",
    "tables": """\
# Tables

Parquet, with timestamps in UTC and microseconds. A column is never null unless it says so.
""",
    "evidence": """\
# Evidence

Each piece of evidence is a log-likelihood ratio in nats (natural logarithm): how much likelier what
was seen is under a campaign than under ordinary traffic. No facet can say more than its cap, and a
campaign needs three: one that links its accounts, one that shows extraction, and one that tells how
requests are dealt out.
""",
    "cues": """\
# Cues

Wordings that published campaigns used, looked for in the system prompt and in the newest user
message. A cue is a yes or no for one request and weighs nothing by itself:
[elicitation](evidence.md#elicitation) compares how many of a group's requests show it with how many
of all others do. It is corroboration: a campaign can be found without any cue, and an operator can
avoid them all.

Case and punctuation say nothing. The phrases are data, one file for each language in
`src/stillwatch/sketch/cues/`; each file holds look-alikes beside them that must not match, and tests
hold the phrases to both. Below is one prompt of each kind from those files, shortened.
""",
    "errors": """\
# Errors

An error is one line on stderr: the file, line and field where there are any, what is wrong, and what
to do about it. From Python each is an exception, a `stillwatch.contracts.StillwatchError`, with the
same parts as attributes: `what`, `remedy`, `file`, `line`, `field`.
""",
}
SETTINGS = (
    ("scan", ScanSettings),
    ("report", ReportSettings),
    ("replay", ReplaySettings),
    ("serve", ServeSettings),
    ("simulate", SimulateSettings),
    ("ledger expire", ExpireSettings),
)
_READ = ("EXCHANGE", "ACCOUNT", "ACCOUNT_EVENT")
_WRITTEN = (
    "CAMPAIGNS",
    "ACCOUNTS",
    "MEMBERS",
    "REASONS",
    "TIMELINE",
    "LOOKALIKES",
    "TIES",
    "DECISIONS",
    "DECLARED",
    "LABELLED",
    "SCREENED",
    "REJECT",
)


def pages() -> dict[str, str]:
    """Every page of the reference by its file name."""
    written = {
        "commands": _commands,
        "settings": _settings,
        "formats": _formats,
        "tables": _tables,
        "evidence": _evidence,
        "cues": _cues,
        "errors": _errors,
    }
    return {
        f"{name}.md": "\n".join([_NOTE, "", _INTRODUCTIONS[name], *write()])
        for name, write in written.items()
    }


def _commands() -> Iterator[str]:
    for name, command in commands():
        yield from [
            f"## stillwatch {name}",
            "",
            _usage(name, command),
            "",
            inspect.cleandoc(command.help),
            "",
        ]
        if not command.params:
            continue  # a group, whose commands follow
        yield from ["| argument or option | meaning |", "| --- | --- |"]
        yield from (f"| {_parameter(parameter)} | {_cell(parameter.help)} |" for parameter in command.params)
        yield ""
    yield from _presets()
    yield from ["## Exit codes", "", "| code | meaning |", "| --- | --- |"]
    yield from (f"| {code} | {_cell(meaning)} |" for code, meaning in cli.EXIT_CODES.items())
    yield ""


def commands() -> Iterator[tuple[str, Any]]:
    """Every command by its name, those of a group under the group's."""
    for name, command in get_command(cli.app).commands.items():  # type: ignore[attr-defined]
        yield name, command
        for under, own in getattr(command, "commands", {}).items():
            yield f"{name} {under}", own


def _presets() -> Iterator[str]:
    yield from ["## Presets", "", "What `stillwatch simulate` can write, at scale 1.", ""]
    yield from ["| preset | days | accounts | exchanges | what it is |", "| --- | --- | --- | --- | --- |"]
    for name, preset in PRESETS.items():
        populations = preset.populations(1, 1)
        accounts, exchanges = (
            sum(getattr(p, size) for p in populations) for size in ("accounts", "exchanges")
        )
        yield f"| `{name}` | {preset.days} | {accounts:,} | {exchanges:,} | {_cell(preset.about)} |"
    yield ""


def _usage(name: str, command: Any) -> str:
    arguments = [
        p.metavar + ("..." if p.nargs == -1 else "")
        for p in command.params
        if p.param_type_name == "argument"
    ]
    taken = ["COMMAND"] if hasattr(command, "commands") else [*arguments, "[OPTIONS]"]
    return f"`stillwatch {' '.join([name, *taken])}`"


def _parameter(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar}`"
    value = "" if parameter.is_flag else f" {parameter.metavar}"
    return ", ".join(f"`{_cell(name + value)}`" for name in parameter.opts)


def _settings() -> Iterator[str]:
    for title, settings in SETTINGS:
        yield from [f"## stillwatch {title}", ""]
        yield from ["| option | variable | default | meaning |", "| --- | --- | --- | --- |"]
        yield from (_setting(settings, name) for name in settings.model_fields)
        yield ""


def _setting(settings: type[Settings], name: str) -> str:
    default = default_text(settings, name) or "none"
    meaning = _cell(settings.model_fields[name].description or "")
    return f"| `{option_name(name)}` | `{variable_name(settings, name)}` | {_cell(default)} | {meaning} |"


def _formats() -> Iterator[str]:
    kinds = {"Request logs": FORMATS, "Account records": ACCOUNT_FORMATS, "Account events": EVENT_FORMATS}
    for title, formats in kinds.items():
        yield from [f"## {title}", ""]
        for known in formats.values():
            yield from _format(known)


def _format(known: Format) -> Iterator[str]:
    accounts = ", then ".join(f"`{field}`" for field in known.account_fields)
    yield from [f"### {known.name}", "", _sentence(known.summary), ""]
    yield from [f"The account is {accounts}. One record, wrapped here:", ""]
    example = orjson.dumps(orjson.loads(known.example), option=orjson.OPT_INDENT_2).decode()
    yield from ["```json", example, "```", ""]


_LANGUAGES = {"en": "English", "zh": "Chinese", "ko": "Korean", "ja": "Japanese"}
_SHOWN = 160  # characters of an example


def _cues() -> Iterator[str]:
    files = {code: _cue_file(code) for code in cues.GAPS}
    languages = ", ".join(_LANGUAGES[code] for code in files)
    yield from [f"Languages: {languages}.", ""]
    for cue in Cue:
        signal, words = CUE_SIGNALS[cue]
        yield from [
            f"## {cue.value}",
            "",
            f"Requests with it {words}. It speaks as the signal `{signal}`.",
            "",
        ]
        yield from ["| language | phrases | shows it | does not |", "| --- | --- | --- | --- |"]
        for code, tables in files.items():
            held = tables[cue.value]
            shown = [_cell(_shortened(held[kind][0])) for kind in ("positive", "honest")]
            yield f"| {_LANGUAGES[code]} | {len(held['phrases'])} | {shown[0]} | {shown[1]} |"
        yield ""


def _cue_file(code: str) -> dict[str, Any]:
    return tomllib.loads(resources.files(cues.__name__).joinpath(f"{code}.toml").read_text(encoding="utf-8"))


def _shortened(text: str) -> str:
    line = " ".join(text.split()).replace("{", "").replace("}", "")
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN].rsplit(' ', 1)[0]} ..."


def _facet_signals(facet: Facet) -> Iterator[str]:
    if facet.card.signals:
        yield from ["| signal | what it shows | honest traffic that shows it too |", "| --- | --- | --- |"]
        yield from (
            f"| `{signal.id}` | {_cell(signal.shows)} | {_cell(signal.honest_twin)} |"
            for signal in facet.card.signals
        )
        yield ""


def _pooled(signal: SignalCard) -> str:
    if signal.facet is None:
        return "it only tells members from strangers"
    return f"pooled it speaks for {signal.facet}, from {signal.group_floor:g} to {signal.group_cap:g}"


def _side(side: str) -> str:
    return "linking, or extraction where the accounts are linked without it" if side == "either" else side


def _evidence() -> Iterator[str]:
    yield from ["## Facets", ""]
    for name, facet in facets().items():
        card = facet.card
        yield from [
            f"### {name}",
            "",
            _sentence(card.shows),
            "",
            f"- Side: {_side(card.side)}, from {card.floor:g} to {card.cap:g} nats.",
        ]
        if card.dispatch:
            yield "- It tells how requests are dealt out, which a verdict needs beside what they say."
        yield from [f"- Honest traffic that shows it too: {card.honest_twin}", f"- Method: {card.method}", ""]
        yield from _facet_signals(facet)
    yield from [
        f"### {SAMPLING}",
        "",
        "The members sample the model as a machine does, not as people use it.",
        "",
    ]
    yield from [
        f"- Side: {LIMIT.side}, from {LIMIT.floor:g} to {LIMIT.cap:g} nats.",
        "- It tells how requests are dealt out, which a verdict needs beside what they say.",
        "- Method: the sum of the",
        "  account signals below that speak for it, over all members, half a nat off for each as far as they",
        "  were chosen, and discounted for that freedom; colleagues of one organisation count as one.",
        "",
    ]
    yield from ["## Account signals", "", "How a member differs from an account that a person uses.", ""]
    for name, signal in account_signals().items():
        told = signal.card
        yield from [
            f"### {name}",
            "",
            _sentence(told.shows),
            "",
            f"- From {told.floor:g} to {told.cap:g} nats for one account; {_pooled(told)}.",
        ]
        if told.lean:
            yield f"- It leans to membership where little is seen: {told.lean:g} nats a member are taken off."
        yield from [f"- Honest traffic that shows it too: {told.honest_twin}", f"- Method: {told.method}", ""]


def _tables() -> Iterator[str]:
    schemas = {name: value for name, value in vars(contracts).items() if isinstance(value, pa.Schema)}
    between = [name for name in schemas if name not in _READ + _WRITTEN]
    for title, names in (
        ("What is read", _READ),
        ("What a scan or a replay writes", _WRITTEN),
        ("What the stages hand on", between),
    ):
        yield from [f"## {title}", ""]
        for name in names:
            yield from _table(name, schemas[name])


def _table(name: str, schema: pa.Schema) -> Iterator[str]:
    about, comments = _documented(name)
    yield from [f"### {name.lower()}", ""]
    if about:
        yield from [about, ""]
    yield from ["| column | type | meaning |", "| --- | --- | --- |"]
    for field in schema:
        kind = f"{field.type}{' or null' if field.nullable else ''}"
        yield f"| `{field.name}` | {_cell(kind)} | {_cell(comments.get(field.name, ''))} |"
    yield ""


def _documented(table: str) -> tuple[str, dict[str, str]]:
    """The docstring of a schema in ``contracts`` and the comment of each of its columns."""
    source = inspect.getsource(contracts)
    body = ast.parse(source).body
    place = next(
        i for i, node in enumerate(body) if isinstance(node, ast.AnnAssign) and _names(node) == table
    )
    follower = body[place + 1]
    about = _docstring(follower)
    comments = _comments(source)
    columns = {
        call.args[0].value: comments.get(call.end_lineno or 0, "")
        for call in ast.walk(body[place])
        if isinstance(call, ast.Call) and call.args and isinstance(call.args[0], ast.Constant)
    }
    taken_in = [node.value.id for node in ast.walk(body[place]) if isinstance(node, ast.Starred)]  # type: ignore[attr-defined]
    return about, {k: v for table in taken_in for k, v in _documented(table)[1].items()} | columns  # type: ignore[return-value, misc]


def _names(node: ast.AnnAssign) -> str:
    return node.target.id if isinstance(node.target, ast.Name) else ""


def _docstring(node: ast.stmt) -> str:
    told = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return str(node.value.value) if told else ""  # type: ignore[attr-defined]


def _comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}


def _errors() -> Iterator[str]:
    yield from ["| error | exit code | meaning |", "| --- | --- | --- |"]
    for error in error_classes():
        meaning = _cell(" ".join(inspect.getdoc(error).split()))  # type: ignore[union-attr]
        yield f"| `{error.__name__}` | {error.exit_code} | {meaning} |"
    yield ""


def error_classes() -> list[type[StillwatchError]]:
    """The whole error tree, by name; imports every module, for a class may live with its stage."""
    for module in pkgutil.walk_packages(stillwatch.__path__, "stillwatch."):
        importlib.import_module(module.name)
    found, waiting = set(), [StillwatchError]
    while waiting:
        error = waiting.pop()
        found.add(error)
        waiting += error.__subclasses__()
    return sorted(found, key=lambda error: error.__name__)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def main() -> None:
    """Write every page."""
    PAGES.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (PAGES / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
