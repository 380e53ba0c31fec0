"""Input as it comes when something went wrong: what can be read is kept, the rest says why it cannot."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from stillwatch.contracts import InputError
from stillwatch.ingest import lines


def many(make, count=400):
    """Records that do not compress well, so that a cut falls into the middle of them."""
    noise = random.Random(7)
    return [make(n, user_agent=f"{noise.getrandbits(2000):x}") for n in range(count)]


PACKERS = {"gzip": gzip.compress, "zstd": zstandard.compress}


@pytest.mark.parametrize("packer", PACKERS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_the_readable_part_of_a_truncated_file_is_kept(read, tmp_path, litellm_record, packer, share):
    raw = b"".join(json.dumps(record).encode() + b"\n" for record in many(litellm_record, 2000))
    packed = PACKERS[packer](raw)
    path = tmp_path / "log"
    path.write_bytes(packed[: int(len(packed) * share)])
    found = read([path])

    assert found.ids == [f"call-{n}" for n in range(len(found.rows))]
    assert len(found.rows) > 2000 * share - 190  # a block of zstd holds about 130 of them
    (reject,) = found.rejects
    assert reject["line"] == len(found.rows) + 1
    assert f"the {packer} data ends early" in reject["reason"]


def test_a_cut_between_two_lines_loses_neither(read, tmp_path, litellm_record):
    raw = b"\n".join(json.dumps(litellm_record(n)).encode() for n in range(3))
    path = tmp_path / "log"
    path.write_bytes(gzip.compress(raw)[:-8])  # only the checksum is gone
    found = read([path])

    assert found.ids == ["call-0", "call-1", "call-2"]
    assert len(found.rejects) == 1


@pytest.mark.parametrize("packer", PACKERS)
def test_damage_in_the_middle_keeps_what_came_before(read, tmp_path, litellm_record, packer):
    raw = b"".join(json.dumps(record).encode() + b"\n" for record in many(litellm_record, 2000))
    packed = bytearray(PACKERS[packer](raw))
    middle = len(packed) // 2
    packed[middle : middle + 64] = bytes(64)
    path = tmp_path / "log"
    path.write_bytes(packed)
    found = read([path])

    assert len(found.rows) > 600
    assert found.ids == [f"call-{n}" for n in range(len(found.rows))]
    assert f"the {packer} data is damaged" in found.reasons[-1]


def test_a_wrong_checksum_is_told_and_the_records_are_kept(read, tmp_path, litellm_record):
    packed = bytearray(gzip.compress(json.dumps(litellm_record()).encode() + b"\n"))
    packed[-6] ^= 1
    (tmp_path / "log").write_bytes(packed)
    found = read([tmp_path / "log"])

    assert found.ids == ["call-1"]
    assert "damaged" in found.reasons[0]


@pytest.mark.parametrize(
    ("junk", "expected"),
    [
        (b'{"id": "x", "mess', "not JSON (it ends early)"),
        (b"\x00\x01\x02\xff\xfe", "not UTF-8"),
        (b"plain words", "not JSON"),
        (b'{"litellm_call_id": "caf\xe9"}', "not UTF-8 text (byte 25)"),
        ('{"a": "b"}'.encode("utf-16-le"), "not JSON"),
        (b"42", "expected a JSON object, found a number"),
        (b'"text"', "expected a JSON object, found text"),
        (b"null", "expected a JSON object, found null"),
        (b"[1]", "expected a JSON object, found a number"),
        (b"{}", "startTime: missing"),
        (b"[" * 5000, "not JSON (it ends early)"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deeply"),
        (b"[" * 100 + b"]" * 100, "expected a JSON object, found a list"),
        (b"[" + b"[" * 600 + b"]" * 600 + b"]", "expected a JSON object, found a list"),
        (b'{"startTime": 1' + b"0" * 5000 + b"}", "not JSON"),
        (b'{"a": 1} {"b": 2}', "not JSON"),
        (b"{'a': 1}", "not JSON"),
    ],
)
def test_a_bad_line_is_one_reject_between_good_ones(read, jsonl, litellm_record, digest, junk, expected):
    found = read([jsonl(litellm_record(1), junk, litellm_record(3))])

    assert found.ids == ["call-1", "call-3"]
    (reject,) = found.rejects
    assert expected in reject["reason"]
    assert reject["line"] == 2
    assert reject["digest"]


def test_junk_before_everything_else_hides_no_record(read, jsonl, litellm_record):
    found = read([jsonl(b"\x80\x81 junk", b'{"cut', litellm_record(3))])

    assert found.ids == ["call-3"]
    assert [reject["line"] for reject in found.rejects] == [1, 2]


def test_a_log_that_was_truncated_in_place_starts_with_zeros(read, tmp_path, litellm_record):
    (tmp_path / "log").write_bytes(bytes(100_000) + json.dumps(litellm_record()).encode() + b"\r\n\r\n")

    assert read([tmp_path / "log"]).ids == ["call-1"]


def test_a_byte_order_mark_does_no_harm(read, tmp_path, litellm_record, table_record):
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbf" + json.dumps(litellm_record()).encode())
    (tmp_path / "b").write_bytes(b"\xef\xbb\xbftimestamp,account_id\n2026-01-01,a\n")

    assert len(read([tmp_path / "a", tmp_path / "b"]).rows) == 2


def test_lone_surrogates_and_not_a_number_survive(read, jsonl, litellm_record):
    raw = json.dumps(
        litellm_record(response_cost=float("nan"), messages=[{"role": "user", "content": "a\ud83db"}])
    )
    assert "NaN" in raw
    found = read([jsonl(raw.encode(), litellm_record(2))])

    assert found.ids == ["call-1", "call-2"]
    assert json.loads(found.rows[0]["messages"])[0]["content"] == r"a\ud83db"


def test_a_line_of_fifty_megabytes_is_read(read, jsonl, litellm_record):
    big = litellm_record(2, messages=[{"role": "user", "content": "x" * 50_000_000}])
    found = read([jsonl(litellm_record(1), big, litellm_record(3))])

    assert found.ids == ["call-1", "call-2", "call-3"]
    assert len(found.rows[1]["messages"]) > 50_000_000


def test_a_line_beyond_the_limit_is_turned_away_alone(read, jsonl, litellm_record, monkeypatch):
    monkeypatch.setattr(lines, "LIMIT", 1 << 20)
    big = litellm_record(2, messages=[{"role": "user", "content": "x" * 5_000_000}])
    found = read([jsonl(litellm_record(1), big, litellm_record(3))])

    assert found.ids == ["call-1", "call-3"]
    assert found.reasons == ["longer than 1 MiB"]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("harm", ["cut", "syntax", "encoding"])
def test_a_broken_element_of_an_array_costs_itself(read, tmp_path, litellm_record, indent, harm):
    elements = [json.dumps(litellm_record(n), indent=indent).replace("\n", "\n  ") for n in range(5)]
    if harm == "cut":
        elements[2] = elements[2][: len(elements[2]) // 2]
    if harm == "syntax":
        elements[2] = elements[2].replace("true", "True").replace("false", "False")
    raw = ("[\n  " + ",\n  ".join(elements) + "\n]\n").encode()
    raw = raw.replace(b"Question 2", b"Question \xff") if harm == "encoding" else raw
    (tmp_path / "log.json").write_bytes(raw)
    found = read([tmp_path / "log.json"])

    assert found.ids == ["call-0", "call-1", "call-3", "call-4"]
    assert len(found.rejects) == 1


def test_an_array_on_one_line_that_was_cut_gives_its_whole_elements(read, tmp_path, litellm_record):
    raw = json.dumps([litellm_record(n) for n in range(5)]).encode()
    (tmp_path / "log.json").write_bytes(raw[: int(len(raw) * 0.7)])
    found = read([tmp_path / "log.json"])

    assert found.ids == ["call-0", "call-1", "call-2"]
    assert found.reasons == ["not JSON (it ends early)"]


def test_what_stands_between_elements_is_told(read, tmp_path, litellm_record):
    record = json.dumps(litellm_record(1), indent=2)
    (tmp_path / "log.json").write_text(f'[\n"stray",\n{record},\n17\n,{record.replace("call-1", "call-2")}')
    found = read([tmp_path / "log.json"])

    assert found.ids == ["call-1", "call-2"]
    assert len(found.rejects) == 3
    assert found.reasons[-1] == "the array ends early"


def csv_text(records):
    file = io.StringIO()
    writer = csv.DictWriter(file, records[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return file.getvalue().splitlines()


@pytest.mark.parametrize(
    ("harm", "expected"),
    [
        (lambda row: row[: len(row) // 2], "columns, found"),
        (lambda row: row + ",more", "expected 13 columns, found 14"),
        (lambda row: '"' + row, "not CSV: its quotes are not closed"),
        (lambda row: row.replace("200", '200"'), "status: expected a number, found text"),
        (lambda row: row.replace("200", '"2"00'), "not CSV"),
        (lambda row: row.replace(",40,", ",-40,"), "output_tokens: expected a whole number of 0 or more"),
        (lambda row: row.replace("req-2,acct-1", "req-2,"), "account_id"),
        (lambda row: row.replace("2026-", "26-"), "timestamp: expected a time"),
    ],
)
def test_a_broken_row_of_csv_costs_itself(read, tmp_path, table_record, harm, expected):
    rows = csv_text([table_record(n, messages="x") for n in range(6)])
    rows[3] = harm(rows[3])
    (tmp_path / "log.csv").write_text("\n".join(rows))
    found = read([tmp_path / "log.csv"])

    assert found.ids == ["req-0", "req-1", "req-3", "req-4", "req-5"]
    (reject,) = found.rejects
    assert reject["line"] == 4
    assert expected in reject["reason"]


def test_two_open_quotes_in_csv_swallow_nothing_between_them(read, tmp_path, table_record):
    rows = csv_text([table_record(n, messages="x") for n in range(9)])
    rows[3], rows[6] = '"' + rows[3], '"' + rows[6]
    (tmp_path / "log.csv").write_text("\n".join(rows))
    found = read([tmp_path / "log.csv"])

    assert [reject["line"] for reject in found.rejects] == [4, 7]
    assert len(found.rows) == 7


def test_a_csv_that_was_cut_loses_its_last_row_alone(read, tmp_path, table_record):
    raw = "\n".join(csv_text(many(table_record, 300))).encode()
    packed = gzip.compress(raw)
    (tmp_path / "log").write_bytes(packed[: len(packed) // 2])
    found = read([tmp_path / "log"])

    assert 100 < len(found.rows) < 200
    assert ["ends early" in reason for reason in found.reasons] == [True]


def test_parquet_without_its_end_is_one_reject(read, tmp_path, table_record):
    when = datetime(2026, 1, 1, tzinfo=UTC)
    table = pa.Table.from_pylist([table_record(n, timestamp=when) for n in range(100)])
    pq.write_table(table, tmp_path / "whole.parquet")
    raw = (tmp_path / "whole.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(raw[:-100])
    found = read([tmp_path / "whole.parquet", tmp_path / "cut.parquet"])

    assert len(found.rows) == 100
    (reject,) = found.rejects
    assert reject["line"] == 0
    assert "damaged Parquet" in reject["reason"]


def test_damage_inside_parquet_keeps_the_rows_before_it(read, tmp_path, table_record):
    when = datetime(2026, 1, 1, tzinfo=UTC)
    table = pa.Table.from_pylist(
        [
            table_record(n, timestamp=when, user_agent=str(random.Random(n).getrandbits(500)))
            for n in range(30_000)
        ]
    )
    path = tmp_path / "log.parquet"
    pq.write_table(table, path, row_group_size=8192)
    raw = bytearray(path.read_bytes())
    middle = int(len(raw) * 0.6)
    raw[middle : middle + 2000] = b"\xff" * 2000
    path.write_bytes(raw)
    found = read([path])

    assert 8192 <= len(found.rows) < 30_000
    assert "damaged Parquet" in found.reasons[0]
    assert found.rejects[0]["line"] == len(found.rows) + 1


def test_rows_that_a_damaged_page_leaves_out_are_told(read, tmp_path, table_record):
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([table_record(n) for n in range(20)]), sink)
    for position in range(4, 700):
        raw = bytearray(sink.getvalue())
        raw[position] = 1
        (tmp_path / "log.parquet").write_bytes(raw)
        found = read([tmp_path / "log.parquet"], format="table")
        assert found.tally.read == 20 or found.reasons, position


def test_rows_without_any_known_column_are_rejected_and_not_lost(read, tmp_path):
    pq.write_table(pa.table({"colour": ["red"] * 5}), tmp_path / "log.parquet")
    found = read([tmp_path / "log.parquet"], format="table")

    assert [reject["line"] for reject in found.rejects] == [1, 2, 3, 4, 5]


def test_one_value_that_is_not_utf_8_costs_its_row_of_parquet_alone(read, tmp_path):
    def text(*values):
        ends = pa.py_buffer(np.cumsum([0, *map(len, values)], dtype=np.int32))
        return pa.StringArray.from_buffers(len(values), ends, pa.py_buffer(b"".join(values)))

    days = text(b"2026-01-01", b"2026-01-0\xff", b"2026-01-03", b"2026-01-04")
    models = text(b"large", b"large", b"lar\xffge", b"large")
    columns = {"timestamp": days, "account_id": text(b"a", b"b", b"c", b"d"), "model": models}
    pq.write_table(pa.table(columns), tmp_path / "log.parquet")
    found = read([tmp_path / "log.parquet"])

    assert [row["account_id"] for row in found.rows] == ["a", "d"]
    assert found.reasons == [
        "timestamp: expected a time, found bytes that are no UTF-8 text",
        "model: expected UTF-8 text, found other bytes",
    ]


def test_times_beyond_any_calendar_are_told(read, tmp_path):
    times = pa.array([1767225600_000000, 2**62, -(2**62)], pa.timestamp("us", "UTC"))
    pq.write_table(pa.table({"timestamp": times, "account_id": ["a", "b", "c"]}), tmp_path / "log.parquet")
    found = read([tmp_path / "log.parquet"])

    assert len(found.rows) == 1
    assert all("timestamp" in reason for reason in found.reasons)


@pytest.mark.parametrize(
    "time",
    ["1e308", "-1e308", "1" + "0" * 400, "1e999", '"' + "1" * 400 + '.0"', '"' + "9" * 5000 + '"', "NaN"],
)
def test_numbers_too_large_for_any_time_cost_their_record(read, jsonl, litellm_record, tmp_path, time):
    line = json.dumps(litellm_record(2, startTime="HERE")).replace('"HERE"', time).encode()
    found = read([jsonl(litellm_record(1), line, litellm_record(3))])
    assert (found.ids, len(found.rejects)) == (["call-1", "call-3"], 1)

    mapping = tmp_path / "mapping.toml"
    mapping.write_text('time_unit = "s"\n[columns]\ntimestamp = "startTime"\naccount_id = "id"\n')
    found = read([jsonl(litellm_record(1), line, litellm_record(3))], mapping=mapping)
    assert (len(found.rows), len(found.rejects)) == (2, 1)


def test_mixed_zones_meet_in_utc(read, jsonl, table_record):
    zones = [
        "2026-01-01T09:00:00+09:00",
        "2025-12-31T19:00:00-05:00",
        "2026-01-01 00:00:00",
        "2026-01-01T00:00:00Z",
    ]
    records = [table_record(number, timestamp=zone) for number, zone in enumerate(zones)]

    assert {row["timestamp"] for row in read([jsonl(*records)]).rows} == {datetime(2026, 1, 1, tzinfo=UTC)}


def test_a_clock_an_hour_ahead_is_no_nonsense(read, jsonl, litellm_record):
    found = read(
        [
            jsonl(
                litellm_record(1, startTime=time.time() + 3600),
                litellm_record(2, startTime=time.time() + 90_000),
            )
        ]
    )

    assert found.ids == ["call-1"]
    assert "more than a day in the future" in found.reasons[0]


def test_reasons_never_hold_what_the_record_holds(read, jsonl, litellm_record):
    secret = "hunter2-hunter2"
    bad = [
        litellm_record(1, startTime=secret),
        litellm_record(2, prompt_tokens=secret),
        litellm_record(3, status=secret),
        litellm_record(4, metadata={"other": secret}),
        f'{{"messages": "{secret}'.encode(),
        secret.encode(),
    ]
    found = read([jsonl(litellm_record(0), *bad)])

    assert len(found.rejects) == 6
    assert secret not in str(found.rejects)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_no_room_to_unpack_parquet_is_told_as_such(read, tmp_path, table_record, monkeypatch):
    when = datetime(2026, 1, 1, tzinfo=UTC)
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([table_record(n, timestamp=when) for n in range(500)]), sink)
    (tmp_path / "log.parquet.gz").write_bytes(gzip.compress(sink.getvalue()))
    opened = partial(Path("/dev/full").open, "r+b", buffering=0)
    monkeypatch.setattr("tempfile.TemporaryFile", opened)

    with pytest.raises(InputError, match="No space left on device") as raised:
        read([tmp_path / "log.parquet.gz"])
    assert raised.value.file == str(tmp_path / "log.parquet.gz")
    assert "TMPDIR" in raised.value.remedy


def test_deep_nesting_in_a_field_costs_its_record_at_most(read, jsonl, litellm_record):
    def nested(depth):
        return b'{"a":' * depth + b"1" + b"}" * depth

    deep = [
        json.dumps(litellm_record(n, ballast="HERE")).encode().replace(b'"HERE"', nested(depth))
        for n, depth in enumerate([10, 300, 900, 100_000], 1)
    ]
    found = read([jsonl(litellm_record(0), *deep, litellm_record(9))])

    assert found.ids[0] == "call-0"
    assert found.ids[-1] == "call-9"
    assert {"call-1", "call-2", "call-3"} <= set(found.ids)
    assert found.reasons == ["nested too deeply"]


@pytest.mark.parametrize(
    ("account", "problem"),
    [
        (5.0, "expected text or a whole number, found a decimal number"),
        (True, "expected text or a whole number, found true or false"),
        (["a"], "expected text or a whole number, found a list"),
        ({"id": "a"}, "expected text or a whole number, found an object"),
        (None, "the record names no account there"),
        ("  ", "the record names no account there"),
    ],
)
def test_an_account_that_is_no_name_is_told_as_what_it_is(read, jsonl, table_record, account, problem):
    found = read([jsonl(table_record(1, account_id=account), table_record(2))])

    assert found.reasons == [f"account_id: {problem}"]
    assert found.ids == ["req-2"]


def test_an_account_that_is_no_name_gives_way_to_the_next_field(read, jsonl, litellm_record):
    metadata = {"user_api_key_user_id": {"odd": 1}, "user_api_key_hash": "77ab"}
    found = read([jsonl(litellm_record(1, metadata=metadata))])

    assert [row["account_id"] for row in found.rows] == ["77ab"]


def test_a_field_that_is_empty_is_not_the_one_that_may_have_been_meant(read, jsonl, tmp_path):
    (tmp_path / "mapping.toml").write_text('[columns]\ntimestamp = "at"\naccount_id = "customer"\n')
    rows = [{"at": 1767225600, "customer": None}, {"at": None, "customer": "c", "att": 1}]
    found = read([jsonl(*rows)], mapping=tmp_path / "mapping.toml")

    assert found.reasons == ["customer: the record names no account there", "at: missing (is it att?)"]
