"""A load generator for HTTP on loopback: keep-alive connections, raw sockets, one process of its own.

Closed: each connection asks again as soon as it has its answer, which finds the most that a server answers.
    Open:
requests fall due at a fixed rate whatever the server does, and wait is counted from when one was due, so
that a server that stalls is charged for everybody who would have come meanwhile.

    python http_load.py closed PORT CONNECTIONS SECONDS < requests
    python http_load.py open PORT RATE SECONDS < requests

Standard input holds requests as JSON strings, one a line, which are sent in turn. Every answer must be as
long as the first. The last line of the output is JSON.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import uvloop

_TICK = 0.001


class Connection(asyncio.Protocol):
    """One connection: a request at a time."""

    def __init__(self, load: Load) -> None:
        self._load, self._transport = load, None
        self.due = 0.0
        self._seen = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def ask(self, due: float) -> None:
        self.due = due
        self._transport.write(self._load.next())

    def data_received(self, data: bytes) -> None:
        self._seen += data
        if _is_whole(self._seen):
            answer, self._seen = self._seen, b""
            self._load.answered(self, answer)


class Load:
    """Requests in turn, and how long each took."""

    def __init__(self, requests: Sequence[bytes]) -> None:
        self._requests, self._at = requests, 0
        self.waits: list[float] = []
        self.statuses: dict[str, int] = {}
        self.idle: deque[Connection] = deque()
        self.late: deque[float] = deque()
        self.closed = False

    def next(self) -> bytes:
        self._at = (self._at + 1) % len(self._requests)
        return self._requests[self._at]

    def answered(self, connection: Connection, answer: bytes) -> None:
        now = time.perf_counter()
        self.waits.append(now - connection.due)
        status = answer[9:12].decode()
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if self.closed:
            connection.ask(now)
        elif self.late:
            connection.ask(self.late.popleft())
        else:
            self.idle.append(connection)

    def fall_due(self, due: float) -> None:
        if self.idle:
            self.idle.popleft().ask(due)
        else:
            self.late.append(due)


def _is_whole(answer: bytes) -> bool:
    head, found, body = answer.partition(b"\r\n\r\n")
    if not found:
        return False
    _, _, rest = head.lower().partition(b"content-length: ")
    return len(body) >= int(rest.partition(b"\r\n")[0] or 0)


async def closed(load: Load, port: int, connections: int, seconds: float) -> float:
    load.closed = True
    loop = asyncio.get_running_loop()
    pairs = [
        await loop.create_connection(lambda: Connection(load), "127.0.0.1", port) for _ in range(connections)
    ]
    began = time.perf_counter()
    for _, connection in pairs:
        connection.ask(time.perf_counter())
    await asyncio.sleep(seconds)
    answered, took = len(load.waits), time.perf_counter() - began
    return answered / took


async def open_loop(load: Load, port: int, rate: float, seconds: float) -> float:
    loop = asyncio.get_running_loop()
    for _ in range(64):
        _, connection = await loop.create_connection(lambda: Connection(load), "127.0.0.1", port)
        load.idle.append(connection)
    began = time.perf_counter()
    sent = 0
    while (now := time.perf_counter()) - began < seconds:
        while sent / rate <= now - began:
            load.fall_due(began + sent / rate)
            sent += 1
        await asyncio.sleep(_TICK)
    await asyncio.sleep(0.5)
    return sent / seconds


def main(mode: str, port: str, number: str, seconds: str) -> None:
    load = Load([json.loads(line).encode() for line in sys.stdin if line.strip()])
    run = closed if mode == "closed" else open_loop
    rate = uvloop.run(run(load, int(port), int(number), float(seconds)))
    used = resource.getrusage(resource.RUSAGE_SELF)
    waits = sorted(load.waits)
    found = {
        "requests/s": round(rate, 1),
        "answered": len(waits),
        "statuses": load.statuses,
        "p50 ms": round(waits[len(waits) // 2] * 1e3, 3),
        "p99 ms": round(waits[len(waits) * 99 // 100] * 1e3, 3),
        "worst ms": round(waits[-1] * 1e3, 3),
        "load generator us/request": round((used.ru_utime + used.ru_stime) / len(waits) * 1e6, 1),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
