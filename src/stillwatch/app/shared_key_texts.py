"""Shared keys as lines for people, a document for programs, and a file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from stillwatch.app.decision_texts import moment, plain
from stillwatch.app.shared_keys import SharedKeys
from stillwatch.contracts import UsageError
from stillwatch.engines.parquet import replacing

_LISTED: Final = 20
_OTHERS: Final = {
    "runners": "look like CI runners: nearly each network for one burst",
    "rotating": "come from a network of its own with nearly each request, as behind a pool of proxies",
    "moving": "move between networks that come back, one after another",
}


def document(found: SharedKeys) -> dict[str, Any]:
    """Return what was found as one document."""
    rows = found.keys.to_pylist()
    told = [{**row, "key_fp": f"{row['key_fp']:016x}"} for row in rows]
    counts = Counter(row["kind"] for row in rows)
    return {
        "keys": found.looked_at,
        "exempt_accounts": found.exempt,
        "counts": {kind: counts[kind] for kind in ("shared", *_OTHERS)},
        "shared": [row for row in told if row["kind"] == "shared"],
        "others": [row for row in told if row["kind"] != "shared"],
    }


def lines(found: SharedKeys) -> list[str]:
    """Return what was found in words."""
    rows = found.keys.to_pylist()
    shared = sorted((row for row in rows if row["kind"] == "shared"), key=lambda row: -row["users_at_once"])
    told = [f"{len(shared):,} of {found.looked_at:,} keys are used by many at once."]
    told += [f"  {_line(row)}" for row in shared[:_LISTED]]
    told += (
        [f"  and {len(shared) - _LISTED:,} more: --out FILE has them all"] if len(shared) > _LISTED else []
    )
    counts = Counter(row["kind"] for row in rows)
    told += [f"{counts[kind]:,} {words}." for kind, words in _OTHERS.items() if counts[kind]]
    return told


def write(keys: pa.Table, path: Path) -> None:
    """Write the table, as CSV or Parquet by the ending of the name.

    Raises:
        UsageError: it ends otherwise, or the file cannot be written.
    """
    if path.suffix not in (".csv", ".parquet"):
        raise UsageError(
            f"{path.name} is neither CSV nor Parquet", remedy="Let it end in .csv or .parquet", field="--out"
        )
    try:
        with replacing(path) as unfinished:
            if path.suffix == ".csv":
                pyarrow.csv.write_csv(keys, unfinished)
            else:
                pyarrow.parquet.write_table(keys, unfinished)
    except OSError as error:
        remedy = "Name a file in a folder that can be written"
        raise UsageError(
            f"{path} cannot be written ({error.strerror})", remedy=remedy, field="--out"
        ) from error


def _line(row: dict[str, Any]) -> str:
    return (
        f"{plain(row['account_id'])}, key {row['key_fp']:016x}: up to {row['users_at_once']:,} at once in "
        f"ten minutes, {row['crowded_windows']:,} times on {row['crowded_days']:,} days, "
        f"{moment(row['crowded_first'])} to {moment(row['crowded_last'])}; "
        f"{row['networks']:,} networks and {row['clients']:,} clients in all"
    )
