"""What there is to read: every input with what it holds, found out before the first record is taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

from stillwatch.contracts import InputError
from stillwatch.ingest import detect
from stillwatch.ingest.detect import Detected
from stillwatch.ingest.format import Format
from stillwatch.ingest.sources import FileInput, Input


class Source(NamedTuple):
    """One input, for the manifest. Size and digest of pipe and database are None before they were read."""

    path: str
    bytes: int | None
    sha256: str | None
    format: str  # a name in FORMATS, "empty" or "unknown"
    container: str  # "json lines", "json", "csv", "parquet", "empty" or "unknown"
    compression: str | None  # "gzip", "zstd" or None
    ignored: tuple[str, ...]  # columns of a table that are not read


class Planned(NamedTuple):
    """An input and what its beginning says that it holds."""

    input: Input
    found: Detected

    def source(self) -> Source:
        """The input as the manifest has it; files are read for their digest."""
        size, sha256 = self.input.digest() or (None, None)
        found = self.found
        unread = detect.EMPTY if found.container == detect.EMPTY else detect.UNKNOWN
        name = found.format.name if found.format is not None else unread
        return Source(self.input.path, size, sha256, name, found.container, found.compression, found.ignored)


def sources_of(plan: Sequence[Planned]) -> list[Source]:
    """Return the inputs as the manifest has them; several files are read for their digest at once."""
    with ThreadPoolExecutor(_READERS) as pool:
        return list(pool.map(Planned.source, plan))


_READERS: Final = 2
"""Files read at once: disks answer two in little more than the time of one, and so do cores."""

_UNREAD: Final = Detected(None, detect.UNKNOWN, None, (), "a pipe or a database")


def planned(inputs: Sequence[Input], formats: Mapping[str, Format], is_chosen: bool) -> list[Planned]:
    """Every input with its format; a format that the user chose holds even where it is not recognised.

    Raises:
        InputError: no input holds a known format.
    """
    seen = _seen(inputs, formats)
    if is_chosen:
        seen = [found._replace(format=next(iter(formats.values()))) for found in seen]
    plan = [Planned(one, found) for one, found in zip(inputs, seen, strict=True)]
    if all(each.found.format is None or each.found.container == detect.EMPTY for each in plan):
        raise _nothing_known(plan, formats)
    return plan


def _seen(inputs: Sequence[Input], formats: Mapping[str, Format]) -> list[Detected]:
    """What each input holds: several files are looked at at once.

    A pipe or a database may keep us waiting: only in the caller's thread does Ctrl-C end that.
    """
    files = [one for one in inputs if isinstance(one, FileInput)]
    with ThreadPoolExecutor(_READERS) as pool:
        found = dict(zip(files, pool.map(lambda one: detect.detect(one, formats), files), strict=True))
    return [found[one] if isinstance(one, FileInput) else detect.detect(one, formats) for one in inputs]


def described(input: Input, formats: Mapping[str, Format]) -> Source:
    """An input as the manifest has it; of pipes and databases, which are left alone, the name."""
    found = detect.detect(input, formats) if isinstance(input, FileInput) else _UNREAD
    return Planned(input, found).source()


def _nothing_known(plan: Sequence[Planned], formats: Mapping[str, Format]) -> InputError:
    filled = [each for each in plan if each.found.container != detect.EMPTY]
    first = (filled or plan)[0]
    found, path = first.found, first.input.path
    known = f"not in a known format ({', '.join(formats)}); saw {found.saw}"
    what = known if found.is_readable else found.unread
    return InputError(what, remedy=found.remedy(path, formats), file=path)
