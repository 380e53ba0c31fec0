"""What the inbox acknowledged is there again after anything; what it refused is not promised."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.ledger import inbox as module
from stillwatch.ledger.inbox import Inbox, InboxFullError

SCHEMA = pa.schema([pa.field("n", pa.int64(), nullable=False)])
DYING = """
import sys
from pathlib import Path
import pyarrow as pa
from stillwatch.ledger.inbox import Inbox
schema = pa.schema([pa.field("n", pa.int64(), nullable=False)])
inbox = Inbox(Path(sys.argv[1]), schema)
number = 0
while True:
    inbox.put(pa.record_batch({"n": [number]}, schema=schema))
    print(number, flush=True)
    number += 1
"""


def batch(*numbers: int) -> pa.RecordBatch:
    return pa.record_batch({"n": list(numbers)}, schema=SCHEMA)


def held(folder: Path) -> list[int]:
    return [n for segment in Inbox(folder, SCHEMA).segments() for n in segment.rows["n"].to_pylist()]


def test_what_was_put_comes_back_in_order_until_it_is_forgotten(tmp_path):
    inbox = Inbox(tmp_path, SCHEMA)
    inbox.put(batch(1, 2))
    inbox.put(batch(3))
    (first,) = inbox.segments()
    inbox.put(batch(4))
    assert first.rows["n"].to_pylist() == [1, 2, 3]
    assert [segment.rows["n"].to_pylist() for segment in inbox.segments()] == [[1, 2, 3], [4]]
    inbox.forget(first)
    inbox.forget(first)
    assert held(tmp_path) == [4]
    assert Inbox(tmp_path, SCHEMA)._number == 2  # no name comes twice while a segment waits


def test_many_threads_lose_nothing(tmp_path):
    inbox = Inbox(tmp_path, SCHEMA)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: inbox.put(batch(n)), range(400)))
    assert sorted(held(tmp_path)) == list(range(400))


def test_a_process_that_is_killed_has_kept_all_that_it_acknowledged(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", DYING, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    told = [int(process.stdout.readline()) for _ in range(50)]
    process.send_signal(signal.SIGKILL)
    told += [int(line) for line in process.stdout.read().split("\n")[:-1]]
    process.wait()
    found = held(tmp_path)
    assert found[: len(told)] == told
    assert len(found) <= len(told) + 1


@given(st.lists(st.lists(st.integers(-9, 9), min_size=1, max_size=5), min_size=1, max_size=6), st.data())
def test_of_a_segment_that_was_cut_off_or_damaged_every_entry_before_that_is_there(
    tmp_path_factory, batches, data
):
    folder = tmp_path_factory.mktemp("inbox")
    inbox = Inbox(folder, SCHEMA)
    ends = []
    for numbers in batches:
        inbox.put(batch(*numbers))
        ends.append(next(iter(folder.iterdir())).stat().st_size)
    (path,) = folder.iterdir()
    at = data.draw(st.integers(0, ends[-1] - 1))
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        content[at] ^= 0x40
    else:
        del content[at:]
    path.write_bytes(content)
    (segment,) = Inbox(folder, SCHEMA).segments()
    whole = [numbers for numbers, end in zip(batches, ends, strict=True) if end <= at]
    assert segment.rows["n"].to_pylist() == [n for numbers in whole for n in numbers]
    assert segment.lost_bytes == len(content) - ([0, *ends][len(whole)])


def test_a_full_disk_refuses_and_what_was_kept_stays(tmp_path, monkeypatch):
    inbox = Inbox(tmp_path, SCHEMA)
    inbox.put(batch(1))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(module.os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            inbox.put(batch(2))
    inbox.put(batch(3))
    assert held(tmp_path) == [1, 3]


def test_what_does_not_fit_is_refused_until_something_is_sealed(tmp_path):
    inbox = Inbox(tmp_path, SCHEMA, most_bytes=450)
    inbox.put(batch(1))
    inbox.put(batch(1))
    with pytest.raises(InboxFullError):
        inbox.put(batch(1))
    assert held(tmp_path) == [1, 1]
    for segment in inbox.segments():
        inbox.forget(segment)
    inbox.put(batch(2))
    assert held(tmp_path) == [2]
    assert [path.name for path in tmp_path.iterdir()] == [f"{2:012}.inbox"]


def test_a_segment_that_is_large_enough_is_followed_by_another(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_SEGMENT", 1)
    inbox = Inbox(tmp_path, SCHEMA)
    for number in range(3):
        inbox.put(batch(number))
    assert len(list(tmp_path.iterdir())) == 3
    assert held(tmp_path) == [0, 1, 2]


def test_a_damaged_segment_is_moved_aside_and_its_name_is_not_given_again(tmp_path):
    inbox = Inbox(tmp_path, SCHEMA)
    inbox.put(batch(1))
    (segment,) = inbox.segments()
    aside = inbox.set_aside(segment)
    assert (aside.parent.name, inbox.waiting_bytes, list(inbox.segments())) == ("damaged", 0, [])
    Inbox(tmp_path, SCHEMA).put(batch(2))
    assert aside.exists()
    assert [path.name for path in tmp_path.glob("*.inbox")] == [f"{2:012}.inbox"]


def test_what_was_written_with_another_schema_is_not_read_as_if_it_were_of_this_one(tmp_path):
    Inbox(tmp_path, pa.schema([("other", pa.string()), ("more", pa.float64())])).put(
        pa.record_batch({"other": ["x"], "more": [1.0]})
    )
    (segment,) = Inbox(tmp_path, SCHEMA).segments()
    assert (segment.rows.num_rows, segment.lost_bytes > 0) == (0, True)
