"""``stillwatch appeals``: what people say against what is asked of their accounts, and your answer."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stillwatch.app.decision_commands import Place, State, user
from stillwatch.app.options import Json, Quiet

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from stillwatch.access.appeals import Appeals
    from stillwatch.app.service.judged_tables import JudgedTables
    from stillwatch.persistence.database import Database

app = typer.Typer(name="appeals", no_args_is_help=True, rich_markup_mode="markdown")


class Which(StrEnum):
    """Which appeals are listed."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    ANY = "any"


Number = Annotated[str, typer.Argument(metavar="NUMBER", help="Appeal, such as AP-7K3FQ-9M2XB.")]


@app.callback()
def _appeals() -> None:
    """Read what people say against what is asked of their accounts, with the evidence, and answer it.

    A person writes an appeal on the step-up pages and gets a number and a link. Your answer is shown under
    that link. To accept an appeal takes nothing back by itself: undo the decision for the account as well, or
    take a lost device away with --remove-authenticators.

    Examples:

        stillwatch appeals list --state state/
        stillwatch appeals show AP-7K3FQ-9M2XB --state state/
        stillwatch appeals answer AP-7K3FQ-9M2XB --accept --note "An ordinary class. Sorry." --state state/
    """
    from stillwatch.app.decision_store import need_store

    need_store()


@app.command(name="list")
def list_(
    state: State = None,
    database: Place = None,
    status: Annotated[
        Which, typer.Option("--status", metavar="STATUS", help="open, accepted, declined or any.")
    ] = Which.OPEN,
    json: Json = False,
) -> None:
    """List appeals, the oldest first: those that wait for an answer, or others.

    Examples:

        stillwatch appeals list --state state/
        stillwatch appeals list --state state/ --status any --json
    """
    from stillwatch.access.appeals import Status
    from stillwatch.app import appeal_packets, console, documents

    found = _appeals_of(state, database).list(None if status is Which.ANY else Status(status.value))
    if json:
        documents.show({"appeals": [appeal_packets.appeal_document(each) for each in found]})
    else:
        console.show(*([appeal_packets.line(each) for each in found] or ["No such appeals."]))


@app.command()
def show(number: Number, state: State = None, database: Place = None, json: Json = False) -> None:
    """Show an appeal with the decision that it is against and the evidence of the last judgement.

    Examples:

        stillwatch appeals show AP-7K3FQ-9M2XB --state state/
        stillwatch appeals show AP-7K3FQ-9M2XB --state state/ --json
    """
    from stillwatch.app import appeal_packets, console, documents
    from stillwatch.app.decision_store import find_store

    appeal = _appeals_of(state, database).get(number)
    told = appeal_packets.packet(appeal, find_store(state, database), _judged(state))
    if json:
        documents.show(told)
    else:
        console.show(*appeal_packets.lines(told, appeal))


@app.command()
def answer(
    number: Number,
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="The answer, which the person reads.")],
    accept: Annotated[
        bool, typer.Option("--accept/--decline", help="Whether the person is right.", show_default=False)
    ],
    remove_authenticators: Annotated[
        bool,
        typer.Option(
            "--remove-authenticators",
            help="Take the account's passkeys and codes away, and what was passed by them; its person "
            "sets up new ones. For a lost device, once you know who writes.",
        ),
    ] = False,
    by: Annotated[
        str | None,
        typer.Option("--by", metavar="NAME", help="Who answers. Default: the user.", show_default=False),
    ] = None,
    state: State = None,
    database: Place = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Answer an appeal; its person sees what you write, not who you are.

    Examples:

        stillwatch appeals answer AP-7K3FQ-9M2XB --accept --note "An ordinary class. Sorry." --state state/
        stillwatch appeals answer AP-7K3FQ-9M2XB --decline --note "See our terms, section 4." --by kim
        stillwatch appeals answer AP-7K3FQ-9M2XB --accept --remove-authenticators --note "Set up a new one."
    """
    from stillwatch.access.appeals import LONGEST, Status, nothing
    from stillwatch.app import appeal_packets, console, documents
    from stillwatch.contracts import UsageError

    if not note.strip() or len(note) > LONGEST:
        what = "it is empty" if not note.strip() else f"it is longer than {LONGEST:,} characters"
        raise UsageError(what, remedy="Write what the person should read", field="--note")
    appeals = _appeals_of(state, database)
    status = Status.ACCEPTED if accept else Status.DECLINED
    who = user() if by is None else by
    beside = _take_back if remove_authenticators else nothing
    appeal = appeals.answer(number, status, note, by=who, now=datetime.now(UTC), beside=beside)
    if json:
        documents.show({"appeal": appeal_packets.appeal_document(appeal)})
    elif not quiet:
        removed = " Its account sets up new authenticators." if remove_authenticators else ""
        console.show(f"{appeal.number}: {appeal.status.value}.{removed}")


def _appeals_of(state: Path | None, database: str | None) -> Appeals:
    from stillwatch.access.appeals import Appeals
    from stillwatch.app.decision_store import find_audit

    return Appeals(_database(state, database), find_audit(state, database))


def _database(state: Path | None, database: str | None) -> Database:
    from stillwatch.app.decision_store import place_of
    from stillwatch.persistence.address import address_of
    from stillwatch.persistence.database import Database

    found = Database(address_of(place_of(state, database)))
    found.check()
    return found


def _judged(state: Path | None) -> JudgedTables:
    """Return what the judge found; nothing where no state folder is told."""
    from stillwatch.app.service.judged_tables import JudgedTables
    from stillwatch.app.service.places import JUDGED

    return JudgedTables((state or Path()) / JUDGED)


def _take_back(connection: Connection, account_id: str) -> dict[str, int]:
    from stillwatch.access.step_up_removal import remove_authenticators

    return {"authenticators_removed": remove_authenticators(connection, account_id)}
