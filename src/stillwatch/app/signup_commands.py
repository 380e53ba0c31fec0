"""``stillwatch signups``: what to ask of new accounts, for a backlog of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stillwatch.app import bars
from stillwatch.app.options import Json, Quiet, of_scan
from stillwatch.settings import ScanSettings

if TYPE_CHECKING:
    from stillwatch.app.screening import Screened

app = typer.Typer(name="signups", no_args_is_help=True, rich_markup_mode="markdown")

_READ = "What is read"
_WRITTEN = "What is written"


@app.callback()
def _signups() -> None:
    """Screen new accounts: who looks like one of many that one hand makes, and what to ask of them.

    Example:

        stillwatch signups screen accounts.csv --out screened.csv
    """


@app.command(name="screen")
def screen(
    accounts: Annotated[
        str,
        typer.Argument(
            metavar="ACCOUNTS_FILE",
            help="Account records: file, folder or glob (Parquet, CSV, JSON lines).",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            metavar="FILE",
            help="File to write, .parquet or .csv.",
            rich_help_panel=_WRITTEN,
            show_default=False,
        ),
    ],
    access: Annotated[
        Path | None,
        typer.Option(
            "--access",
            metavar="FILE",
            help="Access file: which level what needs, and lists of networks. Default: every account needs "
            "level 1, a doubtful one is asked for 3.",
            rich_help_panel=_READ,
            show_default=False,
        ),
    ] = None,
    campaigns: Annotated[
        Path | None,
        typer.Option(
            "--campaigns",
            metavar="RUN",
            help="Run folder of a scan: whoever holds what accounts of its campaigns hold is nearer to one.",
            rich_help_panel=_READ,
            show_default=False,
        ),
    ] = None,
    max_rejects: Annotated[str | None, of_scan("max_rejects", "FRACTION", _READ)] = None,
    sketch_key: Annotated[str | None, of_scan("sketch_key", "FILE", _WRITTEN)] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Tell of each account in a backlog how likely it is one of many of one hand, why, and what to ask of it.

    Writes one row for each account: `account_id`, `risk` in [0, 1], `reason_codes`, `verification_level` (the
    level to ask for) and `asked_more` (whether that is more than its plan asks of everybody). Everybody is
    judged with hindsight, by those that came later, too. Nobody is refused. Records that cannot be read are
    counted, and named with the reason, not with what they hold, in a file beside it (`.rejected.jsonl`).

    Examples:

        stillwatch signups screen accounts.parquet --out screened.parquet
        stillwatch signups screen accounts.csv --out screened.csv --access access.toml
        stillwatch signups screen accounts.csv --out screened.csv --campaigns run/ --json
    """
    settings = ScanSettings.read(max_rejects=max_rejects, sketch_key=sketch_key)
    from stillwatch.app import console, documents
    from stillwatch.app.screening import screen_backlog

    with bars.watched(quiet) as progress:
        found = screen_backlog(accounts, out, settings, progress, access=access, campaigns=campaigns)
    if json:
        documents.show(_document(found))
    elif not quiet:
        console.show(*_lines(found))


def _document(found: Screened) -> dict[str, Any]:
    return {
        "out": found.out,
        "accounts": found.table.num_rows,
        "asked_more": found.asked,
        "reasons": dict(sorted(found.reasons().items(), key=lambda item: (-item[1], item[0]))),
        "verification_levels": {str(level): times for level, times in sorted(found.levels().items())},
        "read": found.read,
        "rejected": found.rejected,
        "rejected_file": found.rejected_file if found.rejected else None,
        "duplicates": found.duplicates,
    }


def _lines(found: Screened) -> list[str]:
    from stillwatch.app.console import counted
    from stillwatch.app.screening import reason_lines

    accounts = found.table.num_rows
    share = f" ({1000 * found.asked / accounts:,.1f} of 1,000)" if accounts else ""
    lines = [f"{counted(accounts, 'account')}, {found.asked:,} asked for more than their plan asks{share}."]
    if found.asked:
        lines += ["Reasons, several of each:", *reason_lines(found)]
    if found.duplicates:
        lines.append(f"Repeated: {found.duplicates:,} records of accounts that another record tells more of")
    if found.rejected:
        lines.append(f"Rejected: {found.rejected:,} of {found.read:,} records, see {found.rejected_file}")
    return [*lines, f"Table:    {found.out}"]
