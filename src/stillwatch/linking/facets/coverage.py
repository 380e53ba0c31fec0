"""coverage: payloads that hardly repeat over the accounts, as when a dataset is dealt out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from scipy.special import betaln

from stillwatch.engines.engine import Engine
from stillwatch.linking.facets.facet import FacetCard, FacetSignal
from stillwatch.linking.facets.finding import Finding, findings_table, no_links

_MIN_EXCHANGES: Final = 50
_PARTITION: Final = (1.0, 15.0)
"""Beta(1, 15): where a dataset repeats over the accounts, one request in sixteen does (retries, checks)."""

_NEVER: Final = 0.5
"""Share of datasets that are dealt out without a single repetition: as many as with one."""

_MIN_ACCOUNTS: Final = 8
"""Of a scaffold that fewer use, hardly any payload can come twice, whoever they are."""

_MESSAGES: Final = "SELECT message_fp, timestamp FROM activity"

_REPEATS: Final = """
    SELECT a.account, a.family, a.message_fp FROM activity a JOIN repeated r ON r.fp = a.message_fp
"""

_QUERY: Final = """
    SELECT w.candidate, w.messages - coalesce(r.requests, 0) + coalesce(r.payloads, 0) AS payloads,
           w.messages AS exchanges, CAST(coalesce(r.repeated, 0) AS BIGINT) AS repeated
    FROM (
        SELECT w.candidate, CAST(sum(u.messages) AS BIGINT) AS messages FROM work w
        JOIN uses u ON u.account = w.account AND u.family = w.family GROUP BY w.candidate) w
    LEFT JOIN (
        SELECT candidate, count(*) AS payloads, CAST(sum(requests) AS BIGINT) AS requests,
               CAST(sum(CASE WHEN one <> another THEN requests ELSE 0 END) AS BIGINT) AS repeated
        FROM (
            SELECT w.candidate, m.message_fp, count(*) AS requests,
                   min(m.account) AS one, max(m.account) AS another
            FROM repeats m JOIN work w ON w.account = m.account AND w.family = m.family
            GROUP BY w.candidate, m.message_fp) p
        GROUP BY candidate) r ON r.candidate = w.candidate
    WHERE w.messages > 0 ORDER BY w.candidate
"""
"""Payloads that came once in the whole log repeat in no group: only the others are counted one by one."""

_SCAFFOLDS: Final = f"""
    SELECT u.family, u.exchanges, CAST(coalesce(r.repeated, 0) AS BIGINT) AS repeated
    FROM (
        SELECT family, CAST(sum(messages) AS BIGINT) AS exchanges FROM uses WHERE family >= 0
        GROUP BY family HAVING count(*) >= {_MIN_ACCOUNTS} AND sum(messages) >= {_MIN_EXCHANGES}) u
    LEFT JOIN (
        SELECT family, CAST(sum(CASE WHEN one <> another THEN requests ELSE 0 END) AS BIGINT) AS repeated
        FROM (
            SELECT family, message_fp, count(*) AS requests, min(account) AS one, max(account) AS another
            FROM repeats GROUP BY family, message_fp) p
        GROUP BY family) r ON r.family = u.family
    ORDER BY u.family
