"""The routes, by a real server: what is answered, what is kept, and what is refused."""

from __future__ import annotations

import gzip
import io
import json
import re
import socket
import threading
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from receiving_desk import NOW, TOKEN, held_ids, ndjson, record, records, sealing, served, waiting

from stillwatch.app.service.patience import PatientProtocol

LITELLM = {
    "litellm_call_id": "c1",
    "call_type": "acompletion",
    "status": "success",
    "startTime": NOW + 0.25,
    "model_group": "large",
    "messages": [{"role": "user", "content": "Hello"}],
    "metadata": {"user_api_key_user_id": "user-1", "user_api_key_hash": "77ab"},
}
SHARED = Path(__file__).parents[4] / "shared" / "data" / "litellm_sample.jsonl.gz"


def table(rows):
    columns = pa.Table.from_pylist(rows)
    times = columns["timestamp"].cast(pa.float64())
    moments = pa.array([round(each.as_py() * 1e6) for each in times], pa.timestamp("us", tz="UTC"))
    return columns.set_column(columns.schema.get_field_index("timestamp"), "timestamp", moments)


def as_parquet(rows):
    out = io.BytesIO()
    pq.write_table(table(rows), out)
    return out.getvalue()


def as_arrow(rows):
    out = io.BytesIO()
    content = table(rows)
    with pa.ipc.new_stream(out, content.schema) as stream:
        stream.write_table(content)
    return out.getvalue()


@pytest.mark.parametrize(
    "body",
    [
        ndjson(records(20)),
        json.dumps(records(20)).encode(),
        json.dumps(records(20), indent=1).encode(),
        as_parquet(records(20)),
        as_arrow(records(20)),
        gzip.compress(ndjson(records(20))),
    ],
    ids=["lines", "array", "laid out", "parquet", "arrow", "gzip"],
)
def test_a_table_in_any_container_is_kept_once_it_is_answered(client, receiver, body):
    answer = client.post("/v1/exchanges", content=body)

    assert (answer.status_code, answer.json()) == (200, {"accepted": 20, "rejected": 0, "reasons": []})
    kept = waiting(receiver)
    assert kept["exchange_id"].to_pylist() == [f"r{number}" for number in range(20)]
    assert all(kept["message_fp"].to_pylist())


@pytest.mark.parametrize(
    ("body", "count"),
    [
        (json.dumps([LITELLM, LITELLM | {"litellm_call_id": "c2"}]).encode(), 2),
        (ndjson([LITELLM, LITELLM | {"litellm_call_id": "c2"}]), 2),
        (json.dumps(LITELLM).encode(), 1),
    ],
    ids=["json_array", "ndjson", "single"],
)
def test_litellm_pushes_in_each_of_its_forms(client, receiver, body, count):
    answer = client.post("/v1/logs/litellm", content=body, headers={"content-type": "application/json"})

    assert answer.json() == {"accepted": count, "rejected": 0, "reasons": []}
    assert waiting(receiver)["account_id"].to_pylist() == ["user-1"] * count


def test_the_real_log_of_a_litellm_proxy_is_taken(client):
    if not SHARED.exists():
        pytest.skip("the sample of a real log is not beside this checkout")
    lines = gzip.decompress(SHARED.read_bytes())
    count = lines.count(b"\n")
    as_lines = client.post("/v1/logs/litellm", content=SHARED.read_bytes()).json()
    as_array = client.post("/v1/logs/litellm", content=b"[" + b",".join(lines.splitlines()) + b"]").json()

    assert as_lines["accepted"] + as_lines["rejected"] == count
    assert as_array == as_lines


def test_account_records_go_to_an_inbox_of_their_own(client, receiver):
    rows = [{"account_id": "a1", "email": "x@example.org"}, {"account_id": "a2"}, {"plan": "none"}]
    answer = client.post("/v1/accounts", content=ndjson(rows)).json()

    assert (answer["accepted"], answer["rejected"]) == (2, 1)
    (segment,) = receiver.account_inbox.segments()
    assert segment.rows["account_id"].to_pylist() == ["a1", "a2"]


def test_another_format_and_another_account_field_may_be_named(client, receiver):
    body = json.dumps({"created": NOW, "model": "m", "org": "o-1", "messages": [], "choices": []}).encode()
    answer = client.post("/v1/exchanges?format=openai&account_key=org", content=body)

    assert answer.json()["accepted"] == 1, answer.text
    assert waiting(receiver)["account_id"].to_pylist() == ["o-1"]
    refused = client.post("/v1/exchanges?format=yaml", content=body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "unknown_format")


