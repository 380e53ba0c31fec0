"""``stillwatch ledger``: look at a state's ledger, make it smaller, and let data go."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stillwatch.app import bars
from stillwatch.app.options import Json, Quiet, of_scan, option
from stillwatch.contracts import UsageError
from stillwatch.settings import ExpireSettings, ScanSettings

if TYPE_CHECKING:
    from stillwatch.app.retention import Departure, Request
    from stillwatch.ledger.locks import Waiting

app = typer.Typer(name="ledger", no_args_is_help=True, rich_markup_mode="markdown")

State = Annotated[Path, typer.Argument(metavar="STATE", help="Folder that `stillwatch scan` had as --state.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Tell what would go, and change nothing.")]
Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help="Store of decisions that is not in STATE: a file, or postgresql://user@host/database.",
        show_default=False,
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.callback()
def _ledger() -> None:
    """Look at the ledger of a state folder, compact it, and let old data or accounts go.

    Of these commands `events` alone needs the sketch key. They wait for scans that are at work in the folder.
    """


@app.command()
def stat(
    state: State,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every byte, and compare each part with its digest.")
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Tell what the ledger holds, what is unfinished in it, where hours are missing, and what is damaged.

    Changes nothing. Ends with exit code 2 when a file is damaged.

    Examples:

        stillwatch ledger stat /var/lib/stillwatch
        stillwatch ledger stat /var/lib/stillwatch --verify --json
    """
    from stillwatch.app import console, documents, ledger_texts
    from stillwatch.ledger.census import take_census
    from stillwatch.ledger.locks import visited
    from stillwatch.ledger.removal import size_to_read

    with bars.watched(quiet) as progress, visited(state / "ledger", _waiting(state, quiet)) as layout:
        progress.stage("count", size_to_read(layout), "bytes")
        census = take_census(layout, progress.advance, verify=verify)
        progress.done()
    if json:
        documents.show(asdict(census))
    elif not quiet:
        console.show(*ledger_texts.census_lines(census))
    return 2 if census.damaged else 0


