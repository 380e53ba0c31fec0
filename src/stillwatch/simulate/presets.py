"""The worlds that can be asked for by name, at their published scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from stillwatch.simulate import campaigns, honest
from stillwatch.simulate.population import Population
from stillwatch.simulate.schedule import portions
from stillwatch.simulate.window import Window


@dataclass(frozen=True, slots=True)
class Preset:
    """A world at scale 1; honest numbers are those of ``honest=1``."""

    about: str
    first_day: date
    days: int
    campaigns: tuple[Population, ...]
    honest_accounts: int
    honest_exchanges: int
    copycats: tuple[Population, ...] = ()
    emphasis: Mapping[str, float] = field(default_factory=dict)  # kind of honest account -> times its share

    @property
    def window(self) -> Window:
        """The days covered."""
        return Window.of(self.first_day, self.days)

    def populations(self, scale: float, share: float) -> list[Population]:
        """Return the families of a world at ``scale`` with ``share`` times the honest traffic."""
        attack = [p.sized(p.accounts * scale, p.exchanges * scale) for p in self.campaigns]
        copied = [p.sized(p.accounts * scale * share, p.exchanges * scale * share) for p in self.copycats]
        return attack + (copied + self._honest(scale * share, copied) if share > 0 else [])

    def _honest(self, scale: float, copied: list[Population]) -> list[Population]:
        total = round(self.honest_exchanges * scale) - sum(int(p.exchanges) for p in copied)
        times = [self.emphasis.get(family.kind, 1.0) for family in honest.FAMILIES]
        exchanges = portions(
            max(total, 0),
            [family.exchanges * more for family, more in zip(honest.FAMILIES, times, strict=True)],
        )
        accounts = portions(
            max(round(self.honest_accounts * scale) - sum(int(p.accounts) for p in copied), 0),
            [family.accounts * more for family, more in zip(honest.FAMILIES, times, strict=True)],
        )
        return [
            family.sized(int(people), int(requests))
            for family, people, requests in zip(honest.FAMILIES, accounts, exchanges, strict=True)
        ]


PRESETS: Final[dict[str, Preset]] = {
    "demo": Preset(
        "three plain campaigns among every honest family, small enough for a first look",
        date(2026, 4, 22),
        14,
        (
            campaigns.elicitation("A-elicitation", 220, 7_000),
            campaigns.farm("B-generation", 120, 4_500),
            campaigns.grading("F-grading", 100, 3_500),
        ),
        4_000,
        65_000,
        (honest.copycats("A-elicitation", "elicit-mathematics"),),
    ),
    "families": Preset(
        "one small campaign of each family, the ones that are hard to see included",
        date(2026, 4, 22),
        28,
        (
            campaigns.elicitation("A-elicitation", 180, 7_200),
            campaigns.farm("B-generation", 120, 4_800),
            campaigns.slow("C-slow", 420, 7_000),
            campaigns.mixed("D-mixed", 160, 24_000),
            campaigns.paraphrased("E-paraphrased", 200, 6_000),
            campaigns.grading("F-grading", 100, 4_000),
            campaigns.trajectories("G-trajectories", 120, 5_000),
            campaigns.failover("H-failover", 160, 6_400),
            campaigns.pivot("I-pivot", 150, 6_000),
            campaigns.replay("J-replay", 130, 5_200),
            campaigns.programme_abuse("L-programme", 110, 4_400),
        ),
        12_000,
        210_000,
        (honest.copycats("C-slow", "elicit-mathematics"),),
    ),
    "quiet": Preset(
        "honest families only: whatever is found here is a false alarm",
        date(2026, 4, 22),
        21,
        (),
        8_000,
        140_000,
    ),
    "june-2026": Preset(
        "the largest published case: 25,000 accounts, 28.8 million exchanges, 22 April to 5 June 2026",
        date(2026, 4, 22),
        45,
        (campaigns.load_balanced("june-2026", 25_000, 28_800_000),),
        500_000,
        28_800_000,
    ),
    "two-pools": Preset(
        "a later window of the same: over 151 million exchanges in 90 days, a second pool on standby",
        date(2026, 6, 10),
        90,
        (campaigns.two_pools("two-pools", 8_500, 151_000_000),),
        500_000,
        151_000_000,
    ),
    "slow-slice": Preset(
        "5,380 accounts, about 300,000 exchanges in 10 days: 5.6 a day each",
        date(2026, 5, 4),
        10,
        (campaigns.slow("slow-slice", 5_380, 300_000),),
        100_000,
        1_200_000,
    ),
    "trace-cleaning": Preset(
        "273 accounts, 770,609 exchanges in 10 days: captured traces fed back to be normalised",
        date(2026, 5, 4),
        10,
        (campaigns.trace_cleaning("trace-cleaning", 273, 770_609),),
        60_000,
        770_609,
    ),
    "february-trio": Preset(
        "three operators at once: over 16 million exchanges from about 24,000 accounts",
        date(2026, 1, 5),
        45,
        (
            campaigns.load_balanced("trio-reasoning-and-agents", 20_500, 13_000_000),
            campaigns.grading("trio-grading", 1_500, 3_000_000),
            campaigns.elicitation("trio-reasoning", 2_000, 150_000),
        ),
        400_000,
        16_150_000,
    ),
}
