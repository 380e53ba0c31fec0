"""The wording that a campaign's accounts share: a bounded sample of its requests, read again.

This is the one place behind the sketch that sees raw text, on request alone (``--with-scaffolds``); what
leaves it is what at least twenty accounts sent word for word.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.app.intake import open_log
from stillwatch.app.progress import Progress
from stillwatch.contracts import TIMESTAMP
from stillwatch.engines.engine import Engine
from stillwatch.evidence.sealed_text import expiry
from stillwatch.evidence.wording import CampaignWording, Wordings, shared_wording
from stillwatch.ingest.plan import Source
from stillwatch.ingest.postgres import SCHEMES
from stillwatch.linking.families import CARRIED, family_of
from stillwatch.settings import ScanSettings
from stillwatch.sketch.key import SketchKey

_ACCOUNTS: Final = 48
"""Accounts of each workload family of which one request is read."""

_FAMILIES: Final = 8
"""Families of a campaign that are looked at, largest first."""

_USERS: Final = f"""
    SELECT f.campaign_id, f.account_id, f.family, f.first_seen FROM (
        SELECT w.*, u.first_seen, row_number() OVER (
            PARTITION BY w.campaign_id, w.family ORDER BY w.account) AS place
        FROM campaign_work w JOIN uses u ON u.account = w.account AND u.family = w.family) f
    JOIN (
        SELECT w.campaign_id, w.family, row_number() OVER (
            PARTITION BY w.campaign_id ORDER BY sum(u.exchanges) DESC, w.family) AS rank
        FROM campaign_work w JOIN uses u ON u.account = w.account AND u.family = w.family
        WHERE w.family >= 0 GROUP BY w.campaign_id, w.family) r
    ON r.campaign_id = f.campaign_id AND r.family = f.family
    WHERE f.place <= {_ACCOUNTS} AND r.rank <= {_FAMILIES}
"""
_THEIRS: Final = f"""
    SELECT u.campaign_id, u.family, s.exchange_id, u.account_id, s.timestamp,
           {", ".join(f"s.{name}" for name in CARRIED)}
    FROM sketches s JOIN ({_USERS}) u ON u.account_id = s.account_id AND u.first_seen = s.timestamp
"""
_SAMPLED: Final = pa.schema(
    [
        ("campaign_id", pa.string()),
        ("family", pa.int64()),
        ("exchange_id", pa.string()),
        ("account_id", pa.string()),
        ("timestamp", TIMESTAMP),
    ]
)
_SAMPLE: Final = """
    SELECT campaign_id, min(exchange_id) AS exchange_id, account_id, timestamp FROM sampled
    GROUP BY campaign_id, family, account_id, timestamp
    ORDER BY campaign_id, exchange_id, account_id, timestamp
"""
"""The first request of some accounts of each large family of a campaign."""

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

    ``sources`` is what the inputs were before they were read. Reads the relations
    ``campaign_work``, ``uses``, ``seeds`` and ``sketches``.
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
    """Return the requests to read again, each with the campaigns that it is wanted for."""
    wanted: dict[_Request, list[str]] = {}
    seeds = engine.table("SELECT family, fp FROM seeds ORDER BY family")
    engine.map("sampled", _THEIRS, partial(_of_family, seeds), _SAMPLED)
    for row in engine.table(_SAMPLE).to_pylist():
        if row["campaign_id"] in campaigns:
            request = (row["exchange_id"], row["account_id"], row["timestamp"])
            wanted.setdefault(request, []).append(row["campaign_id"])
    return wanted


def _of_family(seeds: pa.Table, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the requests that are of the family that they were looked up for."""
    own = pc.equal(family_of(seeds, batch), batch["family"])
    return batch.select(_SAMPLED.names).filter(own).cast(_SAMPLED)


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
