"""``stillwatch doctor``: would a scan run here, and what would it make of this log?"""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import pyarrow.compute as pc

from stillwatch.app.console import counted
from stillwatch.app.own_folders import aside
from stillwatch.app.warnings import listed
from stillwatch.contracts import KeyFileError, StillwatchError
from stillwatch.engines.engine import Remark, open_engine
from stillwatch.evidence.phrases import ENGLISH
from stillwatch.evidence.scanned import warning_text
from stillwatch.ingest import reader, sources
from stillwatch.ingest.detect import detect
from stillwatch.ingest.formats import ACCOUNT_FORMATS, FORMATS
from stillwatch.settings import ScanSettings, memory_bytes
from stillwatch.sketch.kernel import read_texts
from stillwatch.sketch.key import load_key

_RECORDS: Final = 1_000
_LEAST_DISK: Final = 1 << 30
_REMEDIES: Final = {
    "columns": "Rename what is meant for a column that is known; a scan works without the others",
    "cut": "Fetch the file again; a scan reads what is there",
    "own": "Name the logs beside it, or keep what scans write elsewhere, if you do not want to see this",
}
_REASONS: Final = 5  # most frequent ones that are told of an input


class Status(StrEnum):
    """What a check says; a problem keeps a scan from running."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at; ``remedy`` is empty where nothing need be done."""

    topic: str
    status: Status
    what: str
    remedy: str = ""


def examine(file: str | None, accounts: str | None, settings: ScanSettings) -> list[Check]:
    """Look at the installation, the machine, the sketch key, and the inputs if any are named."""
    checks = [
        _versions(),
        *_engine(settings),
        _compiled(),
        _memory(settings),
        _disk(settings),
        _key(settings),
    ]
    passed = aside(settings)
    if file is not None:
        checks += _input(
            "log", file, passed, lambda: reader.read_exchanges([file], aside=passed, digest=_forget)
        )
    if accounts is not None:
        checks += _input(
            "accounts",
            accounts,
            passed,
            lambda: reader.read_accounts([accounts], aside=passed, digest=_forget),
        )
    return checks


def hinders(checks: list[Check]) -> bool:
    """Whether something keeps a scan from running."""
    return any(check.status is Status.PROBLEM for check in checks)


def text(checks: list[Check]) -> str:
    """The checks for a person, a remedy under each that needs one."""
    lines = []
    for check in checks:
        lines.append(f"{check.status:<8} {check.topic}: {check.what}")
        lines += [f"{'':<9}{check.remedy}"] if check.remedy else []
    return "\n".join(lines)


def document(checks: list[Check]) -> dict[str, Any]:
    """The checks for a program."""
    return {"ok": not hinders(checks), "checks": [asdict(check) for check in checks]}


def _versions() -> Check:
    system = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    return Check("installation", Status.OK, f"stillwatch {version('stillwatch')}, {system}")


def _engine(settings: ScanSettings) -> list[Check]:
    try:
        with (
            tempfile.TemporaryDirectory() as spill,
            open_engine(
                settings.engine,
                memory=settings.query_memory,
                threads=settings.workers,
                spill=Path(spill),
                master=settings.spark_master,
            ) as engine,
        ):
            engine.table("SELECT 1 AS one ORDER BY one NULLS LAST")
            opens = Check("engine", Status.OK, f"{settings.engine} opens")
            return [opens, *(_remarked(remark) for remark in engine.remarks())]
    except StillwatchError as error:
        return [_problem("engine", error)]


def _remarked(remark: Remark) -> Check:
    wrong = Status.PROBLEM if remark.grave else Status.WARNING
    return Check(remark.topic, wrong if remark.remedy else Status.OK, remark.what, remark.remedy)


def _compiled() -> Check:
    """Whether compiled code outlives the process; where not, each scan spends some seconds compiling."""
    door: Any = read_texts
    if door.stats.cache_path is None:
        remedy = "Set NUMBA_CACHE_DIR to a folder that can be written"
        return Check("compiler cache", Status.WARNING, "cannot be written: every scan compiles anew", remedy)
    return Check("compiler cache", Status.OK, f"in {door.stats.cache_path}")


