"""What the ``ledger`` commands print for a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from datetime import datetime

    from stillwatch.app.retention import Departure
    from stillwatch.ledger.census import Census
    from stillwatch.ledger.compaction import Compacted

_LISTED: Final = 10  # days, gaps and damaged files on the screen; --json has them all
_BESIDE: Final = {
    "decision_members": "decision member",
    "step_ups": "step-up record",
    "signups": "remembered sign-up",
}
_BEYOND: Final = (
    "Not reached: API keys (`stillwatch keys forget`), run folders (delete the folder, `rm -r RUN`), gateway "
    "logs, account files, --allow lists, copies and backups. The audit log names accounts that a person took "
    "out of a decision."
)


def census_lines(census: Census) -> Iterator[str]:
    """The census as a table, with what calls for action under it."""
    rows = [
        ("ledger", census.ledger),
        ("format", f"{census.format}, written with sketch key {census.key_id}"),
        ("exchanges", f"{census.exchanges:,} of {_counted(census.accounts, 'account')}"),
        ("account records", f"{census.account_records:,}"),
        ("account events", f"{census.account_events:,}"),
        ("oldest", _moment(census.first)),
        ("newest", _moment(census.last)),
        (
            "hours",
            f"{census.hours:,} with exchanges, {sum(gap.hours for gap in census.gaps):,} between without",
        ),
        ("parts", f"{census.parts:,}, {_size(census.bytes)} with the tables of accounts"),
        ("several parts", _crowded(census)),
        ("staged", _staged(census)),
        ("damaged", f"{len(census.damaged):,} files" if census.damaged else _whole(census)),
    ]
    yield from (f"{name:<16} {value}" for name, value in rows)
    yield from _unfinished(census)
    yield from _days(census)
    yield from _some(
        [f"  {gap.since:%Y-%m-%d %H:%M} to {gap.until:%Y-%m-%d %H:%M}" for gap in census.gaps], "Gaps (UTC)"
    )
    damaged = [f"  {one.file}: {one.what}. {one.remedy}" for one in census.damaged]
    yield from _some(damaged, "Damaged files")


def compaction_line(done: Compacted) -> str:
    """What a compaction did."""
    if not done.hours:
        return "Nothing to compact: every hour is one part."
    parts = f"{done.parts_before:,} parts ({_size(done.bytes_before)})"
    return (
        f"{parts} of {_counted(done.hours, 'hour')} became {done.parts_after:,} ({_size(done.bytes_after)})."
    )


def departure_lines(departure: Departure, asked: Mapping[str, Any], *, dry_run: bool) -> Iterator[str]:
    """What went, or would go, and what no command of the ledger reaches."""
    if "before" in asked:
        yield f"Before {_moment(asked['before'])}, the full hour:"
    yield from (f"{account}: nothing is held of this account." for account in departure.unknown)
    if departure.is_nothing:
        yield "Nothing to remove."
    else:
        removed = departure.removed
        yield f"{would_go(departure)}." if dry_run else f"{_goes(departure, 'Removed')}."
        yield (
            f"Files removed: {removed.files_removed:,}; written anew: {removed.files_rewritten:,}."
            if not dry_run
            else f"Files to remove: {removed.files_removed:,}; to write anew: {removed.files_rewritten:,}."
        )
    yield _BEYOND


def would_go(departure: Departure) -> str:
    """What would go, as the beginning of a sentence."""
    return _goes(departure, "This removes")


def _goes(departure: Departure, verb: str) -> str:
    removed = departure.removed
    told = [
        f"{_counted(removed.exchanges, 'exchange')} ({_counted(removed.hours, 'hour')} left empty)",
        _counted(removed.account_records, "account record"),
    ]
    if removed.account_events:
        told.append(_counted(removed.account_events, "account event"))
    if staged := (removed.staged_exchanges + removed.staged_account_records + removed.staged_account_events):
        told.append(_counted(staged, "staged row"))
    members = _counted(departure.campaign_members, "campaign member")
    told.append(f"{members} ({_counted(departure.campaigns, 'campaign')} left without any)")
    if departure.labels:
        told.append(_counted(departure.labels, "label"))
    told += [_counted(rows, _BESIDE[kind]) for kind, rows in departure.beside.items() if rows]
    return f"{verb} {', '.join(told)}"


def _crowded(census: Census) -> str:
    if not census.crowded_hours:
        return "none: nothing to compact"
    return (
        f"{_counted(census.crowded_hours, 'hour')}, up to {census.most_parts:,} in one: "
        "`stillwatch ledger compact` makes one of them"
    )


def _staged(census: Census) -> str:
    staged = census.staged
    if not staged.runs:
        return "nothing"
    rows = f"{_counted(staged.exchanges, 'exchange')}, {_counted(staged.account_records, 'account record')}"
    if staged.account_events:
        rows += f", {_counted(staged.account_events, 'account event')}"
    return f"{rows} ({_size(staged.bytes)}), which the next scan seals"


def _whole(census: Census) -> str:
    return (
        "none, every byte compared" if census.verified else "none that its footer shows; --verify reads all"
    )


def _unfinished(census: Census) -> Iterator[str]:
    if census.changing:
        yield "Another stillwatch changes the ledger at this moment."
    elif census.unfinished == "undecided":
        yield "An interrupted change left rubbish in staging/sealing; the next change removes it."
    elif census.unfinished:
        yield f"Unfinished: {census.unfinished}. The next scan or ledger command carries out the rest."


def _days(census: Census) -> Iterator[str]:
    if not census.days:
        return
    yield ""
    yield f"{'day':<12}{'hours':>6}{'exchanges':>14}{'parts':>8}{'size':>12}"
    if len(census.days) > _LISTED:
        yield f"{len(census.days) - _LISTED:,} days before"
    for day in census.days[-_LISTED:]:
        yield f"{day.day!s:<12}{day.hours:>6,}{day.exchanges:>14,}{day.parts:>8,}{_size(day.bytes):>12}"


def _some(lines: Sequence[str], title: str) -> Iterator[str]:
    if not lines:
        return
    yield from ["", f"{title}:", *lines[:_LISTED]]
    if len(lines) > _LISTED:
        yield f"  and {len(lines) - _LISTED:,} more, see --json"


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "-"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _size(count: int) -> str:
    return f"{count / 2**20:,.1f} MiB"
