"""``stillwatch keys shared``: which keys many use at once, from what the ledger holds of requests."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stillwatch.app.options import Json, Quiet, of_scan
from stillwatch.contracts import UsageError
from stillwatch.settings import ScanSettings


def shared(
    state: Annotated[
        Path | None,
        typer.Option("--state", metavar="DIR", help="State folder of a scan or service.", show_default=False),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option("--run", metavar="RUN", help="Run folder that a scan wrote.", show_default=False),
    ] = None,
    allow: Annotated[
        Path | None,
        typer.Option(
            "--allow",
            metavar="FILE",
            help="Allow list: accounts that were declared to serve many.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Write every key of many networks there, as CSV or Parquet by its ending.",
            show_default=False,
        ),
    ] = None,
    engine: Annotated[str | None, of_scan("engine", "NAME")] = None,
    spark_master: Annotated[str | None, of_scan("spark_master", "URL")] = None,
    memory: Annotated[str | None, of_scan("memory", "SIZE")] = None,
    threads: Annotated[str | None, of_scan("threads", "N")] = None,
    sketch_key: Annotated[str | None, of_scan("sketch_key", "FILE")] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Report keys that are used by many at once, and tell CI runners and travellers apart from them.

    A key is shared where at least four had it within ten minutes, each with a network and a client program
    of its own, in three such windows on two days. It is a report: nobody is acted on for it.

    Examples:

        stillwatch keys shared --state state/
        stillwatch keys shared --run run/ --allow allow.csv --out shared.csv
        stillwatch keys shared --state state/ --json
    """
    from stillwatch.app import bars, console, documents, shared_key_texts
    from stillwatch.app.shared_keys import shared_keys

    if (state is None) == (run is None):
        raise UsageError("give either --state or --run", remedy="Name one folder", field="--state")
    settings = ScanSettings.read(
        engine=engine, spark_master=spark_master, memory=memory, threads=threads, sketch_key=sketch_key
    )
    folder = state or run or Path()
    with bars.watched(quiet) as progress:
        found = shared_keys(settings, folder, allow, progress)
    if out is not None:
        shared_key_texts.write(found.keys, out)
    if json:
        documents.show({"folder": folder, "out": out, **shared_key_texts.document(found)})
    elif not quiet:
        console.show(*shared_key_texts.lines(found))
