"""How fast a LiteLLM log is read, beside DuckDB, polars and a loop over orjson on the same file in one run.

    python benchmarks/ingest.py [--log FILE] [--megabytes 256] [--rounds 3] [--out FOLDER]

Every contender reads the fields that stillwatch needs into columns, in a process of its own; the fastest
round counts. The peers take what they read on trust, stillwatch checks it. Without ``--log`` a log is
generated with the field sizes of real records: 12.8 kB, 7.4 of them about the model. Prints a table and
writes ``ingest.json`` and ``ingest.md``.
"""

import argparse
import hashlib
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from speed.record import RESULTS, keep, surroundings

KEPT = (
    "litellm_call_id", "startTime", "call_type", "status", "model_group", "prompt_tokens",
    "completion_tokens", "requester_ip_address", "user_agent", "session_id",
)  # fmt: skip
METADATA = (
    "user_api_key_user_id",
    "user_api_key_hash",
    "user_api_key_team_id",
    "user_api_key_org_id",
)
PARAMETERS = ("temperature", "top_p", "max_tokens", "seed", "n")


def stillwatch(log: str) -> int:
    from stillwatch.ingest.reader import read_exchanges

    def digest(raw: bytes) -> str:
        return hashlib.blake2b(raw, digest_size=16).hexdigest()

    return sum(batch.records.num_rows for batch in read_exchanges([log], digest=digest))


def orjson_loop(log: str) -> int:
    import orjson
    import pyarrow as pa

    def arrow(rows: list[tuple[object, ...]]) -> int:
        columns = [pa.array(column) for column in zip(*rows, strict=True)]
        return len(columns[0]) if columns else 0

    rows, count = [], 0
    with Path(log).open("rb") as file:
        for line in file:
            record = orjson.loads(line)
            metadata, parameters = record["metadata"], record["model_parameters"]
            choices = record["response"].get("choices") if isinstance(record["response"], dict) else None
            usage = metadata.get("usage_object") or {}
            rows.append(
                (
                    *(record.get(name) for name in KEPT),
                    *(metadata.get(name) for name in METADATA),
                    *(parameters.get(name) for name in PARAMETERS),
                    (usage.get("completion_tokens_details") or {}).get("reasoning_tokens"),
                    orjson.dumps(record["messages"]).decode(),
                    choices[0]["message"]["content"] if choices else None,
                )
            )
            if len(rows) == 8192:
                count += arrow(rows)
                rows = []
    return count + arrow(rows)


def duckdb(log: str) -> int:
    import duckdb

    texts = dict.fromkeys(KEPT, "VARCHAR")
    texts |= {"startTime": "DOUBLE", "prompt_tokens": "BIGINT", "completion_tokens": "BIGINT"}
    details = "usage_object STRUCT(completion_tokens_details STRUCT(reasoning_tokens BIGINT))"
    metadata = f"STRUCT({', '.join(f'{name} VARCHAR' for name in METADATA)}, {details})"
    parameters = f"STRUCT({', '.join(f'{name} DOUBLE' for name in PARAMETERS)})"
    answer = "STRUCT(choices STRUCT(message STRUCT(content VARCHAR))[])"
    columns = {**texts, "metadata": metadata, "model_parameters": parameters, "messages": "JSON"}
    columns["response"] = answer
    fields = [*KEPT, *(f"metadata.{name}" for name in METADATA)]
    fields += [f"model_parameters.{name}" for name in PARAMETERS]
    fields += ["metadata.usage_object.completion_tokens_details.reasoning_tokens", "messages"]
    query = f"SELECT {', '.join(fields)}, response.choices[1].message.content FROM read_json($log, "
    query += "format = 'newline_delimited', maximum_object_size = 134217728, columns = $columns)"
    query = query.replace("$columns", str(columns))
    reader = duckdb.execute(query, {"log": log}).to_arrow_reader(8192)
    return sum(batch.num_rows for batch in reader)


def polars(log: str) -> int:
    import polars as pl

    message = pl.Struct({"role": pl.String, "content": pl.String})
    details = pl.Struct({"reasoning_tokens": pl.Int64})
    schema = dict.fromkeys(KEPT, pl.String)
    schema |= {"startTime": pl.Float64, "prompt_tokens": pl.Int64, "completion_tokens": pl.Int64}
    usage = pl.Struct({"completion_tokens_details": details})
    schema["metadata"] = pl.Struct(dict.fromkeys(METADATA, pl.String) | {"usage_object": usage})
    schema["model_parameters"] = pl.Struct(dict.fromkeys(PARAMETERS, pl.Float64))
    schema["messages"] = pl.List(message)
    schema["response"] = pl.Struct({"choices": pl.List(pl.Struct({"message": message}))})
    frame = pl.scan_ndjson(log, schema=schema).select(list(schema)).collect(engine="streaming")
    return frame.height


CONTENDERS: dict[str, Callable[[str], int]] = {
    "stillwatch": stillwatch,
    "orjson loop": orjson_loop,
    "duckdb": duckdb,
    "polars": polars,
}


