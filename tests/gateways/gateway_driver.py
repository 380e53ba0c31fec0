"""Sends a population's sessions through a gateway from a few threads, as its users would."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections import Counter
from collections.abc import Sequence
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from population import Session

WORKERS = 12
REQUEST_SECONDS = 60


def drive(gateway: str, sessions: Sequence[Session], timeout: float) -> Counter[int]:
    """Send every session and return how often each HTTP status came back.

    Sessions start in the given order; the turns of one follow each other with the answers so far.

    Raises:
        TimeoutError: the sessions did not end within ``timeout`` seconds.
    """
    waiting: queue.SimpleQueue[Session] = queue.SimpleQueue()
    for session in sessions:
        waiting.put(session)
    statuses: list[int] = []
    deadline = time.monotonic() + timeout
    workers = [
        threading.Thread(target=_work, args=(gateway, waiting, statuses, deadline)) for _ in range(WORKERS)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if not waiting.empty():
        raise TimeoutError(f"{waiting.qsize()} of {len(sessions)} sessions were not sent within {timeout} s")
    return Counter(statuses)


def _work(gateway: str, waiting: queue.SimpleQueue[Session], statuses: list[int], deadline: float) -> None:
    connection = HTTPConnection(urlsplit(gateway).netloc, timeout=REQUEST_SECONDS)
    while time.monotonic() < deadline:
        try:
            session = waiting.get_nowait()
        except queue.Empty:
            break
        statuses.extend(_converse(connection, session))
    connection.close()


def _converse(connection: HTTPConnection, session: Session) -> list[int]:
    messages = [{"role": "system", "content": session.system}] if session.system else []
    statuses = []
    for turn in session.turns:
        messages.append({"role": "user", "content": turn})
        status, answer = _ask(connection, session, messages)
        messages.append({"role": "assistant", "content": answer})
        statuses.append(status)
    return statuses


def _ask(connection: HTTPConnection, session: Session, messages: list[dict[str, str]]) -> tuple[int, str]:
    request = {"model": session.model, "messages": messages, "stream": session.stream} | session.parameters
    headers = {
        "authorization": f"Bearer {session.account.key}",
        "content-type": "application/json",
        "user-agent": session.account.user_agent,
        "x-forwarded-for": session.account.address,  # a proxy on loopback is trusted to say it
    }
    connection.request("POST", "/v1/chat/completions", json.dumps(request), headers)
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        return response.status, ""
    return 200, _streamed(body) if session.stream else json.loads(body)["choices"][0]["message"]["content"]


def _streamed(body: bytes) -> str:
    events = [line[len(b"data: ") :] for line in body.splitlines() if line.startswith(b"data: {")]
    return "".join(_delta(json.loads(event)) for event in events)


def _delta(event: dict[str, Any]) -> str:
    return "".join(choice["delta"].get("content") or "" for choice in event["choices"])
