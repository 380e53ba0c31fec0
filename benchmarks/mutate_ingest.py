"""Half a million mutated records through every parser, each between good ones that must all be counted.

    python benchmarks/mutate_ingest.py [--records 500000] [--seed 7] [--json FILE]

For each format and container: nothing crashes, no record takes ten seconds, every mutated record is taken,
passed over (a span that is no model call) or rejected with its own place and a reason, and every good
record beside it is counted exactly once. Ends with exit code 1 at the first that is not so, and leaves the
log there.
"""

from __future__ import annotations

import argparse
import copy
import csv
import io
import json
import platform
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fuzz_ingest import SAMPLES, example, good, opened, parsers
from stillwatch.ingest.format import itself
from stillwatch.ingest.formats import FORMATS

HANG_SECONDS = 10
CHUNK = 500  # mutated records of one file
ODD: list[Any] = [
    None, True, False, 0, -1, 2**63, -(2**70), 0.5, 1e308, float("nan"), float("inf"), "", " ", "x", "-1",
    "1e3", "null", "{", "[]", '{"a":', "data: x", "2026-01-01", "9999-12-31T23:59:59Z", "0001-01-01", 10**30,
    "\0", "\ud800",
    "é" * 50, "\u2028", "a\nb", "a\tb,c;d", [], {}, [[]], [None], {"": None}, {"role": 1}, [{"role": "user"}],
    {"choices": [None]}, "\U0001f600", "AS64496", "true", "200 OK",
]  # fmt: skip


class Written(NamedTuple):
    """A log, the lines on which good records stand, those on which mutated ones begin, and the good ids."""

    raw: bytes
    good_lines: set[int]
    bad_lines: list[tuple[int, int]]  # first and last line of each
    good_ids: list[str]


class Case(NamedTuple):
    """One format in one container."""

    name: str
    container: str
    bases: list[dict[str, Any]]
    numbered: Callable[[int], dict[str, Any]]
    write: Callable[[random.Random, Case, int], Written]


class Count(NamedTuple):
    mutated: int
    taken: int
    rejected: int
    passed_over: int
    good: int
    seconds: float


