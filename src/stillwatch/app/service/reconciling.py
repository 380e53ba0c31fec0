"""Reconciling: were the requests that a gateway logged as served ruled on at all?

A gateway that cannot reach its gate lets requests pass, and logs them as any other. That is seen only when
its log is held against what gates told: a served request of an account under a decision, of which no
outcome has the call id, went past the gate. Counted are requests alone; nothing is decided by it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.enforce.outcomes import SUFFIX, Outcome

_SERVED_BELOW: Final = 400


class _Told(msgspec.Struct):
    """An outcome as JSON has it."""

    at: float
    account_id: str
    decision_id: str
    action: str
    outcome: str
    call_id: str = ""


_DECODER: Final = msgspec.json.Decoder(_Told)  # a tenth of the time that json takes, and there are many


class Logged(NamedTuple):
    """A request as the gateway logged it."""

    at: float  # seconds since 1970
    account_id: str
    call_id: str  # what ingest keeps as exchange_id: of LiteLLM litellm_call_id, else x-request-id
    status: int | None  # None: the log has none


class Decided(NamedTuple):
    """When an account was under a decision."""

    since: float  # seconds since 1970, once gates had it
    until: float


class Reconciled(NamedTuple):
    """What came out of holding a gateway's log against what gates told."""

    logged: int  # requests of accounts under a decision
    ruled: int  # of which a gate told the outcome
    turned_away: int  # of which none did, but which were not served either
    unruled: int  # served, and no gate was asked: they went past it
    accounts: int  # whose requests did
    broken_lines: int  # of outcomes, which cannot be read

    @property
    def alert(self) -> str:
        """What to tell whoever looks after the gateway; empty where nothing went past."""
        if not self.unruled:
            return ""
        share = 100 * self.unruled / max(self.logged, 1)
        return (
            f"{self.unruled:,} of {self.logged:,} requests ({share:.1f} %) of accounts under a decision were "
            f"served without a ruling, of {self.accounts:,} accounts: a gateway does not ask its gate, or "
            "gets no answer and lets requests pass"
        )


def logged_in(sketches: pa.Table) -> Iterator[Logged]:
    """Yield the requests of a ledger's sketches, whose exchange id is the gateway's own.

    Args:
        sketches: the columns ``timestamp``, ``account_id``, ``exchange_id`` and ``status`` of SKETCH.
    """
    at = pc.cast(pc.cast(sketches["timestamp"], pa.timestamp("us", "UTC")), pa.int64())
    columns = (at, sketches["account_id"], sketches["exchange_id"], sketches["status"])
    for moment, account, call, status in zip(*(column.to_pylist() for column in columns), strict=True):
        yield Logged(moment / 1e6, account, call, status)


def reconcile(
    logged: Iterable[Logged], decided: Mapping[str, Decided], outcomes: Path, grace: float = 5.0
) -> Reconciled:
    """Hold a gateway's log against the outcomes in a folder.

    Args:
        logged: requests of the gateway's log.
        decided: when which account was under a decision; requests of others do not count.
        outcomes: folder into which gates and hooks wrote.
        grace: seconds at either end of a decision that are left out, since gates look for it twice a second.

    Raises:
        OSError: the folder cannot be read.
    """
    told, broken = _call_ids(outcomes)
    return held_against(logged, decided, told, grace)._replace(broken_lines=broken)


def held_against(
    logged: Iterable[Logged], decided: Mapping[str, Decided], told: Collection[str], grace: float = 5.0
) -> Reconciled:
    """Hold a gateway's log against the call ids of which gates told an outcome; see :func:`reconcile`."""
    counts = {"ruled": 0, "turned_away": 0, "unruled": 0}
    past: set[str] = set()
    number = 0
    for request in logged:
        when = decided.get(request.account_id)
        if when is None or not when.since + grace <= request.at < when.until - grace:
            continue
        number += 1
        kind = _kind(request, told)
        counts[kind] += 1
        if kind == "unruled":
            past.add(request.account_id)
    return Reconciled(number, **counts, accounts=len(past), broken_lines=0)


def _kind(request: Logged, told: Collection[str]) -> str:
    if request.call_id in told:
        return "ruled"
    served = request.status is None or request.status < _SERVED_BELOW
    return "unruled" if served else "turned_away"


def _call_ids(folder: Path) -> tuple[set[str], int]:
    found: set[str] = set()
    broken = 0
    for outcome in read_outcomes(folder):
        if outcome is None:
            broken += 1
        elif outcome.call_id:
            found.add(outcome.call_id)
    return found, broken


def read_outcomes(folder: Path) -> Iterator[Outcome | None]:
    """Yield what gates told, in no order; None for a line that cannot be read.

    Raises:
        OSError: the folder or a file in it cannot be read.
    """
    for path in sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else ():
        with suppress(FileNotFoundError), path.open("rb") as file:  # one may be put away meanwhile
            for line in file:
                yield outcome_of(line)


def outcome_of(line: bytes) -> Outcome | None:
    """Return what one line tells, None where it cannot be read."""
    try:
        told = _DECODER.decode(line)
    except ValueError:
        return _odd_outcome(line)
    return Outcome(told.at, told.account_id, told.decision_id, told.action, told.outcome, told.call_id)


def _odd_outcome(line: bytes) -> Outcome | None:
    """Read a line as Python does, which takes half a character in a client's id."""
    try:
        told: Any = json.loads(line)
        outcome = Outcome(**{name: told[name] for name in Outcome._fields if name in told})
    except (ValueError, TypeError, KeyError):
        return None
    texts = (outcome.account_id, outcome.decision_id, outcome.action, outcome.outcome, outcome.call_id)
    whole = isinstance(outcome.at, int | float) and all(isinstance(text, str) for text in texts)
    return outcome if whole else None


def forget_outcomes(folder: Path, before: float) -> int:
    """Remove files to which nothing was added since ``before``; return how many there were.

    Args:
        folder: into which gates and hooks wrote.
        before: seconds since 1970.

    Raises:
        OSError: a file cannot be removed.
    """
    gone = 0
    for path in folder.glob(f"*{SUFFIX}"):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < before:
                path.unlink()
                gone += 1
    return gone
