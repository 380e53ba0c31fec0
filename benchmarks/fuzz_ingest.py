"""Fuzzes every parser of logs by coverage: an hour by default, longer or shorter as told.

    python benchmarks/fuzz_ingest.py [--seconds 3600] [--corpus FOLDER]

Each input is a log between two good records of a format. It fails on a crash, a hang of ten seconds, a
good record that is lost, or a count that does not add up; the input is then left in the current folder
as ``crash-...``, and ``python benchmarks/fuzz_ingest.py FILE`` runs it again. Needs atheris, which there is
for Linux on x86-64 alone; elsewhere it says so and ends.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from pathlib import Path

SAMPLES = Path(__file__).parents[1] / "tests" / "ingest" / "samples"
HANG_SECONDS = 10


def good(name: str, number: int) -> bytes:
    """The example of a format under an id that begins with ``good``."""
    from stillwatch.ingest.formats import FORMATS

    record = json.loads(FORMATS[name].example)
    if name == "otlp":
        record["resourceSpans"][0]["scopeSpans"][0]["spans"][0] |= {"traceId": "good", "spanId": str(number)}
    elif name == "openinference":
        record["context"] = {"trace_id": "good", "span_id": str(number)}
    else:
        field = {"litellm": "litellm_call_id", "langfuse": "id"}.get(name, "request_id")
        record[field] = f"good-{number}"
    return json.dumps(record).encode()


def read(path: str, name: str) -> tuple[int, int, set[str]]:
    """Rows, rejects and the ids of good records."""
    from stillwatch.contracts import InputError
    from stillwatch.ingest.reader import read_exchanges

    try:
        reading = read_exchanges([path], format=name, digest=lambda raw: hashlib.md5(raw).hexdigest())
        batches = list(reading)
    except InputError:
        return 0, 0, set()
    rows = [row for batch in batches for row in batch.records.column("exchange_id").to_pylist()]
    rejects = sum(batch.rejects.num_rows for batch in batches)
    assert (reading.tally.kept, reading.tally.rejected) == (len(rows), rejects), "the count does not add up"
    return len(rows), rejects, {one for one in rows if one.startswith("good-")}


def one_input(raw: bytes, log: Path) -> None:
    """The first byte chooses the format and how the rest is handed over."""
    from stillwatch.ingest.formats import FORMATS

    if len(raw) < 2:
        return
    names = list(FORMATS)
    name, alone = names[raw[0] % len(names)], raw[0] & 0x80
    if alone:  # any container at all
        log.write_bytes(raw[1:])
        read(str(log), name)
        return
    log.write_bytes(b"\n".join([good(name, 1), *raw[1:].splitlines(), good(name, 2)]))
    kept = read(str(log), name)[2]
    assert kept >= {"good-1", "good-2"}, "a good record was lost beside a bad one"


def seeds(folder: Path) -> None:
    """Real logs and the formats' examples, each under the byte that chooses its format."""
    from stillwatch.ingest.formats import FORMATS

    for index, (name, known) in enumerate(FORMATS.items()):
        (folder / f"{name}-example").write_bytes(bytes([index]) + known.example.encode())
    for number, path in enumerate(sorted(SAMPLES.glob("*.*"))):
        lines = path.read_bytes().splitlines()[:2]
        for index in range(len(FORMATS)):
            if number % len(FORMATS) == index:
                (folder / f"{path.name}-{index}").write_bytes(bytes([index | 0x80]) + b"\n".join(lines))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=3600)
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
