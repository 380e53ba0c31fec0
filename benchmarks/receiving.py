"""How many exchanges a second the service takes in, how long a sender waits, and whether memory stays flat.

    python benchmarks/receiving.py [--seconds 300] [--rate N] [--senders 4] [--records 500] [--out FOLDER]

A server of its own process (the receiver, its routes and the sealer, as the service has them) and this
process as the load share the machine. Bodies are simulated exchanges as JSON lines, prepared before; each is
sent with ids and times of its own, so that every exchange counts. Without ``--rate`` senders send as fast as
they are answered. In the end the ledger must hold what was acknowledged, row for row.

Prints a table and writes ``receiving.json`` and ``receiving.md``.
"""

from __future__ import annotations

import argparse
import http.client
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from speed.process_tree import resident
from speed.record import RESULTS, keep, surroundings

PRESET: Final = "june-2026"
BODIES: Final = 40
_ID: Final = b"@@@@@@@@"
_SECOND: Final = b"9999999999"
_WARM: Final = 10.0  # seconds that count as start: until then memory is being taken for the first time


@dataclass
class Load:
    """What the senders saw."""

    acknowledged: int = 0
    rejected: int = 0
    answers: Counter[int] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)  # seconds, of requests that were accepted
    sent: int = 0
    bytes: int = 0
    started: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_number(self) -> int:
        with self.lock:
            self.sent += 1
            return self.sent


def bodies(records: int, folder: Path) -> list[bytes]:
    """Prepare bodies of JSON lines with simulated exchanges; their ids and times are filled in when sent."""
    from stillwatch.simulate.world import simulate

    world = simulate(PRESET, scale=1 / 1024, seed=7, honest=1.0, out=folder / "world")
    rows = ds.dataset([str(path) for path in world.files]).head(BODIES * records).to_pylist()
    found = []
    for first in range(0, len(rows), records):
        lines = []
        for number, row in enumerate(rows[first : first + records]):
            filled = {name: value for name, value in row.items() if value is not None}
            moment = f"{_SECOND.decode()}.{number * 1_000_000 // records:06}"
            filled |= {"request_id": f"{_ID.decode()}-{number}", "timestamp": moment}
            lines.append(orjson.dumps(filled))
        found.append(b"\n".join(lines) + b"\n")
    return found


def serve(state: Path) -> None:
    """Serve at a free port, told on standard output, until standard input ends; then seal."""
    import uvicorn
    from starlette.applications import Starlette

    from stillwatch.app.service.receiver import Receiver
    from stillwatch.app.service.receiving import routes
    from stillwatch.app.service.sealer import Sealer
    from stillwatch.engines.engine import open_engine
    from stillwatch.ledger.ledger import Ledger
    from stillwatch.sketch.key import SketchKey

    key = SketchKey(bytes(range(16)))
    receiver = Receiver(state, key)
    with open_engine(memory="1GiB", threads=1, spill=state / "spill") as engine:
        sealer = Sealer(receiver, Ledger(state / "ledger", key.id), engine)
        sealer.start()
        app = Starlette(routes=list(routes(receiver, lambda connection, scope: None)))
        config = uvicorn.Config(app, port=0, log_level="warning", lifespan="off", access_log=False)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        print(server.servers[0].sockets[0].getsockname()[1], flush=True)
        sys.stdin.read()
        server.should_exit = True
        thread.join()
        receiver.close()
        sealer.stop()
        print(json.dumps({"error": sealer.error, "set aside": len(sealer.set_aside)}), flush=True)


