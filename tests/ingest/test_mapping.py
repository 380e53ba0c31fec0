"""Any table by a mapping file: what each rule does, what is told of a wrong one, and what a guess gives."""

from __future__ import annotations

import json
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stillwatch.contracts import InputError, UsageError
from stillwatch.ingest import mapping
from stillwatch.ingest.guess import guess

SAMPLES = Path(__file__).parent / "samples"
RULES = """
[columns]
timestamp = "ts"
account_id = ["customer.id", "key"]
exchange_id = "uuid"
model = "req.model"
messages = "req.messages"
system = "req.system"
answer = "resp.choices.0.text"
temperature = "req.temperature"
output_tokens = "resp.tokens.out"
status = "code"
"""


def own(number=1, **changes):
    record = {
        "ts": f"2026-01-01T00:00:{number:02}Z",
        "uuid": f"own-{number}",
        "customer": {"id": f"c-{number % 3}"},
        "key": "k-1",
        "req": {
            "model": "large",
            "messages": f"Question {number}",
            "system": "Be brief.",
            "temperature": 0.2,
        },
        "resp": {"choices": [{"text": f"Answer {number}"}], "tokens": {"in": 3, "out": 7}},
        "code": 200,
    }
    return {**record, **changes}


@pytest.fixture
def rules(tmp_path):
    def write(text=RULES):
        path = tmp_path / "mapping.toml"
        path.write_text(text)
        return path

    return write


def test_each_column_comes_from_where_the_mapping_says(read, jsonl, rules):
    (row,) = read([jsonl(own())], mapping=rules()).rows

    assert row["timestamp"] == datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert (row["exchange_id"], row["account_id"], row["model"]) == ("own-1", "c-1", "large")
    assert json.loads(row["messages"]) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Question 1"},
    ]
    assert (row["answer"], row["temperature"], row["output_tokens"]) == ("Answer 1", 0.2, 7)
    assert (row["status"], row["operation"]) == (200, None)


def test_the_source_says_that_a_mapping_was_used(read, jsonl, rules):
    assert read([jsonl(own())], mapping=rules()).sources[0].format == "mapping"


def test_the_next_path_is_taken_where_the_first_has_nothing(read, jsonl, rules):
    assert read([jsonl(own(customer={}))], mapping=rules()).rows[0]["account_id"] == "k-1"


def test_the_account_key_goes_before_the_mapping(read, jsonl, rules):
    found = read([jsonl(own())], mapping=rules(), account_key="req.model")

    assert found.rows[0]["account_id"] == "large"


def test_constants_fill_what_the_log_does_not_have(read, jsonl, rules):
    written = rules(RULES + '[constants]\noperation = "chat"\nmodel = "other"\nasn = "AS64496"\n')
    (row,) = read([jsonl(own())], mapping=written).rows

    assert (row["operation"], row["model"], row["asn"]) == ("chat", "large", 64496)


def test_paths_go_through_json_text_as_csv_holds_it(read, tmp_path, rules):
    record = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in own().items()}
    pq.write_table(pa.Table.from_pylist([record]), tmp_path / "log.parquet")
    (row,) = read([tmp_path / "log.parquet"], mapping=rules()).rows

    assert (row["account_id"], row["answer"], row["output_tokens"]) == ("c-1", "Answer 1", 7)


@pytest.mark.parametrize(
    ("unit", "value"),
    [
        ("s", 1767225600.25),
        ("s", "1767225600.25"),
        ("ms", 1767225600250),
        ("us", "1767225600250000"),
        ("ns", 1767225600250000999),
        ("ms", "2026-01-01T00:00:00.250Z"),  # text names its own unit
    ],
)
def test_times_count_in_the_unit_that_the_mapping_names(read, jsonl, rules, unit, value):
    written = rules(f'time_unit = "{unit}"\n{RULES}')

    assert read([jsonl(own(ts=value))], mapping=written).rows[0]["timestamp"] == datetime(
        2026, 1, 1, 0, 0, 0, 250000, tzinfo=UTC
    )


@pytest.mark.parametrize(("unit", "value"), [("s", 1767225600250), ("ns", 1767225600), ("ms", 1767225600)])
def test_a_wrong_unit_is_absurd_in_every_record_and_says_so(read, jsonl, rules, unit, value):
    found = read([jsonl(own(1, ts=value), own(2, ts=value))], mapping=rules(f'time_unit = "{unit}"\n{RULES}'))

    assert found.rows == []
    assert all(reason.startswith("ts: absurd time") for reason in found.reasons)
    assert len(found.reasons) == 2


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"ts": None}, "ts: missing"),
        ({"ts": "soon"}, "ts: expected a time"),
        ({"customer": {}, "key": ""}, "customer.id or key: the record names no account there"),
        ({"resp": {"tokens": {"out": -1}}}, "resp.tokens.out: expected a whole number of 0 or more"),
        ({"code": "teapot"}, "code: expected a number, found text"),
    ],
)
def test_a_bad_field_is_named_by_its_path_in_the_log(read, jsonl, rules, changes, expected):
    found = read([jsonl(own(1), own(2, **changes), own(3))], mapping=rules())

    assert found.ids == ["own-1", "own-3"]
    assert expected in found.reasons[0]


