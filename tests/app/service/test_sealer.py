"""From the inbox to the ledger: each exchange once, whatever died or was damaged on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from receiving_desk import KEY, held, held_ids, ndjson, record, records, sealing

from stillwatch.app.service.errors import ApiError
from stillwatch.app.service.receiver import Limits, Receiver
from stillwatch.ingest.pushed import Body, pushed_accounts, pushed_exchanges
from stillwatch.ledger.ledger import Ledger


def push(receiver, rows, format="table"):
    return receiver.exchanges(
        pushed_exchanges(Body(ndjson(rows), "test"), format=format, digest=receiver.digest)
    )


def test_what_was_received_is_in_the_ledger_once(receiver, state):
    push(receiver, records(100))
    receiver.accounts(pushed_accounts(Body(b'{"account_id":"a1"}', "test"), digest=receiver.digest))
    with sealing(receiver, state) as sealer:
        sealed = sealer.seal()
        assert (sealed.exchanges, sealed.accounts) == (100, 1)
        assert receiver.figures().inbox_bytes == 0
        assert sealer.seal().exchanges == 0
    assert len(held_ids(state)) == 100


def test_a_repeated_delivery_counts_once_in_one_seal_in_another_and_after_compaction(receiver, state):
    with sealing(receiver, state) as sealer:
        push(receiver, records(50))
        push(receiver, records(50))
        assert sealer.seal().duplicates == 50
        push(receiver, records(60))
        assert (sealer.sealed.exchanges, sealer.seal().exchanges) == (50, 10)
        for number in range(5):
            push(receiver, records(1, 100 + number))
            sealer.seal()
        assert sealer.compact() == 1
        push(receiver, records(60))
        old = [record(number, timestamp=record(number)["timestamp"] - 46 * 3600) for number in range(30)]
        push(receiver, old)
        assert (sealer.seal().exchanges, sealer.compact()) == (30, 0)
        push(receiver, old)
        push(receiver, records(60))
        assert sealer.seal().exchanges == 0
    assert len(held_ids(state)) == 65 + 30


def test_a_batch_that_litellm_repeats_counts_once(receiver, state):
    batch = [
        {
            "litellm_call_id": f"c{n}",
            "startTime": record(n)["timestamp"],
            "metadata": {"user_api_key_hash": "k"},
        }
        for n in range(20)
    ]
    with sealing(receiver, state) as sealer:
        for _ in range(3):
            push(receiver, batch, "litellm")
            sealer.seal()
    assert len(held_ids(state)) == 20


def test_the_thread_seals_what_an_earlier_process_left_and_what_comes(receiver, state):
    push(receiver, records(10))
    with sealing(receiver, state) as sealer:
        sealer.start()
        deadline = time.monotonic() + 30
        while receiver.figures().inbox_bytes and time.monotonic() < deadline:
            time.sleep(0.05)
        push(receiver, records(10, 10))
        sealer.stop()
    assert len(held_ids(state)) == 20
    assert receiver.figures().seconds_since_seal < 30


def test_a_damaged_segment_is_set_aside_and_named_and_the_rest_is_sealed(receiver, state):
    push(receiver, records(10))
    list(receiver.exchange_inbox.segments())
    push(receiver, records(10, 10))
    first, _ = sorted((state / "inbox" / "exchanges").glob("*.inbox"))
    content = bytearray(first.read_bytes())
    content[len(content) // 2] ^= 0xFF
    first.write_bytes(content)
    with sealing(receiver, state) as sealer:
        sealer.seal()
        assert sealer.set_aside == [first.parent / "damaged" / first.name]
        assert sealer.set_aside[0].read_bytes() == content
    assert held_ids(state) == [f"r{number}" for number in range(10, 20)]
    assert receiver.figures().inbox_bytes == 0


@pytest.mark.parametrize("place", ["middle", "footer"])
def test_a_damaged_part_of_the_ledger_is_set_aside_and_named_and_the_rest_goes_on(receiver, state, place):
    with sealing(receiver, state) as sealer:
        push(receiver, records(10))
        push(receiver, [record(99, timestamp=record(0)["timestamp"] - 7200)])
        sealer.seal()
        part = Ledger(state / "ledger", KEY.id).sketch_files()[-1]
        content = bytearray(part.read_bytes())
        at = slice(4, 4000) if place == "middle" else slice(len(content) - 60, len(content))
        content[at] = b"\xff" * len(content[at])
        part.write_bytes(content)
        push(receiver, records(10))
        sealer._attempt()
        sealer._attempt()
        assert sealer.error is None
        (aside,) = sealer.set_aside
        assert aside == state / "ledger" / "damaged" / part.relative_to(state / "ledger")
        push(receiver, records(5, 10))
        sealer.seal()
    assert held_ids(state) == ["r99", *(f"r{number}" for number in range(15))]


SENDER = """
import sys, threading
from pathlib import Path
from receiving_desk import KEY, ndjson, records, sealing
from stillwatch.app.service.receiver import Limits, Receiver
from stillwatch.ingest.pushed import Body, pushed_exchanges

