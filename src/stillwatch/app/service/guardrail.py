"""LiteLLM's generic guardrail: the proxy asks of each request whether it is to be blocked.

The account is looked for under the same names as in LiteLLM's log, so that it is the account of the ledger.
The proxy knows it from the key; what a client says of itself is not asked. What this interface cannot
express is to
reduce: it carries no sampling parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from stillwatch.app.service.answering import JSON, TooLongError, answer, whole_body
from stillwatch.app.service.desk import Desk
from stillwatch.contracts import UsageError
from stillwatch.enforce.answers import spoken
from stillwatch.enforce.asgi import Receive, Send

PATH: Final = "/beta/litellm_basic_guardrail_api"
ACCOUNT_FIELDS: Final = ("metadata.user_api_key_user_id", "metadata.user_api_key_hash")
"""Where LiteLLM's log has the account, as :mod:`stillwatch.ingest.litellm` looks for it."""

_TOLD: Final = frozenset(
    f"metadata.user_api_key_{name}"
    for name in ("hash", "alias", "user_id", "user_email", "team_id", "team_alias", "end_user_id", "org_id")
)
"""What LiteLLM tells a guardrail of whose request it is."""

_MOST_BYTES: Final = 32 * 2**20
_CANNOT: Final = frozenset({"reduce"})
_GOES_ON: Final = b'{"action":"NONE"}'


def told_fields(account_key: str | None) -> tuple[str, ...]:
    """Return the fields of a guardrail's question that name the account.

    Args:
        account_key: the field of the log that names it, as ``--account-key`` has it; None for
            LiteLLM's own order.

    Raises:
        UsageError: LiteLLM does not tell a guardrail that field.
    """
    fields = ACCOUNT_FIELDS if account_key is None else (account_key,)
    odd = [field for field in fields if field not in _TOLD]
    if odd:
        raise UsageError(
            f"LiteLLM tells a guardrail nothing of {odd[0]}",
            remedy="Use the hook inside LiteLLM, or one of " + ", ".join(sorted(_TOLD)),
            field="account-key",
        )
    return tuple(field.removeprefix("metadata.") for field in fields)


async def judge(desk: Desk, fields: Sequence[str], receive: Receive, send: Send) -> None:
    """Answer one question of the proxy."""
    try:
        asked = orjson.loads(await whole_body(receive, _MOST_BYTES))
    except TooLongError:
        await answer(send, 413, JSON, b'{"error":"the question is too long"}')
        return
    except ValueError:
        asked = None
    if not isinstance(asked, dict):
        await answer(send, 400, JSON, b'{"error":"the question is no JSON object"}')
        return
    await answer(send, 200, JSON, _answered(desk, fields, asked))


def _answered(desk: Desk, fields: Sequence[str], asked: Mapping[str, Any]) -> bytes:
    if asked.get("input_type") == "response":  # its request was ruled on
        return _GOES_ON
    call_id = asked.get("litellm_call_id")
    account = account_told(asked.get("request_data"), fields)
    ruling = desk.rule(account, call_id if isinstance(call_id, str) else "", cannot=_CANNOT)
    reason = spoken(ruling)
    return orjson.dumps({"action": "BLOCKED", "blocked_reason": reason}) if reason else _GOES_ON


def account_told(told: object, fields: Sequence[str]) -> str | None:
    """Return the account, by the first field that holds one, written as ingest writes it."""
    if not isinstance(told, dict):
        return None
    for field in fields:
        found = told.get(field)
        if isinstance(found, str) and found.strip():
            return found.strip()
        if isinstance(found, int) and not isinstance(found, bool):
            return str(found)
    return None