def test_what_is_turned_away_is_told_counted_and_written_without_its_text(client, receiver, state):
    bad = [record(1, status="teapot secret"), record(2, account_id=None), record(3, messages="{")]
    answer = client.post("/v1/exchanges", content=ndjson([record(0), *bad]) + b"secret {\n").json()

    assert (answer["accepted"], answer["rejected"]) == (1, 4)
    assert len(answer["reasons"]) == 4
    written = (state / "rejected" / "rejected.jsonl").read_text()
    rows = [json.loads(line) for line in written.splitlines()]
    assert sorted(row["line"] for row in rows) == [2, 3, 4, 5]
    assert {row["source"] for row in rows} == {"/v1/exchanges"}
    assert all(len(row["digest"]) == 32 for row in rows)
    assert "secret" not in written
    assert receiver.figures().rejected == 4


@pytest.mark.parametrize("when", [NOW + 400 * 86_400, 946_684_800], ids=["next year", "the year 2000"])
def test_a_clock_that_jumped_is_turned_away_with_the_reason(client, when):
    answer = client.post("/v1/exchanges", content=ndjson([record(0), record(1, timestamp=when)])).json()

    assert (answer["accepted"], answer["rejected"]) == (1, 1)
    assert "absurd time" in answer["reasons"][0]["reason"]


def test_without_the_token_nothing_is_read(client, receiver):
    for headers in ({"authorization": ""}, {"authorization": "Bearer wrong"}):
        answer = client.post("/v1/exchanges", content=ndjson(records(1)), headers=headers)
        assert answer.status_code == 401
        assert set(answer.json()["error"]) == {"code", "message", "remedy"}
    assert receiver.figures().refused == {"unauthorised": 2}
    assert receiver.figures().accepted == 0


def test_a_body_that_is_too_large_is_refused_before_and_while_it_comes(make_receiver):
    receiver = make_receiver(body=100_000, unpacked=200_000)
    large = ndjson(records(2000))
    with served(receiver) as client:
        told = client.post("/v1/exchanges", content=large)
        untold = client.post("/v1/exchanges", content=iter([large[:60_000], large[60_000:]]))
        packed = client.post("/v1/exchanges", content=gzip.compress(b"\n" * 10_000_000))
    for answer in (told, untold, packed):
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    assert receiver.figures().accepted == 0


def test_a_slow_body_is_given_up(make_receiver):
    receiver = make_receiver(seconds=0.5)
    with (
        served(receiver) as client,
        socket.create_connection((client.base_url.host, client.base_url.port)) as raw,
    ):
        head = f"POST /v1/exchanges HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n"
        raw.sendall(f"{head}content-length: 1000\r\n\r\n".encode())
        began = time.monotonic()
        answer = b""
        for _ in range(40):
            raw.sendall(b" ")
            raw.settimeout(0.1)
            try:
                answer = raw.recv(4096)
                break
            except TimeoutError:
                continue
        assert answer.startswith(b"HTTP/1.1 408")
        assert time.monotonic() - began < 3
        assert client.post("/v1/exchanges", content=ndjson(records(1))).status_code == 200


def test_many_slow_senders_do_not_grow_memory_and_others_are_told_to_wait(make_receiver):
    receiver = make_receiver(requests=3, seconds=1.5)
    with served(receiver) as client:
        slow = [socket.create_connection((client.base_url.host, client.base_url.port)) for _ in range(3)]
        head = f"POST /v1/exchanges HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n"
        for raw in slow:
            raw.sendall(f"{head}content-length: 1000\r\n\r\n{{".encode())
        time.sleep(0.3)
        refused = client.post("/v1/exchanges", content=ndjson(records(1)))
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        time.sleep(1.5)
        assert client.post("/v1/exchanges", content=ndjson(records(1))).status_code == 200
        for raw in slow:
            raw.close()


