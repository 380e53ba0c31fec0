"""Which accounts of a candidate work as the group does, and which are strangers beside it.

A family of one scaffold holds the accounts of a campaign and, beside them, people who use the same
words: copycats, judges with the same template, users of the same harness. Each account's signals say
how much more likely its behaviour is for one who serves a queue than for an ordinary account; a
two-part mixture of both kinds gives the share of the first and each account's probability to be one
(Dempster et al. 1977). Where nobody works like that the share goes to zero and nobody is a member:
taking the lucky half of honest accounts would make evidence out of noise.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain, pairwise
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.accounts.behaviour import Behaviour, Floats
from stillwatch.accounts.ordinary import Ordinary, Uses
from stillwatch.accounts.profiles import WHOLE_TRAFFIC
from stillwatch.accounts.signals.signal import AccountSignal, Observation, SignalCard, Weigher
from stillwatch.contracts import BEHAVIOUR, FINDINGS, MEMBERSHIP, SIGNALS, conform
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

_WEIGHERS: Final = 2
"""Threads that weigh parts of behaviour: between what is compiled they wait for each other, so not many."""

_AHEAD: Final = 3
"""Parts that wait or are weighed: so many that there is always one, few enough to hold."""

Bounds = tuple[float, float]


@dataclass(frozen=True)
class Bench:
    """The signals, fitted to the ordinary traffic of one log."""

    cards: Mapping[str, SignalCard]
    weighers: Mapping[str, Weigher]

    @classmethod
    def fit(cls, signals: Mapping[str, AccountSignal], ordinary: Ordinary) -> Bench:
        """Fit each signal to what is ordinary."""
        cards = {name: signal.card for name, signal in signals.items()}
        return cls(cards, {name: signal.fit(ordinary) for name, signal in signals.items()})

    def bounds(self, name: str) -> Bounds:
        """Return how far one account may speak by a signal."""
        return self.cards[name].floor, self.cards[name].cap

    def assess(self, behaviour: Iterable[pa.Table]) -> Assessment:
        """Weigh BEHAVIOUR of candidates, without any account's whole; what is ordinary is not learnt anew."""
        return _assess(_whole_candidates(behaviour), behaviour, self)


@dataclass(frozen=True)
class Assessment:
    """MEMBERSHIP of every candidate, and what the signals say of its members together (FINDINGS)."""

    membership: pa.Table
    findings: pa.Table
    bench: Bench
    _behaviour: Iterable[pa.Table]

    def signals(self, candidates: Collection[int]) -> pa.Table:
        """Return SIGNALS of these candidates, weighed once more: those of all would fill the memory."""
        wanted = pa.array(sorted(candidates), pa.int64())
        parts = [part.filter(pc.is_in(part["candidate"], wanted)) for part in self._behaviour]
        table = pa.concat_tables([BEHAVIOUR.empty_table(), *parts])
        settled = [_settle(group, self.bench) for group in _groups(table)]
        ratios = {name: [one.ratios[name] for one in settled] for name in self.bench.cards}
        rows = table.select(["candidate", "account_id"])
        return _signals(rows, {name: np.concatenate([np.zeros(0), *own]) for name, own in ratios.items()})


def assess_membership(
    behaviour: Iterable[pa.Table], uses: pa.Table, signals: Mapping[str, AccountSignal]
) -> Assessment:
    """Weigh every account of every candidate by ``signals``.

    Args:
        behaviour: BEHAVIOUR in its order, in parts of any size; gone through again for single signals.
        uses: what each account did with each scaffold, see :func:`scaffold_uses`; with all accounts' whole
            behaviour it is what signals take for ordinary.
        signals: the signals by name.
    """
    parts = _whole_candidates(behaviour)
    first = next(parts, BEHAVIOUR.empty_table())
    whole = int(np.searchsorted(first["candidate"].to_numpy(), WHOLE_TRAFFIC, side="right"))
    bench = Bench.fit(signals, Ordinary(Behaviour.of(first.slice(0, whole)), Uses.of(uses)))
    return _assess(chain([first.slice(whole)], parts), behaviour, bench)


def _assess(parts: Iterable[pa.Table], behaviour: Iterable[pa.Table], bench: Bench) -> Assessment:
    membership, findings = [MEMBERSHIP.empty_table()], [FINDINGS.empty_table()]
    for strengths, found in _beside(partial(_weigh_part, bench), parts):
        membership.append(strengths)
        findings.append(found)
    return Assessment(pa.concat_tables(membership), pa.concat_tables(findings), bench, behaviour)


def _beside(
    weigh: Callable[[pa.Table], tuple[pa.Table, pa.Table]], parts: Iterable[pa.Table]
) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Weigh the parts in threads of their own, while the next one is made; in the order of the parts."""
    waiting: deque[Future[tuple[pa.Table, pa.Table]]] = deque()
    with ThreadPoolExecutor(_WEIGHERS) as workers:
        try:
            for part in parts:
                waiting.append(workers.submit(weigh, part))
                if len(waiting) > _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:  # a part takes seconds, and nobody waits for it any more
                future.cancel()


def _weigh_part(bench: Bench, part: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return MEMBERSHIP and FINDINGS of the candidates of a part."""
    weighed = [_weigh(bench, group) for group in _groups(part)]
    strengths = _membership(part, [one.strength for one in weighed])
    return strengths, _findings(part, [one.findings for one in weighed])