def send(load: Load, port: int, prepared: list[bytes], until: float, rate: float, records: int) -> None:
    """Send bodies one after another, each again until it is accepted."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    while time.monotonic() < until:
        number = load.next_number()
        if rate:
            time.sleep(max(0.0, load.started + number * records / rate - time.monotonic()))
        body = prepared[number % len(prepared)].replace(_ID, b"%08d" % number)
        body = body.replace(_SECOND, b"%d" % time.time())
        while True:
            began = time.monotonic()
            connection.request("POST", "/v1/exchanges", body, {"content-type": "application/x-ndjson"})
            answer = connection.getresponse()
            content = answer.read()
            with load.lock:
                load.answers[answer.status] += 1
            if answer.status == 200:
                break
            time.sleep(float(answer.headers["retry-after"]))
        told = json.loads(content)
        with load.lock:
            load.waits.append(time.monotonic() - began)
            load.acknowledged += told["accepted"]
            load.rejected += told["rejected"]
            load.bytes += len(body)


def measure(asked: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run server and load, and return the figures."""
    prepared, state = bodies(asked.records, folder), folder / "state"
    server = subprocess.Popen(
        [sys.executable, __file__, "--serve", str(state)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    port = int(server.stdout.readline())
    load = Load()
    load.started = began = time.monotonic()
    until = began + asked.seconds
    senders = [
        threading.Thread(target=send, args=(load, port, prepared, until, asked.rate, asked.records))
        for _ in range(asked.senders)
    ]
    for sender in senders:
        sender.start()
    memory = []
    while time.monotonic() < until:
        time.sleep(1)
        memory.append((time.monotonic() - began, resident(server.pid) / 2**20, load.acknowledged))
    for sender in senders:
        sender.join()
    seconds = time.monotonic() - began
    told, _ = server.communicate("")
    parts = list((state / "ledger").glob("sketches/*/*/*.parquet"))
    rows = sum(pq.read_metadata(part).num_rows for part in parts)
    return figures(asked, load, seconds, memory, rows, len(parts)) | {"server": json.loads(told)}


def figures(
    asked: argparse.Namespace,
    load: Load,
    seconds: float,
    memory: list[tuple[float, float, int]],
    rows: int,
    parts: int,
) -> dict[str, Any]:
    waits = np.array(load.waits) * 1000
    warm = [size for at, size, _ in memory if at >= min(_WARM, asked.seconds / 4)]
    third = max(len(warm) // 3, 1)
    steps = np.diff([0, *(count for *_, count in memory)])
    rates = [int(each.sum()) // len(each) for each in np.array_split(steps, max(len(steps) // 10, 1))]
    told = {
        "seconds": round(seconds, 1),
        "accepted a second": round(load.acknowledged / seconds),
        "least in ten seconds": min(rates),
        "MB a second": round(load.bytes / seconds / 1e6, 1),
        "request p50 ms": round(float(np.percentile(waits, 50)), 1),
        "request p99 ms": round(float(np.percentile(waits, 99)), 1),
        "acknowledged": load.acknowledged,
        "rejected": load.rejected,
        "rows in the ledger": rows,
        "parts": parts,
        "refused and sent again": sum(load.answers.values()) - load.answers[200],
    }
    resident_memory = {
        "first third MiB": round(float(np.mean(warm[:third]))),
        "second third MiB": round(float(np.mean(warm[third : 2 * third] or warm))),
        "last third MiB": round(float(np.mean(warm[-third:]))),
        "most MiB": round(max(warm)),
    }
    asked_for = {"records a body": asked.records, "senders": asked.senders, "rate asked": asked.rate}
    trace = [round(size) for _, size, _ in memory[::10]]
    found = {"load": [asked_for], "received": [told], "resident memory": [resident_memory]}
    return found | {"resident MiB each ten seconds": trace}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--rate", type=float, default=0, help="exchanges a second; 0: as many as are taken")
    parser.add_argument("--senders", type=int, default=4)
    parser.add_argument("--records", type=int, default=500)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        serve(asked.serve)
        return
    made = surroundings("starlette", "uvicorn", "pyarrow", "orjson")
    with tempfile.TemporaryDirectory() as folder:
        found = measure(asked, Path(folder))
    keep("receiving", "Receiving exchanges in the table format", made, found, asked.out)
    (told,) = found["received"]
    if told["rows in the ledger"] != told["acknowledged"]:
        sys.exit("the ledger does not hold what was acknowledged")


if __name__ == "__main__":
    main()