state, first = Path(sys.argv[1]), int(sys.argv[2])
receiver = Receiver(state, KEY, Limits(workers=2))
with sealing(receiver, state) as sealer:
    sealer._every = 0.05
    sealer.start()
    for number in range(first, 10**9):
        body = Body(ndjson(records(20, 20 * number)), "test")
        receiver.exchanges(pushed_exchanges(body, format="table", digest=receiver.digest))
        print(number, flush=True)
"""


def test_killed_anywhere_nothing_acknowledged_is_lost_and_nothing_counts_twice(state):
    acknowledged: list[int] = []
    for pause in (0.0, 0.31, 0.73):
        first = max(acknowledged, default=-1)  # the last one is sent again: its answer might not have come
        acknowledged += die_while_receiving(state, max(first, 0), pause)
    receiver = Receiver(state, KEY, Limits(workers=1))
    with sealing(receiver, state) as sealer:
        sealer.seal()
    receiver.close()
    found = held_ids(state)
    assert len(found) == len(set(found))
    sent = {f"r{20 * number + at}" for number in acknowledged for at in range(20)}
    assert sent <= set(found)
    assert len(set(found) - sent) <= 3 * 20


def die_while_receiving(state: Path, first: int, pause: float) -> list[int]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    process = subprocess.Popen(
        [sys.executable, "-c", SENDER, str(state), str(first)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    told = [int(process.stdout.readline()) for _ in range(10)]
    time.sleep(pause)
    process.send_signal(signal.SIGKILL)
    told += [int(line) for line in process.stdout.read().split("\n")[:-1]]
    process.wait()
    return told


FULL = """
import json, resource, signal, sys
from pathlib import Path
from receiving_desk import KEY, ndjson, records
from stillwatch.app.service.errors import ApiError
from stillwatch.app.service.receiver import Limits, Receiver
from stillwatch.ingest.pushed import Body, pushed_exchanges

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
receiver = Receiver(Path(sys.argv[1]), KEY, Limits(workers=1))
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
told = []
for number in range(60):
    body = Body(ndjson(records(20, 20 * number)), "test")
    if number == 40:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    try:
        receiver.exchanges(pushed_exchanges(body, format="table", digest=receiver.digest))
        told.append([number, 200])
    except ApiError as error:
        told.append([number, error.status])
print(json.dumps(told))
"""


def test_a_disk_that_takes_no_more_refuses_and_keeps_what_was_acknowledged(state):
    """The largest file that the process may write stands for the disk: from there on each write fails."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(state)], capture_output=True, text=True, env=environment, check=True
    )
    told = json.loads(done.stdout)
    assert {status for _, status in told} == {200, 503}
    receiver = Receiver(state, KEY, Limits(workers=1))
    with sealing(receiver, state) as sealer:
        sealer.seal()
        assert sealer.set_aside == []
    receiver.close()
    expected = {f"r{20 * number + at}" for number, status in told if status == 200 for at in range(20)}
    assert set(held_ids(state)) == expected


def test_a_ledger_that_cannot_be_written_leaves_all_in_the_inbox(receiver, state, monkeypatch):
    push(receiver, records(10))
    with sealing(receiver, state) as sealer:
        with monkeypatch.context() as broken:
            broken.setattr(Ledger, "flush", failing)
            sealer._attempt()
            assert "No space left" in sealer.error
            assert receiver.figures().inbox_bytes
        sealer._attempt()
        assert sealer.error is None
    assert len(held(state)) == 10


def failing(_):
    raise OSError(28, "No space left on device")


def test_a_refused_body_counts_as_nothing(make_receiver):
    receiver = make_receiver(inbox=10)
    with pytest.raises(ApiError) as refused:
        push(receiver, [*records(5), {"bad": 1}])
    assert refused.value.may_be_repeated
    assert (receiver.figures().accepted, receiver.figures().rejected) == (0, 0)
