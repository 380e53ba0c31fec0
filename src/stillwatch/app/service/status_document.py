"""How the service is: what comes in, what the judge found, what is decided, what gates did, and what ails."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any, NamedTuple

from stillwatch import __version__
from stillwatch.app.service.endings import Endings
from stillwatch.app.service.judge_report import JudgeReport
from stillwatch.app.service.receiver import Receiver
from stillwatch.app.service.sealer import Sealer
from stillwatch.app.service.view import View
from stillwatch.contracts import StillwatchError, Verdict
from stillwatch.decisions.decision import Status
from stillwatch.decisions.policy import Measure
from stillwatch.decisions.store import Tally


class Trouble(NamedTuple):
    """Something that a person should look at."""

    part: str  # receiving, sealing, judge, publishing, store, gates, or a rules file or process by its name
    message: str


def status_document(view: View, now: datetime) -> dict[str, Any]:
    """Return everything in numbers; what cannot be read now is null, and told in ``troubles``."""
    troubles: list[Trouble] = []
    document = {
        "version": __version__,
        "now": now,
        "traffic": _traffic(view, troubles),
        "sealing": _sealing(view.sealer, view.receiver, troubles),
        "judge": _judge(view.judge(), now, troubles),
        "decisions": _decisions(view, troubles),
        "campaigns": _campaigns(view, troubles),
        "gates": _gates(view, troubles),
    }
    troubles += [
        Trouble(name, f"it ended {one.times:,} times soon after its start (exit code {one.exit_code})")
        for name, one in Endings.read(view.state).dying(now).items()
    ]
    return document | {"troubles": [trouble._asdict() for trouble in troubles]}


def _traffic(view: View, troubles: list[Trouble]) -> dict[str, Any]:
    try:
        hours = [{"hour": hour, "exchanges": count} for hour, count in view.hours.last()]
    except (StillwatchError, OSError) as error:
        hours = []
        troubles.append(Trouble("receiving", f"the ledger cannot be read: {error}"))
    told: dict[str, Any] = {"hours": hours, "received": None}
    if view.receiver is not None:
        figures = view.receiver.figures()
        told["received"] = {
            "exchanges": figures.accepted,
            "accounts": figures.accounts,
            "events": figures.events,
            "rejected": figures.rejected,
            "refused": dict(figures.refused),
            "reasons": [reason._asdict() for reason in figures.reasons],
            "inbox_bytes": figures.inbox_bytes,
        }
    return told


def _sealing(
    sealer: Sealer | None, receiver: Receiver | None, troubles: list[Trouble]
) -> dict[str, Any] | None:
    if sealer is None:
        return None
    if sealer.error is not None:
        troubles.append(Trouble("sealing", sealer.error))
    damaged = len(sealer.set_aside)
    if damaged:
        troubles.append(Trouble("sealing", f"{damaged} damaged files were set aside, see the service's log"))
    since = None if receiver is None else receiver.figures().seconds_since_seal
    return {
        "seconds_since_seal": since,
        "exchanges": sealer.sealed.exchanges,
        "set_aside": damaged,
        "error": sealer.error,
    }


def _judge(report: JudgeReport | None, now: datetime, troubles: list[Trouble]) -> dict[str, Any] | None:
    if report is None:
        troubles.append(Trouble("judge", "it has not judged anything yet"))
        return None
    late = report.is_late(now)
    if late:
        troubles.append(Trouble("judge", "its last tick is long ago: it hangs, or does not run"))
    if report.error:
        troubles.append(Trouble("judge", report.error))
    if report.policy_error:
        troubles.append(Trouble("policy", report.policy_error))
    troubles += [Trouble(file, error) for file, error in report.refused_files.items()]
    if report.publishing_error:
        troubles.append(
            Trouble("publishing", f"gates go on by what was published: {report.publishing_error}")
        )
    return {**report.model_dump(exclude={"pid"}), "late": late}


def _decisions(view: View, troubles: list[Trouble]) -> dict[str, Any] | None:
    try:
        tally = view.tally()
    except StillwatchError as error:
        troubles.append(Trouble("store", error.what))
        return None
    return {
        "revision": tally.revision,
        "by_status": {status.value: _sum(tally.decisions, status=status) for status in Status},
        "in_force": {
            measure.value: {
                "decisions": _sum(tally.decisions, status=Status.IN_FORCE, action=measure),
                "accounts": _sum(tally.accounts, status=Status.IN_FORCE, action=measure),
            }
            for measure in Measure
        },
        "dry_run_accounts": _dry(tally),
    }


def _sum(counts: dict[tuple[str, str, bool], int], *, status: Status, action: Measure | None = None) -> int:
    return sum(
        count
        for (one, what, _), count in counts.items()
        if one == status.value and (action is None or what == action.value)
    )


def _dry(tally: Tally) -> int:
    return sum(
        count for (status, _, dry), count in tally.accounts.items() if dry and status == Status.IN_FORCE.value
    )


def _campaigns(view: View, troubles: list[Trouble]) -> dict[str, Any]:
    try:
        campaigns = view.judged.campaigns()
    except StillwatchError as error:
        troubles.append(Trouble("judge", error.what))
        campaigns = []
    verdicts = Counter(row["verdict"] for row in campaigns)
    told = {verdict.value: verdicts[verdict.value] for verdict in (Verdict.CAMPAIGN, Verdict.WATCH)}
    called = [row for row in campaigns if row["verdict"] == Verdict.CAMPAIGN]
    return told | {
        "accounts": sum(row["accounts"] for row in called),
        "exchanges": sum(row["exchanges"] for row in called),
    }


def _gates(view: View, troubles: list[Trouble]) -> dict[str, Any]:
    told = view.outcomes.refresh()
    if told.broken_lines:
        troubles.append(Trouble("gates", f"{told.broken_lines:,} lines of outcomes cannot be read"))
    if view.key_file is not None and (wrong := view.key_file.trouble()):
        troubles.append(Trouble("key file", f"what gates read of it before holds: {wrong}"))
    window = view.going_past.last
    if window is not None and window.found.alert:
        troubles.append(Trouble("gates", window.found.alert))
    counts = [
        {"action": action, "outcome": outcome, "times": times}
        for (action, outcome), times in sorted(told.counts.items())
    ]
    last = None if told.last_at is None else datetime.fromtimestamp(told.last_at, UTC)
    past = None
    if window is not None:
        found = window.found._asdict()
        past = {"since": window.since, "until": window.until} | {
            name: found[name] for name in ("logged", "ruled", "turned_away", "unruled", "accounts")
        }
    return {"outcomes": counts, "last_at": last, "behind_bytes": told.behind, "going_past": past}
