"""Bodies that are pushed are read as files are: the same rows, the same rejects, and never an accident."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.contracts import ACCOUNT, EXCHANGE, REJECT
from stillwatch.ingest.formats import FORMATS
from stillwatch.ingest.otlp_pushed import decode_protobuf, pushed_json, pushed_protobuf
from stillwatch.ingest.pushed import (
    Body,
    TooLargeError,
    UndecodableError,
    decompressed,
    format_of,
    pushed_accounts,
    pushed_exchanges,
)
from stillwatch.ingest.reader import read_exchanges

SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.jsonl"))


def told(batches, schema=EXCHANGE):
    """Rows and reasons, without the places."""
    batches = list(batches)
    for batch in batches:
        batch.records.validate(full=True)
        assert batch.records.schema == schema
        assert batch.rejects.schema == REJECT
    rows = pa.Table.from_batches([batch.records for batch in batches], schema)
    reasons = [reason for batch in batches for reason in batch.rejects["reason"].to_pylist()]
    return rows.drop_columns(["source", "line"]).to_pylist(), reasons


def pushed(content, digest, format="auto"):
    return told(pushed_exchanges(Body(content, "push"), format=format, digest=digest))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
@pytest.mark.parametrize("form", ["lines", "array"])
def test_a_pushed_log_is_what_a_file_of_it_is(sample, form, digest):
    content = sample.read_bytes()
    expected = told(read_exchanges([str(sample)], digest=digest))
    if form == "array":
        content = b"[" + b",\n".join(content.splitlines()) + b"]"
    assert pushed(content, digest) == expected
    assert format_of(Body(content, "push")) in FORMATS


def test_places_are_lines_counted_from_the_first(digest):
    content = b'{"timestamp":1767225600,"account_id":"a"}\nnone\n\nnone\n'
    (batch,) = pushed_exchanges(Body(content, "push", 101), format="table", digest=digest)
    assert batch.records["line"].to_pylist() == [101]
    assert batch.rejects["line"].to_pylist() == [102, 104]
    assert set(batch.rejects["source"].to_pylist()) == {"push"}


def test_an_element_of_an_array_that_is_broken_is_turned_away_by_itself(digest):
    good = b'{"timestamp":1767225600,"account_id":"a"}', b'{"timestamp":1767225601,"account_id":"b"}'
    content = b"[%b,\n{oh},\n%b]" % good
    rows, reasons = pushed(content, digest, "table")
    assert [row["account_id"] for row in rows] == ["a", "b"]
    assert len(reasons) == 1


def arrow(table, **options):
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema, **options) as stream:
        stream.write_table(table)
    return out.getvalue()


def parquet(table):
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


TABLE = pa.table(
    {
        "timestamp": pa.array([1767225600_000_000 + n for n in range(9000)], pa.timestamp("us", tz="UTC")),
        "request_id": [f"r{n}" for n in range(9000)],
        "account_id": [f"a{n % 9}" for n in range(9000)],
        "status": pa.array([200] * 9000, pa.int16()),
    }
)


@pytest.mark.parametrize("encode", [arrow, parquet])
def test_tables_keep_every_row(encode, digest):
    rows, reasons = pushed(encode(TABLE), digest, "table")
    assert [row["exchange_id"] for row in rows] == TABLE["request_id"].to_pylist()
    assert reasons == []


@pytest.mark.parametrize("encode", [arrow, parquet])
def test_of_a_damaged_table_the_rest_is_told_as_lost(encode, digest):
    content = encode(TABLE)
    rows, reasons = pushed(content[: len(content) // 2], digest, "table")
    assert len(rows) < 9000
    assert reasons
    assert all("damaged" in reason for reason in reasons)


def test_a_table_that_claims_more_than_may_be_is_refused(digest):
    nothing = pa.table({"timestamp": pa.nulls(1_000_001), "account_id": pa.nulls(1_000_001)})
    for encode in (arrow, parquet):
        with pytest.raises(TooLargeError, match="rows"):
            pushed(encode(nothing), digest, "table")


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_bytes_are_read_to_an_end(data):
    digest = len_digest
    base = data.draw(
        st.one_of(
            st.binary(max_size=400),
            st.sampled_from(
                [arrow(TABLE.slice(0, 5)), parquet(TABLE.slice(0, 5)), SAMPLES[0].read_bytes()[:3000]]
            ),
            st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=5)), max_size=4).map(
                lambda rows: json.dumps(rows).encode()
            ),
        )
    )
    content = bytearray(base)
    for _ in range(data.draw(st.integers(0, 4)) if content else 0):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    for name in ("auto", "table", "litellm"):
        told(pushed_exchanges(Body(bytes(content), "push"), format=name, digest=digest))
    told(pushed_accounts(Body(bytes(content), "push"), digest=digest), ACCOUNT)
    for read in (read_protobuf, pushed_json):
        try:
            told(read(bytes(content), "push", digest=digest))
        except UndecodableError:
            continue


def len_digest(raw):
    return f"{len(raw):032x}"


def read_protobuf(content, source, *, digest):
    return pushed_protobuf(decode_protobuf(content), source, digest=digest)


VALUES = st.one_of(
    st.none(), st.integers(), st.text(max_size=4), st.booleans(), st.just(1767225600), st.just("a")
)
NAMES = st.sampled_from(["timestamp", "account_id", "request_id", "messages", "status", "odd"])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.dictionaries(NAMES, VALUES, max_size=6), max_size=12))
def test_every_record_is_taken_or_turned_away_in_each_container(rows):
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    by_line = pushed(lines, len_digest, "table")
    assert len(by_line[0]) + len(by_line[1]) == len(rows)
    assert pushed(json.dumps(rows).encode(), len_digest, "table") == by_line
    assert pushed(json.dumps(rows, indent=2).encode(), len_digest, "table") == by_line


def test_gzip_is_unpacked_within_its_bound():
    assert decompressed(gzip.compress(b"x" * 1000), 1000) == b"x" * 1000
    assert decompressed(gzip.compress(b"a") + gzip.compress(b"b"), 1000) == b"ab"
    for content in (gzip.compress(b"x" * 1001), b"x" * 1001, gzip.compress(b"\0" * 2**28)):
        with pytest.raises(TooLargeError):
            decompressed(content, 1000)
    for content in (
        gzip.compress(b"x" * 100)[:-1],
        gzip.compress(gzip.compress(b"x")),
        b"\x28\xb5\x2f\xfd...",
    ):
        with pytest.raises(UndecodableError):
            decompressed(content, 1000)