def _memory(settings: ScanSettings) -> Check:
    there, wanted = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), memory_bytes(settings.memory)
    told = f"{_size(there)}, of which a run may take {_size(wanted)}"
    if wanted > there:
        return Check(
            "memory", Status.WARNING, told, "Give less with --memory: queries then spill to disk sooner"
        )
    return Check("memory", Status.OK, told)


def _disk(settings: ScanSettings) -> Check:
    folder = next(
        path for path in (settings.out.absolute(), *settings.out.absolute().parents) if path.is_dir()
    )
    free = shutil.disk_usage(folder).free
    if not os.access(folder, os.W_OK):
        return Check(
            "disk", Status.PROBLEM, f"{folder} cannot be written", "Name another run folder with --out"
        )
    if free < _LEAST_DISK:
        remedy = "Free disk space, or name a run folder elsewhere with --out"
        return Check("disk", Status.WARNING, f"{_size(free)} free in {folder}", remedy)
    return Check("disk", Status.OK, f"{_size(free)} free in {folder}")


def _key(settings: ScanSettings) -> Check:
    path = settings.sketch_key
    try:
        return Check("sketch key", Status.OK, f"{load_key(path).id} in {path}")
    except FileNotFoundError:
        return Check("sketch key", Status.OK, f"none yet; the first scan makes {path}")
    except KeyFileError as error:
        return _problem("sketch key", error)


def _input(
    topic: str, named: str, passed: sources.Aside, read: Callable[[], reader.Reading]
) -> Iterator[Check]:
    """What the input is, and what a scan would take and reject of its first records."""
    if named == sources.STDIN:
        remedy = "Write the beginning of the stream to a file and name that"
        yield Check(
            topic, Status.WARNING, "standard input can be read once only, so it is left alone", remedy
        )
        return
    formats = ACCOUNT_FORMATS if topic == "accounts" else FORMATS
    try:
        for one in sources.find([named], aside=passed).found:
            found = detect(one, formats)
            name = found.format.name if found.format is not None else f"no known format; saw {found.saw}"
            packed = f", {found.compression}" if found.compression else ""
            status = Status.OK if found.format is not None else Status.WARNING
            remedy = "" if found.format is not None else found.remedy(one.path, formats)
            yield Check(topic, status, f"{one.path}: {name} ({found.container}{packed})", remedy)
        reading = read()
        yield _sampled(topic, named, reading)
        yield from _cautions(topic, reading)
    except StillwatchError as error:
        yield _problem(topic, error)


def _cautions(topic: str, reading: reader.Reading) -> Iterator[Check]:
    """What a scan would warn of, of as much as has been read."""
    for entry in listed(caution for caution in reading.cautions() if caution.kind in _REMEDIES):
        yield Check(topic, Status.WARNING, warning_text(entry, ENGLISH), _REMEDIES[entry["kind"]])


def _sampled(topic: str, named: str, reading: reader.Reading) -> Check:
    taken, reasons = 0, Counter[str]()
    for batch in reading:
        taken += batch.records.filter(_within(batch.records)).num_rows
        reasons.update(batch.rejects.filter(_within(batch.rejects))["reason"].to_pylist())
        if taken + reasons.total() >= _RECORDS or reading.tally.read >= _RECORDS:
            break
    read = taken + reasons.total()
    told = f"of the first {counted(read, 'record')} {taken:,} would be taken, {reasons.total():,} rejected"
    if not reasons:
        return Check(topic, Status.OK, told)
    common = "; ".join(
        f"{counted(count, 'time')}: {why}" for why, count in sorted(reasons.most_common(_REASONS))
    )
    remedy = "Correct the export"
    if topic != "accounts":
        remedy += ", or name its format with --format"
    if topic != "accounts" and not taken:
        remedy += f", or begin a mapping with `stillwatch formats --guess {named}`"
    return Check(topic, Status.WARNING if taken else Status.PROBLEM, f"{told} ({common})", remedy)


def _within(batch: Any) -> Any:
    """Mask of the rows of a batch that stand among the first thousand lines of their file."""
    return pc.less_equal(batch["line"], _RECORDS)


def _problem(topic: str, error: StillwatchError) -> Check:
    place = f"{error.file}: " if error.file else ""
    return Check(topic, Status.PROBLEM, f"{place}{error.what}", error.remedy)


def _forget(raw: bytes) -> str:
    """The digest of a record that is only counted."""
    return ""


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB"
