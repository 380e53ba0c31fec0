"""Which worlds the benchmark looks at: every campaign family at several sizes, rates and mixing shares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final, Literal

from stillwatch.simulate import campaigns, honest
from stillwatch.simulate.population import Enrolment, Identity, Network, Population
from stillwatch.simulate.presets import Preset
from stillwatch.simulate.world import write_world

Extent = Literal["quick", "default", "full"]
Study = Literal["ablation", "served"]
"""More scans of a world: with each part of detection left out, and of its log cut short."""

DAYS: Final = 14
FIRST_DAY: Final = date(2026, 4, 22)
SHARED: Final = Path(__file__).parents[3] / "shared" / "worlds"
"""Worlds of other authors, which are no part of the repository."""

FAMILIES: Final[dict[str, Callable[[str, float, float], Population]]] = {
    "A-elicitation": campaigns.elicitation,
    "B-generation": campaigns.farm,
    "C-slow": campaigns.slow,
    "D-mixed": campaigns.mixed,
    "E-paraphrased": campaigns.paraphrased,
    "F-grading": campaigns.grading,
    "G-trajectories": campaigns.trajectories,
    "H-failover": campaigns.failover,
    "I-pivot": campaigns.pivot,
    "J-replay": campaigns.replay,
    "L-programme": campaigns.programme_abuse,
    "load-balanced": campaigns.load_balanced,
    "trace-cleaning": campaigns.trace_cleaning,
}
_SIZES: Final = (60, 150, 400)
_LOW, _MIDDLE, _HIGH = 12, 40, 80
"""Requests per account in the two weeks: 0.9, 2.9 and 5.7 a day."""

_SHARES: Final = (1 / 3, 1 / 2, 2 / 3)


@dataclass(frozen=True)
class Attack:
    """One campaign: how many accounts, how many requests of each, what part of them is the campaign's."""

    family: str
    accounts: int
    each: int
    share: float = 1.0
    work_only: bool = False  # the accounts share nothing but the work

    @property
    def name(self) -> str:
        """Name that says all of it, such as ``A-elicitation 60x12 share 0.33 work only``."""
        mixing = f" share {self.share:.2f}" if self.share < 1 else ""
        return f"{self.family} {self.accounts}x{self.each}{mixing}{' work only' if self.work_only else ''}"

    def population(self) -> Population:
        """Return what the simulator makes of it."""
        made = FAMILIES[self.family](self.name, self.accounts, self.accounts * self.each)
        if self.share < 1:
            resold = campaigns.mixed("", 1, 1).traffic[0]
            own = tuple(replace(stream, share=stream.share * self.share) for stream in made.traffic)
            made = replace(made, traffic=(replace(resold, share=1 - self.share), *own))
        if self.work_only:
            made = replace(
                made,
                identity=Identity(),
                network=Network(),
                enrolment=replace(
                    Enrolment(during=0.3), ban=made.enrolment.ban, standby=made.enrolment.standby
                ),
                clients=(),
            )
        return made


@dataclass(frozen=True)
class World:
    """A world to be measured: one to be simulated, or a folder that is there."""

    name: str
    group: str  # alone, size and rate, mixing share, mixed, quiet, shared
    attacks: tuple[Attack, ...] = ()
    honest_accounts: int = 2_000
    honest_exchanges: int = 20_000
    seed: int = 1
    folder: Path | None = None
    studies: frozenset[Study] = frozenset()

    def at(self, folder: Path) -> Path:
        """Return the world's own folder, simulated into ``folder`` where it is not there already."""
        if self.folder is not None:
            return self.folder
        copied = [honest.copycats(one.name, "elicit-mathematics") for one in self.attacks[:1]]
        plan = Preset(
            self.name,
            FIRST_DAY,
            DAYS,
            tuple(one.population() for one in self.attacks),
            self.honest_accounts,
            self.honest_exchanges,
            tuple(copied),
        )
        write_world(plan, self.name, seed=self.seed, out=folder)
        return folder


def chosen(extent: Extent, shared: Path = SHARED) -> list[World]:
    """Return the worlds of a run, the longest first, so that two processes end at about the same time."""
    if extent == "quick":
        return [
            _mixed("mixed", 1, _QUICK_MIX, _SERVED),
            _quiet(1, 2_500),
            *_alone([Attack("C-slow", 150, _LOW)]),
        ]
    found = [*_shared(shared, _BOTH if extent == "full" else frozenset()), *_mixes(), _quiet(1), _quiet(2)]
    if extent == "default":
        return found + _alone(_ONE_OF_EACH) + _grid(_CORNERS) + _mixing(["A-elicitation"], _SHARES[::2])
    everything = [
        Attack(family, accounts, each, work_only=alike)
        for family in FAMILIES
        for accounts in _SIZES
        for each in (_LOW, _HIGH)
        for alike in (False, True)
    ]
    more = [_quiet(seed) for seed in (3, 4, 5)]
    return found + more + _alone(_ONE_OF_EACH) + _grid(everything) + _mixing(list(FAMILIES), _SHARES)


_BOTH: Final[frozenset[Study]] = frozenset({"ablation", "served"})
_SERVED: Final[frozenset[Study]] = frozenset({"served"})
_ONE_OF_EACH: Final = [Attack(family, 150, _MIDDLE) for family in FAMILIES]
_HARD: Final = ("D-mixed", "E-paraphrased", "F-grading", "G-trajectories", "H-failover", "J-replay")
_CORNERS: Final = [
    *(Attack("A-elicitation", size, each, work_only=True) for size in (60, 400) for each in (_LOW, _HIGH)),
    *(Attack(family, 150, _LOW, work_only=True) for family in _HARD),
    Attack("A-elicitation", 150, _MIDDLE, work_only=True),
    Attack("A-elicitation", 60, _LOW),
]
_QUICK_MIX: Final = [Attack(family, 80, 30) for family in ("A-elicitation", "F-grading", "G-trajectories")]


def _alone(attacks: Sequence[Attack]) -> list[World]:
    return [World(one.name, "alone", (one,)) for one in attacks]


def _grid(attacks: Sequence[Attack]) -> list[World]:
    return [World(one.name, "size and rate", (one,), seed=2) for one in attacks]


def _mixing(families: Sequence[str], shares: Sequence[float]) -> list[World]:
    attacks = [Attack(family, 150, 2 * _MIDDLE, share) for family in families for share in shares]
    return [World(one.name, "mixing share", (one,), seed=3) for one in attacks]


def _mixes() -> list[World]:
    lettered = [family for family in FAMILIES if family[1] == "-"]
    shared = [Attack(family, 100, 30) for family in lettered]
    return [
        _mixed("mixed", 1, shared, _BOTH),
        _mixed("mixed, work only", 2, [replace(one, work_only=True) for one in shared], _SERVED),
    ]


def _mixed(name: str, seed: int, attacks: Sequence[Attack], studies: frozenset[Study]) -> World:
    return World(name, "mixed", tuple(attacks), 3_000, 30_000, seed, studies=studies)


def _quiet(seed: int, accounts: int = 4_000) -> World:
    return World(f"quiet {seed}", "quiet", (), accounts, accounts * 10, seed)


def _shared(folder: Path, studies: frozenset[Study]) -> list[World]:
    return [
        World(path.parent.name, "shared", folder=path.parent, studies=studies)
        for path in sorted(folder.glob("*/truth.parquet"), reverse=True)
    ]
