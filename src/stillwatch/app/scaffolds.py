"""The wording that a campaign's accounts share: a bounded sample of its requests, read again.

This is the one place behind the sketch that sees raw text, on request alone (``--with-scaffolds``); what
leaves it is what at least twenty accounts sent word for word.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.app.intake import open_log
from stillwatch.app.progress import Progress
from stillwatch.engines.engine import Engine
from stillwatch.evidence.sealed_text import expiry
from stillwatch.evidence.wording import CampaignWording, Wordings, shared_wording
from stillwatch.ingest.plan import Source
from stillwatch.ingest.postgres import SCHEMES
from stillwatch.settings import ScanSettings
from stillwatch.sketch.key import SketchKey

_ACCOUNTS: Final = 48
"""Accounts of each workload family of which one request is read."""

_FAMILIES: Final = 8
"""Families of a campaign that are looked at, largest first."""

_SAMPLE: Final = f"""
    SELECT campaign_id, exchange_id, account_id, timestamp FROM (
        SELECT f.*, r.rank, row_number() OVER (
            PARTITION BY f.campaign_id, f.family ORDER BY f.account_id) AS place
        FROM (SELECT *, row_number() OVER (
                  PARTITION BY campaign_id, family, account_id ORDER BY timestamp, exchange_id) AS turn
              FROM campaign_work WHERE family IS NOT NULL) f
        JOIN (SELECT campaign_id, family, row_number() OVER (
                  PARTITION BY campaign_id ORDER BY count(*) DESC, family) AS rank
              FROM campaign_work WHERE family IS NOT NULL GROUP BY campaign_id, family) r
            ON r.campaign_id = f.campaign_id AND r.family = f.family
        WHERE f.turn = 1 AND r.rank <= {_FAMILIES}) s
    WHERE place <= {_ACCOUNTS} ORDER BY campaign_id, exchange_id, account_id, timestamp
"""
"""The first request of some accounts of each large family, over ``campaign_work``."""

_Request = tuple[str, str, datetime]


def read_wordings(
    inputs: Sequence[str],
    sources: Sequence[Source],
    settings: ScanSettings,
    key: SketchKey,
    engine: Engine,
    campaigns: Collection[str],
    now: datetime,
    progress: Progress,
) -> Wordings:
    """Return the wording of each of ``campaigns``, as far as the inputs can be read a second time.

    ``sources`` is what the inputs were before they were read. Reads the relation ``campaign_work``.
    """
    again = [source.path for source in sources if source.bytes is not None]
    again += [named for named in inputs if named.startswith(SCHEMES)]
    pipes = [
        source.path for source in sources if source.bytes is None and not source.path.startswith(SCHEMES)
    ]
    wanted = _wanted(engine, campaigns)
    progress.stage("wording", sum(source.bytes or 0 for source in sources) or None, "bytes")
    texts: dict[str, list[tuple[str, str]]] = {campaign: [] for campaign in sorted(campaigns)}
    if again and wanted:
        for campaign, account, text in _read(again, settings, key, wanted, progress):
            texts[campaign].append((account, text))
    found: dict[str, CampaignWording] = {name: shared_wording(own) for name, own in texts.items()}
    return Wordings(found, tuple(pipes), expiry(now))


def _wanted(engine: Engine, campaigns: Collection[str]) -> dict[_Request, list[str]]:
    wanted: dict[_Request, list[str]] = {}
    for row in engine.table(_SAMPLE).to_pylist():
        if row["campaign_id"] in campaigns:
            request = (row["exchange_id"], row["account_id"], row["timestamp"])
            wanted.setdefault(request, []).append(row["campaign_id"])
    return wanted


def _read(
    inputs: list[str],
    settings: ScanSettings,
    key: SketchKey,
    wanted: Mapping[_Request, list[str]],
    progress: Progress,
) -> Iterable[tuple[str, str, str]]:
    """Yield campaign, account and text of the wanted requests."""
    ids = pa.array(sorted({request[0] for request in wanted}), pa.string())
    for batch in open_log(inputs, settings, key, progress):
        records = batch.records.filter(pc.is_in(batch.records["exchange_id"], ids))
        for row in records.select(["exchange_id", "account_id", "timestamp", "messages"]).to_pylist():
            for campaign in wanted.get((row["exchange_id"], row["account_id"], row["timestamp"]), ()):
                yield campaign, row["account_id"], request_text(row["messages"])


def request_text(messages: str | None) -> str:
    """The system prompt and the newest user message of a request: what a sketch looks at."""
    try:
        found = orjson.loads(messages or "[]")
    except ValueError:
        return ""
    spoken = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    systems = [_text(one) for one in spoken if one.get("role") in ("system", "developer")]
    users = [_text(one) for one in spoken if one.get("role") == "user"]
    return "\n\n".join(part for part in [*systems, *users[-1:]] if part)


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    texts = [part.get("text") for part in parts if isinstance(part, dict) and part.get("type") in _READABLE]
    return "\n".join(text for text in texts if isinstance(text, str))


_READABLE: Final = ("text", "input_text", "output_text")