def generate(path: Path, megabytes: int) -> None:
    """Records with the fields of LiteLLM 1.106 and the sizes of real ones; the same bytes every time."""
    chance = random.Random(7)
    words = [f"{chance.getrandbits(24):x}" for _ in range(5000)]
    ballast = {f"price_per_token_{n}": chance.random() for n in range(180)}
    ballast |= {"supported_parameters": words[:120], "description": " ".join(words[:80])}
    with path.open("w") as file:
        written = number = 0
        while written < megabytes * 1_000_000:
            number += 1
            written += file.write(json.dumps(_record(number, chance, words, ballast)) + "\n")


def _record(number: int, chance: random.Random, words: list[str], ballast: object) -> dict[str, object]:
    asked = " ".join(chance.choices(words, k=chance.randint(20, 400)))
    answered = " ".join(chance.choices(words, k=chance.randint(20, 200)))
    budget = {f"user_api_key_{name}": None for name in ("spend", "max_budget", "budget_reset_at", "alias")}
    usage = {"completion_tokens": 40, "prompt_tokens": 12, "total_tokens": 52}
    headers = {word: word for word in words[:12]}
    return {
        "id": f"chatcmpl-{number}",
        "litellm_call_id": f"call-{number:032x}",
        "trace_id": f"trace-{number:032x}",
        "session_id": "",
        "call_type": "acompletion",
        "cache_hit": None,
        "stream": None,
        "status": "success",
        "status_fields": {"llm_api_status": "success", "guardrail_status": "not_run"},
        "startTime": 1767225600.25 + number,
        "endTime": 1767225601.5 + number,
        "model": "openai/large-1",
        "metadata": {
            **budget,
            "user_api_key_hash": f"{number % 977:064x}",
            "user_api_key_user_id": f"user-{number % 977}",
            "user_api_key_team_id": f"team-{number % 31}",
            "user_api_key_org_id": "org-1",
            "requester_ip_address": "192.0.2.7",
            "user_agent": "openai-python/2.5",
            "requester_metadata": {"tags": ["batch"], "session_id": "s", "headers": headers},
            "usage_object": {**usage, "completion_tokens_details": {"reasoning_tokens": 7}},
        },
        "prompt_tokens": 12,
        "completion_tokens": 40,
        "end_user": "",
        "model_group": "large",
        "requester_ip_address": "192.0.2.7",
        "user_agent": "openai-python/2.5",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": asked}],
        "response": {
            "id": f"chatcmpl-{number}",
            "object": "chat.completion",
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": answered, "tool_calls": None},
                }
            ],
            "usage": usage,
        },
        "model_parameters": {"temperature": 0.2, "max_tokens": 256, "stream": False},
        "hidden_params": {"model_id": f"{number % 7:064x}", "additional_headers": headers},
        "model_map_information": {"model_map_key": "large-1", "model_map_value": ballast},
        "error_information": {"error_code": "", "error_class": "", "traceback": ""},
        "guardrail_information": [{"guardrail_name": word} for word in words[:8]],
    }


def measure(name: str, log: str) -> dict[str, float]:
    """One round in a process of its own, so that threads and memory of one do not weigh on the next."""
    done = subprocess.run(
        [sys.executable, __file__, "--only", name, "--log", log], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def run_one(name: str, log: str) -> None:
    with tempfile.TemporaryDirectory() as folder:  # imports and first calls are not what is measured
        few = Path(folder) / "few.jsonl"
        with Path(log).open("rb") as file:
            few.write_bytes(b"".join(file.readlines(200_000)))
        CONTENDERS[name](str(few))
    wall, cpu = time.perf_counter(), time.process_time()
    rows = CONTENDERS[name](log)
    found = {"rows": rows, "wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    print(json.dumps(found))


def compare(log: str, rounds: int) -> dict[str, object]:
    """Return the size of the log, and one row a contender."""
    size = Path(log).stat().st_size
    best: dict[str, dict[str, float]] = {}
    for _ in range(rounds):  # in turn, so that a busy minute of the machine hits all of them
        for name in CONTENDERS:
            found = measure(name, log)
            known = best.setdefault(name, found)
            best[name] = {key: min(known[key], found[key]) for key in found}
    contenders = [
        {
            "contender": name,
            "rows": round(one["rows"]),
            "wall s": round(one["wall"], 3),
            "CPU s": round(one["cpu"], 3),
            "MB/s": round(size / one["wall"] / 1e6),
            "MB/s and core": round(size / one["cpu"] / 1e6),
        }
        for name, one in best.items()
    ]
    return {"megabytes": round(size / 1e6), "rounds": rounds, "contenders": contenders}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--log")
    parser.add_argument("--megabytes", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    if asked.only:
        run_one(asked.only, asked.log)
        return
    made = surroundings("orjson", "msgspec")
    with tempfile.TemporaryDirectory() as folder:
        log = asked.log or str(Path(folder) / "litellm.jsonl")
        if not asked.log:
            generate(Path(log), asked.megabytes)
        figures = compare(log, asked.rounds)
    keep("ingest", f"Reading a LiteLLM log of {figures['megabytes']:,} MB", made, figures, asked.out)


if __name__ == "__main__":
    main()
