"""The rule of an afternoon: a shared card or device, or a shared prompt head that asks to reason."""

from __future__ import annotations

from typing import Final

import polars as pl

from baselines.prompt_heads import head_holders
from log import Log
from scoring import Found

_REASONING: Final = (
    r"(?i)reason|step[ -]by[ -]step|think|thought|derivation|explain (every|each|all)|show (your|all) work"
)
_ATTRIBUTES: Final = ("payment_fingerprint", "device_fingerprint")


class AfternoonRule:
    """How suspect an account is: how many accounts share its card, device or reasoning prompt head."""

    usual = 5.0
    thresholds = (200.0, 100.0, 50.0, 30.0, 20.0, 12.0, 8.0, 5.0, 3.0)

    def find(self, log: Log) -> Found:
        """Return the largest number of accounts that share one such thing, grouped by that thing."""
        heads = head_holders(log).filter(pl.col("text").str.contains(_REASONING))
        held = [heads.select("account_id", thing=pl.format("head {}", "head"))] + [
            log.accounts.drop_nulls(name).select("account_id", thing=pl.format(f"{name} {{}}", name))
            for name in _ATTRIBUTES
        ]
        things = pl.concat(held).unique()
        counted = things.with_columns(holders=pl.len().over("thing"))
        widest = counted.sort("account_id", "holders", "thing").group_by("account_id").last()
        accounts = widest["account_id"].to_list()
        return Found(
            dict(zip(accounts, widest["holders"].cast(pl.Float64).to_list(), strict=True)),
            dict(zip(accounts, widest["thing"].to_list(), strict=True)),
        )
