"""The border as a whole: what leaves it is keyed, complete, and says what the contract says."""

import json
import threading

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.contracts import ACCOUNT, ACCOUNT_SKETCH, EXCHANGE, REJECT, SKETCH
from stillwatch.sketch.key import SketchKey
from stillwatch.sketch.sketcher import Sketcher

KEY = SketchKey(bytes(range(16)))
FINGERPRINTS = [name for name in SKETCH.names if name.endswith("_fp")]


@pytest.fixture(scope="module")
def sketcher():
    return Sketcher(KEY)


def exchange(**values):
    return {"exchange_id": "x", "timestamp": 0, "account_id": "a", "source": "log", "line": 1} | values


def exchanges(*rows):
    return pa.RecordBatch.from_pylist([exchange(**row) for row in rows], schema=EXCHANGE)


def account(**values):
    return {"account_id": "a", "source": "accounts", "line": 1} | values


def accounts(*rows):
    return pa.RecordBatch.from_pylist([account(**row) for row in rows], schema=ACCOUNT)


def chat(*turns):
    return json.dumps([{"role": role, "content": content} for role, content in turns])


def test_empty_batches(sketcher):
    sifted = sketcher.exchanges(pa.RecordBatch.from_pylist([], schema=EXCHANGE))
    assert (sifted.records.schema, sifted.records.num_rows) == (SKETCH, 0)
    assert (sifted.rejects.schema, sifted.rejects.num_rows) == (REJECT, 0)
    sketches = sketcher.accounts(pa.RecordBatch.from_pylist([], schema=ACCOUNT))
    assert (sketches.schema, sketches.num_rows) == (ACCOUNT_SKETCH, 0)


def test_a_row_of_nulls_has_counts_and_no_fingerprints(sketcher):
    row = sketcher.exchanges(exchanges({})).records.to_pylist()[0]
    assert [name for name in FINGERPRINTS if row[name] is not None] == []
    assert row["shingles"] == row["history_fps"] == []
    assert [row[name] for name in ("turns", "words", "message_bytes", "cues", "output_tokens")] == [0] * 5


def test_a_full_row_has_every_fingerprint(sketcher):
    messages = chat(
        ("system", "Be brief and kind to all who ask."),
        ("user", "One two three four five six seven eight nine"),
    )
    full = {
        "messages": messages,
        "answer": "Ten.",
        "tools": "[]",
        "max_tokens": 5,
        "client_address": "192.0.2.1",
    } | dict.fromkeys(["key_id", "organization_id", "team_id", "conversation_id", "user_agent"], "same")
    row = sketcher.exchanges(exchanges(full | {"tls_fingerprint": "t"})).records.to_pylist()[0]
    assert [name for name in FINGERPRINTS if row[name] is None] == []
    assert (len(row["shingles"]), len(row["history_fps"])) == (4 + 3, 1)
    assert row["message_bytes"] == len(messages)


def test_bad_messages_are_rejected_with_their_place_and_neighbours_stay(sketcher):
    rows = [
        {"line": 1, "messages": chat(("user", "hi"))},
        {"line": 2, "messages": '[{"role": "user", "content": "cut o'},
        {"line": 3, "messages": '{"role": "user"}'},
        {"line": 4, "messages": '["hi"]'},
        {"line": 5, "messages": ""},
        {"line": 6, "messages": "[]", "exchange_id": "last"},
    ]
    sifted = sketcher.exchanges(exchanges(*rows))
    assert sifted.records["exchange_id"].to_pylist() == ["x", "last"]
    rejects = sifted.rejects.to_pylist()
    assert [row["line"] for row in rejects] == [2, 3, 4, 5]
    assert all(row["reason"].startswith("field messages: expected") for row in rejects)
    assert rejects[0]["digest"] == KEY.digest(rows[1]["messages"].encode())
    assert "cut o" not in str(rejects)


def test_scaffold_is_seen_whatever_the_numbers(sketcher):
    text = "Solve problem {} and show each of the steps in order, then stop {}"
    rows = [{"messages": chat(("user", text.format(*numbers)))} for numbers in ((1, 2), (17, 2026))]
    one, other = sketcher.exchanges(exchanges(*rows)).records.to_pylist()
    assert (one["head_fp"], one["tail_fp"], one["shingles"]) == (
        other["head_fp"],
        other["tail_fp"],
        other["shingles"],
    )
    assert one["message_fp"] != other["message_fp"]


