"""A limit on what one account may ask for in a day."""

from __future__ import annotations

import polars as pl

from log import Log
from scoring import Found


class RateLimit:
    """How suspect an account is: its requests on its busiest day (UTC). It knows no groups."""

    usual = 100.0
    thresholds = (1000.0, 500.0, 200.0, 100.0, 50.0, 30.0, 20.0, 15.0, 10.0, 7.0, 5.0, 3.0)

    def find(self, log: Log) -> Found:
        """Return each account's requests on its busiest day."""
        days = log.requests.group_by("account_id", pl.col("timestamp").dt.truncate("1d")).len()
        busiest = days.group_by("account_id").agg(pl.col("len").max().cast(pl.Float64)).sort("account_id")
        return Found(dict(busiest.iter_rows()), {})
