"""What a finished command prints for a person."""

from __future__ import annotations

import shlex
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import pyarrow.compute as pc
from rich.console import Console
from rich.text import Text

from stillwatch.contracts import Action, Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from stillwatch.app.result import ReplayResult, ScanResult
    from stillwatch.simulate.world import WorldSummary

_LISTED: Final = 20  # groups on the screen; campaigns.parquet has them all
_WARNED: Final = 10  # warnings on the screen; manifest.json has them all
_STYLES: Final = {Verdict.CAMPAIGN: "bold red", Verdict.WATCH: "yellow", Verdict.CLEAR: "green"}


def show_scan(result: ScanResult) -> None:
    """Print the groups found, strongest first, and where to go on."""
    groups = result.campaigns.to_pylist()
    lines: list[str | Text] = [_headline(groups, result.accounts.num_rows)]
    for group in groups[:_LISTED]:
        lines += ["", *_group(group)]
    if len(groups) > _LISTED:
        lines += ["", f"and {len(groups) - _LISTED:,} more in {result.out / 'campaigns.parquet'}"]
    pdf = result.out / "report.pdf" if result.manifest["settings"]["pdf"] else None
    lines += _warnings(result)
    lines += ["", *_reports(result.out / "report.html", pdf)]
    if groups:
        lines += [f"Explain:  stillwatch explain {shlex.quote(str(result.out))} {groups[0]['campaign_id']}"]
    show(*lines)


def show_report(page: Path, pdf: Path | None = None) -> None:
    """Print where the report is that was written again."""
    show(*_reports(page, pdf))


def _reports(page: Path, pdf: Path | None) -> list[str]:
    return [f"Report:   {page}", *([f"In print: {pdf}"] if pdf else [])]


def show_replay(result: ReplayResult) -> None:
    """Print what the whole log shows, when its first throttle came, and how many of each there were."""
    show_scan(result)
    actions = Counter(result.decisions["action"].to_pylist())
    throttles = result.decisions.filter(pc.equal(result.decisions["action"], Action.THROTTLE))
    decided = ", ".join(f"{actions[action]:,} {action}" for action in Action)
    first = f"; first throttle {throttles['decided_at'][0].as_py():%Y-%m-%d %H:%M} UTC" if throttles else ""
    show(f"Decided:  {decided}{first}", f"Table:    {result.out / 'decisions.parquet'}")


def show_world(world: WorldSummary) -> None:
    """Print how much was simulated and the command that scans it."""
    exchanges = shlex.quote(str(world.out / "exchanges-*.parquet"))  # stillwatch expands it, not the shell
    accounts = shlex.quote(str(world.out / "accounts.parquet"))
    size = f"{counted(world.accounts, 'account')}, {counted(world.exchanges, 'exchange')}"
    show(
        f"{size}, {counted(len(world.campaigns), 'campaign')} in {world.out}",
        f"Scan:     stillwatch scan {exchanges} --accounts {accounts}",
    )


def show(*lines: str | Text) -> None:
    """Print lines as they are: no wrapping, no markup, no colour but where asked for and shown."""
    console = Console(highlight=False, markup=False, soft_wrap=True, emoji=False)
    for line in lines:
        console.print(line)


def _warnings(result: ScanResult) -> list[str | Text]:
    warnings = result.manifest["warnings"]
    if not warnings:
        return []
    lines = [Text.assemble(("Warning:  ", "yellow"), entry["text"]) for entry in warnings[:_WARNED]]
    more = len(warnings) - _WARNED
    return ["", *lines, *([f"and {more:,} more in {result.out / 'manifest.json'}"] if more > 0 else [])]


def _headline(groups: list[dict[str, Any]], accounts: int) -> str:
    verdicts = Counter(group["verdict"] for group in groups)
    campaigns = counted(verdicts[Verdict.CAMPAIGN], "campaign")
    return f"{campaigns} and {verdicts[Verdict.WATCH]:,} to watch among {counted(accounts, 'account')}"


def counted(number: int, noun: str) -> str:
    """Return ``1 account``, ``2 accounts``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _group(group: dict[str, Any]) -> list[str | Text]:
    verdict = Verdict(group["verdict"])
    size = f"{group['accounts']:,} accounts  {group['exchanges']:,} exchanges  q = {group['q_value']:.2g}"
    line = Text.assemble(group["campaign_id"], "  ", (f"{verdict:<8}", _STYLES[verdict]), "  ", size)
    return [line, f"    {group['summary']}"]
