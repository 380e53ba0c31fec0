"""The run folder: one table per stage, the rejects and the manifest; what is done is not done again."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import requires, version
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.app.rejected import FILE as REJECTED
from stillwatch.contracts import RunFolderError, StillwatchError, conform
from stillwatch.engines.engine import Engine
from stillwatch.engines.parquet import ROW_GROUP, replacing, write_parquet, writing_parquet

MANIFEST: Final = "manifest.json"
_JOURNAL: Final = "unfinished.json"
_OWN: Final = ("ledger", "stages", "spill")
_STATUS: Final = Path("/proc/self/status")
_PART_ROWS: Final = 4 * ROW_GROUP
_OF_SOME_RUNS: Final = ("decisions.parquet",)
"""Files that not every command writes: an earlier run's would lie beside tables that it has no part in."""


class RunFolder:
    """Where a run keeps its tables. ``purpose`` is what must be the same for a run to be resumed."""

    def __init__(self, path: Path, purpose: Mapping[str, Any]) -> None:
        """Open ``path``, which is made, resumed, or emptied of an earlier run.

        Raises:
            RunFolderError: the folder holds something else, or cannot be written.
        """
        self.path, self.stages = path, path / "stages"
        self._digest = hashlib.sha256(json.dumps(purpose, sort_keys=True, default=str).encode()).hexdigest()
        self._started, self._times = datetime.now(UTC), dict[str, float]()
        self._done: dict[str, Any] = {}
        try:
            self._open()
        except OSError as error:
            with suppress(OSError):
                path.rmdir()  # made in vain
            raise RunFolderError(
                f"the run folder cannot be written ({error.strerror})",
                remedy="Name another one with --out",
                file=str(path),
            ) from error

    def _open(self) -> None:
        journal = self.path / _JOURNAL
        if journal.exists():
            known = json.loads(journal.read_text(encoding="utf-8"))
            if known["purpose"] == self._digest and known["done"]:
                self._done = known["done"]
                return
        elif self.path.is_dir() and self._is_anothers():
            raise RunFolderError(
                "the folder holds something that is no run",
                remedy="Name a new or empty folder with --out",
                file=str(self.path),
            )
        self.path.mkdir(parents=True, exist_ok=True)
        self._note()  # before anything else, so that the folder is known as a run's whenever this one dies
        self._clear()
        for name in (MANIFEST, *_OF_SOME_RUNS):
            (self.path / name).unlink(missing_ok=True)
        self.stages.mkdir()

    def _is_anothers(self) -> bool:
        """Whether the folder holds anything but a finished run, or what a run that died at once leaves."""
        held = [path.name for path in self.path.iterdir()]
        return MANIFEST not in held and not all(name.startswith(f".{_JOURNAL}.") for name in held)

    def _clear(self) -> None:
        for name in _OWN:
            shutil.rmtree(self.path / name, ignore_errors=True)

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Say of an error how to go on; of a run that has done nothing yet, leave nothing behind.

        Raises:
            RunFolderError: the disk is full, or the folder cannot be written.
        """
        try:
            yield
        except StillwatchError as error:
            error.remedy += self._leave()
            raise
        except OSError as error:
            raise RunFolderError(
                f"cannot be written ({error.strerror or error})",
                remedy=f"Free disk space, or check your rights to it{self._leave()}",
                file=str(error.filename or self.path),
            ) from error
        except BaseException:
            self._leave()
            raise

    def _leave(self) -> str:
        """Drop what nobody can go on with; return what is to be said of the rest."""
        if self._done:
            return f". What was done is kept in {self.path}: the same command goes on from there"
        self._clear()
        for name in (_JOURNAL, REJECTED):
            (self.path / name).unlink(missing_ok=True)
        with suppress(OSError):
            self.path.rmdir()  # unless it holds more, which is not ours to remove
        return ""

    def _note(self) -> None:
        with replacing(self.path / _JOURNAL) as unfinished:
            unfinished.write_text(json.dumps({"purpose": self._digest, "done": self._done}), encoding="utf-8")

    def once(self, stage: str, work: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        """Run ``work`` unless this run has done it; return what it said, which must be JSON."""
        if stage not in self._done:
            began = time.monotonic()
            self._done[stage] = dict(work())
            self._times[stage] = round(time.monotonic() - began, 3)
            self._note()
        return dict(self._done[stage])

    def table(self, name: str, schema: pa.Schema, make: Callable[[], pa.Table]) -> pa.Table:
        """Return the stage table ``name``: from the folder where it is whole, else made and kept."""
        path = self.stages / f"{name}.parquet"
        held: list[pa.Table] = []

        def work() -> dict[str, int]:
            held.append(conform(make(), schema, name))
            return {"rows": write_parquet(held[0].to_batches(), schema, path)}

        self.once(name, work)
        return held[0] if held else conform(pq.ParquetFile(path).read(), schema, name)

    def parts(
        self, name: str, schema: pa.Schema, make: Callable[[], Iterable[pa.Table]]
    ) -> Iterable[pa.Table]:
        """Return the stage table ``name`` as :meth:`table` does, but in parts, never held whole.

        They are made when they are gone through for the first time: who works on them need not wait for all.
        """
        path = self.stages / f"{name}.parquet"

        def parts() -> Iterator[pa.Table]:
            return _read(path) if name in self._done else self._keeping(name, schema, make, path)

        return _Repeatable(parts)

    def _keeping(
        self, name: str, schema: pa.Schema, make: Callable[[], Iterable[pa.Table]], path: Path
    ) -> Iterator[pa.Table]:
        """Yield the parts of the stage ``name`` while they are written to ``path``; then it is done."""
        began, rows = time.monotonic(), 0
        batches = (batch for part in make() for batch in conform(part, schema, name).to_batches())
        for batch in writing_parquet(batches, schema, path):
            rows += batch.num_rows
            yield pa.Table.from_batches([batch])
        self.once(name, lambda: {"rows": rows})
        self._times[name] = round(time.monotonic() - began, 3)

    def relation(self, name: str, engine: Engine, sql: str) -> None:
        """Make the relation ``name``: the result of ``sql``, kept as a stage table, never held whole."""
        path = self.stages / f"{name}.parquet"
        self.once(name, lambda: {"rows": engine.write(sql, path)})
        engine.bind(name, [path])

    def keep(self, name: str, table: pa.Table) -> None:
        """Write one of the run's own tables."""
        write_parquet(table.to_batches(), table.schema, self.path / f"{name}.parquet")

    def manifest(self, facts: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what is to be said of the run: versions, times, memory, and ``facts``."""
        return {
            "stillwatch": version("stillwatch"),
            "versions": {"python": platform.python_version()} | _library_versions(),
            "started_at": self._started.isoformat(),
            "finished_at": datetime.now(UTC).isoformat(),
            "seconds": self._times,
            "peak_memory_bytes": _peak_memory(),
            **facts,
        }

    def finish(self, manifest: Mapping[str, Any]) -> None:
        """Write the manifest, which says that the run is whole."""
        with replacing(self.path / MANIFEST) as unfinished:
            unfinished.write_text(json.dumps(manifest, indent=2, default=str) + "\n", encoding="utf-8")
        (self.path / _JOURNAL).unlink(missing_ok=True)


@dataclass(frozen=True)
class _Repeatable:
    """Goes through what ``begin`` gives as often as need be."""

    begin: Callable[[], Iterator[pa.Table]]

    def __iter__(self) -> Iterator[pa.Table]:
        return self.begin()


def _read(path: Path) -> Iterator[pa.Table]:
    """Yield a file's rows in tables of some size."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_PART_ROWS):
            yield pa.Table.from_batches([batch])


def is_run_folder(path: Path) -> bool:
    """Whether a scan wrote ``path`` as its run folder, to the end or not."""
    return _holds(path / MANIFEST, "stillwatch") or _holds(path / _JOURNAL, "purpose")


def _holds(file: Path, name: str) -> bool:
    """Whether a file is a JSON object with the field ``name``; other programs write a manifest.json too."""
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and name in content


def _library_versions() -> dict[str, str]:
    """Return the installed version of each library that stillwatch needs, extras left out."""
    needs = [need for need in requires("stillwatch") or [] if "extra ==" not in need]
    names = sorted(re.split(r"[^\w.-]", need, maxsplit=1)[0] for need in needs)
    return {name: version(name) for name in names}


def _peak_memory() -> int:
    """Return the most resident memory that this process had, in bytes."""
    with suppress(OSError):
        # What getrusage says on Linux is no less than what the process that started this one had.
        told = re.search(r"^VmHWM:\s*(\d+) kB$", _STATUS.read_text(encoding="ascii"), re.MULTILINE)
        if told:
            return int(told[1]) * 1024
    # The kernel counts in kilobytes on Linux and in bytes on macOS.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
