"""What every test of ingest needs: a digest, a way to read all of an input, and good records to break."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pytest

from stillwatch.contracts import EXCHANGE, REJECT
from stillwatch.ingest.reader import Source, read_exchanges
from stillwatch.ingest.sieve import Tally

SHARED = Path(__file__).parents[3] / "shared"


class Read(NamedTuple):
    rows: list[dict[str, Any]]
    rejects: list[dict[str, Any]]
    tally: Tally
    sources: list[Source]

    @property
    def reasons(self) -> list[str]:
        return [reject["reason"] for reject in self.rejects]

    @property
    def ids(self) -> list[str]:
        return [row["exchange_id"] for row in self.rows]


def keyed(raw: bytes) -> str:
    return hashlib.blake2b(raw, key=b"test", digest_size=16).hexdigest()


def read_all(inputs: Sequence[str | Path], **options: Any) -> Read:
    reading = read_exchanges([str(path) for path in inputs], digest=keyed, **options)
    batches = list(reading)
    for batch in batches:
        batch.records.validate(full=True)
        assert batch.records.schema == EXCHANGE
        assert batch.rejects.schema == REJECT
        assert batch.records.num_rows <= 8192
    rows = pa.Table.from_batches([batch.records for batch in batches], EXCHANGE).to_pylist()
    rejects = pa.Table.from_batches([batch.rejects for batch in batches], REJECT).to_pylist()
    tally = reading.tally
    assert (tally.kept, tally.rejected) == (len(rows), len(rejects))
    return Read(rows, rejects, tally, reading.sources())


@pytest.fixture
def digest() -> Callable[[bytes], str]:
    return keyed


@pytest.fixture
def read() -> Callable[..., Read]:
    return read_all


@pytest.fixture
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip("the shared reference data is not here")
    return SHARED


@pytest.fixture
def litellm_record() -> Callable[..., dict[str, Any]]:
    return make_litellm_record


@pytest.fixture
def table_record() -> Callable[..., dict[str, Any]]:
    return make_table_record


def make_litellm_record(number: int = 1, **changes: Any) -> dict[str, Any]:
    record = {
        "id": f"chatcmpl-{number}",
        "litellm_call_id": f"call-{number}",
        "call_type": "acompletion",
        "status": "success",
        "startTime": 1767225600.25 + number,
        "model": "openai/large-1",
        "model_group": "large",
        "prompt_tokens": 12,
        "completion_tokens": 40,
        "requester_ip_address": "192.0.2.7",
        "user_agent": "openai-python/2.5",
        "messages": [{"role": "user", "content": f"Question {number}"}],
        "response": {"choices": [{"message": {"role": "assistant", "content": f"Answer {number}"}}]},
        "model_parameters": {"temperature": 0.2, "max_tokens": 256, "stream": False},
        "error_information": {"error_code": ""},
        "metadata": {
            "user_api_key_user_id": "user-1",
            "user_api_key_hash": "77ab",
            "user_api_key_team_id": "team-1",
            "user_api_key_org_id": "org-1",
            "usage_object": {"completion_tokens_details": {"reasoning_tokens": 7}},
        },
    }
    return {**record, **changes}


def make_table_record(number: int = 1, **changes: Any) -> dict[str, Any]:
    record = {
        "timestamp": f"2026-01-01T00:{number // 60 % 60:02}:{number % 60:02}.250000Z",
        "request_id": f"req-{number}",
        "account_id": "acct-1",
        "api_key_id": "key-1",
        "model": "large",
        "messages": json.dumps([{"role": "user", "content": f"Question {number}"}]),
        "input_tokens": 12,
        "output_tokens": 40,
        "status": 200,
        "ip": "192.0.2.7",
        "asn": 64496,
        "user_agent": "openai-python/2.5",
        "ja4": "t13d1516h2_8daaf6152771",
    }
    return {**record, **changes}


@pytest.fixture
def jsonl(tmp_path: Path) -> Callable[..., Path]:
    """Writes records, or raw lines, one per line."""

    def write(*records: dict[str, Any] | bytes, name: str = "log.jsonl") -> Path:
        lines = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in records]
        path = tmp_path / name
        path.write_bytes(b"\n".join(lines) + b"\n")
        return path

    return write
