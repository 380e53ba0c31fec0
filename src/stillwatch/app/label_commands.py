"""``stillwatch label``: an analyst's verdict on a group or an account, and the list of them."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from stillwatch.app import completion
from stillwatch.app.options import Json, Quiet
from stillwatch.campaigns.labels import Said


class _AddByDefault(TyperGroup):
    """Takes what is no command of its own for the arguments of ``add``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, *ctx.help_option_names}:
            args = ["add", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    name="label",
    cls=_AddByDefault,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    subcommand_metavar="RUN ID honest|campaign --note TEXT | list FOLDER",
)


@app.callback()
def _label() -> None:
    """Confirm or contest a verdict: say of a group or an account of a run what it is, for scans to come.

    `stillwatch label RUN ID honest` is short for `stillwatch label add RUN ID honest`.

    Examples:

        stillwatch label run/ cmp_7f3a honest --note "one customer, seats under contract" --state state/
        stillwatch label run/ acct-20419 campaign --note "resells, see ticket 311" --by kim
        stillwatch label list state/
    """


@app.command()
def add(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder that a scan wrote.")],
    subject: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="Campaign, watched group or account of the run, or how only one of them begins.",
            autocompletion=completion.campaigns,
        ),
    ],
    verdict: Annotated[Said, typer.Argument(metavar="honest|campaign", help="What it is.")],
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="Why, for who reads it later.")],
    by: Annotated[
        str | None,
        typer.Option("--by", metavar="NAME", help="Who says so. Default: the user.", show_default=False),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            "--state",
            metavar="DIR",
            help="State folder that keeps the label for its next scan. Default: it stays in RUN.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say of a group or an account what it is; a later label of the same one holds instead.

    The line that is added to `labels.jsonl` has time, name, note, the members and their evidence. The
    next scan with that state, or with `--labels FILE`, keeps a group clear that was labelled honest, holds
    less evidence for enough where one was labelled campaign, and leaves out accounts labelled honest.

    Examples:

        stillwatch label add run/ cmp_7f3a honest --note "one customer, seats under contract" --state state/
        stillwatch label add run/ acct-20419 campaign --note "resells, see ticket 311" --by kim
    """
    from stillwatch.app import console, documents
    from stillwatch.app.labelling import give_label

    given = give_label(run, subject, verdict, note=note, by=_who(by), state=state)
    if json:
        documents.show({"file": given.file, "label": given.label.document(), "use": given.use})
    elif not quiet:
        label = given.label
        console.show(f"{label.subject}: {label.verdict.value}. Written to {given.file}", given.use)


@app.command(name="list")
def list_(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="State folder or run folder that labels were added to.")
    ],
    json: Json = False,
) -> None:
    """List every label in a folder, oldest first; what a later one replaced is still there.

    Examples:

        stillwatch label list state/
        stillwatch label list run/ --json
    """
    from stillwatch.app import console, documents
    from stillwatch.app.given_labels import list_labels

    labels = list_labels(folder)
    if json:
        documents.show({"folder": folder, "labels": labels})
    else:
        console.show(*map(_line, labels) if labels else ["No labels."])


def _line(label: dict[str, Any]) -> str:
    replaced = "" if label["in_force"] else "  (replaced)"
    size = f", {len(label['members']):,} accounts" if label["kind"] == "group" else ""
    return (
        f"{label['time'][:16].replace('T', ' ')} UTC  {label['verdict']:<8}  {label['subject']}{size}  "
        f"{_plain(label['by'])}: {_plain(label['note'])}{replaced}"
    )


def _plain(text: str) -> str:
    """Return a text in one line, without what a terminal would obey."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def _who(by: str | None) -> str:
    if by is not None:
        return by
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return ""
