"""Mutated input of every kind: no crash, every record counted once, no good record lost beside a bad one."""

from __future__ import annotations

import gzip
import io
import json
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stillwatch.ingest.format import itself
from stillwatch.ingest.formats import ACCOUNT_FORMATS, EVENT_FORMATS, FORMATS

FUZZ = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
EXAMPLES = {name: json.loads(known.example) for name, known in FORMATS.items()}
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.sampled_from(["", "-1", "2026-01-01", "1767225600", "{", "[]", "data: x", '{"role":"user"}'])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "text", "type", "choices", "x"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


def paths_of(value, prefix=()):
    """Every place in a record that can be changed."""
    places = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in places:
        yield (*prefix, name)
        yield from paths_of(inner, (*prefix, name))


@st.composite
def mutated(draw, name):
    record = json.loads(json.dumps(EXAMPLES[name]))
    for path in draw(
        st.lists(st.sampled_from(sorted(paths_of(record), key=str)), min_size=1, max_size=4, unique=True)
    ):
        holder = record
        for step in path[:-1]:
            is_there = isinstance(holder, dict) and step in holder
            is_there |= isinstance(holder, list) and isinstance(step, int) and step < len(holder)
            holder = holder[step] if is_there else None
        if isinstance(holder, dict):
            if draw(st.booleans()):
                holder[path[-1]] = draw(VALUES)
            else:
                holder.pop(path[-1], None)
        elif isinstance(holder, list) and isinstance(path[-1], int) and path[-1] < len(holder):
            holder[path[-1]] = draw(VALUES)
    return json.dumps(record).encode()


IDS = {"litellm": "litellm_call_id", "langfuse": "id"}


def numbered(name, number):
    """The format's example under an id of its own."""
    example = json.loads(json.dumps(EXAMPLES[name]))
    if name == "otlp":
        example["resourceSpans"][0]["scopeSpans"][0]["spans"][0] |= {"traceId": "good", "spanId": str(number)}
        return example
    if name == "openinference":
        return {**example, "context": {"trace_id": "good", "span_id": str(number)}}
    return {**example, IDS.get(name, "request_id"): f"good-{number}"}


def is_one_each(name):
    """Whether each record of a format is one request; else it may hold none, or several."""
    return FORMATS[name].unpack is itself


def read_bytes(read, raw, **options):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "log")
        path.write_bytes(raw)
        return read([path], **options)


def interleaved(name, bad):
    good = [json.dumps(numbered(name, number)).encode() for number in range(len(bad) + 1)]
    return b"\n".join(line for pair in zip(good, [*bad, b""], strict=True) for line in pair)


def good_ids(found):
    return [one for one in found.ids if one.startswith("good-")]


@pytest.mark.parametrize("name", FORMATS)
@FUZZ
@given(data=st.data())
def test_mutated_records_are_taken_or_rejected_and_never_lost(read, name, data):
    bad = data.draw(st.lists(mutated(name), min_size=1, max_size=4))
    found = read_bytes(read, interleaved(name, bad), format=name)

    assert not is_one_each(name) or found.tally.read == 2 * len(bad) + 1
    assert set(good_ids(found)) >= {f"good-{number}" for number in range(len(bad) + 1)}


@pytest.mark.parametrize("name", FORMATS)
@FUZZ
@given(
    bad=st.lists(
        st.binary(min_size=1, max_size=60).filter(lambda raw: b"\n" not in raw), min_size=1, max_size=4
    )
)
def test_lines_of_any_bytes_cost_themselves(read, name, bad):
    found = read_bytes(read, interleaved(name, bad), format=name)
    blank = sum(not line.strip(b" \t\r\0") for line in bad)

    assert good_ids(found) == [f"good-{number}" for number in range(len(bad) + 1)]
    assert found.tally.read >= 2 * len(bad) + 1 - blank  # a line may be an array of several


@FUZZ
@given(data=st.data())
def test_cut_and_flipped_bytes_in_json_lines_cost_their_line(read, data):
    lines = [bytearray(json.dumps(numbered("litellm", number)).encode()) for number in range(5)]
    harmed = data.draw(st.integers(0, 4))
    for _ in range(data.draw(st.integers(1, 5))):
        position = data.draw(st.integers(0, len(lines[harmed]) - 1))
        lines[harmed][position] = data.draw(st.integers(0, 255).filter(lambda byte: byte != 10))
    found = read_bytes(read, b"\n".join(lines), format="litellm")

    assert set(good_ids(found)) >= {f"good-{number}" for number in range(5) if number != harmed}
    assert found.tally.read == 5


