"""A world's log as a baseline sees it: who asked what, when and from where, raw texts included."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import orjson
import polars as pl
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import HashingVectorizer

CHARACTERS: Final = 240
"""Of each newest user message: where the wording of a prompt lies."""

WINDOW: Final = "7d"
_PER_WINDOW: Final = 16
"""Requests of one account in one window whose texts are looked at."""


@dataclass(frozen=True)
class Texts:
    """Texts as counts of hashed character trigrams, rows of unit length, in the order of ``rows``."""

    rows: pl.DataFrame  # account_id, window
    vectors: csr_matrix


@dataclass(frozen=True)
class Log:
    """``requests``: request_id, account_id, timestamp, ip, text; ``accounts``: the account records."""

    requests: pl.DataFrame
    accounts: pl.DataFrame

    @cached_property
    def texts(self) -> Texts:
        """The texts of at most sixteen requests per account and week."""
        windowed = self.requests.with_columns(window=pl.col("timestamp").dt.truncate(WINDOW))
        place = pl.int_range(pl.len()).over("account_id", "window")
        kept = windowed.filter((place < _PER_WINDOW) & (pl.col("text") != ""))
        vectorizer = HashingVectorizer(
            analyzer="char", ngram_range=(3, 3), n_features=4096, alternate_sign=False, dtype="float32"
        )
        return Texts(
            kept.select("account_id", "window"), vectorizer.transform(kept["text"].to_list()).tocsr()
        )


def read_log(folder: Path) -> Log:
    """Read the exchanges and account records of a world."""
    columns = ["request_id", "account_id", "timestamp", "ip", "messages"]
    requests = pl.read_parquet(folder / "exchanges*.parquet", columns=columns).sort("timestamp", "request_id")
    texts = pl.Series("text", [newest_question(messages) for messages in requests["messages"]], pl.String)
    return Log(requests.drop("messages").with_columns(texts), pl.read_parquet(folder / "accounts.parquet"))


def newest_question(messages: str) -> str:
    """Return the head of the newest user message of a chat in JSON; empty where there is none."""
    for message in reversed(orjson.loads(messages)):
        if message.get("role") == "user":
            return _words(message.get("content"))[:CHARACTERS]
    return ""


def _words(content: Any) -> str:
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content or ""
