"""A model provider that costs next to nothing: one prepared answer, in a process of its own."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvloop

_CHOICE = {
    "index": 0,
    "finish_reason": "stop",
    "message": {"role": "assistant", "content": "Four words. " * 20},
}
_USAGE = {"prompt_tokens": 20, "completion_tokens": 60, "total_tokens": 80}
_SHELL = {"id": "chatcmpl-1", "created": 1767225600, "model": "assistant-large"}
_WHOLE = json.dumps(_SHELL | {"object": "chat.completion", "choices": [_CHOICE], "usage": _USAGE}).encode()


def _chunk(delta: dict[str, str], reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return (
        b"data: %s\n\n"
        % json.dumps(_SHELL | {"object": "chat.completion.chunk", "choices": [choice]}).encode()
    )


_EVENTS = b"".join(
    [_chunk({"content": "Four words. "}) for _ in range(20)] + [_chunk({}, "stop"), b"data: [DONE]\n\n"]
)


class _Answering(asyncio.Protocol):
    def __init__(self) -> None:
        self._seen = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._seen += data
        head, found, body = self._seen.partition(b"\r\n\r\n")
        if not found:
            return
        _, _, rest = head.lower().partition(b"content-length:")
        if len(body) < int(rest.partition(b"\r\n")[0] or 0):
            return
        self._seen = b""
        is_stream = b'"stream": true' in body or b'"stream":true' in body
        kind, text = (b"text/event-stream", _EVENTS) if is_stream else (b"application/json", _WHOLE)
        self._transport.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ncontent-length: %d\r\n\r\n%s" % (kind, len(text), text)
        )


@contextmanager
def fast_upstream() -> Iterator[str]:
    """Serve it on a free loopback port and yield the base address."""
    process = subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, text=True)
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait(10)


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Answering, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve())
