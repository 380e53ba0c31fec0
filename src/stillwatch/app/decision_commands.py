"""``stillwatch decisions``: what is asked of the gateway, and a person's say in it."""

from __future__ import annotations

import getpass
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stillwatch.app.decision_export import Form
from stillwatch.app.options import Json, Quiet

if TYPE_CHECKING:
    from stillwatch.decisions.approvals import Ruled, Says
    from stillwatch.decisions.decision import Decision, Status

app = typer.Typer(name="decisions", no_args_is_help=True, rich_markup_mode="markdown")

State = Annotated[
    Path | None,
    typer.Option(
        "--state",
        metavar="DIR",
        help="State folder of the service: its store and audit log.",
        show_default=False,
    ),
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
Id = Annotated[str, typer.Argument(metavar="ID", help="Decision, as `decisions list` names it.")]
By = Annotated[
    str | None,
    typer.Option("--by", metavar="NAME", help="Who says so. Default: the user.", show_default=False),
]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="Why, for who reads the audit log.")]
Statuses = Annotated[
    str | None,
    typer.Option(
        "--status",
        metavar="STATUS",
        help="Only those that are pending, in-force, undone, rejected, expired, released or superseded.",
        show_default=False,
    ),
]
Campaign = Annotated[
    str | None,
    typer.Option("--campaign", metavar="ID", help="Only those for this campaign.", show_default=False),
]


@app.callback()
def _decisions() -> None:
    """See what is asked of the gateway, approve what waits for a person, and undo what was wrong.

    A decision is for all accounts of one campaign that one rule of the policy holds of. It is pending until
    a person approves it (where the policy asks for that), then in force until its time is over or its
    campaign is no longer called. Every change is in the audit log with who made it and why, and reaches
    the gateways within two seconds.

    Examples:

        stillwatch decisions list --state state/
        stillwatch decisions list --state state/ --status pending
        stillwatch decisions approve dec_4f1c0a9be2d7 --state state/ --by kim --note "ticket 311"
        stillwatch decisions undo dec_4f1c0a9be2d7 --state state/ --by kim --note "a course, see ticket 314"
    """
    from stillwatch.app.decision_store import need_store

    need_store()


@app.command(name="list")
def list_(
    state: State = None,
    database: Place = None,
    status: Statuses = None,
    campaign: Campaign = None,
    json: Json = False,
) -> None:
    """List decisions, oldest first: those that stand, or of any other status that is asked for.

    Examples:

        stillwatch decisions list --state state/
        stillwatch decisions list --state state/ --status undone --json
        stillwatch decisions list --state state/ --database postgresql://stillwatch@db.example.org/stillwatch
    """
    from stillwatch.app import console, decision_texts, documents
    from stillwatch.app.decision_store import find_store

    store = find_store(state, database)
    found = store.decisions(_statuses(status), campaign)
    counts = store.counts(found)
    if json:
        told = [decision_texts.decision_document(one, counts[one.id]) for one in found]
        documents.show({"revision": store.revision(), "decisions": told})
    else:
        lines = [decision_texts.line(one, counts[one.id]) for one in found]
        console.show(*(lines or ["No such decisions." if status or campaign else "No decisions stand."]))


@app.command()
def show(decision: Id, state: State = None, database: Place = None, json: Json = False) -> None:
    """Show all that is known of a decision: what it asks, why, since when, who approved it, which accounts.

    Examples:

        stillwatch decisions show dec_4f1c0a9be2d7 --state state/
        stillwatch decisions show dec_4f1c0a9be2d7 --state state/ --json
    """
    from stillwatch.app import console, decision_texts, documents
    from stillwatch.app.decision_store import find_store

    store = find_store(state, database)
    found, members = store.get(decision), store.accounts(decision)
    count = sum(member.out_at is None for member in members)
    if json:
        told = decision_texts.decision_document(found, count)
        documents.show(told | {"members": [decision_texts.member_document(each) for each in members]})
    else:
        console.show(*decision_texts.lines(found, count), *map(decision_texts.member_line, members))


