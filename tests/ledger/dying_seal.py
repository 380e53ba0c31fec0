"""Seals ledgers in processes that kill themselves: the n-th at its n-th change of a file's name.

Usage: python dying_seal.py FOLDER SKETCHES ACCOUNTS, with the rows to stage as Parquet files. Makes the
ledgers FOLDER/1, FOLDER/2 and so on, up to the first whose process came to its end.
"""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from stillwatch.engines.engine import open_engine
from stillwatch.ledger.ledger import Ledger

KILLED = 9


def die_at(change: int) -> None:
    """Die, with nothing tidied up, just before the n-th renaming or removal of a file from now on."""
    left = change

    def count(event: str, _: tuple[Any, ...]) -> None:
        nonlocal left
        if event in ("os.rename", "os.remove"):
            left -= 1
            if left == 0:
                os._exit(KILLED)

    sys.addaudithook(count)


def seal(root: Path, sketches: str, accounts: str) -> None:
    ledger = Ledger(root, "key-1")
    for batch in pq.read_table(sketches).to_batches():
        ledger.stage(batch)
    for batch in pq.read_table(accounts).to_batches():
        ledger.stage_accounts(batch)
    with open_engine(spill=root.with_name("spill")) as engine:
        ledger.seal(engine)


if __name__ == "__main__":
    folder, *inputs = sys.argv[1:]
    for change in itertools.count(1):
        # Forked before any thread has started, so that the imports are paid for once.
        if not (child := os.fork()):
            die_at(change)
            seal(Path(folder) / str(change), *inputs)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code != KILLED:
            sys.exit(code)
