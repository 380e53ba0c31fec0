"""What a linking facet is: the contract of the plug-in door ``stillwatch.facets``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from stillwatch.engines.engine import Engine


@dataclass(frozen=True)
class FacetSignal:
    """What the reference says of one signal that a facet reports."""

    id: str
    shows: str  # what it measures, one sentence
    honest_twin: str  # who shows it without any campaign


@dataclass(frozen=True)
class FacetCard:
    """What the reference says of a facet."""

    name: str
    shows: str
    honest_twin: str
    method: str  # formula and source
    side: str  # "linking": the accounts belong together; "extraction": the work is a harvest; or "either"
    cap: float  # the most that it may say for a campaign, in nats, whatever its signals add up to
    floor: float = 0.0  # the most that it may say against one, a negative number
    dispatch: bool = False  # it tells how requests are dealt out, not what they say
    template: bool = False  # strangers who use one template show it too
    signals: tuple[FacetSignal, ...] = ()  # every signal that its findings may carry


class Facet(Protocol):
    """One independent kind of evidence."""

    card: FacetCard

    def links(self, engine: Engine) -> pa.Table:
        """Return LINKS: who holds which shared value, for the account graph; empty where it draws none."""

    def weigh(self, engine: Engine) -> pa.Table:
        """Return FINDINGS for every candidate, over the relations ``inside``, ``activity`` and ``members``.

        ``members`` holds ``candidate`` and ``account_id`` of the accounts that work as the group does.
        """
