"""The door of ingest: log files and account records in, record batches of the contract out."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import pyarrow as pa

from stillwatch.contracts import ACCOUNT, ACCOUNT_EVENT, ACCOUNT_EVENTS, EXCHANGE, Sifted, UsageError
from stillwatch.ingest import detect, parquet_rows
from stillwatch.ingest import mapping as mapping_file
from stillwatch.ingest.cautions import Caution, cut, of_plan, own
from stillwatch.ingest.format import Format
from stillwatch.ingest.formats import ACCOUNT_FORMATS, EVENT_FORMATS, FORMATS
from stillwatch.ingest.found import Fault
from stillwatch.ingest.inflate import Cut, inflated
from stillwatch.ingest.plan import Planned, Source, described, planned, sources_of
from stillwatch.ingest.sieve import Period, Sieve, Tally
from stillwatch.ingest.sifting import Sifter
from stillwatch.ingest.sources import NOTHING, Aside, FileInput, Input, OnBytes, find

AUTO: Final = "auto"


class Reading:
    """The batches of all inputs, once through; ``tally`` counts along."""

    def __init__(
        self,
        plan: Sequence[Planned],
        passed: Sequence[str],
        sieve: Sieve,
        account_key: str | None,
        on_bytes: OnBytes,
    ) -> None:
        self.tally: Tally = sieve.tally
        self._plan, self._passed = plan, passed
        self._cuts: list[Caution] = []
        self._batches = _batches(plan, sieve, account_key, on_bytes, self._cuts)

    def __iter__(self) -> Iterator[Sifted]:
        return self._batches

    def __next__(self) -> Sifted:
        return next(self._batches)

    def sources(self) -> list[Source]:
        """The inputs, as :func:`describe` has them; pipes and databases too, once read to their end."""
        return sources_of(self._plan)

    def cautions(self) -> list[Caution]:
        """What is to be told of the inputs beside the rejects; of cuts, those that have been come upon."""
        return [*map(own, self._passed), *of_plan(self._plan), *self._cuts]


def ignore(size: int) -> None:
    """Take no notice of progress."""


def read_exchanges(
    inputs: Sequence[str],
    *,
    format: str = AUTO,
    mapping: Path | None = None,
    account_key: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    aside: Aside = NOTHING,
    digest: Callable[[bytes], str],
    on_bytes: OnBytes = ignore,
) -> Reading:
    """Read request logs.

    Args:
        inputs: files, folders (read through), globs, ``-`` for standard input, ``postgresql://`` addresses
            of LiteLLM's database.
        format: a name in ``FORMATS``, or ``auto`` to tell each input's format from its records.
        mapping: a mapping file for all inputs, instead of a format; see :mod:`stillwatch.ingest.mapping`.
        account_key: path of the field that names the account, such as ``metadata.user_api_key_team_id``;
            default: the format's user, then its key.
        since: leave out what is earlier. Naive times are UTC.
        until: leave out what is not earlier.
        aside: what folders and globs hold that is not to be read.
        digest: keyed digest of a rejected record's bytes.
        on_bytes: hears how many bytes of the inputs were read.

    Returns:
        An iterator of ``Sifted`` batches: EXCHANGE of at most 8,192 rows, and the rejects.

    Raises:
        UsageError: no such format, a mapping file that is none, or both.
        InputError: an input is missing or unreadable, or no input holds a known format.
    """
    formats = _formats(format, mapping)
    sieve = Sieve(EXCHANGE, digest, Period(since, until))
    inputs_found = find(inputs, since, until, aside)
    plan = planned(inputs_found.found, formats, formats is not FORMATS)
    return Reading(plan, inputs_found.own, sieve, account_key, on_bytes)


def read_accounts(
    inputs: Sequence[str],
    *,
    account_key: str | None = None,
    aside: Aside = NOTHING,
    digest: Callable[[bytes], str],
    on_bytes: OnBytes = ignore,
) -> Reading:
    """Read account records: stillwatch's account table or LiteLLM's user table.

    ``account_key`` names the field that holds the account's id; default ``account_id``, then ``user_id``.
    Batches are ACCOUNT; else as :func:`read_exchanges`.
    """
    sieve = Sieve(ACCOUNT, digest, Period(None, None))
    inputs_found = find(inputs, aside=aside)
    plan = planned(inputs_found.found, ACCOUNT_FORMATS, account_key is not None)
    return Reading(plan, inputs_found.own, sieve, account_key, on_bytes)


def read_events(
    inputs: Sequence[str],
    *,
    aside: Aside = NOTHING,
    digest: Callable[[bytes], str],
    on_bytes: OnBytes = ignore,
) -> Reading:
    """Read account events: stillwatch's own rows or OCSF events. Batches are ACCOUNT_EVENT; else as
    :func:`read_exchanges`."""
    sieve = Sieve(ACCOUNT_EVENT, digest, Period(None, None))
    inputs_found = find(inputs, aside=aside)
    plan = planned(inputs_found.found, EVENT_FORMATS, False)
    return Reading(plan, inputs_found.own, sieve, None, on_bytes)


def kept_events(events: pa.RecordBatch) -> pa.RecordBatch:
    """Return ACCOUNT_EVENTS of an ACCOUNT_EVENT batch: who says so stays, where it was read does not."""
    columns = [events["issuer" if name == "source" else name] for name in ACCOUNT_EVENTS.names]
    return pa.RecordBatch.from_arrays(columns, schema=ACCOUNT_EVENTS)


def describe(inputs: Sequence[str]) -> list[Source]:
    """The inputs by path, with size, SHA-256 and what they hold; pipes and databases by their name alone.

    Raises:
        InputError: an input is missing or cannot be read.
    """
    formats = {**FORMATS, **ACCOUNT_FORMATS}
    return [described(one, formats) for one in find(inputs).found]


def _formats(format: str, mapping: Path | None) -> Mapping[str, Format]:
    """The formats that an input may have: all, or the one that the user chose."""
    if mapping is not None:
        if format != AUTO:
            raise UsageError(
                "a mapping is a format of its own", remedy="Give --format or --mapping", field="--mapping"
            )
        return {mapping_file.NAME: mapping_file.load(mapping)}
    if format == AUTO:
        return FORMATS
    if format not in FORMATS:
        raise UsageError(f"unknown format {format!r}", remedy=f"Choose {AUTO}, {', '.join(FORMATS)}")
    return {format: FORMATS[format]}


def _batches(
    plan: Sequence[Planned],
    sieve: Sieve,
    account_key: str | None,
    on_bytes: OnBytes,
    cuts: list[Caution],
) -> Iterator[Sifted]:
    for one in plan:
        known = one.found.format
        one.input.release()
        if one.found.container == detect.EMPTY:
            continue
        if known is None:
            sieve.reject(one.input.path, 0, f"not in a known format; saw {one.found.saw}", b"")
            continue
        fields = (account_key,) if account_key is not None else known.account_fields
        before = sieve.tally.read
        sifter = Sifter(one.input.path, known, fields, sieve)
        if one.found.container == detect.PARQUET:
            reason = yield from _parquet(one, sifter, sieve, on_bytes)
        else:
            reason = yield from _text(one, sifter, on_bytes)
        if reason is not None:
            cuts.append(cut(one.input.path, sieve.tally.read - before - 1, reason))
    if not sieve.is_empty:
        yield sieve.take()


def _text(one: Planned, sifter: Sifter, on_bytes: OnBytes) -> Generator[Sifted, None, str | None]:
    """The batches of an input of text, and why it could not be read to its end."""
    whole = _UntilCut(one.input, on_bytes)
    yield from sifter.text(one.found.container, whole.chunks())
    return whole.reason


class _UntilCut:
    """The decompressed bytes of an input, and where and why they stop before their end."""

    def __init__(self, input: Input, on_bytes: OnBytes) -> None:
        self.reason: str | None = None
        self._input, self._on_bytes, self._heard = input, on_bytes, 0

    def chunks(self) -> Iterator[bytes]:
        try:
            yield from inflated(self._input.chunks(self._hear))
        except Cut as error:
            size = self._input.digest()
            self.reason = f"{error}, near byte {self._heard:,}" + (f" of {size[0]:,}" if size else "")
            raise

    def _hear(self, size: int) -> None:
        self._heard += size
        self._on_bytes(size)


def _parquet(
    one: Planned, sifter: Sifter, sieve: Sieve, on_bytes: OnBytes
) -> Generator[Sifted, None, str | None]:
    """As :func:`_text`, of Parquet."""
    path, cut = one.input.path, None
    try:
        file = parquet_rows.opened(one.input, on_bytes, one.found.compression)
    except parquet_rows.Damaged as error:
        sieve.reject(path, 0, str(error), b"")
        return str(error)
    unheard = _size(one)  # a compressed one has been heard while it was unpacked
    with file:
        for batch in parquet_rows.batches(file, sifter.columns):
            heard = unheard if isinstance(batch, Fault) else unheard * batch.rows.num_rows // batch.left
            on_bytes(heard)
            unheard -= heard
            if isinstance(batch, Fault):
                sieve.reject(path, *batch)
                cut = batch.reason
            else:
                yield from sifter.table(batch)
    return cut


def _size(one: Planned) -> int:
    """Bytes of a Parquet file that is read in place."""
    is_in_place = isinstance(one.input, FileInput) and one.found.compression is None
    return Path(one.input.path).stat().st_size if is_in_place else 0
