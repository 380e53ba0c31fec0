"""``stillwatch seals``: the keys of sealed reasoning, rotated, listed and dropped."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from stillwatch.app.options import Json, span_option

app = typer.Typer(name="seals", no_args_is_help=True, rich_markup_mode="markdown")

File = Annotated[Path, typer.Argument(metavar="FILE", help="File of seal keys that gateways read.")]


@app.callback()
def _seals() -> None:
    """Keep the keys by which reasoning is sealed: gateways read one file, which only its owner may read.

    Examples:

        stillwatch seals rotate /etc/stillwatch/seal.keys
        stillwatch seals rotate /etc/stillwatch/seal.keys --begins-in 1h --keep 30d
        stillwatch seals list /etc/stillwatch/seal.keys
        stillwatch seals drop /etc/stillwatch/seal.keys 9f3a01c7
    """


@app.command()
def rotate(
    file: File,
    begins_in: Annotated[
        str,
        typer.Option(
            "--begins-in", metavar="SPAN", help="How long until it seals: all gateways have to have the file."
        ),
    ] = "1m",
    keep: Annotated[
        str | None,
        typer.Option(
            "--keep",
            metavar="SPAN",
            help="Keys go that have not sealed for longer: give as long as tokens open. Default: none.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Add a new key, which seals from then on; the older ones open what they sealed. Makes the file.

    Examples:

        stillwatch seals rotate /etc/stillwatch/seal.keys --begins-in 1h --keep 30d
    """
    from stillwatch.access.seals import keyring
    from stillwatch.app import console, documents
    from stillwatch.app.decision_texts import moment

    lasts = None if keep is None else span_option(keep, "--keep")
    begins = span_option(begins_in, "--begins-in")
    new = keyring.rotate(file, datetime.now(UTC), begins_in=begins, keep=lasts)
    if json:
        documents.show({"file": file, "id": new.name, "begins_at": new.begins_at})
    else:
        console.show(f"{new.name} seals from {moment(new.begins_at)} on.")


@app.command(name="list")
def list_(file: File, json: Json = False) -> None:
    """List the keys of a file by their ids, and since when each seals.

    Examples:

        stillwatch seals list /etc/stillwatch/seal.keys
    """
    from stillwatch.access.seals import keyring
    from stillwatch.app import console, documents
    from stillwatch.app.decision_texts import moment

    keys = keyring.read_keys(file)
    if json:
        rows = [{"id": key.name, "made_at": key.made_at, "begins_at": key.begins_at} for key in keys]
        documents.show({"file": file, "keys": rows})
    else:
        console.show(*(f"{key.name}  seals from {moment(key.begins_at)}" for key in keys))


@app.command()
def drop(
    file: File,
    key: Annotated[str, typer.Argument(metavar="ID", help="Key, as `seals list` names it.")],
    json: Json = False,
) -> None:
    """Take a key out: what it sealed opens no more, at once. For a key that leaked; rotate first.

    Examples:

        stillwatch seals drop /etc/stillwatch/seal.keys 9f3a01c7
    """
    from stillwatch.access.seals import keyring
    from stillwatch.app import console, documents

    kept = keyring.drop(file, key)
    if json:
        documents.show({"file": file, "dropped": key, "kept": [each.name for each in kept]})
    else:
        console.show(f"What {key} sealed opens no more.")
