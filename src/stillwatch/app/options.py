"""Options that several commands have, made from the settings they stand for."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

import typer

from stillwatch.app.completion import words_of
from stillwatch.contracts import UsageError
from stillwatch.settings import ReplaySettings, ScanSettings, Settings, default_text, option_name, span_of


def option(settings: type[Settings], setting: str, metavar: str, panel: str | None = None) -> Any:
    """Make an option of a setting; where it is not given, environment and default decide."""
    return typer.Option(
        option_name(setting),
        metavar=metavar,
        help=" ".join(
            filter(None, [settings.model_fields[setting].description, _default(settings, setting)])
        ),
        show_default=False,
        autocompletion=words_of(settings, setting),
        rich_help_panel=panel,
    )


def _default(settings: type[Settings], setting: str) -> str:
    text = default_text(settings, setting)
    return f"Default: {text}." if text else ""


def of_scan(setting: str, metavar: str, panel: str | None = None) -> Any:
    """Make an option of a setting that ``scan`` has."""
    return option(ScanSettings, setting, metavar, panel)


def of_replay(setting: str, metavar: str, panel: str | None = None) -> Any:
    """Make an option of a setting that ``replay`` has."""
    return option(ReplaySettings, setting, metavar, panel)


Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only, and what --json asks for.")]


def span_option(written: str, field: str) -> timedelta:
    """Read the span of time that an option has, such as 30m, 1h or 90d.

    Raises:
        UsageError: it is none; names the option.
    """
    try:
        return timedelta(seconds=span_of(written).total_seconds())
    except ValueError as error:
        remedy = "See `stillwatch COMMAND --help`"
        raise UsageError(f"{written!r} {error}", remedy=remedy, field=field) from error
