"""Detects, stops and proves distillation campaigns against language-model APIs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stillwatch.app.progress import Progress
    from stillwatch.app.result import ScanResult

__version__ = "0.1.0"
__all__ = ["__version__", "scan"]


def scan(
    inputs: str | PathLike[str] | Sequence[str | PathLike[str]],
    *,
    accounts: str | PathLike[str] | None = None,
    events: str | PathLike[str] | None = None,
    format: str | None = None,
    mapping: Path | str | None = None,
    account_key: str | None = None,
    since: datetime | str | None = None,
    until: datetime | str | None = None,
    allow: Path | str | None = None,
    labels: Path | str | None = None,
    state: Path | str | None = None,
    out: Path | str | None = None,
    engine: str | None = None,
    spark_master: str | None = None,
    memory: str | None = None,
    threads: int | None = None,
    sketch_key: Path | str | None = None,
    fdr: float | None = None,
    max_rejects: float | None = None,
    lang: str | None = None,
    pdf: bool | None = None,
    with_scaffolds: bool | None = None,
    progress: Progress | None = None,
) -> ScanResult:
    """Find campaigns in request logs: what ``stillwatch scan`` does, with its settings.

    What is left out comes from the environment (``STILLWATCH_...``), then from the defaults; the
    reference of settings lists both.

    Args:
        inputs: files, folders or globs of the log; ``-`` is standard input,
            ``postgresql://...`` LiteLLM's database.
        progress: told of each stage; nothing is shown where None.

    Returns:
        the tables ``campaigns``, ``accounts``, ``members``, ``reasons``, ``timeline``, ``lookalikes`` and
        ``ties`` as Arrow, the manifest, and the run folder ``out`` that holds them.

    Raises:
        StillwatchError: one of its kinds says what is wrong, where, and what to do about it.
    """
    from stillwatch.app.pipeline import scan as run
    from stillwatch.app.progress import Silent
    from stillwatch.settings import ScanSettings

    settings = ScanSettings.read(
        accounts=None if accounts is None else str(accounts),
        events=None if events is None else str(events),
        format=format,
        mapping=mapping,
        account_key=account_key,
        since=since,
        until=until,
        allow=allow,
        labels=labels,
        state=state,
        out=out,
        engine=engine,
        spark_master=spark_master,
        memory=memory,
        threads=threads,
        sketch_key=sketch_key,
        fdr=fdr,
        max_rejects=max_rejects,
        lang=lang,
        pdf=pdf,
        with_scaffolds=with_scaffolds,
    )
    several = [inputs] if isinstance(inputs, str | PathLike) else inputs
    return run([str(each) for each in several], settings, progress or Silent())
