"""A connection that wastes the server's time or memory is closed, before anybody has been authorised.

uvicorn waits for ever for the rest of a request's head (slow-loris), takes a head of any size, and reads the
rest of a body that was refused for as long as it comes. ``uvicorn.Config`` takes :class:`PatientProtocol` as
``http``.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS: Final = 10.0
LINGER_SECONDS: Final = 5.0
HEAD_BYTES: Final = 2**16
_END: Final = "\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_TOO_SLOW: Final = f"HTTP/1.1 408 Request Timeout{_END}".encode()
_TOO_LARGE: Final = f"HTTP/1.1 431 Request Header Fields Too Large{_END}".encode()


class PatientProtocol(HttpToolsProtocol):
    """HTTP/1.1 as uvicorn has it, with bounds on what comes before and after a body that is wanted."""

    head_seconds = HEAD_SECONDS
    linger_seconds = LINGER_SECONDS
    _waiting: asyncio.TimerHandle | None = None  # for the rest of a head
    _lingering: asyncio.TimerHandle | None = None  # over the rest of a body that was answered already
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the head of the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Count what comes of a head."""
        super().data_received(data)
        if self._waiting is not None:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self._close(_TOO_LARGE)

    def on_message_begin(self) -> None:
        """Wait for the rest of a head."""
        self._wait()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Wait no more: what follows is the body, whose reader has a time of its own."""
        self._wait_no_more()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """Where the body was not read to its end, let its sender find that out, but not for ever."""
        super().on_response_complete()
        if self.cycle.response_complete and self.cycle.more_body:
            self._lingering = self.loop.call_later(self.linger_seconds, self._close, b"")

    def on_message_complete(self) -> None:
        """The connection may be used again."""
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._wait_no_more()
        if self._lingering is not None:
            self._lingering.cancel()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._wait_no_more()
        self._head_bytes = 0
        self._waiting = self.loop.call_later(self.head_seconds, self._close, _TOO_SLOW)

    def _wait_no_more(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _close(self, last_words: bytes) -> None:
        self._wait_no_more()
        transport: Any = self.transport
        if not transport.is_closing():
            transport.write(last_words)
            transport.close()