@app.command()
def approve(
    decision: Id,
    note: Note,
    by: By = None,
    state: State = None,
    database: Place = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Let a decision come into force; its time begins now.

    One that was undone or rejected comes into force again, and what was refused may be decided again.

    Examples:

        stillwatch decisions approve dec_4f1c0a9be2d7 --state state/ --by kim --note "ticket 311"
    """
    from stillwatch.decisions import approvals

    told = _say(approvals.approve, decision, note, by, state, database)
    _tell(told, "in force", json=json, quiet=quiet)


@app.command()
def reject(
    decision: Id,
    note: Note,
    by: By = None,
    state: State = None,
    database: Place = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Refuse a decision that waits for a person; the same is not decided again for 30 days.

    Examples:

        stillwatch decisions reject dec_4f1c0a9be2d7 --state state/ --by kim --note "seats of one customer"
    """
    from stillwatch.decisions import approvals

    told = _say(approvals.reject, decision, note, by, state, database)
    _tell(told, "rejected", json=json, quiet=quiet)


@app.command()
def undo(
    decision: Id,
    note: Note,
    account: Annotated[
        str | None,
        typer.Option(
            "--account", metavar="ACCOUNT", help="Take this one out; the others stay.", show_default=False
        ),
    ] = None,
    by: By = None,
    state: State = None,
    database: Place = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """End a decision, or take one account out of it; the same is not decided again for 30 days.

    Its accounts go on as before within two seconds. What was undone already stays so, which is no error.
    Where another decision took its place and stands, that one is named, and the exit code is 2.
    An account that is never to be acted on again belongs on the allow list.

    Examples:

        stillwatch decisions undo dec_4f1c0a9be2d7 --state state/ --by kim --note "a course, see ticket 314"
        stillwatch decisions undo dec_4f1c0a9be2d7 --account acct-20419 --state state/ --note "appeal"
    """
    from stillwatch.decisions import approvals

    if account is None:
        told = _say(approvals.undo, decision, note, by, state, database)
        _tell(told, "undone", json=json, quiet=quiet)
        return
    told = _say(approvals.undo_account(account), decision, note, by, state, database)
    _tell_account(told, account, state, database, json=json, quiet=quiet)


@app.command()
def export(
    format: Annotated[
        Form, typer.Option("--format", metavar="csv|jsonl", help="How it is written.")
    ] = Form.CSV,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Where to. Default: stdout.", show_default=False),
    ] = None,
    state: State = None,
    database: Place = None,
    status: Statuses = None,
    campaign: Campaign = None,
) -> None:
    """Write one row for each account of each decision that stands, or of another status.

    In CSV a text that a spreadsheet would run gets an apostrophe before it.

    Examples:

        stillwatch decisions export --state state/ --out decisions.csv
        stillwatch decisions export --state state/ --format jsonl --status in-force
    """
    from stillwatch.app import decision_export
    from stillwatch.app.decision_store import find_store
    from stillwatch.app.output import write_parts

    store = find_store(state, database)
    parts = decision_export.export(store, store.decisions(_statuses(status), campaign), format)
    if out is None:
        sys.stdout.flush()
        sys.stdout.buffer.writelines(parts)
        sys.stdout.buffer.flush()
    else:
        write_parts(out, parts)


def _statuses(status: str | None) -> list[Status]:
    from stillwatch.contracts import UsageError
    from stillwatch.decisions.decision import Status

    if status is None:
        return [one for one in Status if one.stands]
    try:
        return [Status(status)]
    except ValueError:
        known = ", ".join(Status)
        raise UsageError(
            f"{status!r} is no status", remedy=f"It is one of {known}", field="--status"
        ) from None


def _say(
    said: Says, decision: str, note: str, by: str | None, state: Path | None, database: str | None
) -> Ruled:
    """Bring what a person says into the store and the audit log."""
    from stillwatch.app.decision_store import find_audit, find_store
    from stillwatch.contracts import UsageError

    if not note.strip():
        raise UsageError("it is empty", remedy="Say why, for who reads the audit log", field="--note")
    store, audit = find_store(state, database), find_audit(state, database)
    return said(store, audit, decision, datetime.now(UTC), by=_who(by), note=note)


def _tell(told: Ruled, now: str, *, json: bool, quiet: bool) -> None:
    from stillwatch.app import console, decision_texts, documents

    decision = told.decision
    if json:
        document = decision_texts.decision_document(decision, told.accounts)
        documents.show({"changed": told.changed, "revision": told.revision, "decision": document})
    elif not quiet:
        console.show(_sentence(decision, told, now))


def _sentence(decision: Decision, told: Ruled, now: str) -> str:
    from stillwatch.app import console, decision_texts

    accounts = console.counted(told.accounts, "account")
    if told.changed:
        until = decision.expires_at if now == "in force" else None
        return f"{decision.id}: {now}{f' until {decision_texts.moment(until)}' if until else ''}, {accounts}."
    when = decision.ended_at or decision.approved_at or decision.issued_at
    return f"{decision.id}: {decision.status.value} already, since {decision_texts.moment(when)}."


def _tell_account(
    told: Ruled, account: str, state: Path | None, database: str | None, *, json: bool, quiet: bool
) -> None:
    from stillwatch.app import console, decision_texts, documents
    from stillwatch.app.decision_store import find_store

    others = [one for one in find_store(state, database).of_account(account) if one.status.stands]
    if json:
        document = decision_texts.decision_document(told.decision, told.accounts)
        ids = [one.id for one in others]
        shown = {"changed": told.changed, "revision": told.revision, "decision": document}
        documents.show(shown | {"account_id": account, "still_in": ids})
    elif not quiet and not told.changed and not told.decision.status.stands:
        console.show(_sentence(told.decision, told, ""), *decision_texts.remaining(others))
    elif not quiet:
        what = "taken out" if told.changed else "was out already"
        left = console.counted(told.accounts, "account")
        console.show(
            f"{decision_texts.plain(account)}: {what} of {told.decision.id}, where {left} stay.",
            *decision_texts.remaining(others),
        )


def _who(by: str | None) -> str:
    return user() if by is None else by


def user() -> str:
    """Return who runs this process, empty where that has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return ""
