"""``stillwatch top``: how a running service is, in the terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from stillwatch.app.options import Json


def top(
    url: Annotated[
        str, typer.Option("--url", metavar="URL", help="The service's API.")
    ] = "http://127.0.0.1:8790",
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file",
            metavar="FILE",
            help="File with a token that has the scope read. Default: the variable STILLWATCH_TOKEN.",
            show_default=False,
        ),
    ] = None,
    every: Annotated[
        float, typer.Option("--every", metavar="SECONDS", help="Time between two looks.", min=0.5, max=3600)
    ] = 5.0,
    once: Annotated[bool, typer.Option("--once", help="Print it once and end.")] = False,
    json: Json = False,
) -> None:
    """Show what a running service takes in, finds and decides, and what ails it; Ctrl-C ends it.

    Where stdout is no terminal it is printed once, as with --once.

    Examples:

        stillwatch top --token-file read.token
        stillwatch top --url https://stillwatch.example.org --once
        stillwatch top --json
    """
    from stillwatch.app import documents
    from stillwatch.app import top as screens
    from stillwatch.app.service_client import ServiceClient, read_token

    client = ServiceClient(url, read_token(token_file))
    if json:
        documents.show(screens.look(client).document())
    elif once or not sys.stdout.isatty():
        screens.show(screens.look(client))
    else:
        try:
            screens.watch(client, every)
        except KeyboardInterrupt:
            return
