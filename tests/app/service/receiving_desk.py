"""A receiver with its routes behind a real server, what sends to it, and what became of it."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import uvicorn
from starlette.applications import Starlette
from starlette.requests import HTTPConnection

from stillwatch.app.service.errors import ApiError, api_error_handler
from stillwatch.app.service.receiver import Receiver
from stillwatch.app.service.receiving import routes
from stillwatch.app.service.sealer import Sealer
from stillwatch.engines.engine import open_engine
from stillwatch.ledger.ledger import Ledger
from stillwatch.sketch.key import SketchKey

KEY = SketchKey(bytes(range(16)))
TOKEN = "right"
NOW = int(time.time()) // 3600 * 3600 - 7200


def authorise(connection: HTTPConnection, scope: str) -> None:
    if connection.headers.get("authorization") != f"Bearer {TOKEN}":
        raise ApiError(401, "unauthorised", "no valid token", remedy="Send a bearer token.")


def record(number: int, **columns: Any) -> dict[str, Any]:
    """A row of the exchange table."""
    return {
        "timestamp": NOW + number / 10,
        "request_id": f"r{number}",
        "account_id": f"a{number % 7}",
        "messages": json.dumps([{"role": "user", "content": f"Write a poem about the number {number}."}]),
    } | columns


def records(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [record(number) for number in range(first, first + count)]


def ndjson(rows: Sequence[Any]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@contextmanager
def served(receiver: Receiver, **options: Any) -> Iterator[httpx.Client]:
    """A real server at a free port, and a client that has its token."""
    app = Starlette(
        routes=list(routes(receiver, authorise)), exception_handlers={ApiError: api_error_handler}
    )
    with running(app, TOKEN, **options) as client:
        yield client


@contextmanager
def running(app: Any, token: str, **options: Any) -> Iterator[httpx.Client]:
    """An application behind a real server at a free port, and a client that shows a token."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", lifespan="off", **options))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    headers = {"authorization": f"Bearer {token}"}
    try:
        with httpx.Client(base_url=address, headers=headers, timeout=60, trust_env=False) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def sealing(receiver: Receiver, state: Path) -> Iterator[Sealer]:
    """A sealer that is not started."""
    with open_engine(memory="1GiB", threads=2, spill=state / "spill") as engine:
        yield Sealer(receiver, Ledger(state / "ledger", KEY.id), engine, every=0.5)


def held(state: Path) -> list[dict[str, Any]]:
    """What the ledger holds, in order."""
    files = Ledger(state / "ledger", KEY.id).sketch_files()
    rows = [row for file in files for row in pq.read_table(file).to_pylist()]
    return sorted(rows, key=lambda row: (row["timestamp"], row["exchange_id"]))


def held_ids(state: Path) -> list[str]:
    return [row["exchange_id"] for row in held(state)]


def waiting(receiver: Receiver) -> pa.Table:
    """What waits in the inbox of exchanges."""
    return pa.concat_tables([segment.rows for segment in receiver.exchange_inbox.segments()])