def test_a_full_inbox_refuses_until_something_is_sealed_and_loses_nothing(make_receiver, state):
    receiver = make_receiver(inbox=60_000)
    accepted, refused = [], []
    with served(receiver) as client, sealing(receiver, state) as sealer:
        for number in range(30):
            answer = client.post("/v1/exchanges", content=ndjson(records(50, 50 * number)))
            (accepted if answer.status_code == 200 else refused).append(number)
            if answer.status_code != 200:
                assert (answer.status_code, answer.json()["error"]["code"]) == (503, "inbox_full")
                assert answer.headers["retry-after"]
                sealer.seal()
                assert (
                    client.post("/v1/exchanges", content=ndjson(records(50, 50 * number))).status_code == 200
                )
        sealer.seal()
    assert refused
    assert sorted(held_ids(state)) == sorted(f"r{number}" for number in range(1500))


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"\x1f\x8b damaged", {}, 400),
        (gzip.compress(b"{}" * 1000)[:-9], {"content-encoding": "gzip"}, 400),
        (gzip.compress(gzip.compress(b"{}")), {"content-encoding": "gzip"}, 400),
        (b"{}", {"content-encoding": "br"}, 415),
    ],
    ids=["damaged", "cut off", "packed twice", "brotli"],
)
def test_what_cannot_be_unpacked_is_the_senders_fault(client, body, headers, status):
    answer = client.post("/v1/exchanges", content=body, headers=headers)
    assert answer.status_code == status
    assert answer.json()["error"]["remedy"]


def test_an_empty_body_holds_nothing(client):
    assert client.post("/v1/exchanges", content=b"").json() == {"accepted": 0, "rejected": 0, "reasons": []}


def test_senders_at_one_time_lose_nothing(client, receiver):
    def send(first):
        for at in range(10):
            body = ndjson(records(20, first + 20 * at))
            assert client.post("/v1/exchanges", content=body).status_code == 200

    threads = [threading.Thread(target=send, args=(1000 * number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert waiting(receiver).num_rows == receiver.figures().accepted == 1200


def test_a_million_malformed_records_are_counted_in_bounded_files(make_receiver, state):
    receiver = make_receiver()
    with served(receiver) as client:
        began = time.monotonic()
        for _ in range(10):
            answer = client.post("/v1/exchanges", content=b'{"a":1}\n' * 100_000).json()
            assert (answer["accepted"], answer["rejected"]) == (0, 100_000)
        seconds = time.monotonic() - began
    assert receiver.figures().rejected == 1_000_000
    assert sum(path.stat().st_size for path in (state / "rejected").iterdir()) < 5 * 2**24
    assert seconds < 120


def test_a_head_that_does_not_come_to_its_end_is_given_up(receiver, monkeypatch):
    monkeypatch.setattr(PatientProtocol, "head_seconds", 0.5)
    with served(receiver, http=PatientProtocol) as client:
        place = client.base_url.host, client.base_url.port
        with socket.create_connection(place) as silent, socket.create_connection(place) as slow:
            slow.sendall(b"POST /v1/exchanges HTTP/1.1\r\nhost: x\r\n")
            for raw in (silent, slow):
                raw.settimeout(5)
                assert raw.recv(100).startswith(b"HTTP/1.1 408")
        for first in (0, 1):  # one connection, that is kept
            time.sleep(0.2)
            assert client.post("/v1/exchanges", content=ndjson(records(1, first))).status_code == 200
        with socket.create_connection(place) as raw:
            head = f"POST /v1/exchanges HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n"
            raw.sendall(f"{head}content-length: 2\r\n\r\n{{}}{head}".encode())
            raw.settimeout(5)
            told = raw.makefile("rb").read()  # until the server closes
            assert re.findall(rb"HTTP/1.1 (\d+)", told) == [b"200", b"408"]


def test_a_head_without_end_and_a_refused_body_without_end_are_cut_off(receiver, monkeypatch):
    monkeypatch.setattr(PatientProtocol, "linger_seconds", 0.5)
    with served(receiver, http=PatientProtocol) as client:
        place = client.base_url.host, client.base_url.port
        with socket.create_connection(place) as raw:
            raw.sendall(b"POST /v1/exchanges HTTP/1.1\r\nx: " + b"y" * 100_000)
            assert raw.recv(100).startswith(b"HTTP/1.1 431")
        with socket.create_connection(place) as raw:
            raw.sendall(b"POST /v1/exchanges HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\n")
            assert raw.recv(4096).startswith(b"HTTP/1.1 401")
            with pytest.raises(OSError, match=r"reset|pipe"):
                go_on_for_ever(raw)


def go_on_for_ever(raw):
    for _ in range(100):
        time.sleep(0.05)
        raw.sendall(b" " * 1000)
