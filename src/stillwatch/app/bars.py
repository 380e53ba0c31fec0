"""Progress as a person watches it: one bar per stage, on stderr, only where that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

from stillwatch.app.progress import Progress, Silent, Unit


@contextmanager
def watched(quiet: bool) -> Iterator[Progress]:
    """Progress for one command: bars where somebody watches, else silence."""
    console = Console(stderr=True)
    if quiet or not sys.stderr.isatty() or console.is_dumb_terminal:
        yield Silent()
        return
    bars = RichProgress(
        TextColumn("{task.description:<18}", markup=False),
        BarColumn(bar_width=16),
        _Amount(),
        _Rate(),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=console,
    )
    with bars:
        yield Bars(bars)


class Bars:
    """Shows each stage with what it did, its rate, and the time that remains or that it took."""

    def __init__(self, bars: RichProgress) -> None:
        self._bars = bars
        self._open: TaskID | None = None

    def stage(self, name: str, total: int | None = None, unit: Unit = "rows") -> None:
        """Close the stage before and open a bar for this one."""
        self.done()
        self._open = self._bars.add_task(name, total=total, unit=unit, counted=False)

    def advance(self, amount: int) -> None:
        """Move the open bar."""
        if self._open is not None:
            self._bars.update(self._open, advance=amount, counted=True)

    def done(self) -> None:
        """Close the open bar, full: a stage that ended did all there was."""
        if self._open is not None:
            did = next(task.completed for task in self._bars.tasks if task.id == self._open) or 1
            self._bars.update(self._open, total=did, completed=did)
            self._open = None


class _Amount(ProgressColumn):
    """What the stage has done so far; empty for one that does not count."""

    def render(self, task: Task) -> Text:
        return Text(_quantity(task.completed, task).rjust(14), no_wrap=True)


class _Rate(ProgressColumn):
    """Bytes or rows a second: over the last moments while it runs, over all when it ended."""

    def render(self, task: Task) -> Text:
        rate = task.completed / task.finished_time if task.finished_time else task.speed
        told = _quantity(rate, task) if rate else ""
        return Text(f"{told}/s".rjust(15) if told else "", no_wrap=True)


def _quantity(amount: float, task: Task) -> str:
    if not task.fields["counted"]:
        return ""
    return f"{amount / 1e6:,.1f} MB" if task.fields["unit"] == "bytes" else f"{amount:,.0f} rows"
