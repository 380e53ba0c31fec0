"""Every error class as a user meets it: one line with file, line, field, what is wrong and the remedy."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import stillwatch
from stillwatch.app import cli
from stillwatch.contracts import StillwatchError

SOURCE = Path(stillwatch.__file__).parent


def error_classes() -> list[type[StillwatchError]]:
    for module in pkgutil.walk_packages(stillwatch.__path__, "stillwatch."):
        importlib.import_module(module.name)
    found, waiting = set(), [StillwatchError]
    while waiting:
        error = waiting.pop()
        found.add(error)
        waiting += error.__subclasses__()
    return sorted(found, key=lambda error: error.__name__)


def raised() -> Iterator[tuple[str, ast.Call]]:
    """Every place in the code that makes an error."""
    names = {error.__name__ for error in error_classes()}
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
                yield f"{path.relative_to(SOURCE)}:{node.lineno}", node


@pytest.mark.parametrize("error", error_classes())
def test_an_error_is_one_line_with_its_place_and_a_remedy(error, monkeypatch, capsys):
    def fail(*_: object, **__: object) -> None:
        raise error("it is odd", remedy="Even it out", file="log.jsonl", line=7, field="user")

    monkeypatch.setattr("stillwatch.evidence.tables.RunTables.load", fail)
    assert cli.run(["explain", "run", "cmp_1"]) == error.exit_code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "stillwatch: log.jsonl:7: field user: it is odd. Even it out\n"


@pytest.mark.parametrize("error", error_classes())
def test_an_error_without_a_place_says_none(error):
    assert str(error("it is odd", remedy="Even it out")) == "it is odd. Even it out"


@pytest.mark.parametrize("error", error_classes())
def test_the_exit_code_of_an_error_is_documented(error):
    assert error.exit_code in cli.EXIT_CODES
    assert error.__doc__


def test_every_error_that_is_made_has_a_remedy_that_reads_as_one():
    places = list(raised())
    assert len(places) > 20
    for place, call in places:
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        assert "remedy" in given, place
        assert call.args, f"{place}: says nothing of what is wrong"
        remedy = given["remedy"]
        if isinstance(remedy, ast.Constant):
            assert not remedy.value[0].islower(), f"{place}: {remedy.value}"
            assert not remedy.value.endswith("."), f"{place}: {remedy.value}"