def _whole_candidates(parts: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Cut the parts anew, so that none ends within a candidate."""
    held = BEHAVIOUR.empty_table()
    for part in parts:
        held = pa.concat_tables([held, part])
        numbers = held["candidate"].to_numpy()
        last = int(np.searchsorted(numbers, numbers[-1])) if len(numbers) else 0
        if last:
            yield held.slice(0, last)
            held = held.slice(last)
    if held.num_rows:
        yield held


def _groups(part: pa.Table) -> list[Behaviour]:
    """Return what the accounts of each candidate did, whose rows lie together."""
    rows, ends = Behaviour.of(part), _ends(part)
    return [rows.where(slice(start, end)) for start, end in pairwise([0, *ends])]


def _ends(part: pa.Table) -> list[int]:
    """Return where each candidate ends."""
    numbers = part["candidate"].to_numpy()
    return [*(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(numbers)] if len(numbers) else []


@dataclass(frozen=True)
class _Weighed:
    """One candidate: its accounts' strengths, and its rows of FINDINGS but for its number."""

    strength: Floats
    findings: list[dict[str, object]]


def _weigh(bench: Bench, group: Behaviour) -> _Weighed:
    settled = _settle(group, bench)
    member = settled.strength >= MEMBER
    counted = member if member.sum() >= MIN_MEMBERS else np.ones(len(group), bool)
    members, parties = group.where(counted), 1 / group.colleagues[counted]
    found = []
    for name, card in bench.cards.items():
        if card.facet:
            weigher, ratio = bench.weighers[name], settled.ratios[name]
            evidence = np.clip(weigher.evidence(group, settled.trusted, ratio), *bench.bounds(name))
            llr = _pool(card, evidence[counted], parties, settled.credit)
            found.append(_finding(card, llr, members, weigher.describe(members)))
    return _Weighed(settled.strength, found)


def _pool(card: SignalCard, evidence: Floats, parties: Floats, credit: float) -> float:
    """Return what one signal says of a candidate: over its members, or over all where it has none.

    Members were chosen by these very ratios: what speaks for the group counts by ``credit``, see
    :func:`_credit`, and each member pays for as much choice as there was, or for what the signal leans;
    what speaks against it counts whole. Colleagues of one declared organisation count as one: that they
    are alike is no secret.
    """
    total = float((evidence * parties).sum())
    if total > 0:
        each = max(card.lean, (1 - credit) * _CHOICE_COST)
        total = credit * max(total - each * float(parties.sum()), 0.0)
    return float(np.clip(total, card.group_floor, card.group_cap))


def _finding(card: SignalCard, llr: float, members: Behaviour, seen: Observation) -> dict[str, object]:
    return {
        "facet": card.facet,
        "signal": card.id,
        "side": card.side,
        "llr": llr,
        "observed": seen.observed,
        "expected": seen.expected,
        "accounts": len(members),
        "exchanges": int(members.exchanges.sum()),
        "statement": seen.statement,
    }


@dataclass(frozen=True)
class _Settled:
    """Who works as a group does, and what that was concluded from."""

    ratios: Mapping[str, Floats]  # of each account, by signal
    trusted: Floats  # how far the ratios took each account for one of the group
    strength: Floats  # the probability that it is
    credit: float  # what is left of the members' evidence, see _credit


def _settle(group: Behaviour, bench: Bench) -> _Settled:
    """Estimate the group's parameters and its members in turn."""
    core, trusted = np.ones(len(group)), np.zeros(len(group))
    for _ in range(_ROUNDS):
        if np.abs(core - trusted).max() < _SETTLED:
            break
        trusted = core
        ratios = {
            name: np.clip(weigh(group, trusted), *bench.bounds(name))
            for name, weigh in bench.weighers.items()
        }
        together = np.sum(list(ratios.values()), axis=0) - _CHOICE_COST
        core = _posterior(together)
    credit = _credit(together, core)
    strength = core if credit >= _LEAST_CREDIT else np.minimum(core, 1 - MEMBER - 1e-9)
    return _Settled(ratios, trusted, strength, credit)


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


def _membership(part: pa.Table, strengths: Sequence[Floats]) -> pa.Table:
    strength = np.concatenate([np.zeros(0), *strengths])
    table = part.select(["candidate", "account_id"]).append_column("strength", pa.array(strength))
    return conform(table.append_column("member", pa.array(strength >= MEMBER)), MEMBERSHIP, "accounts")


def _findings(part: pa.Table, findings: Sequence[list[dict[str, object]]]) -> pa.Table:
    numbers = np.unique(part["candidate"].to_numpy()).tolist()
    rows = [
        {"candidate": number, **finding}
        for number, own in zip(numbers, findings, strict=True)
        for finding in own
    ]
    return pa.Table.from_pylist(rows, schema=FINDINGS)
