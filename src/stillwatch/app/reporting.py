"""The report of a finished run, written again from its tables."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from stillwatch.contracts import KeyFileError
from stillwatch.engines.parquet import replacing
from stillwatch.evidence.pdf import render_pdf
from stillwatch.evidence.phrases import phrases_in
from stillwatch.evidence.report import render_report
from stillwatch.evidence.sealed_text import unseal
from stillwatch.evidence.tables import RunTables
from stillwatch.evidence.wording import Wordings
from stillwatch.settings import ReportSettings
from stillwatch.sketch.key import load_key


def write_report(run: Path, settings: ReportSettings, out: Path | None = None) -> tuple[Path, ...]:
    """Write the report of ``run`` to ``out``, by default its own ``report.html``, and return its files.

    With ``settings.pdf`` the PDF is the second, beside the first and of the same name but for the ending.

    Raises:
        RunFolderError: the folder is none of a finished run.
        SealedTextError: the wording was asked for and cannot be shown.
        KeyFileError: the sketch key that opens the wording is missing or cannot be read.
    """
    tables = RunTables.load(run)
    wordings = _wordings(run, settings.sketch_key) if settings.with_scaffolds else None
    phrases, page = phrases_in(settings.lang), out or run / "report.html"
    written = {page: render_report(tables, phrases, wordings).encode()}
    if settings.pdf:
        written[page.with_suffix(".pdf")] = render_pdf(tables, phrases, wordings)
    for path, content in written.items():
        with replacing(path) as unfinished:
            unfinished.write_bytes(content)
    return tuple(written)


def _wordings(run: Path, sketch_key: Path) -> Wordings:
    try:
        key = load_key(sketch_key)
    except FileNotFoundError:
        raise KeyFileError(
            "there is no such sketch key",
            remedy="Name the key of the scan with --sketch-key",
            file=str(sketch_key),
        ) from None
    return unseal(run, key.secret, key.id, datetime.now(UTC))
