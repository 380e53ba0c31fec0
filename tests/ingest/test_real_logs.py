"""One log of each format as its real producer wrote it goes in unchanged; samples/README.md says how."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest

from stillwatch.ingest.formats import FORMATS

SAMPLES = Path(__file__).parent / "samples"
ASKED = [
    {"role": "system", "content": "Answer in one sentence."},
    {"role": "user", "content": "Question 1"},
]
FILES = {
    "openai.jsonl": "openai",
    "openai-responses.jsonl": "openai-responses",
    "anthropic.jsonl": "anthropic",
    "otlp-genai.jsonl": "otlp",
    "otlp-traceloop.jsonl": "otlp",
    "otlp-traceloop-older.jsonl": "otlp",
    "otlp-litellm.jsonl": "otlp",
    "otlp-openinference.jsonl": "otlp",
    "openinference.jsonl": "openinference",
    "litellm.jsonl": "litellm",
    "litellm-spend-logs.csv": "litellm-spend-logs",
    "litellm-spend-logs.jsonl": "litellm-spend-logs",
    "langfuse.jsonl": "langfuse",
    "helicone.jsonl": "helicone",
}
WITHOUT_STATUS = ("otlp-genai", "otlp-traceloop", "otlp-openinference", "openinference", "langfuse")


def question(row):
    return int(row["messages"].rpartition("Question ")[2].rstrip('"]}').split('"')[0])


@pytest.fixture(params=FILES)
def found(request, read):
    found = read([SAMPLES / request.param])
    assert found.rejects == []
    return request.param, found, {question(row): row for row in found.rows}


def test_the_producer_is_known_and_every_call_is_there(found):
    name, read_back, rows = found

    assert read_back.sources[0].format == FILES[name]
    assert sorted(rows) == ([1, 2, 3, 4] if name == "langfuse.jsonl" else [1, 2, 3, 4, 5])
    assert len(set(read_back.ids)) == len(rows)
    assert not any(one.startswith("derived-") for one in read_back.ids)


def test_requests_and_answers_arrive_as_they_were_sent(found):
    _, _, rows = found

    assert json.loads(rows[1]["messages"]) == ASKED
    assert rows[1]["answer"] == "Answer 1."
    assert rows[2]["answer"] == "Answer 2."
    assert rows[4]["answer"] is None
    assert {row["operation"] for row in rows.values()} == {"chat"}


def test_accounts_tokens_models_and_parameters_are_read(found):
    name, _, rows = found

    assert Counter(row["account_id"][-1] for row in rows.values())["1"] >= 2
    assert all(row["input_tokens"] for row in (rows[1], rows[3]))
    assert all(row["output_tokens"] for row in (rows[1], rows[3]))
    assert {row["model"] for row in rows.values()} <= {"assistant-large", "assistant-busy"}
    assert {row["max_tokens"] for row in rows.values()} <= {64, 2048, None}
    assert rows[1]["temperature"] == (None if name == "anthropic.jsonl" else 0.2)


def test_a_refused_call_says_so(found):
    name, _, rows = found

    assert rows[1]["status"] == 200
    assert rows[4]["status"] == (500 if name.startswith(WITHOUT_STATUS) else 429)


@pytest.mark.parametrize("name", ["openai.jsonl", "otlp-genai.jsonl", "otlp-openinference.jsonl"])
def test_tools_that_were_offered_are_read(read, name):
    rows = {question(row): row for row in read([SAMPLES / name]).rows}

    assert (rows[1]["tools"] is None) or name == "otlp-genai.jsonl"
    assert rows[3]["answer"] is None
    if name != "otlp-genai.jsonl":
        assert "look_up" in rows[3]["tools"]


def test_history_comes_with_the_request(read):
    for name in ("openai-responses.jsonl", "anthropic.jsonl"):
        row = read([SAMPLES / name]).rows[2]
        roles = [message["role"] for message in json.loads(row["messages"])]
        assert roles == ["system", "user", "assistant", "user"]
    assert read([SAMPLES / "openai-responses.jsonl"]).rows[2]["conversation_id"] == "resp_1"


def test_counts_of_reasoning_and_cached_tokens_are_read(read):
    assert read([SAMPLES / "openai-responses.jsonl"]).rows[0]["reasoning_tokens"] == 4
    assert read([SAMPLES / "openai-responses.jsonl"]).rows[1]["reasoning_tokens"] == 4  # streamed
    assert read([SAMPLES / "otlp-openinference.jsonl"]).rows[0]["reasoning_tokens"] == 3
    assert [read([SAMPLES / "anthropic.jsonl"]).rows[n]["input_tokens"] for n in (0, 1)] == [16, 16]


def test_spend_logs_are_the_same_from_every_export(read, tmp_path):
    table = pc.read_csv(SAMPLES / "litellm-spend-logs.csv")
    pq.write_table(table, tmp_path / "rows.parquet")
    from_csv = read([SAMPLES / "litellm-spend-logs.csv"])
    others = [read([SAMPLES / "litellm-spend-logs.jsonl"]), read([tmp_path / "rows.parquet"])]

    for other in others:
        assert other.sources[0].format == "litellm-spend-logs"
        for row, expected in zip(other.rows, from_csv.rows, strict=True):
            assert {**row, "source": "", "line": 0} == {**expected, "source": "", "line": 0}


def test_a_call_in_spend_logs_and_in_the_log_has_one_id(read):
    logged, stored = (set(read([SAMPLES / name]).ids) for name in ("litellm.jsonl", "litellm-spend-logs.csv"))

    assert logged == stored


def test_spans_around_the_calls_are_passed_over(read):
    for name in ("otlp-genai.jsonl", "openinference.jsonl"):
        raw = (SAMPLES / name).read_text()
        assert raw.count('"handle request"') >= 5
        assert read([SAMPLES / name]).tally.read == 5


@pytest.mark.parametrize("name", ["langfuse.jsonl", "helicone.jsonl", "openinference.jsonl"])
def test_exports_are_read_from_other_containers_too(read, tmp_path, name):
    records = [json.loads(line) for line in (SAMPLES / name).open()]
    (tmp_path / "page.json").write_text(json.dumps({"data": records, "meta": {"page": 1}}, indent=1))
    flat = [{key: value for key, value in one.items() if value not in ({}, [])} for one in records]
    pq.write_table(pa.Table.from_pylist(flat[:4]), tmp_path / "rows.parquet")
    lines = read([SAMPLES / name])

    assert read([tmp_path / "page.json"], format=FILES[name]).ids == lines.ids
    assert read([tmp_path / "rows.parquet"], format=FILES[name]).ids[:2] == lines.ids[:2]


def test_every_format_has_its_sample():
    assert set(FILES.values()) == set(FORMATS) - {"table"}  # whose producer is `stillwatch simulate`
