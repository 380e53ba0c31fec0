"""``stillwatch signals``: events for identity providers, and what happened to accounts for a SIEM."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stillwatch.app.options import Json, Quiet

if TYPE_CHECKING:
    from stillwatch.access.signals.outbox import Outbox

app = typer.Typer(name="signals", no_args_is_help=True, rich_markup_mode="markdown")

State = Annotated[
    Path, typer.Option("--state", metavar="DIR", help="State folder of the service.", show_default=False)
]
File = Annotated[
    Path, typer.Option("--signals", metavar="FILE", help="Signals file of the service.", show_default=False)
]
Place = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help="Store elsewhere: a file, or postgresql://user@host/database. Default: in the state folder.",
        show_default=False,
    ),
]


@app.callback()
def _signals() -> None:
    """Look after shared signals: verdicts as security events to an identity provider (SSF, CAEP, RISC).

    `stillwatch serve --signals FILE` sends and takes them; these commands show what waits, change the key
    that signs, and write what happened to accounts for a SIEM.

    Examples:

        stillwatch signals status --state state/ --signals signals.toml
        stillwatch signals rotate --state state/ --signals signals.toml
        stillwatch signals export --state state/ --out accounts.ocsf.jsonl
    """
    from stillwatch.app.decision_store import need_store

    need_store()


@app.command()
def status(
    state: State, signals: File, database: Place = None, json: Json = False, quiet: Quiet = False
) -> None:
    """Tell of each stream whether it is enabled, what waits for it, and what its receiver would not have.

    Examples:

        stillwatch signals status --state state/ --signals signals.toml --json
    """
    from stillwatch.app import console, documents

    outbox = _outbox(state, signals, database)
    rows = []
    for stream, (waiting, refused) in outbox.counts().items():
        told = outbox.status(stream)
        row = {"stream": stream, "status": told.status.value, "reason": told.reason}
        rows.append(row | {"waiting": waiting, "refused": refused})
    if json:
        documents.show({"streams": rows})
    elif not quiet:
        lines = [
            f"{row['stream']}: {row['status']}, {row['waiting']:,} wait, {row['refused']:,} refused"
            for row in rows
        ]
        console.show(*(lines or ["There are no streams."]))


@app.command()
def retry(
    state: State,
    signals: File,
    stream: Annotated[
        str | None, typer.Option("--stream", metavar="NAME", help="Only of this one.", show_default=False)
    ] = None,
    database: Place = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Send once more what receivers would not have, as when they have been mended.

    Examples:

        stillwatch signals retry --state state/ --signals signals.toml --stream idp
    """
    from stillwatch.app import console, documents

    count = _outbox(state, signals, database).retry(stream)
    if json:
        documents.show({"waiting_again": count})
    elif not quiet:
        console.show(f"{console.counted(count, 'event')} will be sent again.")


@app.command()
def rotate(state: State, signals: File, json: Json = False, quiet: Quiet = False) -> None:
    """Make a new key to sign events with; the one before it stays published for seven days.

    A running service uses it with its next event, and receivers find it in the key set.

    Examples:

        stillwatch signals rotate --state state/ --signals signals.toml
    """
    from stillwatch.access.signals.signals_file import read_signals_file
    from stillwatch.access.signals.signing_keys import SigningKeys
    from stillwatch.app import console, documents
    from stillwatch.app.decision_store import AUDIT
    from stillwatch.persistence.audit import AuditLog

    key = SigningKeys(state).rotate(read_signals_file(signals).algorithm)
    AuditLog(state / AUDIT).append("signal key", {"key": key.id, "algorithm": key.algorithm})
    if json:
        documents.show({"key_id": key.id, "algorithm": key.algorithm})
    elif not quiet:
        console.show(f"Events are signed with {key.id} ({key.algorithm}) from now on.")


@app.command()
def export(
    state: State,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="TIME", help="Leave out what was before (ISO 8601).", show_default=False
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Where to. Default: stdout.", show_default=False),
    ] = None,
    database: Place = None,
) -> None:
    """Write what happened to accounts as OCSF Account Change and Authentication events, one a line.

    These are the account events of the ledger, the accounts of decisions that act (when each came under one,
    and when that ended), what accounts proved at the access door, and keys that were made and revoked.

    Examples:

        stillwatch signals export --state state/ --out accounts.ocsf.jsonl
        stillwatch signals export --state state/ --since 2026-06-01 | curl --data-binary @- https://siem.example.com
    """
    from stillwatch import __version__
    from stillwatch.app.account_activity import activities
    from stillwatch.app.decision_store import STORE, find_store
    from stillwatch.app.output import write_parts
    from stillwatch.evidence.ocsf_activity import render_activities
    from stillwatch.settings import ScanSettings

    begin = ScanSettings.read(since=since).since
    there = database is not None or (state / STORE).exists()
    store = find_store(state, database) if there else None
    parts = render_activities(activities(state / "ledger", store, begin), __version__)
    if out is not None:
        write_parts(out, parts)
        return
    sys.stdout.flush()
    sys.stdout.buffer.writelines(parts)
    sys.stdout.buffer.flush()


def _outbox(state: Path, signals: Path, database: str | None) -> Outbox:
    """Open the outbox of a service that has run.

    Raises:
        InputError: the signals file is wrong.
        StoreError: there is no database of this version.
    """
    from stillwatch.access.signals.outbox import Outbox
    from stillwatch.access.signals.signals_file import read_signals_file
    from stillwatch.app.decision_store import STORE
    from stillwatch.persistence.address import address_of
    from stillwatch.persistence.database import Database

    file = read_signals_file(signals)
    place = Database(address_of(database or state / STORE))
    place.check()
    return Outbox(place, file)
