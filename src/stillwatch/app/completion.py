"""What the shell offers at the tab key beyond commands and options, as far as it can be known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias, get_args, get_origin

import typer

from stillwatch.settings import Settings

Completion: TypeAlias = Callable[[str], list[str]]


def words_of(settings: type[Settings], setting: str) -> Completion:
    """Offer the words that a setting takes, where it takes a few known ones."""
    annotation = settings.model_fields[setting].annotation
    choices = [annotation, *get_args(annotation)]  # a choice that may be left out is one of a union
    words = [word for choice in choices if get_origin(choice) is Literal for word in get_args(choice)]
    return lambda incomplete: [word for word in words if word.startswith(incomplete)]


def presets(incomplete: str) -> list[str]:
    """Offer the presets of ``simulate``."""
    from stillwatch.simulate.presets import PRESETS

    return [name for name in PRESETS if name.startswith(incomplete)]


def campaigns(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer the campaigns of the run folder that stands before, strongest first; accounts are too many."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(ctx.params["run"] / "campaigns.parquet").read(["campaign_id"])
    except (KeyError, TypeError, OSError, pa.ArrowException):
        return []
    return [name for name in table["campaign_id"].to_pylist() if name.startswith(incomplete)]
