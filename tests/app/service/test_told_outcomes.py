"""What gates told is read as it comes, each line once, through rotation, and never much at a time."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from control_desk import outcome

from stillwatch.app.service import told_outcomes
from stillwatch.app.service.told_outcomes import ToldOutcomes
from stillwatch.enforce.guard import Ruling
from stillwatch.enforce.outcomes import Outcomes
from stillwatch.enforce.snapshot import Terms

ENFORCED = ("throttle", "enforced")


@pytest.fixture
def told(tmp_path: Path) -> ToldOutcomes:
    return ToldOutcomes(tmp_path)


def append(folder: Path, *lines: str, name: str = "1-1") -> None:
    with (folder / f"{name}.jsonl").open("a") as file:
        file.writelines(lines)


def test_there_may_be_nothing(tmp_path):
    assert ToldOutcomes(tmp_path / "none").refresh() == ({}, 0, None, 0)


def test_lines_count_once_however_often_one_looks(told, tmp_path):
    append(tmp_path, outcome(1), outcome(2, outcome="observed"))
    append(tmp_path, outcome(3), name="2-2")
    assert told.refresh().counts == told.refresh().counts == {ENFORCED: 2, ("throttle", "observed"): 1}
    append(tmp_path, outcome(4))
    assert told.refresh().counts[ENFORCED] == 3


def test_a_line_that_is_not_whole_yet_waits_and_a_broken_one_is_counted(told, tmp_path):
    append(tmp_path, "{broken\n", outcome(1), outcome(2)[:20])
    assert (told.refresh().counts, told.refresh().broken_lines) == ({ENFORCED: 1}, 1)
    append(tmp_path, outcome(2)[20:])
    assert told.refresh().counts == {ENFORCED: 2}


def test_half_a_character_in_an_id_is_no_broken_line(told, tmp_path):
    append(tmp_path, outcome(1, account_id="\ud800"), outcome(2, call_id=7), outcome(3, at="now"), "[]\n")
    assert (told.refresh().counts, told.refresh().broken_lines) == ({ENFORCED: 1}, 3)


def test_a_file_that_is_put_away_for_a_newer_one_is_not_read_again(told, tmp_path):
    written = Outcomes(tmp_path, most_bytes=3000)
    ruling = Ruling("throttle", "enforced", Terms("throttle", "dec_1", "cmp_1"))
    seen = 0
    for _ in range(40):
        written.tell("acct-1", ruling, "call")
        written.flush()
        seen = told.refresh().counts[ENFORCED]
    written.close()
    assert seen == 40
    assert len(list(tmp_path.iterdir())) == 2


def test_much_is_read_bit_by_bit_and_says_how_far_behind_it_is(told, tmp_path, monkeypatch):
    monkeypatch.setattr(told_outcomes, "_AT_ONCE", 1000)
    append(tmp_path, *map(outcome, range(50)))
    append(tmp_path, *map(outcome, range(50)), name="2-2")
    behind = []
    for _ in range(40):
        behind.append(told.refresh().behind)
    assert behind[0] > behind[5] > 0
    assert behind[-1] == 0
    assert told.refresh().counts == {ENFORCED: 100}


def test_call_ids_of_the_last_hour_are_known_unless_not_all_are(told, tmp_path, monkeypatch):
    now = time.time()
    append(tmp_path, outcome(1, at=now - 7200), outcome(2), outcome(3, call_id=""))
    told.refresh()
    assert told.calls(now - 60) == ({"call-2"}, {"acct-00003"})
    assert told.calls(now - 9000) is None  # those are forgotten