def test_a_client_cannot_have_its_request_turned_away(read, jsonl, rules):
    hostile = {"model": {"a": 1}, "messages": [[1]], "temperature": "hot"}
    found = read([jsonl(own(req=hostile))], mapping=rules())

    assert found.rejects == []
    assert found.rows[0]["temperature"] is None


@pytest.mark.parametrize(
    ("text", "field", "line", "expected"),
    [
        ("[columns\n", None, 1, "not TOML"),
        ('[columns]\ntimestamp = "ts"\n', "columns.account_id", None, "missing"),
        ('[columns]\naccount_id = "a"\n', "columns.timestamp", None, "missing"),
        (f'{RULES}colour = "red"\n', "columns.colour", None, "no column"),
        (f"{RULES}seed = 3\n", "columns.seed", None, "no field path"),
        (f"{RULES}seed = []\n", "columns.seed", None, "no field path"),
        (f'time_unit = "h"\n{RULES}', "time_unit", None, "none of s, ms, us, ns"),
        (f"{RULES}[extra]\n", "extra", None, "no part of a mapping"),
        (f'{RULES}[constants]\nstatus = "ok"\n', "constants.status", None, "expected a number"),
        (f'{RULES}[constants]\naccount_id = "a"\n', "constants.account_id", None, "differs"),
        (f"{RULES}[constants]\nseed = true\n", "constants.seed", None, "not of its column's type"),
        (f"constants = 3\n{RULES}", "constants", None, "no section"),
        ("\xff", None, None, "not TOML"),
    ],
)
def test_a_wrong_mapping_is_told_by_file_field_and_remedy(rules, text, field, line, expected):
    path = rules("")
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError) as raised:
        mapping.load(path)

    assert expected in raised.value.what
    assert (raised.value.file, raised.value.field, raised.value.line) == (str(path), field, line)
    assert raised.value.remedy


def test_a_mapping_and_a_format_cannot_both_hold(read, jsonl, rules):
    with pytest.raises(UsageError, match="--format or --mapping"):
        read([jsonl(own())], mapping=rules(), format="openai")


def test_a_guess_is_a_mapping_that_reads_the_file_as_it_is(read, jsonl, tmp_path):
    path = jsonl(*(own(number) for number in range(1, 9)))
    (tmp_path / "guessed.toml").write_text(guess(str(path)))
    found = read([path], mapping=tmp_path / "guessed.toml")

    assert found.ids == [f"own-{number}" for number in range(1, 9)]
    row = found.rows[0]
    assert (row["account_id"], row["model"], row["status"]) == ("c-1", "large", 200)
    assert "Be brief." in row["messages"]


@pytest.mark.parametrize(
    ("unit", "value"), [("s", 1767225600), ("ms", "1767225600250"), ("us", 1767225600250000)]
)
def test_a_guess_states_the_unit_of_the_times(jsonl, unit, value):
    assert f'time_unit = "{unit}"' in guess(str(jsonl(own(ts=value))))


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([own(ts="2026-01-01 00:00:00")], "name no zone"),
        ([own(user="u", key_id=None)], '(?) or "user"'),
        ([own(), own(customer=None, key=None)], "(?) in 1 of 2 records"),
        ([{"when": "x", "who": "y"}], '# timestamp = ""  # (?)'),
        ([{"when": "x", "who": "y"}], '# account_id = ""  # (?)'),
        ([{"ts": 1767225600, "user": "u"}], "nothing looks like: messages"),
        ([{"ts": 1767225600, "user": "u", "colour": 1}], 'no column takes: "colour"'),
        ([own(customer={"id": "a"}), own(customer={"id": "b"})], "2 different in 2 records"),
    ],
)
def test_a_guess_says_what_it_is_unsure_of(jsonl, records, expected):
    assert expected in guess(str(jsonl(*records)))


