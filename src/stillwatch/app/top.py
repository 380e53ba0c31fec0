"""A running service on one screen of the terminal."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from stillwatch.app.decision_texts import plain
from stillwatch.app.service_client import ServiceClient
from stillwatch.contracts import ServiceError

_HOUR: Final = timedelta(hours=1)
_CAMPAIGNS: Final = 8
_DECISIONS: Final = 12
_STEPS: Final = " ▁▂▃▄▅▆▇█"
_STYLES: Final = {
    "campaign": "bold red",
    "watch": "yellow",
    "in-force": "bold red",
    "pending": "yellow",
}


class Seen(NamedTuple):
    """What a service said at one moment."""

    status: dict[str, Any]
    campaigns: dict[str, Any]
    decisions: dict[str, Any] | None  # None: its store is away

    def document(self) -> dict[str, Any]:
        """Return it for a program."""
        decisions = [] if self.decisions is None else self.decisions["decisions"]
        return {"status": self.status, "campaigns": self.campaigns["campaigns"], "decisions": decisions}


def look(client: ServiceClient) -> Seen:
    """Ask a service for what a screen shows.

    Raises:
        ServiceError: it does not answer, or refuses.
    """
    status = client.ask("/v1/status")
    if not {"traffic", "judge", "decisions", "gates", "troubles"} <= status.keys():
        raise client.stranger()
    campaigns = client.ask(f"/v1/campaigns?limit={_CAMPAIGNS}")
    away = status["decisions"] is None
    return Seen(status, campaigns, None if away else client.ask(f"/v1/decisions?limit={_DECISIONS}"))


def show(seen: Seen) -> None:
    """Print the screen once."""
    Console(highlight=False, markup=False, emoji=False).print(screen(seen))


def watch(client: ServiceClient, every: float) -> None:
    """Show the screen until Ctrl-C; while the service is away the last one stays, with why.

    Args:
        client: of the service.
        every: seconds between two looks.

    Raises:
        ServiceError: it does not answer the first time.
    """
    seen = look(client)
    console = Console(highlight=False, markup=False, emoji=False)
    with Live(screen(seen), console=console, screen=True, auto_refresh=False) as live:
        while True:
            live.refresh()
            time.sleep(every)
            try:
                seen = look(client)
                live.update(screen(seen))
            except ServiceError as error:
                live.update(Group(Text(plain(str(error)), "bold red"), screen(seen)))


def screen(seen: Seen) -> RenderableType:
    """Return everything that there is to see, troubles first."""
    status = seen.status
    return Group(
        Text.assemble(("stillwatch ", "bold"), str(status["version"]), f"   {_moment(status['now'])}"),
        *(
            Text(f"! {plain(each['part'])}: {plain(each['message'])}", "bold red")
            for each in status["troubles"]
        ),
        Text(),
        _numbers(status),
        Text(),
        _campaigns(seen.campaigns),
        _decisions(seen.decisions),
    )


def _numbers(status: dict[str, Any]) -> Table:
    told = Table.grid(padding=(0, 2))
    judge, traffic, gates = status["judge"], status["traffic"], status["gates"]
    hours = [each["exchanges"] for each in traffic["hours"]]
    if hours:
        words = f"{sum(hours):,} exchanges in {len(hours)} hours{_up_to(status)}"
        told.add_row("Traffic", _bars(hours), words)
    received = traffic["received"]
    if received is not None:
        waits = f"{received['inbox_bytes'] / 2**20:,.1f} MiB wait to be sealed"
        told.add_row(
            "Received", f"{received['exchanges']:,}", f"{received['rejected']:,} could not be read, {waits}"
        )
    if judge is not None:
        told.add_row(
            "Judge",
            f"{judge['seen']:,}",
            f"until {_moment(judge['until'])}, last tick {judge['seconds']:.1f} s",
        )
    acted = sum(each["times"] for each in gates["outcomes"])
    past = gates["going_past"]
    told.add_row(
        "Gates", f"{acted:,}", "" if past is None else f"{past['unruled']:,} requests went past them"
    )
    return told


def _up_to(status: dict[str, Any]) -> str:
    """Say when the last hour ended that holds anything, where that is not about now."""
    end = datetime.fromisoformat(status["traffic"]["hours"][-1]["hour"]) + _HOUR
    return f" up to {_moment(end.isoformat())}" if datetime.fromisoformat(status["now"]) - end > _HOUR else ""


def _campaigns(found: dict[str, Any]) -> Table:
    told = _table("Campaigns", found["total"], "id", "verdict", "accounts", "exchanges", "q", "what")
    for row in found["campaigns"]:
        told.add_row(
            plain(row["campaign_id"]),
            Text(row["verdict"], _STYLES.get(row["verdict"], "")),
            f"{row['accounts']:,}",
            f"{row['exchanges']:,}",
            f"{row['q_value']:.2g}",
            plain(row["summary"]),
        )
    return told


def _decisions(found: dict[str, Any] | None) -> RenderableType:
    if found is None:
        return Text("Decisions cannot be read now.", "bold red")
    told = _table(
        "Decisions that stand", found["total"], "id", "status", "action", "accounts", "until", "rule"
    )
    for row in found["decisions"]:
        told.add_row(
            plain(row["id"]),
            Text(_standing(row), _STYLES.get(_standing(row), "")),
            row["action"],
            f"{row['accounts']:,}",
            _moment(row["expires_at"])[5:16],
            plain(row["rule"]),
        )
    return told


def _standing(row: dict[str, Any]) -> str:
    """Return how a decision stands: one that is in force and only tried out asks nothing."""
    tried = row["status"] == "in-force" and row["dry_run"] and row["action"] != "observe"
    return "dry run" if tried else str(row["status"])


def _table(title: str, total: int, *names: str) -> Table:
    told = Table(
        title=f"{title}: {total:,}", title_justify="left", title_style="bold", box=box.SIMPLE, expand=True
    )
    for name in names:
        right = name in ("accounts", "exchanges", "q")
        words = name == names[-1]  # which give way to ids and numbers, and go on below
        told.add_column(name, justify="right" if right else "left", no_wrap=not words)
    return told


def _bars(counts: list[int]) -> str:
    most = max(*counts, 1)
    return "".join(_STEPS[-(-count * (len(_STEPS) - 1) // most)] for count in counts)


def _moment(text: str | None) -> str:
    return "never" if text is None else f"{text[:10]} {text[11:16]} UTC"
