"""Pushing: tokens go to their receivers one after the other, until each is acknowledged (RFC 8935)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import httpx

from stillwatch.access.signals.outbox import Outbox, Queued, StreamStatus
from stillwatch.access.signals.refusal import Err
from stillwatch.access.signals.security_event import MEDIA_TYPE, sign
from stillwatch.access.signals.signals_file import SignalsFile, Stream
from stillwatch.access.signals.signing_keys import SigningKeys

_LOOK: Final = 1.0  # seconds between looks at the outbox
_MOST: Final = 50  # tokens that are read at once
_SECONDS: Final = 10.0
_LONGEST_PAUSE: Final = 300.0
_SAID: Final = 500  # characters of a receiver's words

_log = logging.getLogger(__name__)


class _Answer(NamedTuple):
    """What a receiver said of a token."""

    taken: bool
    err: str = ""  # its code, where it will never have this token
    words: str = ""
    after: float | None = None  # seconds after which to come again


class Delivery:
    """Pushes the tokens of one stream; in a thread once started.

    Only a token that cannot be understood (``invalid_request``) is set aside, and the next one sent. All
    other answers concern every token alike: they wait, in their order, and are tried again.
    """

    def __init__(self, stream: Stream, file: SignalsFile, outbox: Outbox, keys: SigningKeys) -> None:
        """Push to the receiver of ``stream``."""
        self._stream, self._file, self._outbox, self._keys = stream, file, outbox, keys
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"signals-{stream.name}")
        self._failures = 0
        self.error: str | None = None
        """Why the last token could not be delivered; None where it could."""

    def start(self) -> None:
        """Begin to push."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is under way is waited for."""
        self._stopping.set()
        self._thread.join()

    def deliver(self, client: httpx.Client) -> float:
        """Push what waits, until there is nothing or a receiver cannot take it; return seconds to wait then.

        Raises:
            StillwatchError: the database is away, or there is no key to sign with.
        """
        while not self._stopping.is_set():
            if self._outbox.status(self._stream.name).status is not StreamStatus.ENABLED:
                return _LOOK
            waiting = self._outbox.waiting(self._stream.name, _MOST)
            if not waiting:
                return _LOOK
            for queued in waiting:
                answer = self._push(client, queued)
                if not answer.taken and not answer.err:
                    return self._failed(answer)
                self._settle(queued, answer)
        return 0.0

    def _settle(self, queued: Queued, answer: _Answer) -> None:
        self._failures, self.error = 0, None
        if answer.taken:
            self._outbox.acknowledge(self._stream.name, [queued.jti])
        else:
            _log.error("%s will not have an event: %s %s", self._stream.name, answer.err, answer.words)
            self._outbox.refuse(self._stream.name, queued.jti, answer.err, answer.words)

    def _failed(self, answer: _Answer) -> float:
        self._failures = min(self._failures + 1, 20)
        if self.error != answer.words:
            _log.warning("events wait for %s: %s", self._stream.name, answer.words)
        self.error = answer.words
        pause = min(2.0 ** (self._failures - 1), _LONGEST_PAUSE)
        return pause if answer.after is None else min(max(answer.after, pause), _LONGEST_PAUSE)

    def _push(self, client: httpx.Client, queued: Queued) -> _Answer:
        key = self._keys.current(self._file.algorithm)
        token = sign(queued.token_of(self._stream, self._file.issuer), key)
        headers = {
            "content-type": MEDIA_TYPE,
            "accept": "application/json",
            **bearer(self._stream.token_file),
        }
        assert self._stream.push is not None
        try:
            return _answer(client.post(self._stream.push, content=token.encode(), headers=headers))
        except httpx.HTTPError as error:
            return _Answer(taken=False, words=f"{type(error).__name__}: {error}")

    def _run(self) -> None:
        with httpx.Client(timeout=_SECONDS) as client:
            pause = 0.0
            while not self._stopping.wait(pause):
                pause = self._attempt(lambda: self.deliver(client))

    def _attempt(self, work: Callable[[], float]) -> float:
        try:
            return work()
        except Exception as error:  # whatever it is, what waits stays, and must be tried again
            return self._failed(_Answer(taken=False, words=str(error)))


def bearer(file: Path | None) -> dict[str, str]:
    """Return the header that shows who this is; the token is read anew each time, so that it can be replaced.

    Raises:
        OSError: the file cannot be read.
    """
    return {} if file is None else {"authorization": f"Bearer {file.read_text(encoding='utf-8').strip()}"}


def _answer(response: httpx.Response) -> _Answer:
    if response.is_success:
        return _Answer(taken=True)
    err, words = _said(response)
    told = f"{response.status_code} {err} {words}".strip()[:_SAID]
    if response.status_code == 400 and err == Err.INVALID_REQUEST:
        return _Answer(taken=False, err=err, words=words)
    after = response.headers.get("retry-after", "")
    return _Answer(taken=False, words=told, after=float(after) if after.isdecimal() else None)


def _said(response: httpx.Response) -> tuple[str, str]:
    """Return the code and the words of an error in the form of RFC 8935; empty where it is in none."""
    try:
        told = response.json()
    except ValueError:
        return "", ""
    if not isinstance(told, dict):
        return "", ""
    return str(told.get("err") or ""), str(told.get("description") or "")[:_SAID]