@app.command()
def compact(
    state: State,
    engine: Annotated[str | None, of_scan("engine", "NAME")] = None,
    spark_master: Annotated[str | None, of_scan("spark_master", "URL")] = None,
    memory: Annotated[str | None, of_scan("memory", "SIZE")] = None,
    threads: Annotated[str | None, of_scan("threads", "N")] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make one part of each hour that came in several, which scans read faster and which takes less room.

    What the ledger holds stays the same. It may be interrupted at any moment: what is done stays done.

    Example:

        stillwatch ledger compact /var/lib/stillwatch
    """
    settings = ScanSettings.read(engine=engine, spark_master=spark_master, memory=memory, threads=threads)
    from stillwatch.app import console, documents, ledger_texts
    from stillwatch.engines.engine import open_engine
    from stillwatch.ledger.compaction import compact as run_compaction
    from stillwatch.ledger.compaction import crowded_hours
    from stillwatch.ledger.locks import alone

    with bars.watched(quiet) as progress, alone(state / "ledger", _waiting(state, quiet)) as layout:
        hours = crowded_hours(layout)
        progress.stage("compact", sum(hour.rows for hour in hours))
        with open_engine(
            settings.engine,
            memory=settings.query_memory,
            threads=settings.workers,
            spill=layout.spill,
            master=settings.spark_master,
        ) as opened:
            done = run_compaction(layout, opened, hours, progress.advance)
        progress.done()
    if json:
        documents.show({"state": state, **asdict(done)})
    elif not quiet:
        console.show(ledger_texts.compaction_line(done))


@app.command()
def expire(
    state: State,
    before: Annotated[str | None, option(ExpireSettings, "before", "TIME")] = None,
    keep: Annotated[str | None, option(ExpireSettings, "keep", "DAYS")] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Drop what is older than a time: exchanges, records of accounts that are over, members of campaigns.

    Whole hours go; the time is rounded down to a full hour. An account's record goes when no exchange of it
    is left and it was created before that time. The campaign registry forgets members without an exchange.
    Run folders are not touched.

    Examples:

        stillwatch ledger expire /var/lib/stillwatch --keep 90 --dry-run
        stillwatch ledger expire /var/lib/stillwatch --before 2026-04-22 --yes
    """
    settings = ExpireSettings.read(before=before, keep=keep)
    from stillwatch.app.retention import Expiry
    from stillwatch.ledger.removal import hour_before

    cut = hour_before(settings.cut(datetime.now(UTC)))
    departure = _depart(state, Expiry(cut), dry_run=dry_run, yes=yes, quiet=quiet)
    _tell(state, departure, {"before": cut}, dry_run=dry_run, json=json, quiet=quiet)


@app.command()
def events(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE", help="Account events: CSV, Parquet or JSON lines; or globs."),
    ],
    state: Annotated[
        Path,
        typer.Option(
            "--state", metavar="DIR", help="State folder of scans or the service.", show_default=False
        ),
    ],
    sketch_key: Annotated[str | None, of_scan("sketch_key", "FILE")] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Bring account events into the ledger: bans, compromised credentials, reasoning handed back elsewhere.

    Rows have account_id, timestamp, event, and if they like event_id, other_account_id and issuer; OCSF
    events of the classes 3001 and 3002 are read too. The same event twice is one. Rows that cannot be read
    are counted, and kept with their reason in the state folder's rejected/.

    Examples:

        stillwatch ledger events bans.csv --state /var/lib/stillwatch
        stillwatch ledger events 'siem/*.jsonl.gz' --state state/ --json
    """
    from stillwatch.app import console, documents
    from stillwatch.app.event_intake import take_event_files
    from stillwatch.sketch.key import load_or_create_key

    key = load_or_create_key(ScanSettings.read(sketch_key=sketch_key).sketch_key)
    with bars.watched(quiet) as progress:
        taken = take_event_files(files, state, key, progress, _waiting(state, quiet))
    if json:
        documents.show({"state": state, **taken.document()})
    elif not quiet:
        known = f", {taken.duplicates:,} were known" if taken.duplicates else ""
        console.show(f"{console.counted(taken.new, 'account event')} came in{known}.")
        if taken.rejected:
            console.show(f"{taken.rejected:,} were turned away, most often: {taken.reasons[0].reason}")


@app.command()
def forget(
    state: State,
    accounts: Annotated[list[str], typer.Argument(metavar="ACCOUNT", help="Ids of accounts, exactly.")],
    database: Database = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Remove every trace of accounts: exchanges, records, members of campaigns and of decisions, labels.

    It cannot reach run folders, gateway logs, account files, allow lists and backups: an account comes back
    when a log that holds it is scanned again. Account ids that begin with a dash follow after `--`.

    Examples:

        stillwatch ledger forget /var/lib/stillwatch acct-20419 --dry-run
        stillwatch ledger forget /var/lib/stillwatch acct-20419 acct-20420 --yes
    """
    if not all(accounts):
        raise UsageError("it is empty", remedy="Name the account by its id", field="ACCOUNT")
    from stillwatch.app.decision_commands import user
    from stillwatch.app.retention import Forgetting

    request = Forgetting(frozenset(accounts), database, user())
    departure = _depart(state, request, dry_run=dry_run, yes=yes, quiet=quiet)
    named = {
        "accounts": sorted(request.accounts),
        "unknown": list(departure.unknown) if departure else [],
    }
    _tell(state, departure, named, dry_run=dry_run, json=json, quiet=quiet)


def _depart(state: Path, request: Request, *, dry_run: bool, yes: bool, quiet: bool) -> Departure | None:
    """Remove what is asked for, once that is confirmed; None where the answer was no.

    Raises:
        UsageError: there is nobody to confirm it.
    """
    if not (dry_run or yes or sys.stdin.isatty()):
        raise UsageError(
            "nobody is there to confirm that data is removed",
            remedy="Look with --dry-run what would go, then give --yes",
            field="--yes",
        )
    from stillwatch.app import ledger_texts
    from stillwatch.app.retention import foresee, remove

    waiting = _waiting(state, quiet)
    if not yes:
        with bars.watched(quiet) as progress:
            departure = foresee(state, request, progress, waiting)
        if dry_run or departure.is_nothing:
            return departure
        question = f"{ledger_texts.would_go(departure)} from {state} for good. Go on?"
        if not typer.confirm(question, default=False, err=True):
            return None
    with bars.watched(quiet) as progress:
        return remove(state, request, progress, waiting)


def _tell(
    state: Path,
    departure: Departure | None,
    asked: Mapping[str, object],
    *,
    dry_run: bool,
    json: bool,
    quiet: bool,
) -> None:
    from stillwatch.app import console, documents, ledger_texts

    if departure is None:
        console.show("Nothing was removed.")
    elif json:
        documents.show({"state": state, "dry_run": dry_run, **asked, **departure.document()})
    elif not quiet:
        console.show(*ledger_texts.departure_lines(departure, asked, dry_run=dry_run))


def _waiting(state: Path, quiet: bool) -> Waiting:
    """Say once that another process is at work, unless only errors are to be said."""

    def tell() -> None:
        if not quiet:
            typer.echo(f"stillwatch: waiting for another stillwatch that is at work in {state}", err=True)

    return tell
