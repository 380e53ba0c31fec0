"""The command line: each command reads its settings, runs, and shows what came out."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from typer.main import get_command

from stillwatch import __version__
from stillwatch.app import (
    appeal_commands,
    audit_commands,
    bars,
    completion,
    decision_commands,
    key_commands,
    label_commands,
    ledger_commands,
    policy_commands,
    seal_commands,
    serve_commands,
    signal_commands,
    signup_commands,
    top_command,
)
from stillwatch.app.options import Json, Quiet, of_replay, of_scan, option
from stillwatch.contracts import StillwatchError, Verdict
from stillwatch.settings import ReplaySettings, ReportSettings, ScanSettings, SimulateSettings

if TYPE_CHECKING:
    from stillwatch.app.result import ScanResult

FOUND: Final = 1
DEFECT: Final = 70  # not Python's 1, which a caller would take for "campaign found"
INTERRUPTED: Final = 130
EXIT_CODES: Final = {
    0: "ran",
    FOUND: "a campaign was found, with --fail-on campaign",
    2: "a usage error, or an input, run folder or ledger that cannot be read",
    3: "more than --max-rejects of the records were rejected",
    DEFECT: "a defect in stillwatch, with its traceback",
    INTERRUPTED: "interrupted with Ctrl-C",
}
"""Every exit code of every command, and its meaning."""

_LOG: Final = "What is read"
_RUN: Final = "What is written"
_WORK: Final = "How it works"

app = typer.Typer(
    name="stillwatch",
    epilog="Begin with `stillwatch simulate demo --out world/`, then scan what it wrote.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["--help", "-h"]},
)
app.add_typer(label_commands.app)
app.add_typer(ledger_commands.app)
app.add_typer(policy_commands.app)
app.add_typer(decision_commands.app)
app.add_typer(appeal_commands.app)
app.add_typer(audit_commands.app)
app.add_typer(signup_commands.app)
app.add_typer(serve_commands.tokens)
app.add_typer(signal_commands.app)
app.add_typer(key_commands.app)
app.add_typer(seal_commands.app)
app.command()(serve_commands.serve)
app.command()(serve_commands.gate)
app.command()(top_command.top)


def _without_colour(wanted: bool) -> None:
    if wanted:
        os.environ["NO_COLOR"] = "1"  # what every part that prints asks, the progress bars too


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"stillwatch {__version__}")
        raise typer.Exit


@app.callback()
def _stillwatch(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    no_color: Annotated[
        bool,
        typer.Option(
            "--no-color",
            callback=_without_colour,
            is_eager=True,
            help="Print without colours, as the variable NO_COLOR does.",
        ),
    ] = False,
) -> None:
    """Find distillation campaigns in the request logs of a language-model gateway."""


@app.command(epilog="\n".join(f"- exit code {code}: {meaning}" for code, meaning in EXIT_CODES.items()))
def scan(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT",
            help="Files, folders or globs of the log; - is standard input, postgresql://... a database.",
        ),
    ],
    accounts: Annotated[str | None, of_scan("accounts", "FILE", _LOG)] = None,
    events: Annotated[str | None, of_scan("events", "FILE", _LOG)] = None,
    format: Annotated[str | None, of_scan("format", "NAME", _LOG)] = None,
    mapping: Annotated[str | None, of_scan("mapping", "FILE", _LOG)] = None,
    account_key: Annotated[str | None, of_scan("account_key", "FIELD", _LOG)] = None,
    since: Annotated[str | None, of_scan("since", "TIME", _LOG)] = None,
    until: Annotated[str | None, of_scan("until", "TIME", _LOG)] = None,
    allow: Annotated[str | None, of_scan("allow", "FILE", _LOG)] = None,
    labels: Annotated[str | None, of_scan("labels", "FILE", _LOG)] = None,
    max_rejects: Annotated[str | None, of_scan("max_rejects", "FRACTION", _LOG)] = None,
    out: Annotated[str | None, of_scan("out", "DIR", _RUN)] = None,
    state: Annotated[str | None, of_scan("state", "DIR", _RUN)] = None,
    lang: Annotated[str | None, of_scan("lang", "en|ko", _RUN)] = None,
    pdf: Annotated[bool | None, of_scan("pdf", "", _RUN)] = None,
    with_scaffolds: Annotated[bool | None, of_scan("with_scaffolds", "", _RUN)] = None,
    sketch_key: Annotated[str | None, of_scan("sketch_key", "FILE", _RUN)] = None,
    fdr: Annotated[str | None, of_scan("fdr", "RATE", _WORK)] = None,
    engine: Annotated[str | None, of_scan("engine", "NAME", _WORK)] = None,
    spark_master: Annotated[str | None, of_scan("spark_master", "URL", _WORK)] = None,
    memory: Annotated[str | None, of_scan("memory", "SIZE", _WORK)] = None,
    threads: Annotated[str | None, of_scan("threads", "N", _WORK)] = None,
    fail_on: Annotated[str | None, of_scan("fail_on", "campaign", _WORK)] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Find campaigns in request logs, rank them, and write the tables and the report that show why.

    The log is JSON lines, Parquet or CSV, plain or compressed with gzip or zstd. Account records make
    it see more (cards, devices, sign-up bursts), but it works without them. Prompts and answers are
    turned into keyed fingerprints as they are read and are written nowhere; --with-scaffolds shows the
    wording that many accounts of a campaign share, and nothing else.

    Examples:

        stillwatch scan logs/*.jsonl.gz --accounts accounts.csv --out run/
        zcat log.jsonl.gz | stillwatch scan - --format litellm --json
        stillwatch scan postgresql://reader@db.example.org/litellm --since 2026-04-22
        stillwatch scan logs/ --since 2026-04-22 --until 2026-06-06 --pdf
        stillwatch scan logs/ --state /var/lib/stillwatch --fail-on campaign --quiet
    """
    settings = ScanSettings.read(
        accounts=accounts,
        events=events,
        format=format,
        mapping=mapping,
        account_key=account_key,
        since=since,
        until=until,
        allow=allow,
        labels=labels,
        max_rejects=max_rejects,
        out=out,
        state=state,
        with_scaffolds=with_scaffolds,
        sketch_key=sketch_key,
        fdr=fdr,
        engine=engine,
        spark_master=spark_master,
        memory=memory,
        threads=threads,
        lang=lang,
        pdf=pdf,
        fail_on=fail_on,
    )
    from stillwatch.app import console, documents
    from stillwatch.app.pipeline import scan as run_scan

    with bars.watched(quiet) as progress:
        result = run_scan(inputs, settings, progress)
    if json:
        documents.show(documents.scan_document(result))
    elif not quiet:
        console.show_scan(result)
    return _verdict_code(result, settings)


