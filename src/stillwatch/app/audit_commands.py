"""``stillwatch audit``: whether an audit log is as it was written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stillwatch.app.options import Json

app = typer.Typer(name="audit", no_args_is_help=True, rich_markup_mode="markdown")


@app.callback()
def _audit() -> None:
    """Prove that nothing was changed in the log of who decided what.

    Examples:

        stillwatch audit verify audit.jsonl
    """


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Audit log to go through.")],
    last: Annotated[
        str | None,
        typer.Option(
            "--last",
            metavar="HASH",
            help="Hash of an entry that was kept elsewhere: proves that nothing was cut off up to there.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Go through every entry: what was changed, taken out or put in is named by its line.

    Entries that were cut off at the end leave no trace in the file itself: keep the hash that this prints
    somewhere else, and give it next time.

    Examples:

        stillwatch audit verify audit.jsonl
        stillwatch audit verify audit.jsonl --last 9f2c...
    """
    from stillwatch.app import console, documents
    from stillwatch.persistence.audit import verify_audit

    found = verify_audit(file, last)
    if json:
        documents.show({"file": file, "entries": found.entries, "last": found.last})
    else:
        counted = f"{found.entries:,} {'entry' if found.entries == 1 else 'entries'}"
        console.show(f"{file}: {counted}, none changed.", f"Last hash: {found.last}")