"""
"""The same of each scaffold of the log, over all who use it."""


class Coverage:
    """A dataset partitioned over the accounts."""

    card = FacetCard(
        name="coverage",
        shows="the same payload hardly ever comes from two accounts of the group",
        honest_twin="students repeat one another's questions: strong evidence against",
        method=(
            "hurdle model (Mullahy 1986) of the group's requests whose payload another account of it sent "
            "as well: none at all with probability 1/2, else beta-binomial (Skellam 1948) of Beta(1, 15), as "
            "of a dataset that is dealt out, against ordinary ones. Ordinary traffic: the scaffolds of the "
            "log, over all who use each: how many never repeat, and the shares of the others, by moments; "
            "or each share alike, as in a group that we know nothing of, whichever explains the group "
            "better. By hand: 1/2, Beta(1, 15), at least 50 requests, 8 accounts to a scaffold, cap and floor"
        ),
        side="extraction",
        cap=1.5,
        floor=-8.0,
        template=True,
        signals=(
            FacetSignal(
                "dataset-partition",
                "payloads hardly repeat over the accounts",
                "one customer's pipeline that works through its own documents",
            ),
        ),
    )

    def links(self, engine: Engine) -> pa.Table:
        """Return no LINKS: what is never shared draws no edge."""
        return no_links()

    def weigh(self, engine: Engine) -> pa.Table:
        """Return FINDINGS of payload repetition, negative where the group repeats itself."""
        engine.bind("repeated", engine.frequent(_MESSAGES, 2))
        engine.keep("repeats", _REPEATS)
        rows = [row for row in engine.table(_QUERY).to_pylist() if row["exchanges"] >= _MIN_EXCHANGES]
        ordinary = ordinary_repetition(engine.table(_SCAFFOLDS))
        engine.forget("repeated")
        engine.forget("repeats")
        return findings_table(_finding(row, ordinary) for row in rows)


@dataclass(frozen=True)
class Hurdle:
    """Shares that are nothing with one probability, and else differ as Beta(alpha, beta)."""

    never: float
    alpha: float
    beta: float

    @property
    def mean(self) -> float:
        """Return the share that is to be expected."""
        return (1 - self.never) * self.alpha / (self.alpha + self.beta)

    def log_likelihood(self, successes: int, trials: int) -> float:
        """Return log P(successes | trials), without the binomial coefficient."""
        if not successes:
            return float(np.log(self.never))
        return float(np.log1p(-self.never) + _beta_binomial(successes, trials, self.alpha, self.beta))


def ordinary_repetition(scaffolds: pa.Table) -> Hurdle:
    """Return how payloads repeat in the ``scaffolds`` of a log (``exchanges``, ``repeated``)."""
    repeated, requests = scaffolds["repeated"].to_numpy(), scaffolds["exchanges"].to_numpy()
    repeats = repeated > 0
    never = float((np.sum(~repeats) + 1) / (len(repeats) + 2))
    if repeats.sum() < 2:
        return Hurdle(never, 1.0, 1.0)
    shares = repeated[repeats] / requests[repeats]
    mean, spread = float(shares.mean()), max(float(shares.var()), 1e-4)
    concentration = max(mean * (1 - mean) / spread - 1, 0.2)
    return Hurdle(never, max(mean * concentration, 0.05), max((1 - mean) * concentration, 0.05))


_DEALT_OUT: Final = Hurdle(_NEVER, *_PARTITION)


def weight_of_repetition(repeated: int, exchanges: int, ordinary: Hurdle) -> float:
    """Return the log-likelihood ratio, in nats, of a dealt-out dataset against what is ordinary.

    What explains the group better stands for ordinary: the log's scaffolds, or that each share is alike.
    """
    unknown = _beta_binomial(repeated, exchanges, 1.0, 1.0)
    otherwise = max(ordinary.log_likelihood(repeated, exchanges), unknown)
    return _DEALT_OUT.log_likelihood(repeated, exchanges) - otherwise


def _beta_binomial(successes: int, trials: int, alpha: float, beta: float) -> float:
    return float(betaln(successes + alpha, trials - successes + beta) - betaln(alpha, beta))


def _finding(row: dict[str, int], ordinary: Hurdle) -> Finding:
    repeated, exchanges = row["repeated"], row["exchanges"]
    return Finding(
        candidate=row["candidate"],
        facet="coverage",
        signal="dataset-partition",
        side="extraction",
        llr=weight_of_repetition(repeated, exchanges, ordinary),
        observed=repeated / exchanges,
        expected=ordinary.mean,
        exchanges=exchanges,
        statement=(
            f"{row['payloads']:,} different payloads in {exchanges:,} requests; {repeated / exchanges:.1%} "
            f"of the requests repeat a payload of another account; {ordinary.mean:.1%} is ordinary"
        ),
    )
