"""Whether the control plane takes records and answers: what an orchestrator asks before it sends any."""

from __future__ import annotations

from typing import NamedTuple

from stillwatch.app.service.view import View
from stillwatch.contracts import StillwatchError


class Readiness(NamedTuple):
    """What there is to say."""

    ready: bool
    parts: dict[str, str]  # ok, or what ails, by part of the service


def readiness(view: View) -> Readiness:
    """Return whether records are taken; a store that is away does not keep the rest from going on."""
    parts = {"store": _store(view)}
    ready = True
    if view.receiver is not None:
        full = view.receiver.inbox_bytes >= view.receiver.limits.inbox
        parts["inbox"] = "more waits to be sealed than may wait" if full else "ok"
        ready = not full
    if view.sealer is not None:
        parts["sealing"] = view.sealer.error or "ok"
    return Readiness(ready, parts)


def _store(view: View) -> str:
    try:
        view.store.revision()
    except StillwatchError as error:
        return error.what
    return "ok"
