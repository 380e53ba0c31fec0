"""Which accounts of a candidate work as the group does, and which are strangers beside it.

A family of one scaffold holds the accounts of a campaign and, beside them, people who use the same
words: copycats, judges with the same template, users of the same harness. Each account's signals say
how much more likely its behaviour is for one who serves a queue than for an ordinary account; a
two-part mixture of both kinds gives the share of the first and each account's probability to be one
(Dempster et al. 1977). Where nobody works like that the share goes to zero and nobody is a member:
taking the lucky half of honest accounts would make evidence out of noise.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.accounts.behaviour import Behaviour, Floats
from stillwatch.accounts.ordinary import Ordinary, Uses
from stillwatch.accounts.profiles import WHOLE_TRAFFIC
from stillwatch.accounts.signals.signal import AccountSignal, SignalCard, Weigher
from stillwatch.contracts import FINDINGS, MEMBERSHIP, SIGNALS, conform
from stillwatch.engines.compiled import compiled

_ROUNDS: Final = 4
"""Group parameters (its rate, its span) and membership are estimated in turn; four turns settle."""

_MIXTURE_STEPS: Final = 100
_SETTLED: Final = 1e-9
_LEAST_SHARE: Final = 1e-6

MEMBER: Final = 0.75
"""Probability from which on an account is taken for a member: a stranger costs more than a miss."""

_MOST_SHARE: Final = 0.9
"""The share of members is taken for no more than this: nobody is one by the company he keeps alone."""

MIN_MEMBERS: Final = 8
"""With fewer members the candidate is judged as the whole that it is."""

_CHOICE_COST: Final = 0.5
"""Nats by which an honest account that happens to be chosen looks like a member, on average."""


_LEAST_CREDIT: Final = 0.65
"""Members whose evidence is mostly the freedom of choosing them are nobody's pool: then nobody is one."""


@dataclass(frozen=True)
class Assessment:
    """MEMBERSHIP of every candidate, and what the signals say of its members together (FINDINGS)."""

    membership: pa.Table
    findings: pa.Table
    rows: pa.Table  # candidate and account_id
    ratios: Mapping[str, Floats]  # of each row, by signal

    def signals(self, candidates: Collection[int]) -> pa.Table:
        """Return SIGNALS of these candidates: of all of them they would fill the memory."""
        chosen = pc.is_in(self.rows["candidate"], pa.array(sorted(candidates), pa.int64()))
        rows, own = self.rows.filter(chosen), chosen.to_numpy()
        return _signals(rows, {name: ratio[own] for name, ratio in self.ratios.items()})


def assess_membership(
    behaviour: pa.Table, uses: pa.Table, signals: Mapping[str, AccountSignal]
) -> Assessment:
    """Weigh every account of every candidate in ``behaviour`` (BEHAVIOUR) by ``signals``.

    These learn ordinary traffic from all accounts' whole behaviour, and from ``uses`` (see
    :func:`scaffold_uses`).
    """
    # Whole traffic stands first: millions of rows are not copied to part them.
    whole = int(np.searchsorted(behaviour["candidate"].to_numpy(), WHOLE_TRAFFIC, side="right"))
    ordinary = Ordinary(Behaviour.of(behaviour.slice(0, whole)), Uses.of(uses))
    inside = behaviour.slice(whole)
    weighers = {name: signal.fit(ordinary) for name, signal in signals.items()}
    bounds = {name: (signal.card.floor, signal.card.cap) for name, signal in signals.items()}
    rows, numbers = Behaviour.of(inside), inside["candidate"].to_numpy()
    ratios = {name: np.zeros(len(rows)) for name in weighers}
    strength = np.zeros(len(rows))
    pooled: list[dict[str, object]] = []
    for number, chosen in _groups(numbers):
        group = rows.where(chosen)
        weighed, core, strength[chosen], credit = _settle(group, weighers, bounds)
        for name, ratio in weighed.items():
            ratios[name][chosen] = ratio
            if signals[name].card.facet:
                evidence = np.clip(weighers[name].evidence(group, core), *bounds[name])
                found = _pool(group, weighers[name], signals[name].card, evidence, strength[chosen], credit)
                pooled.append({"candidate": number, **found})
    findings = pa.Table.from_pylist(pooled, schema=FINDINGS)
    rows_of = inside.select(["candidate", "account_id"])
    return Assessment(_membership(rows_of, strength), findings, rows_of, ratios)


