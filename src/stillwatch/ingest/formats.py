"""Every log format that ingest reads, and how a file's own format is told from its records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from stillwatch.ingest import (
    account_events,
    accounts,
    anthropic,
    helicone,
    langfuse,
    litellm,
    litellm_spend_logs,
    openai,
    openai_responses,
    openinference,
    otlp,
    table,
)
from stillwatch.ingest.format import Format
from stillwatch.ingest.values import Record

FORMATS: Final[Mapping[str, Format]] = {  # the first that recognises a record has it
    "litellm-spend-logs": litellm_spend_logs.FORMAT,
    "litellm": litellm.FORMAT,
    "table": table.FORMAT,
    "otlp": otlp.FORMAT,
    "openinference": openinference.FORMAT,
    "langfuse": langfuse.FORMAT,
    "helicone": helicone.FORMAT,
    "openai-responses": openai_responses.FORMAT,
    "anthropic": anthropic.FORMAT,
    "openai": openai.FORMAT,
}
ACCOUNT_FORMATS: Final[Mapping[str, Format]] = {"accounts": accounts.FORMAT}
EVENT_FORMATS: Final[Mapping[str, Format]] = {"account-events": account_events.FORMAT}


def recognise(records: Sequence[Record], formats: Mapping[str, Format]) -> Format | None:
    """The format that recognises the most of ``records``; None where none recognises any."""
    votes = Counter(name for record in records if (name := _recognised(record, formats)))
    return formats[votes.most_common(1)[0][0]] if votes else None


def _recognised(record: Record, formats: Mapping[str, Format]) -> str | None:
    return next((name for name, known in formats.items() if known.recognises(record)), None)
