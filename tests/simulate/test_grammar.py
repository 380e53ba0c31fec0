"""Grammars compile, expand within their bounds, and do not repeat themselves."""

import numpy as np
import pytest

from stillwatch.simulate.dice import below, derive, mix, unit
from stillwatch.simulate.grammar import compile_rules, parse, texts
from stillwatch.simulate.render import compile_templates, plain
from stillwatch.simulate.tempo.arrivals import cut, position, running_sum


def expand(rule: str, count: int, seed: int = 1) -> list[str]:
    rows = np.zeros(count, dtype=np.int64)
    return plain(
        compile_templates([f"{{{rule}}}"]), rows, derive(seed, np.arange(count)), derive(2, rows)
    ).to_pylist()


def test_a_file_is_read_as_documented():
    rules = parse(
        "# note\nhead\n    {tail} has {1..3} {other.tail}\\n\ntail\n    | a, b c\n    if x {\\n  y }\n",
        "file",
    )
    assert rules == {
        "file.head": ["{file.tail} has {1..3} {other.tail}\n"],
        "file.tail": ["a", "b c", "if x {\n  y }"],
    }


def test_an_unknown_rule_is_refused():
    with pytest.raises(KeyError, match=r"a\.lost"):
        compile_rules(parse("top\n    {lost}\n", "a"))


def test_a_rule_inside_itself_is_refused():
    with pytest.raises(RecursionError):
        compile_rules(parse("top\n    x {top}\n", "a"))


@pytest.mark.parametrize("rule", sorted(name for name in texts().symbols if ".." not in name))
def test_no_expansion_is_longer_than_its_bound(rule):
    tables, symbols = texts()
    longest = max(len(text.encode()) for text in expand(rule, 200))
    assert 0 < longest <= tables.longest[symbols[rule]]


@pytest.mark.parametrize(
    "rule",
    [
        "mathematics.long_problem",
        "puzzles.long_puzzle",
        "code.project",
        "agent.task",
        "generation.seeds",
        "grading.item",
    ],
)
def test_payloads_hardly_repeat(rule):
    texts = expand(rule, 20_000)
    assert len(set(texts)) > 0.999 * len(texts)


def test_shared_parts_are_the_same_for_all_who_share():
    templates = compile_templates(["<words.company> {words.town} <words.company>"])
    rows = np.zeros(50, dtype=np.int64)
    said = plain(templates, rows, derive(3, np.arange(50)), derive(4, rows)).to_pylist()
    assert len(set(said)) > 10
    first = said[0]
    company = next(first[:n] for n in range(len(first) // 2, 0, -1) if first.endswith(first[:n]))
    assert all(text.startswith(company) and text.endswith(company) for text in said)


def test_mixing_keeps_distinct_numbers_distinct():
    assert len(set(mix(np.arange(100_000)).tolist())) == 100_000


def test_draws_are_even():
    seeds = derive(9, np.arange(100_000))
    assert np.bincount(below(seeds, 10)).min() > 9_600
    assert abs(unit(seeds).mean() - 0.5) < 0.01


def test_ragged_arithmetic():
    lengths = cut(np.array([3, 2, 4, 5]), 7)
    assert lengths.tolist() == [3, 2, 2]
    assert position(lengths).tolist() == [0, 1, 2, 0, 1, 0, 1]
    assert running_sum(np.ones(7, dtype=np.int64), lengths).tolist() == [1, 2, 3, 1, 2, 1, 2]
