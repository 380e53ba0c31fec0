"""A person's say in a decision, through the API."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from starlette.requests import Request

from stillwatch.app.decision_texts import decision_document
from stillwatch.app.service.asked import Say, only, say_of, wrong
from stillwatch.app.service.json_answers import Document
from stillwatch.app.service.slowing import Rate, client_of, refuse_beyond
from stillwatch.app.service.view import View
from stillwatch.decisions.approvals import Says, approve, reject, undo, undo_account

SAYINGS: Final[Mapping[str, Says]] = {"approve": approve, "reject": reject, "undo": undo}
"""What may be said of a decision, by the last part of its path."""


def say(view: View, rate: Rate, what: str, request: Request, body: bytes) -> Document:
    """Bring what a person says into the store and the audit log, and return what came of it.

    Raises:
        ApiError: the body says nothing that can be done (400, 422), or the client comes too often (429).
        UnknownSubjectError: there is no such decision, or the account is none of it.
        DecisionError: the decision as it stands does not admit of it.
        StoreError: the database or the audit log is away; nothing was changed.
    """
    refuse_beyond(rate, client_of(request), "too many changes in a short time")
    only(request)
    told = say_of(body)
    ruled = _says(what, told)(
        view.store, view.audit, request.path_params["id"], datetime.now(UTC), by=told.by, note=told.note
    )
    return {
        "changed": ruled.changed,
        "revision": ruled.revision,
        "decision": decision_document(ruled.decision, ruled.accounts),
    }


def _says(what: str, told: Say) -> Says:
    if told.account is None:
        return SAYINGS[what]
    if what != "undo":
        raise wrong(
            "account", f"to {what} is for a whole decision", "Leave it out, or undo for this account."
        )
    return undo_account(told.account)
