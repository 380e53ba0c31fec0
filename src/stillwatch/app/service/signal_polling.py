"""Polling: tokens are fetched from an issuer that keeps them ready, and acknowledged once kept (RFC 8936)."""

from __future__ import annotations

import logging
import threading
from typing import Any, Final

import httpx

from stillwatch.access.signals.refusal import Refusal
from stillwatch.access.signals.signals_file import Issuer
from stillwatch.app.service.signal_delivery import bearer
from stillwatch.app.service.signal_taking import Taking

_MOST: Final = 100  # tokens in an answer
_SECONDS: Final = 70.0  # an issuer may hold a request back until something happens
_IDLE: Final = 5.0  # seconds after an answer without any
_LONGEST_PAUSE: Final = 300.0

_log = logging.getLogger(__name__)


class Polling:
    """Fetches the tokens of one issuer; in a thread once started.

    A token is acknowledged with the request after the one that brought it. A process that is killed in
    between is sent it again, and the ledger takes each event once.
    """

    def __init__(self, issuer: Issuer, taking: Taking) -> None:
        """Fetch where the signals file says."""
        self._issuer, self._taking = issuer, taking
        self._acks: list[str] = []
        self._errs: dict[str, dict[str, str]] = {}
        self._failures = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="signal-polling", daemon=True)
        self.error: str | None = None
        """Why the last request failed; None where it did not."""

    def start(self) -> None:
        """Begin to fetch."""
        self._thread.start()

    def stop(self) -> None:
        """Fetch no more; a request that the issuer holds back is not waited for."""
        self._stopping.set()

    def poll(self, client: httpx.Client) -> bool:
        """Fetch once; return whether there is more.

        Raises:
            httpx.HTTPError: the issuer does not answer as it should.
            OSError: the file with the token cannot be read.
            ValueError: the answer is none of RFC 8936.
            ApiError: the inbox or the disk is full.
            KeysUnavailableError: the issuer's keys cannot be fetched.
        """
        assert self._issuer.poll is not None
        acks, errs = self._acks, self._errs
        asked = {"maxEvents": _MOST, "returnImmediately": not self._idles, "ack": acks, "setErrs": errs}
        headers = {"accept": "application/json", **bearer(self._issuer.token_file)}
        answer = client.post(self._issuer.poll, json=asked, headers=headers)
        answer.raise_for_status()
        told = answer.json()
        sets = told.get("sets") if isinstance(told, dict) else None
        if not isinstance(sets, dict):
            raise ValueError("the answer has no sets")
        self._acks, self._errs = [], {}
        for jti, token in sets.items():
            self._take(jti, token)
        return bool(told.get("moreAvailable")) or bool(sets)

    @property
    def _idles(self) -> bool:
        """Whether the issuer may hold the request back: not while something is to be acknowledged."""
        return not self._acks and not self._errs

    def _take(self, jti: str, token: Any) -> None:
        try:
            self._taking.take(str(token), self._issuer.poll or "")
            self._acks.append(jti)
        except Refusal as refusal:
            _log.warning("an event of %s is not taken: %s", self._issuer.issuer, refusal)
            self._errs[jti] = refusal.document

    def _run(self) -> None:
        with httpx.Client(timeout=_SECONDS) as client:
            pause = 0.0
            while not self._stopping.wait(pause):
                pause = self._attempt(client)

    def _attempt(self, client: httpx.Client) -> float:
        try:
            more = self.poll(client)
        except Exception as error:  # whatever it is, the issuer keeps what was not acknowledged
            if str(error) != self.error:
                _log.warning("events of %s cannot be fetched: %s", self._issuer.issuer, error)
            self._failures, self.error = min(self._failures + 1, 20), str(error)
            return min(2.0 ** (self._failures - 1), _LONGEST_PAUSE)
        self._failures, self.error = 0, None
        return 0.0 if more else _IDLE
