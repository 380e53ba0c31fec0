"""How fast the sketch stage is: ``python benchmarks/sketch.py [EXCHANGES.parquet] [--out FOLDER]``.

Prints tables and writes ``sketch.json`` and ``sketch.md``. All of it is CPU time of one thread:

* raw ``messages`` JSON per second through the whole stage: parsing, every fingerprint, cues, capability;
* fingerprints alone on plain texts (head, tail, whole message, sampled shingles, keyed), against MinHash
  of datasketch and rensa with 128 permutations, each by its fastest way to take many texts. They get
  word shingles; ``ready`` leaves the time to make these out, ``whole`` counts it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

os.environ.setdefault("RAYON_NUM_THREADS", "1")  # read by rensa when it is first imported

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from datasketch import MinHash
from numba import njit
from rensa import RMinHash

from speed.record import RESULTS, keep, surroundings
from stillwatch.contracts import EXCHANGE
from stillwatch.sketch import tokens
from stillwatch.sketch.alphabet import folding_table
from stillwatch.sketch.columns import bytes_of
from stillwatch.sketch.fingerprints import HEAD_WORDS, SHINGLES_USER, sample_shingles, sequence_hash
from stillwatch.sketch.key import SketchKey
from stillwatch.sketch.siphash import keyed
from stillwatch.sketch.sketcher import Sketcher

WORLD: Final = Path(__file__).parents[1] / "../shared/worlds/dev-hard/exchanges.parquet"
BATCH_ROWS: Final = 8192
PERMUTATIONS: Final = 128
SHINGLE_WORDS: Final = 8
KEY: Final = SketchKey(bytes(16))
RENAMED: Final = {
    "request_id": "exchange_id",
    "api_key_id": "key_id",
    "ip": "client_address",
    "ja4": "tls_fingerprint",
}

Rows = list[dict[str, object]]


def main() -> None:
    arguments = parsed_arguments()
    if not arguments.exchanges.is_file():
        print(f"skipped: {arguments.exchanges} is not here; name a file of exchanges in the table format")
        return
    made = surroundings("datasketch", "rensa")
    table = exchanges_of(arguments.exchanges)
    texts = plain_texts(table["messages"], arguments.texts)
    figures = {
        "log": f"{arguments.exchanges.parent.name}/{arguments.exchanges.name}",
        "runs": arguments.repeat,
        "raw messages through the whole stage": stage_speed(table, arguments.repeat),
        "fingerprints of plain texts": fingerprint_speed(texts, arguments.repeat),
    }
    keep("sketch", "The sketch stage, on one core", made, figures, arguments.out)


def parsed_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "exchanges", type=Path, nargs="?", default=WORLD, help="exchanges in the table format"
    )
    parser.add_argument("--repeat", type=int, default=7, help="runs, of which the median counts")
    parser.add_argument("--texts", type=int, default=4000, help="plain texts for the comparison")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where to write the figures")
    return parser.parse_args()


def exchanges_of(path: Path) -> pa.Table:
    """The file as EXCHANGE rows; columns it lacks are null."""
    stored = pq.read_table(path)
    stored = stored.rename_columns([RENAMED.get(name, name) for name in stored.column_names])
    rows = len(stored)
    made = {"source": pa.array([path.name] * rows), "line": pa.array(np.arange(1, rows + 1))}
    known = {name: stored[name] for name in stored.column_names} | made
    columns = [
        known[field.name].cast(field.type) if field.name in known else pa.nulls(rows, field.type)
        for field in EXCHANGE
    ]
    return pa.Table.from_arrays(columns, schema=EXCHANGE)


def plain_texts(messages: pa.ChunkedArray, count: int) -> list[str]:
    """The newest message of rows that are spread evenly over the file."""
    rows = np.linspace(0, len(messages) - 1, count).astype(np.int64)
    chats = [json.loads(text) for text in messages.take(pa.array(rows)).to_pylist()]
    return [chat[-1]["content"] for chat in chats if chat and isinstance(chat[-1].get("content"), str)]


def stage_speed(table: pa.Table, repeat: int) -> Rows:
    """Return one row: megabytes of messages per CPU second through ``Sketcher.exchanges``."""
    batches = table.to_batches(max_chunksize=BATCH_ROWS)
    megabytes = pc.sum(pc.binary_length(table["messages"])).as_py() / 1e6
    sketcher = Sketcher(KEY)
    first = cpu_seconds(lambda: sketcher.exchanges(batches[0]), 1)[0]
    seconds = cpu_seconds(lambda: [sketcher.exchanges(batch) for batch in batches], repeat)
    return [
        {
            "exchanges": len(table),
            "MB": round(megabytes, 1),
            "first batch s": round(first, 2),
            "MB/s": round(megabytes / statistics.median(seconds)),
            "MB/s slowest": round(megabytes / max(seconds)),
            "MB/s fastest": round(megabytes / min(seconds)),
            "exchanges/s": round(len(table) / statistics.median(seconds)),
        }
    ]


def fingerprint_speed(texts: Sequence[str], repeat: int) -> Rows:
    """Return one row a contender: megabytes of plain text per CPU second, ours and theirs."""
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    column = pa.array(texts, pa.string())
    ready = [shingles(text) for text in texts]
    encoded = [[shingle.encode() for shingle in row] for row in ready]

    def speed(run: Callable[[], object]) -> float:
        run()
        return megabytes / statistics.median(cpu_seconds(run, repeat))

    ours = speed(lambda: fingerprints(column))
    theirs = {
        "datasketch, ready": speed(lambda: minhash_datasketch(encoded)),
        "datasketch, whole": speed(
            lambda: minhash_datasketch([[shingle.encode() for shingle in shingles(text)] for text in texts])
        ),
        "rensa, ready": max(speed(lambda: minhash_rensa(ready)), speed(lambda: minhash_rensa_bulk(ready))),
        "rensa, whole": speed(lambda: minhash_rensa_bulk([shingles(text) for text in texts])),
    }
    return [
        {
            "contender": name,
            "MB": round(megabytes, 1),
            "MB/s": round(found, 2),
            "stillwatch's to its": round(ours / found, 1),
        }
        for name, found in {"stillwatch": ours, **theirs}.items()
    ]


def fingerprints(column: pa.Array) -> npt.NDArray[np.uint64]:
    """Keyed fingerprints of a text column by the parts that the kernel is made of."""
    return fingerprint_rows(*bytes_of(column), folding_table(), KEY.words)


@njit(nogil=True, error_model="numpy")
def fingerprint_rows(data, offsets, alphabet, key):  # noqa: ANN001, ANN201
    rows = len(offsets) - 1
    room = tokens.folded_room(np.max(offsets[1:] - offsets[:-1]))
    folded, edges = np.empty(room, np.uint8), np.empty(tokens.edge_room(room), np.int32)
    exact, scaffold = np.empty(room, np.uint64), np.empty(room, np.uint64)
    result = np.zeros((rows, 3 + SHINGLES_USER), np.uint64)
    for row in range(rows):
        length = tokens.fold_text(data, offsets[row], offsets[row + 1], folded, 0, alphabet)
        count = tokens.find_tokens(folded, length, edges)
        tokens.hash_tokens_both(folded, edges, count, exact, scaffold)
        result[row, 0] = keyed(key, sequence_hash(exact, 0, count))
        if count >= HEAD_WORDS:
            result[row, 1] = keyed(key, sequence_hash(scaffold, 0, HEAD_WORDS))
            result[row, 2] = keyed(key, sequence_hash(scaffold, count - HEAD_WORDS, count))
        sample = result[row, 3:]
        for i in range(sample_shingles(scaffold, count, SHINGLES_USER, sample)):
            sample[i] = keyed(key, sample[i])
    return result


def shingles(text: str) -> list[str]:
    words = text.lower().split()
    return [" ".join(words[i : i + SHINGLE_WORDS]) for i in range(max(1, len(words) - SHINGLE_WORDS + 1))]


def minhash_datasketch(shingled: Sequence[Sequence[bytes]]) -> object:
    return MinHash.bulk(shingled, num_perm=PERMUTATIONS, seed=1)


def minhash_rensa(shingled: Sequence[Sequence[str]]) -> list[RMinHash]:
    sketches = [RMinHash(num_perm=PERMUTATIONS, seed=1) for _ in shingled]
    for sketch, row in zip(sketches, shingled, strict=True):
        sketch.update(row)
    return sketches


def minhash_rensa_bulk(shingled: Sequence[Sequence[str]]) -> object:
    return RMinHash.digest_matrix_from_token_sets(shingled, num_perm=PERMUTATIONS, seed=1)


def cpu_seconds(run: Callable[[], object], repeat: int) -> list[float]:
    """CPU seconds of each of ``repeat`` runs."""
    seconds = []
    for _ in range(repeat):
        started = time.process_time()
        run()
        seconds.append(time.process_time() - started)
    return seconds


if __name__ == "__main__":
    main()