def mutated(dice: random.Random, base: dict[str, Any]) -> dict[str, Any]:
    """A copy of a record with one to four values replaced, dropped, renamed, wrapped or put elsewhere."""
    record = json.loads(json.dumps(base))
    for _ in range(dice.randint(1, 4)):
        found = list(places(record))
        if not found:
            break
        holder, step = dice.choice(found)
        harm = dice.randrange(6)
        if harm < 3:
            holder[step] = copy.deepcopy(dice.choice(ODD))
        elif harm == 3 and isinstance(holder, dict):
            holder.pop(step, None)
        elif harm == 4 and isinstance(holder, dict):
            holder[str(step)[:-1] + dice.choice("xyz_")] = holder.pop(step, None)
        else:
            holder[step] = dice.choice([[holder[step]], {"value": holder[step]}, json.dumps(holder[step])])
    return record


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a record that can be changed, as its holder and its key or index."""
    steps = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for step in list(steps):
        yield value, step
        yield from places(value[step])


def harmed(dice: random.Random, line: bytes) -> bytes:
    """A line with bytes flipped, cut off, put in, doubled, or replaced as a whole; never with a line end."""
    raw, harm = bytearray(line), dice.randrange(7)
    at = dice.randrange(len(raw) or 1)
    if harm < 2:
        for _ in range(dice.randint(1, 8)):
            raw[dice.randrange(len(raw))] = dice.randrange(256)
    elif harm == 2:
        del raw[at:]
    elif harm == 3:
        raw[at:at] = dice.randbytes(dice.randint(1, 20))
    elif harm == 4:
        raw[at:at] = raw[dice.randrange(len(raw)) :][:50]
    elif harm == 5:
        del raw[at : at + dice.randint(1, 30)]
    else:
        raw = bytearray(dice.randbytes(dice.randint(1, 200)))
    return bytes(raw).replace(b"\n", b"\0")


def json_lines(dice: random.Random, case: Case, count: int) -> Written:
    lines, bad = [], []
    for number in range(count):
        lines.append(json.dumps(case.numbered(number)).encode())
        line = json.dumps(mutated(dice, dice.choice(case.bases))).encode()
        lines.append(harmed(dice, line) if dice.random() < 0.5 else line)
        bad.append((len(lines), len(lines)))
    lines.append(json.dumps(case.numbered(count)).encode())
    ids = [f"good-{number}" for number in range(count + 1)]
    return Written(b"\n".join(lines), set(range(1, len(lines) + 1, 2)), bad, ids)


def json_array(dice: random.Random, case: Case, count: int) -> Written:
    """Elements of an array, one to a line; harm to text would be harm to the array, so values are mutated."""
    lines, bad = [b"["], []
    for number in range(count):
        lines.append(json.dumps(case.numbered(number)).encode() + b",")
        lines.append(json.dumps(mutated(dice, dice.choice(case.bases))).encode() + b",")
        bad.append((len(lines), len(lines)))
    lines += [json.dumps(case.numbered(count)).encode(), b"]"]
    good_lines = {2, *range(2, len(lines), 2)}
    return Written(b"\n".join(lines), good_lines, bad, [f"good-{number}" for number in range(count + 1)])


def csv_rows(dice: random.Random, case: Case, count: int) -> Written:
    """Odd values well quoted, and rows harmed as text; a quote left open alone, once in a file."""
    names = list(case.bases[0])
    rows, good_lines, bad, at = [row(names)], set(), [], 2
    open_quote = dice.randrange(count)
    for number in range(count + 1):
        rows.append(row(flat(case.numbered(number), names)))
        good_lines.add(at)
        at += 1
        if number == count:
            break
        text = row(flat(mutated(dice, dice.choice(case.bases)), names))
        if dice.random() < 0.4:
            text = harmed(dice, text.replace(b"\n", b" ")).replace(b'"', b"'").replace(b"\r", b" ")
        if number == open_quote:
            text = b'"' + text.replace(b'"', b"").replace(b"\n", b" ")
        rows.append(text)
        bad.append((at, at + text.count(b"\n")))
        at += 1 + text.count(b"\n")
    ids = [f"good-{number}" for number in range(count + 1)]
    return Written(b"\n".join(rows), good_lines, bad, ids)


def flat(record: dict[str, Any], names: list[str]) -> list[str]:
    values = [record.get(name) for name in names]
    return [
        json.dumps(value) if isinstance(value, dict | list) else "" if value is None else str(value)
        for value in values
    ]


def row(values: list[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(values)
    return text.getvalue().encode(errors="replace")


def parquet_rows(dice: random.Random, case: Case, count: int) -> Written:
    """Columns of text with odd values, some of which are not UTF-8."""
    names, rows = list(case.bases[0]), []
    for number in range(count):
        rows.append([value.encode() for value in flat(case.numbered(number), names)])
        values = flat(mutated(dice, dice.choice(case.bases)), names)
        texts = [value.encode(errors="replace") for value in values]
        rows.append([harmed(dice, text) if text and dice.random() < 0.1 else text for text in texts])
    rows.append([value.encode() for value in flat(case.numbered(count), names)])
    columns = [unchecked(list(column)) for column in zip(*rows, strict=True)]
    sink = io.BytesIO()
    pq.write_table(pa.table(columns, names=names), sink)
    bad = [(line, line) for line in range(2, len(rows) + 1, 2)]
    ids = [f"good-{number}" for number in range(count + 1)]
    return Written(sink.getvalue(), set(range(1, len(rows) + 1, 2)), bad, ids)


def unchecked(values: list[bytes]) -> pa.Array:
    """Text of any bytes, as a careless writer makes it."""
    ends = np.cumsum([0, *map(len, values)], dtype=np.int32)
    return pa.StringArray.from_buffers(len(values), pa.py_buffer(ends), pa.py_buffer(b"".join(values)))


def cases() -> list[Case]:
    """Every format as JSON lines, and each container that reads records its own way."""
    found = [Case(name, "json lines", bases(name), numbered(name), json_lines) for name in parsers()]
    found += [
        Case("litellm", "json array", bases("litellm"), numbered("litellm"), json_array),
        Case("openai", "json array", bases("openai"), numbered("openai"), json_array),
    ]
    for name in ("table", "litellm-spend-logs", "accounts"):
        found += [
            Case(name, "csv", [example(name)], numbered(name), csv_rows),
            Case(name, "parquet", [example(name)], numbered(name), parquet_rows),
        ]
    return found


def bases(name: str) -> list[dict[str, Any]]:
    """The parser's example, and real records of it that are not too long."""
    stems = {"litellm-spend-logs": "litellm-spend-logs.jsonl", "otlp": "otlp-*.jsonl"}
    lines = [line for path in SAMPLES.glob(stems.get(name, f"{name}.jsonl")) for line in path.open()]
    real = [json.loads(line) for line in lines if len(line) < 20_000]
    return [example(name), *real]


def numbered(name: str) -> Callable[[int], dict[str, Any]]:
    return lambda number: json.loads(good(name, number))


