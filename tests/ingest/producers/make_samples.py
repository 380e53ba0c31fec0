"""Makes the samples anew with the real producers; ``samples/README.md`` says what each is.

    python make_samples.py --clients PYTHON --genai PYTHON --traceloop-older PYTHON --litellm PYTHON

Each interpreter is that of an environment which holds what ``samples/README.md`` names for it; the
interpreter that runs this script needs a PostgreSQL server and psql. Nothing of the machine goes into
the samples: paths in stack traces are cut out, everything else stays as the producer wrote it.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import documented_exports

sys.path.insert(0, str(Path(__file__).parents[1]))
from postgres_server import execute, postgres, program

HERE = Path(__file__).parent
SAMPLES = HERE.parent / "samples"
_STACK = re.compile(
    r'((?:exception\.stacktrace|stack_trace|traceback|traceback_str)"[,:] ?(?:"value": ?\{"stringValue": ?)?)'
    r'"(?:[^"\\]|\\.)*"'
)
_SETTINGS = re.compile(r"^(?:\\|--|SET |SELECT pg_catalog|ALTER TABLE .* OWNER ).*\n|^\n", re.MULTILINE)


def run(interpreter: str, script: str, *arguments: Path | str) -> None:
    command = [interpreter, "-B", HERE / script, *arguments]
    subprocess.run(list(map(str, command)), check=True, cwd=HERE, stdout=subprocess.DEVNULL)


def telemetry(interpreter: str, kind: str, otlp: Path, lines: Path) -> None:
    for path in (otlp, lines):
        path.unlink(missing_ok=True)
    run(interpreter, "telemetry.py", kind, otlp, lines)
    for path in (otlp, lines):
        path.write_text(without_stacks(path.read_text()))


def without_stacks(lines: str) -> str:
    """The lines with the stack traces in them emptied: they name places of this machine."""
    return _STACK.sub(r'\1""', lines)


def litellm(interpreter: str, folder: Path) -> None:
    spans, rows, payloads = (folder / f"{name}.jsonl" for name in ("spans", "rows", "payloads"))
    run(interpreter, "litellm_spans.py", spans, rows, payloads)
    (SAMPLES / "litellm.jsonl").write_text(without_stacks(payloads.read_text()))
    (SAMPLES / "otlp-litellm.jsonl").write_text(without_stacks(spans.read_text()))
    found = subprocess.run(
        [interpreter, "-c", "import litellm_proxy_extras as x; print(x.__path__[0])"],
        check=True,
        capture_output=True,
        text=True,
    )
    with tempfile.TemporaryDirectory() as own, postgres(Path(own)) as address:
        spend_logs(address, Path(found.stdout.strip()), [json.loads(line) for line in rows.open()])


def spend_logs(address: str, migrations: Path, rows: list[dict[str, object]]) -> None:
    """Make the table as LiteLLM makes it, put its rows in, and export them."""
    for step in sorted(migrations.glob("migrations/*/migration.sql")):
        execute(address, step.read_text())
    for row in rows:
        insert(address, row)
    table = '(SELECT * FROM "LiteLLM_SpendLogs" ORDER BY "startTime")'
    copied = execute(address, f"COPY {table} TO STDOUT (FORMAT csv, HEADER)")
    (SAMPLES / "litellm-spend-logs.csv").write_text(copied)
    lines = execute(address, f"SELECT row_to_json(logged)::text FROM {table} AS logged")
    (SAMPLES / "litellm-spend-logs.jsonl").write_text(lines)
    dump = subprocess.run(
        [program("pg_dump"), "--inserts", "-t", '"LiteLLM_SpendLogs"', address],
        check=True,
        capture_output=True,
        text=True,
    )
    (SAMPLES / "litellm-spend-logs.sql").write_text(_SETTINGS.sub("", dump.stdout))


def insert(address: str, row: dict[str, object]) -> None:
    row["metadata"] = without_traceback(str(row["metadata"]))
    row["spend"] = row["spend"] or 0.0
    names = ", ".join(f'"{name}"' for name in row)
    given = {f"v{number}": value for number, value in enumerate(row.values())}
    places = ", ".join("NULL" if value is None else f":'{name}'" for name, value in given.items())
    values = {name: str(value) for name, value in given.items() if value is not None}
    execute(address, f'INSERT INTO "LiteLLM_SpendLogs" ({names}) VALUES ({places})', **values)


def without_traceback(metadata: str) -> str:
    held = json.loads(metadata)
    if held.get("error_information"):
        held["error_information"]["traceback"] = ""
    return json.dumps(held)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("clients", "genai", "traceloop-older", "litellm"):
        parser.add_argument(f"--{name}", required=True)
    asked = parser.parse_args()
    documented_exports.write(SAMPLES)
    run(asked.clients, "clients.py", SAMPLES)
    with tempfile.TemporaryDirectory() as folder:
        spare = Path(folder) / "spare.jsonl"
        telemetry(asked.genai, "genai", SAMPLES / "otlp-genai.jsonl", spare)
        telemetry(asked.clients, "traceloop", SAMPLES / "otlp-traceloop.jsonl", spare)
        telemetry(asked.traceloop_older, "traceloop", SAMPLES / "otlp-traceloop-older.jsonl", spare)
        openinference = SAMPLES / "openinference.jsonl"
        telemetry(asked.clients, "openinference", SAMPLES / "otlp-openinference.jsonl", openinference)
        litellm(asked.litellm, Path(folder))


if __name__ == "__main__":
    main()
