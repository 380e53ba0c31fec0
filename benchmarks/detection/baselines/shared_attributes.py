"""A graph of accounts that share an attribute, and its connected components."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from log import Log
from scoring import Found

_ATTRIBUTES: Final = ("payment_fingerprint", "device_fingerprint", "phone", "signup_ip")


class SharedAttributes:
    """How suspect an account is: the size of the component of shared cards, devices, phones and addresses."""

    usual = 8.0
    thresholds = (1000.0, 500.0, 200.0, 100.0, 50.0, 30.0, 20.0, 12.0, 8.0, 5.0, 3.0)

    def find(self, log: Log) -> Found:
        """Return the size of each account's component."""
        component = components(log)
        sizes = component.with_columns(size=pl.len().over("component").cast(pl.Float64))
        accounts = sizes["account_id"].to_list()
        return Found(
            dict(zip(accounts, sizes["size"].to_list(), strict=True)),
            dict(zip(accounts, sizes["component"].to_list(), strict=True)),
        )


def components(log: Log) -> pl.DataFrame:
    """Return ``account_id`` and ``component``, a name, of every account that holds an attribute."""
    held = [log.requests.select("account_id", value=pl.format("ip {}", "ip")).unique()] + [
        log.accounts.drop_nulls(name).select("account_id", value=pl.format(f"{name} {{}}", name))
        for name in _ATTRIBUTES
    ]
    edges = pl.concat(held).drop_nulls()
    accounts = edges.select(pl.col("account_id").unique().sort()).with_row_index("left")
    values = edges.select(pl.col("value").unique().sort()).with_row_index("right")
    placed = edges.join(accounts, on="account_id").join(values, on="value")
    size = len(accounts) + len(values)
    left, right = placed["left"].to_numpy(), placed["right"].to_numpy().astype(np.int64) + len(accounts)
    graph = coo_matrix((np.ones(len(left), np.int8), (left, right)), shape=(size, size))
    _, labels = connected_components(graph, directed=False)
    named = pl.Series("component", [f"component {label}" for label in labels[: len(accounts)]])
    return accounts.select("account_id").with_columns(named)
