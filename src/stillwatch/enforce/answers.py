"""What a customer gets who is turned away: the same words whatever the gateway, with a way to appeal."""

from __future__ import annotations

import json
import math
from typing import Final, NamedTuple

from stillwatch.enforce.guard import Ruling

_STATUS: Final = {"throttle": 429, "verify": 403, "block": 403}
_WORDS: Final = {
    "throttle": "This account shares a limit of requests with accounts that are used together, and it is "
    "used up for now.",
    "verify": "Please confirm who uses this account before it goes on.",
    "block": "This account is suspended because of how it is used together with others.",
}
_TYPES: Final = {
    "throttle": "rate_limit_error",
    "verify": "permission_error",
    "block": "permission_error",
}


class Answer(NamedTuple):
    """An answer of the gateway's own."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def refusal(ruling: Ruling) -> Answer | None:
    """Return what the customer gets instead of an answer of the model, None where the request goes on.

    It is in the form of an OpenAI error, which clients know; the decision's id is what an appeal names.
    """
    if ruling.action not in _STATUS or ruling.terms is None:
        return None
    terms = ruling.terms
    error = {
        "message": _WORDS[ruling.action],
        "type": _TYPES[ruling.action],
        "code": f"stillwatch_{ruling.action}",
        "decision_id": terms.decision_id,
    }
    headers = [("content-type", "application/json"), ("x-stillwatch-decision", terms.decision_id)]
    if ruling.action == "throttle":
        headers.append(("retry-after", str(_wait(ruling))))
    if terms.verify_url:
        error["verify_url"] = terms.verify_url
    return Answer(_STATUS[ruling.action], tuple(headers), json.dumps({"error": error}).encode())


def spoken(ruling: Ruling) -> str:
    """Return the same in words, for gateways that pass nothing else on; empty where the request goes on."""
    if ruling.action not in _STATUS or ruling.terms is None:
        return ""
    told = [_WORDS[ruling.action]]
    if ruling.action == "throttle":
        told.append(f"Try again in {_wait(ruling)} s.")
    told.append(f"Decision {ruling.terms.decision_id}.")
    if ruling.terms.verify_url:
        told.append(f"Verify at {ruling.terms.verify_url}")
    return " ".join(told)


def _wait(ruling: Ruling) -> int:
    return max(math.ceil(ruling.retry_after), 1)
