"""Context-free grammars for the texts, compiled into flat arrays that the kernel in ``render.py`` walks.

A grammar file holds rules: a name at the start of a line, its alternatives indented below it, one a
line. ``{name}`` refers to a rule of the same file, ``{file.name}`` to another file's, ``{2..99}`` is an
integer of that range, ``\\n`` a line break, ``\\s`` a space at the end; any other brace stands for itself. A
line that begins with ``| `` holds several alternatives, separated by commas. ``#`` at the start of a line
begins a comment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

Rules = dict[str, list[str]]

_REFERENCE: Final = re.compile(r"\{([a-z_]+(?:\.[a-z_]+)?|\d+\.\.\d+)\}")


class Tables(NamedTuple):
    """Symbols are numbered terminals first; ``*_start`` arrays have one entry more than items."""

    text: npt.NDArray[np.uint8]  # the bytes of all terminals, JSON-escaped
    text_start: npt.NDArray[np.int64]  # per terminal, into text
    choice_start: npt.NDArray[np.int64]  # per rule, into part_start
    part_start: npt.NDArray[np.int64]  # per alternative, into part
    part: npt.NDArray[np.int64]  # symbols
    longest: npt.NDArray[np.int64]  # per symbol: bytes that its expansion can take at most


class Grammar(NamedTuple):
    """Compiled rules and the symbol of each rule's name."""

    tables: Tables
    symbols: Mapping[str, int]


def parse(text: str, file: str) -> Rules:
    """Return the rules of one grammar file, names and references in full."""
    rules: Rules = {}
    alternatives: list[str] = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith(" "):
            alternatives += [_in_full(text, file) for text in _alternatives(line.strip())]
        else:
            alternatives = rules.setdefault(f"{file}.{line.strip()}", [])
    return rules


def _alternatives(line: str) -> list[str]:
    if line.startswith("| "):
        return [word.strip() for word in line[2:].split(",")]
    return [line.replace("\\n", "\n").replace("\\s", " ")]


def _in_full(alternative: str, file: str) -> str:
    def named(match: re.Match[str]) -> str:
        name = match[1]
        return match[0] if "." in name else f"{{{file}.{name}}}"

    return _REFERENCE.sub(named, alternative)


def compile_rules(rules: Mapping[str, Sequence[str]]) -> Grammar:
    """Return the tables of ``rules``.

    Raises:
        KeyError: a reference to a rule that nobody wrote.
        RecursionError: a rule that contains itself; texts are finite.
    """
    parsed = {name: [_split(alternative) for alternative in rules[name]] for name in rules}
    for name in sorted({part for parts in _all_parts(parsed) for part in parts if _is_range(part)}):
        low, high = name[1:-1].split("..")
        parsed[name[1:-1]] = [[str(number)] for number in range(int(low), int(high) + 1)]
    terminals = sorted({part for parts in _all_parts(parsed) for part in parts if not part.startswith("\0")})
    numbers = {text: number for number, text in enumerate(terminals)}
    symbols = {name: len(terminals) + number for number, name in enumerate(parsed)}
    alternatives = [alternative for name in parsed for alternative in parsed[name]]
    parts = [symbols[p[1:-1]] if p.startswith("\0") else numbers[p] for parts in alternatives for p in parts]
    encoded = [json.dumps(text, ensure_ascii=False)[1:-1].encode() for text in terminals]
    tables = Tables(
        text=np.frombuffer(b"".join(encoded), dtype=np.uint8),
        text_start=_starts(len(text) for text in encoded),
        choice_start=_starts(len(parsed[name]) for name in parsed),
        part_start=_starts(len(alternative) for alternative in alternatives),
        part=np.array(parts, dtype=np.int64),
        longest=_longest(terminals, encoded, parsed),
    )
    return Grammar(tables, symbols)


def _split(alternative: str) -> list[str]:
    """Return literals and references in turn; references are marked by a leading NUL."""
    pieces = _REFERENCE.split(alternative)
    return [f"\0{piece}\0" if i % 2 else piece for i, piece in enumerate(pieces) if piece]


def _is_range(part: str) -> bool:
    return part.startswith("\0") and ".." in part


def _all_parts(parsed: Mapping[str, Sequence[Sequence[str]]]) -> list[Sequence[str]]:
    return [parts for alternatives in parsed.values() for parts in alternatives]


def _longest(
    terminals: Sequence[str], encoded: Sequence[bytes], parsed: Mapping[str, Sequence[Sequence[str]]]
) -> npt.NDArray[np.int64]:
    known = {text: len(code) for text, code in zip(terminals, encoded, strict=True)}

    def rule(name: str) -> int:
        if f"\0{name}\0" not in known:
            known[f"\0{name}\0"] = max(sum(symbol(part) for part in parts) for parts in parsed[name])
        return known[f"\0{name}\0"]

    def symbol(part: str) -> int:
        return rule(part[1:-1]) if part.startswith("\0") else known[part]

    return np.array([*(known[text] for text in terminals), *map(rule, parsed)], dtype=np.int64)


def _starts(lengths: Iterable[int]) -> npt.NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(list(lengths), dtype=np.int64)]).astype(np.int64)


@cache
def texts() -> Grammar:
    """Return the grammar of all files in ``texts/``, compiled once per process."""
    rules: Rules = {}
    folder = files("stillwatch.simulate") / "texts"
    for source in sorted(folder.iterdir(), key=lambda path: path.name):
        if source.name.endswith(".grammar"):
            rules |= parse(source.read_text(encoding="utf-8"), source.name.removesuffix(".grammar"))
    return compile_rules(rules)
