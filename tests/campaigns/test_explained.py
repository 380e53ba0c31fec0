"""What one piece of evidence explains another one does not say again."""

import pyarrow as pa
import pytest

from stillwatch.campaigns.explained import explain_away
from stillwatch.contracts import FINDINGS


def findings(*rows: tuple[int, str, str, float]) -> pa.Table:
    blank = {"side": "linking", "statement": "they do", "observed": 1.0, "expected": 0.1}
    named = [dict(zip(("candidate", "facet", "signal", "llr"), row, strict=True)) for row in rows]
    return pa.Table.from_pylist([blank | row for row in named], schema=FINDINGS)


def clocks(table: pa.Table) -> dict[int, float]:
    return {
        row["candidate"]: row["llr"]
        for row in explain_away(table).to_pylist()
        if row["signal"] == "one-clock"
    }


def test_accounts_in_one_place_keep_one_clock_and_others_do_not_for_that():
    one_place = [(0, "network", "network-shared", 7.0), (0, "tempo", "one-clock", 5.0)]
    everywhere = [(1, "network", "network-shared", 0.2), (1, "tempo", "one-clock", 5.0)]
    assert clocks(findings(*one_place, *everywhere)) == {0: 0.0, 1: 5.0}


@pytest.mark.parametrize("llr", [-1.5, 0.0])
def test_what_speaks_against_a_group_still_does(llr):
    assert clocks(findings((0, "network", "network-shared", 7.0), (0, "tempo", "one-clock", llr))) == {0: llr}


def test_the_reader_is_told_and_nothing_else_changes():
    before = findings((0, "network", "network-shared", 7.0), (0, "tempo", "one-clock", 5.0))
    after = explain_away(before)
    assert after["statement"].to_pylist() == ["they do", "they do; one place explains it"]
    assert after.drop_columns(["llr", "statement"]).equals(before.drop_columns(["llr", "statement"]))
    assert explain_away(FINDINGS.empty_table()).num_rows == 0