def test_history_is_the_last_four_turns(sketcher):
    turns = [("user" if i % 2 == 0 else "assistant", f"turn number {i}") for i in range(7)]
    grown = [{"messages": chat(("system", "s"), *turns[:n])} for n in (3, 5, 7)]
    rows = sketcher.exchanges(exchanges(*grown)).records.to_pylist()
    assert [len(row["history_fps"]) for row in rows] == [3, 4, 4]
    assert rows[1]["history_fps"][:2] == rows[0]["history_fps"][1:]
    assert rows[2]["history_fps"][-1] == rows[2]["message_fp"]


def test_order_of_shingles_does_not_depend_on_the_key(sketcher):
    text = "the quick brown fox jumps over the lazy dog and runs far away from all of it"
    batch = exchanges(
        {"messages": chat(("user", text))}, {"messages": chat(("user", text + " then")), "line": 2}
    )
    mine, theirs = (Sketcher(key).exchanges(batch).records for key in (KEY, SketchKey(bytes(16))))
    (a, b), (c, d) = mine["shingles"].to_pylist(), theirs["shingles"].to_pylist()
    assert set(a).isdisjoint(c)
    assert [a.index(value) if value in a else None for value in b] == [
        c.index(value) if value in c else None for value in d
    ]


def test_parameters_and_tools_compare_by_meaning(sketcher):
    rows = [
        {"temperature": 0.0, "tools": '[{"name": "a b"}]'},
        {"temperature": -0.0, "tools": '[ {"name":"a b"}\n]'},
        {"top_p": 0.0, "tools": '[{"name": "ab"}]'},
        {"temperature": 0.0, "seed": 0},
    ]
    result = sketcher.exchanges(exchanges(*rows)).records
    parameters, tools = result["parameters_fp"].to_pylist(), result["tools_fp"].to_pylist()
    assert parameters[0] == parameters[1]
    assert len(set(parameters)) == 3
    assert tools[0] == tools[1] != tools[2]


def test_addresses_of_one_network(sketcher):
    rows = [{"client_address": text} for text in ("192.0.2.1", "192.0.2.9", "::ffff:192.0.2.1", "odd", "odd")]
    result = sketcher.exchanges(exchanges(*rows)).records
    address, network = result["address_fp"].to_pylist(), result["network_fp"].to_pylist()
    assert network[0] == network[1] == network[2]
    assert address[0] == address[2] != address[1]
    assert address[3] == address[4]


def test_accounts_keep_no_identifier(sketcher):
    raw = {
        "email": "Jane.Doe+a@gmail.com",
        "phone": "+1 555 0100",
        "payment_fingerprint": "card",
        "device_fingerprint": "device",
        "signup_ip": "192.0.2.1",
        "organization": "Example",
        "country": "NZ",
    }
    twin = raw | {"email": "janedoe@googlemail.com", "phone": "0015550100", "organization": " EXAMPLE"}
    one, other = sketcher.accounts(accounts(raw, twin | {"account_id": "b"})).to_pylist()
    assert [name for name in one if one[name] != other[name]] == ["account_id", "email_shape"]
    assert (one["email_shape"], one["email_kind"], one["country"]) == ("a5.a5+a1@", "free", "NZ")
    assert not {str(value) for value in raw.values()} & {str(value) for value in one.values()} - {"NZ"}


def test_one_sketcher_serves_many_threads(sketcher):
    texts = [
        chat(("user", f"please grade answer {i} of the student with care and give a score"))
        for i in range(500)
    ]
    batch = exchanges(*({"messages": text} for text in texts))
    wanted = sketcher.exchanges(batch).records
    results: list[bool] = []

    def work():
        results.append(all(sketcher.exchanges(batch).records.equals(wanted) for _ in range(5)))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 4


def test_no_text_of_a_request_leaves(sketcher):
    batch = exchanges({"messages": chat(("user", "confidential words of a customer")), "answer": "privately"})
    left = sketcher.exchanges(batch).records
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, left.schema) as stream:
        stream.write_batch(left)
    stored = sink.getvalue().to_pybytes()
    assert b"confidential" not in stored
    assert b"privately" not in stored
    assert np.asarray(left["words"]).tolist() == [5]
