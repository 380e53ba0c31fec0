"""Each account's texts of a week against everybody's."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from baselines.two_sample import discrepancy, membership
from log import Log
from scoring import Found

_LEAST: Final = 4
"""Texts in a week below which nothing is said of an account."""


class AccountTwoSample:
    """How suspect an account is: its largest standardised discrepancy of any week. It knows no groups."""

    usual = 20.0
    thresholds = (200.0, 150.0, 100.0, 80.0, 60.0, 50.0, 40.0, 30.0, 25.0, 20.0, 15.0, 10.0, 5.0)

    def find(self, log: Log) -> Found:
        """Return each account's largest discrepancy."""
        texts = log.texts
        place = texts.rows.with_row_index("text")
        samples = place.group_by("account_id", "window", maintain_order=True).agg("text")
        samples = samples.filter(pl.col("text").list.len() >= _LEAST).with_row_index("sample")
        if samples.is_empty():
            return Found({}, {})
        pairs = samples.explode("text")
        rows, columns = pairs["sample"].to_numpy().astype(np.int64), pairs["text"].to_numpy().astype(np.int64)
        found = discrepancy(texts.vectors, membership(rows, columns, (len(samples), len(place))))
        most = samples.with_columns(score=pl.Series(found)).group_by("account_id").agg(pl.col("score").max())
        return Found(dict(most.sort("account_id").iter_rows()), {})
