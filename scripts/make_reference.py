"""Writes ``docs/reference/`` from the code: commands, settings, tables, errors.

``python scripts/make_reference.py`` after a change to any of them; a test fails while a page is stale.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import io
import pkgutil
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from typer.main import get_command

import stillwatch
from stillwatch import contracts
from stillwatch.app import cli
from stillwatch.contracts import StillwatchError
from stillwatch.settings import (
    ScanSettings,
    Settings,
    SimulateSettings,
    default_text,
    option_name,
    variable_name,
)
from stillwatch.simulate.presets import PRESETS

PAGES = Path(__file__).parents[1] / "docs" / "reference"
_NOTE = "<!-- Made by scripts/make_reference.py: change the code, not this page. -->"
_READ = ("EXCHANGE", "ACCOUNT")
_WRITTEN = ("CAMPAIGNS", "ACCOUNTS", "MEMBERS", "REASONS", "TIMELINE", "REJECT")


def pages() -> dict[str, str]:
    """Every page of the reference by its file name."""
    return {
        "commands.md": "\n".join([_NOTE, "", *_commands()]),
        "settings.md": "\n".join([_NOTE, "", *_settings()]),
        "tables.md": "\n".join([_NOTE, "", *_tables()]),
        "errors.md": "\n".join([_NOTE, "", *_errors()]),
    }


def _commands() -> Iterator[str]:
    yield "# Commands"
    yield ""
    yield "Every command takes `--help`. Progress is shown on stderr, and only where that is a terminal."
    yield ""
    group = get_command(cli.app)
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        yield from [
            f"## stillwatch {name}",
            "",
            _usage(name, command),
            "",
            inspect.cleandoc(command.help),
            "",
        ]
        yield from ["| argument or option | meaning |", "| --- | --- |"]
        yield from (f"| {_parameter(parameter)} | {_cell(parameter.help)} |" for parameter in command.params)
        yield ""
    yield from _presets()
    yield from ["## Exit codes", "", "| code | meaning |", "| --- | --- |"]
    yield from (f"| {code} | {_cell(meaning)} |" for code, meaning in cli.EXIT_CODES.items())
    yield ""


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
    return f"`stillwatch {name} {' '.join(arguments)} [OPTIONS]`"


def _parameter(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar}`"
    value = "" if parameter.is_flag else f" {parameter.metavar}"
    return ", ".join(f"`{_cell(name + value)}`" for name in parameter.opts)


def _settings() -> Iterator[str]:
    yield "# Settings"
    yield ""
    yield "Each setting can be given as an option, as an environment variable, or as a keyword"
    yield "of `stillwatch.scan(...)`. Option and keyword go before the variable, that before the default."
    yield ""
    for title, settings in (("scan", ScanSettings), ("simulate", SimulateSettings)):
        yield from [f"## stillwatch {title}", ""]
        yield from ["| option | variable | default | meaning |", "| --- | --- | --- | --- |"]
        yield from (_setting(settings, name) for name in settings.model_fields)
        yield ""


def _setting(settings: type[Settings], name: str) -> str:
    default = default_text(settings, name) or "none"
    meaning = _cell(settings.model_fields[name].description or "")
    return f"| `{option_name(name)}` | `{variable_name(settings, name)}` | {_cell(default)} | {meaning} |"


def _tables() -> Iterator[str]:
    yield "# Tables"
    yield ""
    yield "Parquet, with timestamps in UTC and microseconds. A column is never null unless it says so."
    yield ""
    schemas = {name: value for name, value in vars(contracts).items() if isinstance(value, pa.Schema)}
    between = [name for name in schemas if name not in _READ + _WRITTEN]
    for title, names in (
        ("What is read", _READ),
        ("What a scan writes", _WRITTEN),
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
    return about, columns  # type: ignore[return-value]


def _names(node: ast.AnnAssign) -> str:
    return node.target.id if isinstance(node.target, ast.Name) else ""


def _docstring(node: ast.stmt) -> str:
    told = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return str(node.value.value) if told else ""  # type: ignore[attr-defined]


def _comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}


def _errors() -> Iterator[str]:
    yield "# Errors"
    yield ""
    yield "An error is one line on stderr: the file, line and field where there are any, what is wrong, and"
    yield "what to do about it. From Python each is an exception, a `stillwatch.contracts.StillwatchError`,"
    yield "with the same parts as attributes: `what`, `remedy`, `file`, `line`, `field`."
    yield ""
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


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def main() -> None:
    """Write every page."""
    PAGES.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (PAGES / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