@app.command()
def replay(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT",
            help="Files, folders or globs of the log; - is standard input, postgresql://... a database.",
        ),
    ],
    tick: Annotated[str | None, of_replay("tick", "SPAN", _WORK)] = None,
    accounts: Annotated[str | None, of_replay("accounts", "FILE", _LOG)] = None,
    events: Annotated[str | None, of_replay("events", "FILE", _LOG)] = None,
    format: Annotated[str | None, of_replay("format", "NAME", _LOG)] = None,
    mapping: Annotated[str | None, of_replay("mapping", "FILE", _LOG)] = None,
    account_key: Annotated[str | None, of_replay("account_key", "FIELD", _LOG)] = None,
    since: Annotated[str | None, of_replay("since", "TIME", _LOG)] = None,
    until: Annotated[str | None, of_replay("until", "TIME", _LOG)] = None,
    allow: Annotated[str | None, of_replay("allow", "FILE", _LOG)] = None,
    labels: Annotated[str | None, of_replay("labels", "FILE", _LOG)] = None,
    max_rejects: Annotated[str | None, of_replay("max_rejects", "FRACTION", _LOG)] = None,
    out: Annotated[str | None, of_replay("out", "DIR", _RUN)] = None,
    state: Annotated[str | None, of_replay("state", "DIR", _RUN)] = None,
    lang: Annotated[str | None, of_replay("lang", "en|ko", _RUN)] = None,
    pdf: Annotated[bool | None, of_replay("pdf", "", _RUN)] = None,
    with_scaffolds: Annotated[bool | None, of_replay("with_scaffolds", "", _RUN)] = None,
    sketch_key: Annotated[str | None, of_replay("sketch_key", "FILE", _RUN)] = None,
    fdr: Annotated[str | None, of_replay("fdr", "RATE", _WORK)] = None,
    engine: Annotated[str | None, of_replay("engine", "NAME", _WORK)] = None,
    spark_master: Annotated[str | None, of_replay("spark_master", "URL", _WORK)] = None,
    memory: Annotated[str | None, of_replay("memory", "SIZE", _WORK)] = None,
    threads: Annotated[str | None, of_replay("threads", "N", _WORK)] = None,
    fail_on: Annotated[str | None, of_replay("fail_on", "campaign", _WORK)] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Run a log in event time: what would have been decided of which account, and when.

    Goes through the log tick by tick and uses at each only what was known by then: the requests before
    it, and the account records made by then. Writes `decisions.parquet` beside everything that a scan of
    the whole log writes. Nothing is acted on.

    Examples:

        stillwatch replay logs/*.jsonl.gz --accounts accounts.csv --out replay/
        stillwatch replay logs/ --accounts accounts.csv --tick 6h --json
    """
    settings = ReplaySettings.read(
        tick=tick,
        accounts=accounts,
        events=events,
        format=format,
        mapping=mapping,
        account_key=account_key,
        since=since,
        until=until,
        allow=allow,
        labels=labels,
        max_rejects=max_rejects,
        out=out,
        state=state,
        pdf=pdf,
        with_scaffolds=with_scaffolds,
        sketch_key=sketch_key,
        fdr=fdr,
        engine=engine,
        spark_master=spark_master,
        memory=memory,
        threads=threads,
        lang=lang,
        fail_on=fail_on,
    )
    from stillwatch.app import console, documents
    from stillwatch.app.pipeline import replay as run_replay

    with bars.watched(quiet) as progress:
        result = run_replay(inputs, settings, progress)
    if json:
        documents.show(documents.replay_document(result))
    elif not quiet:
        console.show_replay(result)
    return _verdict_code(result, settings)


def _verdict_code(result: ScanResult, settings: ScanSettings) -> int:
    found = Verdict.CAMPAIGN in result.campaigns["verdict"].to_pylist()
    return FOUND if found and settings.fail_on == "campaign" else 0


@app.command()
def explain(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder that a scan wrote.")],
    subject: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="Campaign, look-alike or account id, or how only one begins.",
            autocompletion=completion.campaigns,
        ),
    ],
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Tell why a campaign was called, or a group or account was not: every piece of evidence.

    Examples:

        stillwatch explain run/ cmp_7f3a
        stillwatch explain run/ grp_6c8f
        stillwatch explain run/ acct-20419 --json
    """
    from stillwatch.app import console, documents
    from stillwatch.app.given_labels import with_later_labels
    from stillwatch.evidence import explain as evidence
    from stillwatch.evidence.tables import RunTables

    explanation = evidence.explain(with_later_labels(RunTables.load(run), run), subject)
    if json:
        documents.show(explanation.as_dict())
    elif not quiet:
        console.show(explanation.text().rstrip("\n"))


@app.command()
def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder that a scan wrote.")],
    lang: Annotated[str | None, option(ReportSettings, "lang", "en|ko")] = None,
    pdf: Annotated[bool | None, option(ReportSettings, "pdf", "")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="File to write. Default: report.html in RUN.", show_default=False
        ),
    ] = None,
    with_scaffolds: Annotated[bool | None, option(ReportSettings, "with_scaffolds", "")] = None,
    sketch_key: Annotated[str | None, option(ReportSettings, "sketch_key", "FILE")] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write the report of a finished run again, in another language or with what its scan kept sealed.

    Wording can be shown when the scan was made --with-scaffolds, with the same sketch key, for 30 days.

    Examples:

        stillwatch report run/ --pdf
        stillwatch report run/ --lang ko --out report-ko.html
        stillwatch report run/ --with-scaffolds --sketch-key sketch.key
    """
    settings = ReportSettings.read(lang=lang, pdf=pdf, with_scaffolds=with_scaffolds, sketch_key=sketch_key)
    from stillwatch.app import console, documents
    from stillwatch.app.reporting import write_report

    written = write_report(run, settings, out)
    if json:
        documents.show(documents.report_document(*written))
    elif not quiet:
        console.show_report(*written)


@app.command()
def simulate(
    preset: Annotated[
        str,
        typer.Argument(
            metavar="PRESET",
            help="demo, families, quiet, june-2026, ...",
            autocompletion=completion.presets,
        ),
    ],
    scale: Annotated[str | None, option(SimulateSettings, "scale", "FACTOR")] = None,
    seed: Annotated[str | None, option(SimulateSettings, "seed", "N")] = None,
    honest: Annotated[str | None, option(SimulateSettings, "honest", "FACTOR")] = None,
    out: Annotated[str | None, option(SimulateSettings, "out", "DIR")] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write a synthetic world to try the detector on: request logs, account records, and the truth.

    It writes files and sends nothing. Scan `exchanges-*.parquet` and `accounts.parquet`; keep
    `truth.parquet` to compare.

    Examples:

        stillwatch simulate demo --out world/
        stillwatch simulate june-2026 --scale 0.01 --seed 7 --out world/
    """
    settings = SimulateSettings.read(scale=scale, seed=seed, honest=honest, out=out)
    from stillwatch.app import console, documents
    from stillwatch.simulate.presets import PRESETS
    from stillwatch.simulate.world import simulate as write_world

    known = PRESETS[preset].populations(settings.scale, settings.honest) if preset in PRESETS else []
    with bars.watched(quiet) as progress:
        progress.stage("simulate", sum(int(population.exchanges) for population in known) or None)
        world = write_world(
            preset,
            scale=settings.scale,
            seed=settings.seed,
            honest=settings.honest,
            out=settings.out,
            on_rows=progress.advance,
        )
        progress.done()
    if json:
        documents.show(documents.world_document(world))
    elif not quiet:
        console.show_world(world)


@app.command()
def formats(
    guess: Annotated[
        str | None,
        typer.Option(
            "--guess", metavar="FILE", help="Print a mapping for this log, with what is unsure in it."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """List every log format with an example, or guess a mapping for a log of your own.

    A mapping names the field that holds each column. Correct what the guess marks with (?), then scan
    with it.

    Examples:

        stillwatch formats
        stillwatch formats --guess my-log.jsonl > mapping.toml
        stillwatch scan my-log.jsonl --mapping mapping.toml
    """
    from stillwatch.app import documents
    from stillwatch.app import formats as known

    if guess is not None:
        from stillwatch.app.own_folders import aside
        from stillwatch.ingest import guess as guessing

        toml = guessing.guess(guess, aside(ScanSettings.read()))
        documents.show({"mapping": toml}) if json else known.show(toml)
    elif json:
        documents.show(known.document())
    else:
        known.show(known.text())


@app.command()
def doctor(
    file: Annotated[
        str | None, typer.Argument(metavar="FILE", help="A log: what a scan would read of its beginning.")
    ] = None,
    accounts: Annotated[str | None, of_scan("accounts", "FILE", _LOG)] = None,
    out: Annotated[str | None, of_scan("out", "DIR", _RUN)] = None,
    sketch_key: Annotated[str | None, of_scan("sketch_key", "FILE", _RUN)] = None,
    engine: Annotated[str | None, of_scan("engine", "NAME", _WORK)] = None,
    spark_master: Annotated[str | None, of_scan("spark_master", "URL", _WORK)] = None,
    memory: Annotated[str | None, of_scan("memory", "SIZE", _WORK)] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Tell whether a scan would run here, and what it would take and reject of a log's first records.

    Looks at installation, engine, memory, disk and sketch key, changes nothing, and names a remedy for
    what it finds. Ends with exit code 2 when something keeps a scan from running.

    Examples:

        stillwatch doctor
        stillwatch doctor logs/gateway.jsonl.gz --accounts accounts.csv
        stillwatch doctor --engine spark --spark-master spark://head:7077
    """
    settings = ScanSettings.read(
        accounts=accounts,
        out=out,
        sketch_key=sketch_key,
        engine=engine,
        spark_master=spark_master,
        memory=memory,
    )
    from stillwatch.app import console, documents
    from stillwatch.app import doctor as surgery

    checks = surgery.examine(file, settings.accounts, settings)
    if json:
        documents.show(surgery.document(checks))
    elif not quiet:
        console.show(surgery.text(checks))
    return 2 if surgery.hinders(checks) else 0


def main() -> None:
    """The program ``stillwatch``: run one command and exit with its code."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `stillwatch ... | head` ends quietly, as other tools do
    sys.exit(run())


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command, the process's own where ``arguments`` is None, and return its exit code.

    What goes wrong is one line on stderr; only a defect shows its traceback before it.
    """
    command = get_command(app)
    try:
        code = command.main(arguments, prog_name="stillwatch", standalone_mode=False) or 0
    except StillwatchError as error:
        return _complain(str(error), error.exit_code)
    except typer.TyperException as error:
        told = _usage(error)
        return _complain(told, error.exit_code) if told else error.exit_code
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _complain(f"{place}{error.strerror or error}. Check the path, its permissions and the disk", 2)
    except Exception:
        traceback.print_exc()
        return _complain("this is a defect in stillwatch. Please report it with the lines above", DEFECT)
    return (
        _complain("interrupted. The same command goes on from the last stage that was done", code)
        if code == INTERRUPTED
        else code
    )


def _usage(error: typer.TyperException) -> str:
    """What was wrong with the command line; empty where the answer was the help, which is printed by now."""
    context, message = getattr(error, "ctx", None), error.format_message().rstrip(".")
    command = context.command_path if context else "stillwatch"
    return f"{message}. See `{command} --help`" if message else ""


def _complain(message: str, code: int) -> int:
    """Print ``message`` as one line, harmless whatever the names in it hold, and return ``code``."""
    line = "".join(char if char.isprintable() else " " for char in message)
    print(f"stillwatch: {line}", file=sys.stderr)
    return code
