"""Options that several commands have, made from the settings they stand for."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from stillwatch.app.completion import words_of
from stillwatch.settings import ReplaySettings, ScanSettings, Settings, default_text, option_name


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
