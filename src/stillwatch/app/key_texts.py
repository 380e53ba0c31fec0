"""Keys as lines for people."""

from __future__ import annotations

from datetime import datetime

from stillwatch.access.keys.issued import IssuedKey
from stillwatch.app.decision_texts import moment, plain


def key_line(key: IssuedKey, now: datetime) -> str:
    """Return a key in one line."""
    name = f" ({plain(key.name)})" if key.name else ""
    scopes = f": {', '.join(key.scopes)}" if key.scopes else ""
    return f"{key.id}  {plain(key.account_id)}{name}{scopes}{_bound(key)}{_state(key, now)}"


def _bound(key: IssuedKey) -> str:
    told = [f"from {', '.join(key.networks)}"] if key.networks else []
    told += ["with DPoP"] if key.jkt else []
    told += ["with a certificate"] if key.x5t_s256 else []
    return f", {', '.join(told)}" if told else ""


def _state(key: IssuedKey, now: datetime) -> str:
    if key.revoked_at is not None:
        by = f" by {plain(key.revoked_by)}" if key.revoked_by else ""
        return f", revoked {moment(key.revoked_at)}{by}"
    if key.expires_at is None:
        return ""
    return f", {'ended' if key.has_expired(now) else 'until'} {moment(key.expires_at)}"