PROXY = {  # an access log with both bodies as text, that a format takes for its own
    "@timestamp": "2026-01-01T00:00:00.250Z",
    "http.request.id": "req0",
    "remote_addr": "192.0.2.7",
    "consumer": {"username": "user0", "id": "c0"},
    "request_body": '{"model":"large","messages":[{"role":"user","content":"hi"}]}',
    "response_body": '{"choices":[{"message":{"content":"ok"}}],"usage":{"completion_tokens":9}}',
}
CLOUD = {  # an invocation log of a cloud, all under one account of the cloud's
    "timestamp": "2026-01-01T00:00:00Z",
    "accountId": "123456789012",
    "identity": {"arn": "arn:role/app/user0"},
    "requestId": "b0",
    "modelId": "large",
    "input": {"inputBodyJson": {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}},
    "output": {
        "outputBodyJson": {"output": {"message": {"content": [{"text": "ok"}]}}},
        "outputTokenCount": 4,
    },
}
GERMAN = {
    "Zeit": 1767225600000,
    "Kunde": "K0",
    "Modell": "large",
    "Prompt": "hi",
    "Antwort": "ok",
    "Nr": "n0",
}
TABLE = {"id": "0", "created": "2026-01-01 00:00:00+00", "tenant": "t0", "prompt": "hi", "completion": "ok"}
NAMELESS = {"a": 1767225600, "user": "u0", "prompt": "hi", "completion": "ok"}
ODD_LOGS = {
    "proxy": (PROXY, "consumer.id", "http.request.id"),
    "cloud": (CLOUD, "identity.arn", "requestId"),
    "german": (GERMAN, "Kunde", None),
    "table": (TABLE, "tenant", "id"),
    "nameless": (NAMELESS, "user", None),
}


@pytest.mark.parametrize("name", ODD_LOGS)
def test_a_guess_for_an_odd_log_reads_it_to_the_last_record(read, jsonl, tmp_path, name):
    record, account, request = ODD_LOGS[name]
    text = json.dumps(record)
    path = jsonl(*(json.loads(renumbered(text, number)) for number in range(30)))
    guessed = guess(str(path))
    (tmp_path / "guessed.toml").write_text(guessed)
    found = read([path], mapping=tmp_path / "guessed.toml")
    columns = tomllib.loads(guessed)["columns"]

    assert (len(found.rows), found.rejects) == (30, [])
    assert (columns["account_id"], columns.get("exchange_id")) == (account, request)
    assert json.loads(found.rows[0]["messages"])[0]["role"] == "user"
    assert found.rows[0]["answer"] == "ok"
    assert "needs no mapping" not in guessed
    assert "name no zone" not in guessed
    assert ("by its values alone" in guessed) == (name == "nameless")


def renumbered(text, number):
    """The record with its ids counted on, those of accounts by five."""
    for identity in ("req", "b", "n"):
        text = text.replace(f'"{identity}0"', f'"{identity}{number}"')
    text = text.replace('"id": "0"', f'"id": "{number}"')
    for identity in ("user", "c", "K", "t", "u"):
        text = text.replace(f'{identity}0"', f'{identity}{number % 5}"')
    return text


def test_a_guess_for_a_known_format_says_that_none_is_needed():
    assert "looks like the format anthropic" in guess(str(SAMPLES / "anthropic.jsonl"))


@pytest.mark.parametrize(
    "name", ["anthropic.jsonl", "litellm-spend-logs.csv", "openai.jsonl", "helicone.jsonl"]
)
def test_guesses_read_real_logs_too(read, tmp_path, name):
    (tmp_path / "guessed.toml").write_text(guess(str(SAMPLES / name)))
    mapped, known = read([SAMPLES / name], mapping=tmp_path / "guessed.toml"), read([SAMPLES / name])

    assert mapped.rejects == []
    for row, expected in zip(mapped.rows, known.rows, strict=True):
        for column in ("timestamp", "account_id", "model"):
            assert row[column] == expected[column]
    assert mapped.rows[0]["output_tokens"] == known.rows[0]["output_tokens"]


@pytest.mark.parametrize(
    ("raw", "expected"), [(b"", "the file is empty"), (b"PAR1cut", "Parquet"), (b"plain", "no record")]
)
def test_a_file_without_records_is_an_error(tmp_path, raw, expected):
    (tmp_path / "log").write_bytes(raw)
    with pytest.raises(InputError, match=expected):
        guess(str(tmp_path / "log"))


KEYS = st.sampled_from(["ts", "user", "a.b", "é", '"', "\x7f", "messages", "answer", "status", "🎈", "\\"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=st.lists(st.dictionaries(KEYS, VALUES, min_size=1, max_size=6), min_size=1, max_size=3))
def test_every_guess_is_toml_that_says_no_more_than_a_mapping_may(tmp_path, records):
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in records))
    (tmp_path / "guessed.toml").write_text(guess(str(path)), encoding="utf-8")
    held = tomllib.loads((tmp_path / "guessed.toml").read_text(encoding="utf-8"))

    assert set(held) <= {"time_unit", "columns", "constants"}
    if {"timestamp", "account_id"} <= held["columns"].keys():
        assert mapping.load(tmp_path / "guessed.toml").name == "mapping"
