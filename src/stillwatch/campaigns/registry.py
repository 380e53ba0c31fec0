"""Campaign ids over time: a campaign keeps its name from scan to scan while its members do.

The registry is one JSON lines file in the state folder, read whole and replaced whole: a line for each
campaign with its members, and a line for each split and merge, oldest first.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from stillwatch.campaigns.selection import Campaign, campaign_id
from stillwatch.contracts import RunFolderError
from stillwatch.engines.parquet import replacing

FILE: Final = "campaigns.jsonl"
"""Name of the registry in a state folder."""

_SAME: Final = 0.5
"""Share of the smaller member list from which on an old and a new campaign are the same."""


@dataclass(frozen=True)
class Event:
    """A campaign that came out of another one, or went into it."""

    kind: str  # "split" or "merge"
    campaign_id: str
    other: str


@dataclass(frozen=True)
class Registry:
    """Known campaigns by id, with the members of their last sight, and what became of them."""

    members: dict[str, frozenset[str]]
    events: tuple[Event, ...] = ()

    @classmethod
    def load(cls, path: Path) -> Registry:
        """Read the registry; an absent file is an empty one.

        Raises:
            RunFolderError: a line is no registry entry.
        """
        if not path.exists():
            return cls({})
        members: dict[str, frozenset[str]] = {}
        events: list[Event] = []
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            entry = _entry(line, path, number)
            if "members" in entry:
                members[entry["campaign_id"]] = frozenset(entry["members"])
            else:
                events.append(Event(entry["kind"], entry["campaign_id"], entry["other"]))
        return cls(members, tuple(events))

    def save(self, path: Path) -> None:
        """Replace the file by this registry."""
        path.parent.mkdir(parents=True, exist_ok=True)
        known = [{"campaign_id": name, "members": sorted(own)} for name, own in sorted(self.members.items())]
        happened = [vars(event) for event in self.events]
        with replacing(path) as unfinished:
            unfinished.write_text(
                "".join(json.dumps(line) + "\n" for line in [*known, *happened]), encoding="utf-8"
            )

    def ancestors(self) -> dict[str, frozenset[str]]:
        """Return the campaigns that each one came out of or took in, and those that they did in turn."""
        told: dict[str, set[str]] = {}
        for event in self.events:  # oldest first: what an ancestor came from is known by then
            own = told.setdefault(event.campaign_id, set())
            own |= {event.other, *told.get(event.other, ())} - {event.campaign_id}
        return {name: frozenset(own) for name, own in told.items()}

    def keeping(self, stays: Callable[[str], bool]) -> Registry:
        """Return the registry without the members that do not stay, and without campaigns that had no other.

        What remains of a campaign is recognised under its id. The id itself stays as it was made: a short
        hash of the members at first sight.
        """
        members = {name: frozenset(filter(stays, own)) for name, own in self.members.items()}
        kept = {name: own for name, own in members.items() if own}
        return Registry(kept, tuple(event for event in self.events if event.campaign_id in kept))

    def recognise(self, campaigns: Iterable[Campaign]) -> tuple[list[Campaign], Registry]:
        """Return the campaigns under their known ids, and the registry that knows them.

        The new campaign that shares most members with an old one takes its id; a further one that came
        out of the old one is a split, and an old one that went into it beside its own is a merge.
        """
        members, events = dict(self.members), list(self.events)
        taken: set[str] = set()
        named = []
        for campaign in campaigns:
            ancestors = self._ancestors(campaign.members)
            free = [name for name in ancestors if name not in taken]
            name = free[0] if free else _unused(campaign, {*members, *taken})
            events += [Event("split", name, other) for other in ancestors if other in taken]
            events += [Event("merge", name, other) for other in free[1:]]
            taken |= {name, *free}
            members |= {name: campaign.members}
            named.append(replace(campaign, campaign_id=name))
        merged = {event.other for event in events if event.kind == "merge"}
        kept = {name: own for name, own in members.items() if name not in merged}
        return named, Registry(kept, tuple(dict.fromkeys(events)))

    def _ancestors(self, members: frozenset[str]) -> list[str]:
        """Return the known campaigns of the same members, the one that shares most first."""
        shared = {name: len(own & members) for name, own in self.members.items()}
        same = [
            name
            for name, count in shared.items()
            if count and count >= _SAME * min(len(members), len(self.members[name]))
        ]
        return sorted(same, key=lambda name: (-shared[name], name))


def _unused(campaign: Campaign, used: Collection[str]) -> str:
    """Return the campaign's own id, or one like it where that already names another campaign."""
    name, members = campaign.campaign_id, campaign.members
    while name in used:
        members |= {name}
        name = campaign_id(members)
    return name


def _entry(line: str, path: Path, number: int) -> dict[str, Any]:
    try:
        entry = json.loads(line)
        if entry["campaign_id"] and ("members" in entry or (entry["kind"] and entry["other"])):
            return dict(entry)
    except (ValueError, KeyError, TypeError):
        pass
    raise RunFolderError(
        "this is no entry of a campaign registry",
        remedy="Restore the file from a copy, or remove it to have campaigns named anew",
        file=str(path),
        line=number,
    )
