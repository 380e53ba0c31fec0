"""Accounts whose newest user messages begin with the same words."""

from __future__ import annotations

from typing import Final

import polars as pl

from log import Log

WORDS: Final = 6


def head_holders(log: Log) -> pl.DataFrame:
    """Return ``head``, ``account_id`` and ``text``, one of its texts, for each head and account."""
    words = pl.col("text").str.to_lowercase().str.extract_all(r"\S+").list.head(WORDS)
    return (
        log.requests.with_columns(head=words.list.join(" "), words=words.list.len())
        .filter(pl.col("words") == WORDS)
        .group_by("head", "account_id", maintain_order=True)
        .agg(pl.col("text").first())
    )
