"""The fast way through LiteLLM's log says what the careful one says, or leaves the line to it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stillwatch.ingest import litellm
from stillwatch.ingest.json_text import NotJson, parse
from stillwatch.ingest.lines import Block
from stillwatch.ingest.values import Malformed

SAMPLE = Path(__file__).parent / "samples" / "litellm.jsonl"
ACCOUNTS = (
    litellm.FORMAT.account_fields,
    ("metadata.user_api_key_team_id",),
    ("metadata.user_api_key_alias", "end_user"),
    ("end_user",),
    ("model_parameters.user",),
    ("metadata.requester_metadata.session_id",),
    ("odd name",),
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(st.characters(), max_size=8)
    | st.sampled_from(
        ["", " a ", "success", "failure", "429", "redacted-by-litellm", "{}", '["x"]', 0, 1e15]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["role", "content", "text", "choices", "message", "output", "usage", "reasoning_tokens", "x"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


def careful(raw, fields):
    try:
        return litellm.read(parse(raw), fields)
    except (NotJson, Malformed, AttributeError, TypeError):  # of what is no object at all
        return None


def plainly(raw, fields):
    """What the fast way makes of one line; None where it leaves it to the careful one."""
    return litellm.FORMAT.plain(fields)(Block(1, 1, raw))[0]


def agrees(raw, fields):
    found = plainly(raw, fields)
    return found is None or found == careful(raw, fields)


def paths_of(value, prefix=()):
    places = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in places:
        yield (*prefix, name)
        yield from paths_of(inner, (*prefix, name))


@pytest.fixture(scope="module")
def lines():
    return SAMPLE.read_bytes().splitlines()


@pytest.mark.parametrize("fields", ACCOUNTS)
def test_real_records_are_read_alike_by_every_account_key(lines, fields):
    assert all(agrees(raw, fields) for raw in lines)


def test_real_records_are_plain(lines):
    rows = litellm.FORMAT.plain(litellm.FORMAT.account_fields)(Block(1, len(lines), b"\n".join(lines)))

    assert rows == [careful(raw, litellm.FORMAT.account_fields) for raw in lines]
    assert None not in rows


def test_a_real_proxy_writes_plain_records(shared):
    with gzip.open(shared / "data/litellm_sample.jsonl.gz") as file:
        raw = file.read().splitlines()

    for line in raw:
        assert plainly(line, litellm.FORMAT.account_fields) == careful(line, litellm.FORMAT.account_fields)


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_mutated_records_are_read_alike(lines, data):
    record = json.loads(data.draw(st.sampled_from(lines)))
    for path in data.draw(
        st.lists(st.sampled_from(sorted(paths_of(record), key=str)), min_size=1, max_size=3)
    ):
        holder = record
        for step in path[:-1]:
            is_there = isinstance(holder, dict) and step in holder
            is_there |= isinstance(holder, list) and isinstance(step, int) and step < len(holder)
            holder = holder[step] if is_there else None
        if isinstance(holder, dict) or (isinstance(holder, list) and path[-1] in range(len(holder))):
            holder[path[-1]] = data.draw(VALUES)
    raw = json.dumps(record, ensure_ascii=data.draw(st.booleans())).encode(errors="surrogatepass")

    assert agrees(raw, data.draw(st.sampled_from(ACCOUNTS)))


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_harmed_bytes_are_read_alike(lines, data):
    raw = bytearray(data.draw(st.sampled_from(lines)))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))

    assert agrees(bytes(raw), litellm.FORMAT.account_fields)


@pytest.mark.parametrize(
    "ballast",
    [
        rb'"\q"', rb'"\ud83d"', rb'"\u12"', b'"\x01"', b"01", b"1.", b"+1", b"1e", b"NaN", b"tru", b"[1,]",
        b"{b:1}", b".5", b'"\xed\xa0\x80"', b'"caf\xe9"', b"0x10", b"1e999", b"[" * 2000 + b"]" * 2000, b'"',
        b"", b"1} {", b'"a\nb"',
    ],
)  # fmt: skip
def test_what_is_passed_over_is_checked_all_the_same(litellm_record, ballast):
    raw = json.dumps(litellm_record(ballast="HERE")).encode().replace(b'"HERE"', ballast)
    found = plainly(raw, litellm.FORMAT.account_fields)

    assert found is None or found == careful(raw, litellm.FORMAT.account_fields)
    assert found is None or ballast == b"1e999"


@pytest.mark.parametrize("field", ['metadata.a"b', "a\\b", "a\nb", "metadata.\ud800"])
def test_an_account_field_that_no_struct_can_have_is_left_to_the_careful_reader(field):
    assert plainly(b'{"id":"1"}', (field,)) is None
