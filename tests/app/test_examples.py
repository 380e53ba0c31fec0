"""The examples in the documentation print what they say, and both READMEs show the same commands."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from pathlib import Path
from types import ModuleType

import forked_commands
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def examples() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_examples", ROOT / "scripts" / "make_examples.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_examples_print_what_the_pages_show(examples, tmp_path, tmp_path_factory, monkeypatch):
    programs = forked_commands.program(tmp_path_factory.mktemp("programs") / "bin")
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    for name, text in examples.pages(tmp_path, programs):
        written = (ROOT / "docs" / name).read_text(encoding="utf-8")
        assert "```console" in written, name
        assert written == text, f"{name}: run `make docs`"


def commands(text: str) -> list[str]:
    """Every command in a code block, without the comment behind it."""
    blocks = re.findall(r"^```\w*\n(.*?)^```$", text, re.M | re.S)
    return [line.partition(" #")[0].rstrip() for block in blocks for line in block.splitlines()]


def figures(text: str) -> list[str]:
    """Every row of the table of methods, without the method's name."""
    return re.findall(r"^\|[^|]+(\| [\d.]+ \| \d+/\d+ \|.*)$", text, re.M)


def targets(text: str) -> set[str]:
    return set(re.findall(r"\]\(([^)]+)\)", text)) - {"README.md", "README.ko.md"}


def test_the_readmes_say_the_same_in_both_languages():
    english, korean = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.ko.md"))
    assert "(README.ko.md)" in english
    assert "(README.md)" in korean
    assert commands(english) == commands(korean)
    assert figures(english) == figures(korean) != []
    assert targets(english) == targets(korean)
    assert [name for name in targets(english) if not (ROOT / name).exists()] == []
