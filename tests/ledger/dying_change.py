"""Changes copies of a ledger in processes that kill themselves: the n-th at its n-th change of a file's name.

Usage: python dying_change.py FOLDER LEDGER WORK, where WORK is compact, or expire and forget with what goes
after a colon: ``expire:2026-05-01T01:00+00:00``, ``forget:a,b``. Makes the ledgers FOLDER/1, FOLDER/2 and so
on, up to the first whose process came to its end.
"""

from __future__ import annotations

import itertools
import os
import shutil
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from stillwatch.engines.engine import open_engine
from stillwatch.ledger.compaction import compact, crowded_hours
from stillwatch.ledger.locks import alone
from stillwatch.ledger.removal import carry_out, plan_expiry, plan_forgetting

KILLED = 9
CHANGES = ("os.rename", "os.remove", "os.rmdir")


def die_at(change: int) -> None:
    """Die, with nothing tidied up, just before the n-th renaming or removal from now on."""
    left = change

    def count(event: str, _: tuple[Any, ...]) -> None:
        nonlocal left
        if event in CHANGES:
            left -= 1
            if left == 0:
                os._exit(KILLED)

    sys.addaudithook(count)


def nothing(_: int) -> None:
    """Nobody watches."""


def do(root: Path, work: str) -> None:
    kind, _, what = work.partition(":")
    with alone(root) as layout:
        if kind == "compact":
            with open_engine(threads=1, spill=layout.spill) as engine:
                compact(layout, engine, crowded_hours(layout), nothing)
        elif kind == "expire":
            carry_out(layout, plan_expiry(layout, datetime.fromisoformat(what), nothing)[0], nothing)
        else:
            carry_out(layout, plan_forgetting(layout, what.split(","), nothing)[0], nothing)


if __name__ == "__main__":
    folder, ledger, work = sys.argv[1:]
    for change in itertools.count(1):
        root = Path(folder) / str(change)
        shutil.copytree(ledger, root)
        # Forked before any thread has started, so that the imports are paid for once.
        if not (child := os.fork()):
            die_at(change)
            do(root, work)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code != KILLED:
            sys.exit(code)
