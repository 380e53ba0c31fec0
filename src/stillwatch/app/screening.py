"""A backlog of sign-ups, screened: account records in, one row for each account out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from stillwatch.access.levels import Levels
from stillwatch.access.network_lists import NetworkLists
from stillwatch.access.screening import screen
from stillwatch.access.signups import Signups
from stillwatch.app.access_file import read_access_file
from stillwatch.app.campaign_accounts import of_run
from stillwatch.app.progress import Progress
from stillwatch.app.rejected import Rejected
from stillwatch.contracts import SCREENED, SIGNUP, TooManyRejectsError, UsageError
from stillwatch.engines.parquet import replacing, write_parquet
from stillwatch.ingest.reader import Reading, read_accounts
from stillwatch.settings import ScanSettings
from stillwatch.sketch.key import load_or_create_key
from stillwatch.sketch.signups import SignupSketcher

_REMEDY: Final = "See the reasons there, or raise --max-rejects"
_FORMS: Final = (".parquet", ".csv")
_FORMULA: Final = r"^([=+\-@\t\r\n])"
"""How a cell begins that a spreadsheet would run (OWASP, CSV injection)."""


@dataclass(frozen=True)
class Screened:
    """What came of a backlog."""

    out: Path
    table: pa.Table  # SCREENED
    read: int
    rejected: int
    rejected_file: Path
    duplicates: int  # records of an account that another record told more of

    @property
    def asked(self) -> int:
        """How many are asked for more than their plan asks of everybody."""
        return int(pc.sum(self.table["asked_more"]).as_py() or 0)

    def reasons(self) -> Counter[str]:
        """Return how many of those who are asked for more are asked for which reason."""
        asked = self.table.filter(self.table["asked_more"])["reason_codes"].to_pylist()
        return Counter(code for codes in asked for code in codes)

    def levels(self) -> Counter[int]:
        """Return how many are asked for which level."""
        return Counter(self.table["verification_level"].to_pylist())


def screen_backlog(
    accounts: str,
    out: Path,
    settings: ScanSettings,
    progress: Progress,
    *,
    access: Path | None = None,
    campaigns: Path | None = None,
) -> Screened:
    """Screen account records with hindsight, and write SCREENED.

    Args:
        accounts: file, folder or glob of account records.
        out: file to write, ``.parquet`` or ``.csv``; what was turned away goes beside it.
        settings: of which sketch key and ``max_rejects`` count.
        progress: hears of every step.
        access: access file with levels and lists of networks.
        campaigns: run folder whose campaigns are known.

    Raises:
        UsageError: the file is of neither form.
        InputError: the records or a list cannot be read.
        RunFolderError: the run folder cannot be read.
        TooManyRejectsError: more records were turned away than may be.
    """
    if out.suffix.lower() not in _FORMS:
        raise UsageError(
            f"{str(out)!r}: it ends in neither .parquet nor .csv", remedy="Name it so", field="--out"
        )
    file = None if access is None else read_access_file(access)
    known = frozenset[str]() if campaigns is None else of_run(campaigns)
    key = load_or_create_key(settings.sketch_key)
    reading = read_accounts([accounts], digest=key.digest, on_bytes=progress.advance)
    asked = Signups() if file is None else file.signups
    progress.stage("read", _size(reading), "bytes")
    rejected = out.with_name(f"{out.stem}.rejected.jsonl")
    rejected.unlink(missing_ok=True)
    sketcher = SignupSketcher(key, asked.answering)
    records = _sketched(reading, sketcher, NetworkLists(asked.networks, asked.asn_database), rejected)
    _refuse_rubbish(reading, settings, rejected)
    progress.stage("screen")
    signups = _fullest(records)
    table = screen(signups, Levels() if file is None else file.levels, campaigns=known)
    progress.stage("write")
    write_screened(table, out)
    progress.done()
    duplicates = records.num_rows - signups.num_rows
    return Screened(out, table, reading.tally.read, reading.tally.rejected, rejected, duplicates)


def write_screened(table: pa.Table, out: Path) -> None:
    """Write SCREENED, whole or not at all; in CSV the reason codes are joined by spaces.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix.lower() == ".parquet":
        write_parquet(table.to_batches(), SCREENED, out)
        return
    codes = pc.binary_join(table["reason_codes"].cast(pa.list_(pa.string())), " ")
    harmless = pc.replace_substring_regex(table["account_id"], _FORMULA, r"'\1")
    columns = {name: table[name] for name in SCREENED.names}
    columns |= {"account_id": harmless, "reason_codes": codes}
    with replacing(out) as unfinished:
        csv.write_csv(pa.table(columns), str(unfinished), csv.WriteOptions(quoting_style="needed"))


def _sketched(reading: Reading, sketcher: SignupSketcher, networks: NetworkLists, rejected: Path) -> pa.Table:
    """Read and sketch everything; the file of what was turned away is made with its first record."""
    with ExitStack() as stack:
        kept: Rejected | None = None
        batches = []
        for batch in reading:
            if batch.rejects.num_rows:
                if kept is None:
                    rejected.parent.mkdir(parents=True, exist_ok=True)
                    kept = stack.enter_context(Rejected(rejected.parent, rejected.name))
                kept.write(batch.rejects)
            kinds = networks.kinds(batch.records["signup_ip"])
            batches.append(sketcher.signups(batch.records, kinds))
    return pa.Table.from_batches(batches, SIGNUP).combine_chunks()


def _fullest(records: pa.Table) -> pa.Table:
    """Return one record of each account: the one that tells most, whatever the order in which they came."""
    if pc.count_distinct(records["account_id"]).as_py() == records.num_rows:
        return records
    told = [pc.is_valid(records[name]).cast(pa.int64()).to_numpy() for name in SIGNUP.names]
    ranked = records.append_column("told", pa.array(sum(told)))
    order = [("account_id", "ascending"), ("told", "descending")]
    order += [(name, "ascending") for name in SIGNUP.names if name != "account_id"]
    in_order = ranked.sort_by(order)
    ids = in_order["account_id"].to_pylist()
    first = [place == 0 or ids[place] != ids[place - 1] for place in range(len(ids))]
    return in_order.filter(pa.array(first)).drop_columns(["told"]).combine_chunks()


def _refuse_rubbish(reading: Reading, settings: ScanSettings, rejected: Path) -> None:
    tally = reading.tally
    if tally.rejected > settings.max_rejects * tally.read:
        what = f"{tally.rejected:,} of {tally.read:,} account records were rejected"
        raise TooManyRejectsError(what, remedy=_REMEDY, file=str(rejected))


def _size(reading: Reading) -> int | None:
    """Bytes of all inputs; None where nobody knows."""
    sizes = [source.bytes for source in reading.sources()]
    return None if None in sizes else sum(size or 0 for size in sizes) or None


def reason_lines(screened: Screened) -> Iterator[str]:
    """Yield how many are asked for more for each reason, the most frequent first."""
    for code, times in sorted(screened.reasons().items(), key=lambda item: (-item[1], item[0])):
        yield f"  {times:>9,}  {code}"
