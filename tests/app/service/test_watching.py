"""Logs that grow, rotate, shrink and are packed under the watcher: each record once, none lost."""

from __future__ import annotations

import gzip
import json
import random
import shutil
import threading

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from receiving_desk import KEY, ndjson, record, records, waiting

from stillwatch.app.service import watching
from stillwatch.app.service.errors import ApiError
from stillwatch.app.service.receiver import Limits, Receiver
from stillwatch.app.service.watching import Watcher


@pytest.fixture
def logs(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder


@pytest.fixture
def settled(monkeypatch):
    """Nothing needs to lie still before it is taken for whole."""
    monkeypatch.setattr(watching, "_SETTLED", -1.0)


@pytest.fixture
def watch(receiver, state):
    """Make a watcher, as a new process would."""

    def make(path, **options):
        return Watcher(receiver, path, state, KEY, **options)

    return make


def taken(receiver):
    table = waiting(receiver)
    return [int(name.removeprefix("r")) for name in table["exchange_id"].to_pylist()]


def append(path, content):
    with path.open("ab") as file:
        file.write(content)


def test_a_growing_log_is_read_line_by_whole_line(receiver, logs, watch):
    log, watcher = logs / "app.jsonl", watch(logs)
    lines = ndjson(records(4))
    append(log, lines[: len(lines) // 2])
    watcher.look()
    before = len(taken(receiver))
    append(log, lines[len(lines) // 2 :])
    watcher.look()
    watcher.look()
    assert before < 4
    assert taken(receiver) == [0, 1, 2, 3]
    assert receiver.figures().rejected == 0


def test_a_restart_goes_on_where_it_stopped(receiver, logs, watch):
    log = logs / "app.jsonl"
    append(log, ndjson(records(3)))
    watch(logs).look()
    append(log, ndjson(records(2, 3)))
    watch(logs).look()
    assert taken(receiver) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("watched", ["folder", "file"])
def test_rotation_by_rename_loses_nothing(receiver, logs, watch, watched):
    log = logs / "app.jsonl"
    append(log, ndjson(records(3)))
    watcher = watch(logs if watched == "folder" else log)
    watcher.look()
    append(log, ndjson(records(2, 3)))  # after the last look, before the rename
    log.rename(logs / "app.jsonl.1")
    append(log, ndjson(records(2, 5)))
    watcher.look()
    assert taken(receiver) == [*range(7)]


def test_rotation_by_copy_and_truncation_loses_nothing(receiver, logs, watch):
    log = logs / "app.jsonl"
    append(log, ndjson(records(3)))
    watcher = watch(logs)
    watcher.look()
    append(log, ndjson(records(2, 3)))
    shutil.copy2(log, logs / "app.jsonl.1")
    with log.open("r+b") as file:
        file.truncate(0)
    append(log, ndjson(records(9, 5)))  # longer than it was before
    watcher.look()
    assert sorted(taken(receiver)) == [*range(14)]


def test_truncation_begins_anew(receiver, logs, watch):
    log = logs / "app.jsonl"
    append(log, ndjson(records(5)))
    watcher = watch(logs)
    watcher.look()
    log.write_bytes(ndjson(records(1, 5)))
    watcher.look()
    assert taken(receiver) == [*range(6)]


@pytest.mark.usefixtures("settled")
def test_a_log_that_is_packed_after_rotation_counts_once(receiver, logs, watch):
    log = logs / "app.jsonl"
    append(log, ndjson(records(3)))
    watch(logs).look()
    append(log, ndjson(records(2, 3)))
    (logs / "app.jsonl.1.gz").write_bytes(gzip.compress(log.read_bytes()))
    log.unlink()
    append(log, ndjson(records(1, 5)))
    watch(logs).look()
    watch(logs).look()
    assert sorted(taken(receiver)) == [*range(6)]


@pytest.mark.usefixtures("settled")
def test_a_packed_log_that_nobody_saw_before_is_read_whole_and_once(receiver, logs, watch):
    (logs / "old.gz").write_bytes(gzip.compress(ndjson(records(5)).rstrip(b"\n")))
    watcher = watch(logs)
    watcher.look()
    (logs / "old.gz").rename(logs / "older.gz")
    watcher.look()
    watch(logs).look()
    assert taken(receiver) == [*range(5)]


@pytest.mark.usefixtures("settled")
def test_a_number_that_is_used_again_hides_no_log(receiver, logs, watch):
    """A file system gives the number of a file that was removed to the next one."""
    watcher = watch(logs)
    for number in range(6):
        path = logs / (f"log-{number}.gz" if number % 2 else f"log-{number}.jsonl")
        content = ndjson(records(2, 2 * number))
        path.write_bytes(gzip.compress(content) if number % 2 else content)
        watcher.look()
        path.unlink()
    assert sorted(taken(receiver)) == [*range(12)]


def test_what_lies_beside_a_watched_file_is_left_alone(receiver, logs, watch):
    append(logs / "other.jsonl", ndjson(records(3)))
    append(logs / "app.jsonl.old", ndjson(records(3, 3)))
    append(logs / "app.jsonl", ndjson(records(3, 6)))
    watch(logs / "app.jsonl").look()
    assert taken(receiver) == [6, 7, 8]


@pytest.mark.usefixtures("settled")
def test_a_last_line_without_an_end_is_taken_once_nothing_comes(receiver, logs, watch):
    log = logs / "app.jsonl"
    append(log, ndjson(records(2)).rstrip(b"\n"))
    watcher = watch(logs)
    watcher.look()
    append(log, b"\n" + ndjson(records(1, 2)))
    watcher.look()
    assert taken(receiver) == [0, 1, 2]
    assert receiver.figures().rejected == 0


@pytest.mark.usefixtures("settled")
def test_parquet_that_is_put_into_the_folder_is_read_once(receiver, logs, watch):
    rows = [row | {"timestamp": int(row["timestamp"] * 1000)} for row in records(5)]
    pq.write_table(pa.Table.from_pylist(rows), logs / "part.parquet")
    pq.write_table(pa.table({"what": [1]}), logs / "other.parquet")
    watcher = watch(logs)
    watcher.look()
    watcher.look()
    assert taken(receiver) == [*range(5)]
    assert receiver.figures().rejected == 1


def test_rejects_name_the_file_and_the_line_in_it(receiver, logs, watch, state):
    log, watcher = logs / "app.jsonl", watch(logs)
    append(log, ndjson(records(3)))
    watcher.look()
    append(log, b"no json\n")
    watcher.look()
    (row,) = map(json.loads, (state / "rejected" / "rejected.jsonl").read_text().splitlines())
    assert (row["source"], row["line"]) == (str(log), 4)


def test_a_receiver_that_takes_no_more_keeps_the_watcher_at_its_place(make_receiver, logs, state):
    receiver = make_receiver(inbox=10)
    append(logs / "app.jsonl", ndjson(records(3)))
    watcher = Watcher(receiver, logs, state, KEY)
    with pytest.raises(ApiError):
        watcher.look()
    later = make_receiver()
    Watcher(later, logs, state, KEY).look()
    assert taken(later) == [0, 1, 2]


def test_damaged_marks_are_made_anew(receiver, logs, watch, state):
    append(logs / "app.jsonl", ndjson(records(3)))
    state.mkdir(exist_ok=True)
    (state / "watched.json").write_text('{"marks": [[1')
    watch(logs).look()
    assert taken(receiver) == [0, 1, 2]


def test_the_thread_follows_a_writer(receiver, logs, watch):
    log, watcher = logs / "app.jsonl", watch(logs, every=0.02)
    watcher.start()
    for number in range(30):
        append(log, ndjson([record(number)]))
        if number % 10 == 9:
            log.rename(logs / f"app.jsonl.{number}")
        threading.Event().wait(0.005)
    while receiver.figures().accepted < 30 and watcher.error is None:
        threading.Event().wait(0.02)
    watcher.stop()
    assert sorted(taken(receiver)) == [*range(30)]


STEPS = st.lists(
    st.sampled_from(["write", "write", "half", "rename", "copy", "pack", "truncate", "look", "restart"]),
    min_size=5,
    max_size=40,
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    receiver = Receiver(tmp_path_factory.mktemp("shared"), KEY, Limits(workers=1))
    yield receiver
    receiver.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS, st.integers(0, 2**32))
@pytest.mark.usefixtures("settled")
def test_whatever_happens_to_a_log_no_line_is_lost(shared, tmp_path_factory, steps, seed):
    """What was looked at before a truncation in place is all that may be asked for, and nothing less."""
    folder, state = tmp_path_factory.mktemp("logs"), tmp_path_factory.mktemp("state")
    log, chance, written = folder / "app.jsonl", random.Random(seed), 0
    lost_in_place: set[int] = set()
    watcher = Watcher(shared, folder, state, KEY)
    pending = b""
    unseen: list[int] = []  # lines in the log itself since the last look

    def write(whole):
        nonlocal written, pending
        line = ndjson([record(written)])
        cut = len(line) if whole else chance.randrange(1, len(line))
        append(log, pending + line[:cut])
        unseen.append(written)
        pending = line[cut:]
        written += 1

    for step in steps:
        if step in ("write", "half"):
            write(step == "write")
            continue
        if step != "look" and pending:
            append(log, pending)
            pending = b""
        if step == "rename" and log.exists():
            log.rename(folder / f"app.jsonl.{written}.{chance.random()}")
            unseen.clear()
        elif step == "copy" and log.exists():
            shutil.copy2(log, folder / f"app.jsonl.{written}.{chance.random()}")
            log.write_bytes(b"")
            unseen.clear()
        elif step == "pack" and log.exists():
            (folder / f"app.jsonl.{chance.random()}.gz").write_bytes(gzip.compress(log.read_bytes()))
            log.unlink()
            unseen.clear()
        elif step == "truncate" and log.exists():
            lost_in_place.update(unseen)
            log.write_bytes(b"")
            unseen.clear()
        elif step in ("look", "restart"):
            if step == "restart":
                watcher = Watcher(shared, folder, state, KEY)
            watcher.look()
            unseen = unseen[-1:] if pending else []
    append(log, pending)
    watcher.look()
    found = set()
    for segment in shared.exchange_inbox.segments():
        found |= {int(name.removeprefix("r")) for name in segment.rows["exchange_id"].to_pylist()}
        shared.exchange_inbox.forget(segment)
    assert set(range(written)) - lost_in_place <= found
