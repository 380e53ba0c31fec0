"""What makes a folder a ledger: the file that names its format and the key that wrote it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, NamedTuple

from stillwatch.contracts import LedgerError
from stillwatch.engines.parquet import replacing
from stillwatch.ledger.layout import Layout

FORMAT: Final = 1


class Signature(NamedTuple):
    """Format of a ledger, and the id of the sketch key that wrote it."""

    format: int
    key_id: str


def sign(layout: Layout, key_id: str) -> None:
    """Write the signature of a new ledger."""
    with replacing(layout.key) as unfinished:
        unfinished.write_text(json.dumps({"format": FORMAT, "key_id": key_id}) + "\n")


def is_ledger(root: Path) -> bool:
    """Whether a ledger of any version, earlier or later, lies in ``root``."""
    try:
        content = json.loads(Layout(root).key.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.keys() >= set(Signature._fields)


def read_signature(layout: Layout) -> Signature:
    """Return the ledger's signature.

    Raises:
        LedgerError: there is none, it is damaged, or a later version of stillwatch wrote it.
    """
    path = layout.key
    try:
        content = json.loads(path.read_bytes())
        signature = Signature(int(content["format"]), str(content["key_id"]))
    except FileNotFoundError as error:
        raise LedgerError(
            "there is no ledger here",
            remedy="Name the folder that `stillwatch scan` had as --state",
            file=str(layout.root),
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise LedgerError(
            "the ledger does not say which key wrote it",
            remedy="Restore the file or start a new ledger",
            file=str(path),
        ) from error
    if signature.format > FORMAT:
        raise LedgerError(
            f"the ledger has format {signature.format}, later than {FORMAT}",
            remedy="Use a later stillwatch",
            file=str(path),
        )
    return signature