def read(path: Path, case: Case) -> tuple[list[tuple[str, int]], list[tuple[int, str]]]:
    """Ids and lines of the rows, lines and reasons of the rejects."""
    reading = opened(path, case.name)
    rows: list[tuple[str, int]] = []
    rejects: list[tuple[int, str]] = []
    id_column = "account_id" if case.name == "accounts" else "exchange_id"
    for batch in reading:
        batch.records.validate(full=True)
        rows += zip(batch.records[id_column].to_pylist(), batch.records["line"].to_pylist(), strict=True)
        rejects += zip(batch.rejects["line"].to_pylist(), batch.rejects["reason"].to_pylist(), strict=True)
    check(
        (reading.tally.kept, reading.tally.rejected) == (len(rows), len(rejects)), "the counts do not add up"
    )
    return rows, rejects


def check(is_so: bool, what: str) -> None:
    if not is_so:
        raise AssertionError(what)


def judged(written: Written, rows: list, rejects: list, is_one_each: bool) -> tuple[int, int, int]:
    """How many of the mutated records were taken, rejected, passed over."""
    found = [name for name, _ in rows if name.startswith("good-")]
    lost = sorted(set(written.good_ids) - set(found))[:3]
    check(found == written.good_ids, f"good records were lost or doubled: {lost}")
    misplaced = [reject for reject in rejects if reject[0] in written.good_lines or not reject[1]]
    check(not misplaced, f"rejects without their own place or reason: {misplaced[:3]}")
    rejected_lines = {line for line, _ in rejects}
    taken_lines = {line for name, line in rows if not name.startswith("good-")}
    counts = [0, 0, 0]
    text = written.raw.split(b"\n")
    for first, last in written.bad_lines:
        lines = range(first, last + 1)
        where = 1 if any(one in rejected_lines for one in lines) else 2
        where = 0 if any(one in taken_lines for one in lines) else where
        counts[where] += 1
        is_nothing = first <= len(text) and not text[first - 1].strip(b" \t\r\0[]")
        check(where < 2 or not is_one_each or is_nothing, f"line {first} is nowhere")
    return counts[0], counts[1], counts[2]


def run(case: Case, records: int, dice: random.Random, folder: Path) -> Count:
    log, total, seconds = folder / "log", [0, 0, 0, 0], 0.0
    is_one_each = case.name not in FORMATS or FORMATS[case.name].unpack is itself
    for start in range(0, records, CHUNK):
        count = min(CHUNK, records - start)
        written = case.write(dice, case, count)
        log.write_bytes(written.raw)
        signal.setitimer(signal.ITIMER_REAL, HANG_SECONDS)
        began = time.perf_counter()
        rows, rejects = read(log, case)
        seconds += time.perf_counter() - began
        signal.setitimer(signal.ITIMER_REAL, 0)
        found = judged(written, rows, rejects, is_one_each)
        total = [sum(pair) for pair in zip(total, (*found, count + 1), strict=True)]
    return Count(records, *total, round(seconds, 2))


def hang(*_: object) -> None:
    raise TimeoutError(f"a log of {CHUNK} mutated records took more than {HANG_SECONDS} seconds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=500_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    signal.signal(signal.SIGALRM, hang)
    every, results = cases(), []
    share = -(-asked.records // len(every))
    print(f"{'format':<20} {'container':<11} {'mutated':>8} {'taken':>8} {'rejected':>8} {'passed':>7} "
          f"{'good':>8} {'s':>7}")  # fmt: skip
    folder = Path(tempfile.mkdtemp(prefix="mutate"))
    for number, case in enumerate(every):
        try:
            count = run(case, share, random.Random(asked.seed * 1000 + number), folder)
        except Exception as error:
            sys.exit(
                f"{case.name} in {case.container}: {type(error).__name__}: {error}; see {folder / 'log'}"
            )
        results.append({"format": case.name, "container": case.container, **count._asdict()})
        told = f"{count.mutated:>8,} {count.taken:>8,} {count.rejected:>8,} {count.passed_over:>7,}"
        print(f"{case.name:<20} {case.container:<11} {told} {count.good:>8,} {count.seconds:>7}", flush=True)
    sums = {
        name: sum(result[name] for result in results) for name in ("mutated", "taken", "rejected", "good")
    }
    print(
        f"{'all':<32} {sums['mutated']:>8,} {sums['taken']:>8,} {sums['rejected']:>8,} "
        f"{'':>7} {sums['good']:>8,}"
    )
    document = {"seed": asked.seed, "python": platform.python_version(), "all": sums, "cases": results}
    if asked.json:
        asked.json.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
