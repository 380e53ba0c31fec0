"""The texts of linked accounts of a week, together, against everybody's."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from baselines.prompt_heads import head_holders
from baselines.shared_attributes import components
from baselines.two_sample import discrepancy, membership
from log import Log
from scoring import Found

_ACCOUNTS: Final = 8
_LEAST: Final = 20
"""Texts in a week below which nothing is said of a group."""


class GroupTwoSample:
    """How suspect an account is: the largest standardised discrepancy of a group that it is in.

    Groups are the components of shared attributes and the accounts that share a prompt head, of eight
    accounts and more; what counts are all texts of their accounts.
    """

    usual = 500.0
    thresholds = (
        8000.0,
        4000.0,
        3000.0,
        2000.0,
        1500.0,
        1000.0,
        700.0,
        500.0,
        350.0,
        250.0,
        180.0,
        120.0,
        80.0,
        50.0,
        25.0,
        10.0,
    )

    def find(self, log: Log) -> Found:
        """Return the largest discrepancy of any of an account's groups, and that group."""
        members = _groups(log)
        place = log.texts.rows.with_row_index("text")
        samples = (
            members.join(place, on="account_id")
            .group_by("group", "window")
            .agg("text")
            .filter(pl.col("text").list.len() >= _LEAST)
            .sort("group", "window")
            .with_row_index("sample")
        )
        if samples.is_empty():
            return Found({}, {})
        pairs = samples.explode("text")
        rows, columns = pairs["sample"].to_numpy().astype(np.int64), pairs["text"].to_numpy().astype(np.int64)
        found = discrepancy(log.texts.vectors, membership(rows, columns, (len(samples), len(place))))
        strength = samples.with_columns(score=pl.Series(found)).group_by("group").agg(pl.col("score").max())
        best = (
            members.join(strength, on="group")
            .sort("account_id", "score", "group")
            .group_by("account_id")
            .last()
        )
        accounts = best["account_id"].to_list()
        return Found(
            dict(zip(accounts, best["score"].to_list(), strict=True)),
            dict(zip(accounts, best["group"].to_list(), strict=True)),
        )


def _groups(log: Log) -> pl.DataFrame:
    """Return ``account_id`` and ``group`` for every group of at least eight accounts."""
    heads = head_holders(log).select("account_id", group=pl.format("head {}", "head"))
    linked = components(log).select("account_id", group="component")
    return pl.concat([heads, linked]).filter(pl.len().over("group") >= _ACCOUNTS)