@FUZZ
@given(data=st.data())
def test_any_harm_to_a_row_of_csv_costs_that_row(read, data):
    rows = [f"good-{number},2026-01-01T00:00:0{number}Z,acct-1,large,12" for number in range(5)]
    harmed = data.draw(st.integers(0, 4))
    rows[harmed] = data.draw(st.text(st.sampled_from('ab,"\r\t 1\u2028\x0b'), max_size=30))
    text = "\n".join(["request_id,timestamp,account_id,model,input_tokens", *rows])
    found = read_bytes(read, text.encode(), format="table")

    assert good_ids(found) == [f"good-{number}" for number in range(5) if number != harmed]


@pytest.mark.parametrize("indent", [None, 1])
@FUZZ
@given(data=st.data())
def test_a_harmed_array_loses_no_element_before_the_harm(read, indent, data):
    elements = [json.dumps(numbered("litellm", number), indent=indent).encode() for number in range(4)]
    raw = bytearray(b"[\n" + b",\n".join(elements) + b"\n]")
    position = data.draw(st.integers(0, len(raw) - 1))
    raw[position] = data.draw(st.integers(0, 255))
    found = read_bytes(read, bytes(raw), format="litellm")
    whole = (position - 2) // (len(elements[0]) + 2)

    assert set(found.ids) >= {f"good-{number}" for number in range(whole)}


def zstd(raw):
    """As the zstd command writes it: with a checksum, without which altered text cannot be told."""
    return zstandard.ZstdCompressor(write_checksum=True).compress(raw)


@pytest.mark.parametrize("pack", [gzip.compress, zstd], ids=["gzip", "zstd"])
@FUZZ
@given(data=st.data())
def test_harmed_compression_never_crashes(read, pack, data):
    raw = bytearray(pack(b"\n".join(json.dumps(numbered("litellm", number)).encode() for number in range(5))))
    raw = raw[: data.draw(st.integers(30, len(raw)))]
    for _ in range(data.draw(st.integers(0, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    found = read_bytes(read, bytes(raw), format="litellm")

    assert found.ids == [f"good-{number}" for number in range(len(found.ids))] or found.rejects


@FUZZ
@given(data=st.data())
def test_harmed_parquet_never_crashes(read, data):
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([numbered("table", number) for number in range(20)]), sink)
    raw = bytearray(sink.getvalue())
    raw = raw[: data.draw(st.integers(8, len(raw)))] if data.draw(st.booleans()) else raw
    for _ in range(data.draw(st.integers(0, 3))):
        raw[data.draw(st.integers(4, len(raw) - 1))] = data.draw(st.integers(0, 255))
    found = read_bytes(read, bytes(raw), format="table")

    assert found.tally.read >= 1


@FUZZ
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {
                "timestamp": st.datetimes().map(str) | st.sampled_from(["2026-01-01", "1767225600.25", ""]),
                "account_id": st.sampled_from(["a", " b ", "", "7"]),
                "model": st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=5),
                "input_tokens": st.sampled_from(["1", "-1", "x", "", "1.0", "1e3", "9" * 25]),
                "temperature": st.sampled_from(["0.5", "nan", "inf", "", "x"]),
                "stream": st.sampled_from(["true", "0", "maybe", ""]),
            }
        ),
        min_size=1,
        max_size=12,
    )
)
def test_every_container_gives_the_same_verdict_on_the_same_values(read, rows):
    table = pa.Table.from_pylist(rows)
    parquet, csv = io.BytesIO(), io.BytesIO()
    pq.write_table(table, parquet)
    pc.write_csv(table, csv)
    lines = "\n".join(map(json.dumps, rows)).encode()
    first, *others = (
        read_bytes(read, raw, format="table") for raw in (parquet.getvalue(), csv.getvalue(), lines)
    )

    for other in others:
        assert other.reasons == first.reasons
        assert other.ids == first.ids


@pytest.mark.parametrize(
    "known",
    [*FORMATS.values(), *ACCOUNT_FORMATS.values(), *EVENT_FORMATS.values()],
    ids=lambda known: known.name,
)
@FUZZ
@given(record=st.dictionaries(st.text(max_size=12), VALUES, max_size=6))
def test_recognising_never_fails(known, record):
    assert known.recognises(record) in (True, False)
