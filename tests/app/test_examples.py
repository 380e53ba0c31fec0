"""The examples in the documentation print what they say, and both READMEs show the same commands."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def examples() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_examples", ROOT / "scripts" / "make_examples.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_examples_print_what_the_pages_show(examples, tmp_path):
    for name, text in examples.pages(tmp_path):
        written = (ROOT / "docs" / name).read_text(encoding="utf-8")
        assert "```console" in written, name
        assert written == text, f"{name}: run `make docs`"


def test_the_readmes_show_the_same_commands_tables_and_picture():
    english, korean = (
        (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.ko.md")
    )
    assert "README.ko.md" in english
    assert "README.md" in korean
    for part in (r"^ *(?:stillwatch|make) [^#\n]*[^#\s]", r"^\|(?: *[\d.,—-]+ *\|){3,}$", r"\]\((?!README)[^)]*\)"):
        found = re.findall(part, english, re.M)
        assert sorted(found) == sorted(re.findall(part, korean, re.M)), part
        assert found, part
