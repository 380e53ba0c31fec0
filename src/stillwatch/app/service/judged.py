"""What a judgement found, as tables of the state folder that everybody else reads."""

from __future__ import annotations

from pathlib import Path

from stillwatch.app.service.judged_tables import TABLES
from stillwatch.app.service.places import JUDGED
from stillwatch.campaigns.results import Results
from stillwatch.engines.parquet import write_parquet


def keep_judged(state: Path, results: Results) -> None:
    """Write the tables, each in the place of the one before.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    folder = state / JUDGED
    folder.mkdir(parents=True, exist_ok=True)
    for name in TABLES:
        table = getattr(results, name)
        write_parquet(table.to_batches(), table.schema, folder / f"{name}.parquet")
