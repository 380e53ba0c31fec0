"""Fuzzes every parser of logs by coverage: an hour by default, longer or shorter as told.

    python benchmarks/fuzz_ingest.py [--seconds 3600] [--corpus FOLDER]
    make bench FUZZ_SECONDS=60

Each input is a log between two good records of a format. It fails on a crash, a hang of ten seconds, a
good record that is lost, or a count that does not add up; the input is then left in the current folder
as ``crash-...``, and ``python benchmarks/fuzz_ingest.py FILE`` runs it again. Needs atheris, which there is
for Linux on x86-64 alone; elsewhere it says so and ends.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stillwatch.ingest.reader import Reading

SAMPLES = Path(__file__).parents[1] / "tests" / "ingest" / "samples"
HANG_SECONDS = 10
MAPPING = """
[columns]
timestamp = "meta.at"
account_id = ["meta.customer", "key"]
exchange_id = "id"
messages = "request.messages"
answer = "response.choices.0.message.content"
output_tokens = "response.usage.output"
status = "code"
"""
MAPPED = {
    "id": "x",
    "meta": {"at": 1767225600.25, "customer": "acct-1"},
    "request": {"messages": [{"role": "user", "content": "Hello"}]},
    "response": {"choices": [{"message": {"content": "Hello."}}], "usage": {"output": 40}},
    "code": 200,
}


def parsers() -> list[str]:
    """Every format of logs, ``accounts``, and ``mapping`` for logs of others."""
    from stillwatch.ingest.formats import ACCOUNT_FORMATS, FORMATS

    return [*FORMATS, *ACCOUNT_FORMATS, "mapping"]


def example(name: str) -> dict:
    """One record for a parser."""
    from stillwatch.ingest.formats import ACCOUNT_FORMATS, FORMATS

    known = {**FORMATS, **ACCOUNT_FORMATS}
    return json.loads(known[name].example if name in known else json.dumps(MAPPED))


def good(name: str, number: int) -> bytes:
    """The example for a parser under an id that begins with ``good``."""
    record = example(name)
    if name == "otlp":
        record["resourceSpans"][0]["scopeSpans"][0]["spans"][0] |= {"traceId": "good", "spanId": str(number)}
    elif name == "openinference":
        record["context"] = {"trace_id": "good", "span_id": str(number)}
    else:
        fields = {"litellm": "litellm_call_id", "langfuse": "id", "mapping": "id", "accounts": "account_id"}
        record[fields.get(name, "request_id")] = f"good-{number}"
    return json.dumps(record).encode()


def opened(path: Path, name: str) -> Reading:
    """The log under the parser's name; a mapping lies beside it."""
    from stillwatch.ingest.reader import read_accounts, read_exchanges

    def digest(raw: bytes) -> str:
        return hashlib.md5(raw).hexdigest()

    if name == "accounts":
        return read_accounts([str(path)], account_key="account_id", digest=digest)
    if name == "mapping":
        mapping = path.with_name("mapping.toml")
        if not mapping.exists():
            mapping.write_text(MAPPING)
        return read_exchanges([str(path)], mapping=mapping, digest=digest)
    return read_exchanges([str(path)], format=name, digest=digest)


def read(path: Path, name: str) -> tuple[int, int, set[str]]:
    """Rows, rejects and the ids of good records."""
    from stillwatch.contracts import InputError

    try:
        reading = opened(path, name)
        batches = list(reading)
    except InputError:
        return 0, 0, set()
    column = "account_id" if name == "accounts" else "exchange_id"
    rows = [row for batch in batches for row in batch.records.column(column).to_pylist()]
    rejects = sum(batch.rejects.num_rows for batch in batches)
    assert (reading.tally.kept, reading.tally.rejected) == (len(rows), rejects), "the count does not add up"
    return len(rows), rejects, {one for one in rows if one.startswith("good-")}


def one_input(raw: bytes, log: Path) -> None:
    """The first byte chooses the parser and how the rest is handed over."""
    if len(raw) < 2:
        return
    names = parsers()
    name, alone = names[raw[0] % len(names)], raw[0] & 0x80
    if alone:  # any container at all
        log.write_bytes(raw[1:])
        read(log, name)
        return
    log.write_bytes(b"\n".join([good(name, 1), *raw[1:].splitlines(), good(name, 2)]))
    kept = read(log, name)[2]
    assert kept >= {"good-1", "good-2"}, "a good record was lost beside a bad one"


def seeds(folder: Path) -> None:
    """Real logs and the parsers' examples, each under the byte that chooses its parser."""
    names = parsers()
    for index, name in enumerate(names):
        (folder / f"{name}-example").write_bytes(bytes([index]) + json.dumps(example(name)).encode())
    for number, path in enumerate(sorted(SAMPLES.glob("*.*"))):
        lines = path.read_bytes().splitlines()[:2]
        index = number % len(names)
        (folder / f"{path.name}-{index}").write_bytes(bytes([index | 0x80]) + b"\n".join(lines))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=int(os.environ.get("FUZZ_SECONDS", "3600")))
    parser.add_argument("--corpus", type=Path, help="Folder that keeps what was found between runs")
    parser.add_argument("inputs", nargs="*", help="Inputs to run again instead")
    asked = parser.parse_args()
    try:
        import atheris
    except ImportError:
        print("atheris is not installed (it is for Linux on x86-64 alone): nothing was fuzzed")
        return
    with atheris.instrument_imports(include=["stillwatch.ingest"]):
        import stillwatch.ingest.reader  # noqa: F401 - what is imported here is followed by coverage

    folder = Path(tempfile.mkdtemp(prefix="fuzz"))
    corpus = asked.corpus or folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    seeds(corpus)
    log = folder / "log"
    told = [
        f"-max_total_time={asked.seconds}",
        f"-timeout={HANG_SECONDS}",
        "-max_len=8192",
        "-rss_limit_mb=4096",
        "-print_final_stats=1",
    ]
    arguments = [sys.argv[0], *(asked.inputs or [*told, str(corpus)])]
    atheris.Setup(arguments, lambda raw: one_input(raw, log))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