def _groups(candidate: npt.NDArray[np.int64]) -> Iterator[tuple[int, slice]]:
    """Yield each candidate with its rows, which lie together in BEHAVIOUR."""
    numbers, starts = np.unique(candidate, return_index=True)
    for number, start, end in zip(numbers.tolist(), starts, [*starts, len(candidate)][1:], strict=True):
        yield number, slice(start, end)


def _pool(
    group: Behaviour, weigher: Weigher, card: SignalCard, evidence: Floats, strength: Floats, credit: float
) -> dict[str, object]:
    """Return what one signal says of a candidate: over its members, or over all where it has none.

    Members were chosen by these very ratios: what speaks for the group counts by ``credit``, see
    :func:`_credit`, and each member pays for as much choice as there was, or for what the signal leans;
    what speaks against it counts whole. Colleagues of one declared organisation count as one: that they
    are alike is no secret.
    """
    member = strength >= MEMBER
    counted = member if member.sum() >= MIN_MEMBERS else np.ones(len(evidence), bool)
    seen = weigher.describe(group.where(counted))
    parties = 1 / group.colleagues[counted]
    total = float((evidence[counted] * parties).sum())
    if total > 0:
        each = max(card.lean, (1 - credit) * _CHOICE_COST)
        total = credit * max(total - each * float(parties.sum()), 0.0)
    return {
        "facet": card.facet,
        "signal": card.id,
        "side": card.side,
        "llr": float(np.clip(total, card.group_floor, card.group_cap)),
        "observed": seen.observed,
        "expected": seen.expected,
        "accounts": int(counted.sum()),
        "exchanges": int(group.exchanges[counted].sum()),
        "statement": seen.statement,
    }


def _settle(
    group: Behaviour, weighers: Mapping[str, Weigher], bounds: Mapping[str, tuple[float, float]]
) -> tuple[dict[str, Floats], Floats, Floats, float]:
    """Return each signal's ratios and whom they trusted, each account's strength, and the members' credit."""
    core, trusted = np.ones(len(group)), np.zeros(len(group))
    for _ in range(_ROUNDS):
        if np.abs(core - trusted).max() < _SETTLED:
            break
        trusted = core
        ratios = {name: np.clip(weigh(group, trusted), *bounds[name]) for name, weigh in weighers.items()}
        together = np.sum(list(ratios.values()), axis=0) - _CHOICE_COST
        core = _posterior(together)
    credit = _credit(together, core)
    strength = core if credit >= _LEAST_CREDIT else np.minimum(core, 1 - MEMBER - 1e-9)
    return ratios, trusted, strength, credit


def _credit(ratio: Floats, posterior: Floats) -> float:
    """Return how much of the members' evidence is left once the freedom of choosing them is paid for.

    Members are the accounts whose ratios are high, so the sum of their ratios is high wherever there are
    many accounts to choose from. What the whole candidate says for a part of it being members is the
    likelihood of the mixture, ``sum log(1 - share + share exp(ratio))``: near the sum of the members'
    ratios where nearly all are members, near nothing where a lucky fifth was picked.
    """
    share = float(np.clip(posterior.mean(), 1e-6, 1 - 1e-6))
    chosen = float(ratio[posterior >= MEMBER].sum())
    mixture = float(np.log1p(share * np.expm1(np.clip(ratio, -30, 30))).sum())
    return float(np.clip(mixture / chosen, 0.0, 1.0)) if chosen > 0 else 0.0


def _posterior(ratio: Floats) -> Floats:
    """Return P(member) of each account, the share of members fitted by expectation maximisation."""
    odds = np.exp(np.clip(ratio, -30, 30))
    share = _share_of_members(odds)
    return np.asarray(share * odds / (1 - share + share * odds))


@compiled
def _share_of_members(odds: Floats) -> float:
    share = 0.5
    for _ in range(_MIXTURE_STEPS):
        total = 0.0
        for one in odds:
            total += share * one / (1 - share + share * one)
        before, share = share, min(max(total / len(odds), _LEAST_SHARE), _MOST_SHARE)
        if abs(share - before) < _SETTLED:
            break
    return share


def _signals(rows: pa.Table, ratios: Mapping[str, Floats]) -> pa.Table:
    parts = [
        rows.append_column("signal", pa.array([name] * rows.num_rows, pa.string())).append_column(
            "llr", pa.array(ratio)
        )
        for name, ratio in ratios.items()
    ]
    return conform(pa.concat_tables(parts), SIGNALS, "accounts")


def _membership(rows: pa.Table, strength: npt.NDArray[np.float64]) -> pa.Table:
    table = rows.append_column("strength", pa.array(strength))
    return conform(table.append_column("member", pa.array(strength >= MEMBER)), MEMBERSHIP, "accounts")
