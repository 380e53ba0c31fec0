"""Reason codes: the few signals that weigh most, by which a decision says why it was made."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

_CODES: Final = 3
"""Reason codes of the campaign, and as many of the account itself: enough to know what to look at."""


class ReasonCodes:
    """Signals by what they weigh, for campaigns and for the accounts in them."""

    def __init__(self, reasons: pa.Table) -> None:
        """Take REASONS."""
        self._signals: dict[tuple[str, str | None], list[str]] = {}
        speaking = reasons.filter(pc.greater(reasons["llr"], 0.0))
        order = [("llr", "descending"), ("signal", "ascending")]
        for row in speaking.sort_by(order).select(["campaign_id", "account_id", "signal"]).to_pylist():
            self._signals.setdefault((row["campaign_id"], row["account_id"]), []).append(row["signal"])

    def of_campaign(self, campaign: str) -> list[str]:
        """Return what weighs most for the campaign as a whole, each named once."""
        return list(dict.fromkeys(self._signals.get((campaign, None), [])[:_CODES]))

    def of_account(self, campaign: str, account: str) -> list[str]:
        """Return what weighs most for the campaign, then what does for the account, each named once."""
        own = self._signals.get((campaign, account), [])[:_CODES]
        return list(dict.fromkeys(self.of_campaign(campaign) + own))
