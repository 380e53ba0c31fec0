"""The file of labels: whole lines only, whoever writes and dies, and the later label holds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.campaigns.labels import (
    Evidence,
    Kind,
    Label,
    Said,
    add_label,
    forget,
    in_force,
    read_labels,
)
from stillwatch.contracts import InputError

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
)
WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from stillwatch.campaigns.labels import Kind, Label, Said, add_label
path, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
members = frozenset(f"account-{number}" for number in range(2000))  # a line longer than one page
for number in range(count):
    now = datetime.now(UTC)
    add_label(path, Label(now, name, Kind.GROUP, f"{name}-{number}", Said.HONEST, "why", members, None, ""))
    print(number, flush=True)
"""


def label(subject="cmp_1", verdict=Said.HONEST, hours=0, kind=Kind.GROUP, members=("a", "b"), note="why"):
    given_at = START + timedelta(hours=hours)
    evidence = Evidence(5.0, 7.0, 12.0)
    return Label(given_at, "kim", kind, subject, verdict, note, frozenset(members), evidence, "f0")


def writer(path: Path, name: str, count: int) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", WRITER, str(path), name, str(count)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


@settings(deadline=None)  # every label waits for the disk
@given(st.lists(st.tuples(TEXT, st.sampled_from(Said)), max_size=5))
def test_what_is_added_comes_back_in_order(tmp_path_factory, given_labels):
    path = tmp_path_factory.mktemp("labels") / "labels.jsonl"
    labels = [label(text, verdict, note=text, members=[text]) for text, verdict in given_labels]
    for one in labels:
        add_label(path, one)
    assert list(read_labels(path)) == labels


def test_the_later_label_of_a_subject_holds_and_both_stay(tmp_path):
    path = tmp_path / "labels.jsonl"
    first, other, later = label(), label("cmp_2", hours=1), label(verdict=Said.CAMPAIGN, hours=2)
    for one in (first, other, later):
        add_label(path, one)
    assert read_labels(path) == (first, other, later)
    assert in_force(read_labels(path)) == (other, later)


def test_a_writer_that_is_killed_leaves_whole_lines_only(tmp_path):
    path = tmp_path / "labels.jsonl"
    killed = writer(path, "killed", 10_000)
    acknowledged = [int(killed.stdout.readline()) for _ in range(5)]
    os.kill(killed.pid, signal.SIGKILL)
    acknowledged += map(int, killed.stdout.read().split())
    killed.wait()
    add_label(path, label("cmp_after"))
    subjects = [one.subject for one in read_labels(path)]
    assert subjects[-1] == "cmp_after"
    assert subjects[:-1] == [f"killed-{number}" for number in range(len(subjects) - 1)]
    assert len(subjects) - 1 > max(acknowledged)


def test_two_processes_that_label_at_once_lose_nothing(tmp_path):
    path = tmp_path / "labels.jsonl"
    writers = [writer(path, name, 40) for name in ("left", "right")]
    for _ in range(3):
        forget(path, ["account-7"])  # the file is replaced under them
    assert [one.wait(timeout=120) for one in writers] == [0, 0]
    written = {f"{name}-{number}" for name in ("left", "right") for number in range(40)}
    subjects = [one.subject for one in read_labels(path)]
    assert (len(subjects), set(subjects)) == (80, written)


@pytest.mark.parametrize("cut", [1, 40, -2])
def test_half_a_line_does_not_count_and_the_next_writer_cuts_it_off(tmp_path, cut):
    path = tmp_path / "labels.jsonl"
    add_label(path, label())
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:cut])
    assert len(read_labels(path)) == 1
    add_label(path, label("cmp_2"))
    assert [one.subject for one in read_labels(path)] == ["cmp_1", "cmp_2"]
    assert path.read_bytes().startswith(whole)
    assert path.read_bytes().count(b"\n") == 2


def test_a_label_that_lacks_only_its_end_counts(tmp_path):
    path = tmp_path / "labels.jsonl"
    add_label(path, label())
    path.write_bytes(path.read_bytes().rstrip(b"\n"))  # as an editor may leave it
    add_label(path, label("cmp_2"))
    assert [one.subject for one in read_labels(path)] == ["cmp_1", "cmp_2"]


@pytest.mark.parametrize(
    ("line", "field"),
    [("nonsense", None), ("[]", None), ('{"time": "2026-06-01"}', "members"), ('{"members": "ab"}', None)],
)
def test_a_damaged_line_is_named(tmp_path, line, field):
    path = tmp_path / "labels.jsonl"
    add_label(path, label())
    path.write_text(f"{path.read_text()}{line}\n")
    with pytest.raises(InputError) as caught:
        read_labels(path)
    assert (caught.value.file, caught.value.line) == (str(path), 2)
    assert field is None or field in str(caught.value)


@settings(deadline=None)
@given(VALUES)
def test_any_value_in_a_field_is_a_label_or_an_error_with_its_line(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("labels") / "labels.jsonl"
    for name in label().document():
        path.write_text(json.dumps(label().document() | {name: value}) + "\n", encoding="utf-8")
        try:
            lines = [1 for _ in read_labels(path)]
        except InputError as error:
            lines = [error.line]
        assert lines == [1]


def test_a_forgotten_account_is_in_no_line(tmp_path):
    path = tmp_path / "labels.jsonl"
    for one in (
        label(members=["acct-1", "acct-12"], note="acct-1 resells to acct-12"),
        label("acct-1", kind=Kind.ACCOUNT, members=["acct-1"]),
        label("cmp_2", members=["acct-1"]),
        label("cmp_3", members=["acct-12"]),
    ):
        add_label(path, one)
    forget(path, ["acct-1"])
    first, other = read_labels(path)
    assert (first.members, first.note) == (frozenset(["acct-12"]), "(forgotten) resells to acct-12")
    assert other == label("cmp_3", members=["acct-12"])
