"""The judge: each tick, what the ledger holds by now is judged or followed, and decided on by the policy.

It is the detection that a scan and a replay run. A judgement of everything comes when the log has grown by a
part of itself; at every other tick the campaigns that stand are followed. A judge that starts anew judges
everything first: campaigns keep their names by the registry in the state folder. What it judges again is no
second judgement: that takes a log that has grown since the first.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.accounts.signals import account_signals
from stillwatch.app.detection import detect
from stillwatch.app.following import Basis, follow, remember
from stillwatch.app.progress import Silent
from stillwatch.app.replay import is_due
from stillwatch.app.service.judge_report import JudgeReport
from stillwatch.app.service.judged import keep_judged
from stillwatch.app.service.live_log import LiveLog, Moment
from stillwatch.app.service.reached_levels import with_reached
from stillwatch.app.service.rules import POLICY, Rules
from stillwatch.app.stage_tables import InMemory
from stillwatch.app.standing import Known, Standing, find_standing
from stillwatch.campaigns.registry import FILE as REGISTRY
from stillwatch.campaigns.registry import Registry
from stillwatch.contracts import ACCOUNT_SKETCH, StillwatchError, conform
from stillwatch.decisions.planning import plan_actions
from stillwatch.decisions.settling import settle
from stillwatch.decisions.store import Store
from stillwatch.engines.engine import Engine, EngineError
from stillwatch.ledger.ledger import Ledger
from stillwatch.linking.facets import facets
from stillwatch.linking.growth import LOOK_BACK
from stillwatch.persistence.audit import AuditLog
from stillwatch.settings import ServeSettings
from stillwatch.sketch.key import SketchKey

_log = logging.getLogger(__name__)

_RECORDS: Final = """
    SELECT a.* FROM accounts a WHERE a.account_id IN (SELECT account_id FROM acted_on) ORDER BY a.account_id
"""


@dataclass(frozen=True)
class Found:
    """What decisions are made of: the campaigns of a judgement, and who is in them by now."""

    judged_at: datetime
    basis: Basis
    accounts: pa.Table  # those in a campaign: account_id, campaign_id, risk
    records: pa.Table  # ACCOUNT_SKETCH of the accounts
    ancestors: Mapping[str, frozenset[str]]  # of campaigns that split or merged
    newcomers: pa.Table | None = None  # that were weighed last; None where nobody was since the judgement


class Judge:
    """Looks at one ledger again and again, and keeps what it found for the next look."""

    def __init__(
        self,
        settings: ServeSettings,
        key: SketchKey,
        ledger: Ledger,
        engine: Engine,
        rules: Rules,
        store: Callable[[], Store],
        audit: AuditLog,
        levels: Callable[[Collection[str]], Mapping[str, int]] | None = None,
    ) -> None:
        """Judge ``ledger`` with an ``engine`` that nobody else uses.

        ``store`` opens the store where it is not open yet: it may be away when the service starts. ``levels``
        says which verification levels accounts have reached beside what their records say.
        """
        self._levels = levels
        self._settings, self._key, self._ledger, self._engine = settings, key, ledger, engine
        self._rules, self._store, self._audit = rules, store, audit
        self._log = LiveLog(engine, ledger)
        self._kinds, self._signals = facets(), account_signals()
        self._judged = 0
        self._looked: tuple[Moment, str] | None = None  # and what was known of accounts
        self._found: Found | None = None
        before = JudgeReport.read(settings.state) or JudgeReport()
        self.report = JudgeReport(pid=os.getpid(), judged_at=before.judged_at, judged=before.judged)

    def tick(self, now: datetime) -> JudgeReport:
        """Look at the ledger, decide, and say what was done; after an error the next tick tries again."""
        began, error, broken = time.monotonic(), None, False
        try:
            self._rules.look()
            with self._ledger.in_use():
                moment = self._log.look(now)
                if moment is not None:
                    self._look(moment, now)
            if self._found is not None:
                self._decide(self._found, now)
        except (StillwatchError, OSError) as caught:  # a full disk is no reason to end either
            error, broken = str(caught), isinstance(caught, EngineError)
        except Exception as caught:  # nobody expected it: a tick is lost, and the service goes on
            _log.exception("the tick failed in a way that nobody expected")
            error = f"{type(caught).__name__}: {caught}"
        errors = self._rules.errors
        self._tell(
            at=now,
            seconds=round(time.monotonic() - began, 3),
            error=error,
            broken_ledger=broken,
            policy_version=self._rules.policy.version,
            policy_error=errors.pop(POLICY, None),
            refused_files=errors,
        )
        return self.report

    def _tell(self, **told: Any) -> None:
        self.report = self.report.model_copy(update=told)

    def _look(self, moment: Moment, now: datetime) -> None:
        """Judge what was sent by this moment, or follow the campaigns that stand."""
        known = self._rules.known_at(now)
        looked = moment, known.digest
        if looked == self._looked:
            return  # who is exempt is found in the whole ledger: not where nothing is new
        standing = self._standing(moment, known)
        if is_due(moment.seen, self._judged):
            self._judge(moment, standing, now)
        elif self._found is not None and self._found.basis.campaigns.num_rows:
            self._follow(moment, self._found, standing)
        self._looked = looked
        self._tell(until=moment.until, seen=moment.seen)

    def _standing(self, moment: Moment, known: Known) -> Standing:
        self._log.bind(moment.until)
        standing = find_standing(self._engine, known, self._key)
        self._rules.found = standing.exempt
        return standing

    def _judge(self, moment: Moment, standing: Standing, now: datetime) -> None:
        state, rate = self._settings.state, self._settings.fdr
        detection = detect(
            self._engine, state, standing, rate, InMemory(), Silent(), self._kinds, self._signals
        )
        accounts, judged_at = detection.results.accounts, self._judgement_of(moment, now)
        records, basis = self._records(accounts), remember(self._engine, detection, moment.until)
        ancestors = Registry.load(state / REGISTRY).ancestors()
        self._found, self._judged = Found(judged_at, basis, accounts, records, ancestors), moment.seen
        if judged_at != self.report.judged_at:
            self._tell(judged_at=judged_at, judged=moment.seen)
        self._tell(judgements=self.report.judgements + 1)
        keep_judged(state, detection.results)

    def _judgement_of(self, moment: Moment, now: datetime) -> datetime:
        """Return when what there is now was judged: two judgements of nearly the same confirm nothing."""
        before, judged = self.report.judged_at, self.report.judged
        again = before is not None and judged <= moment.seen and not is_due(moment.seen, judged)
        return before if again and before is not None else now

    def _follow(self, moment: Moment, found: Found, standing: Standing) -> None:
        basis = found.basis
        self._log.bind(moment.until, basis.until - LOOK_BACK)
        followed = follow(self._engine, basis, standing, self._kinds, self._signals, found.newcomers)
        if followed is None:
            return
        members, records = followed.members, self._records(followed.members)
        self._found = replace(found, accounts=members, records=records, newcomers=followed.newcomers)
        self._tell(followed=self.report.followed + 1)

    def _records(self, accounts: pa.Table) -> pa.Table:
        """Return the account records of those who are in a campaign."""
        named = accounts.filter(pc.is_valid(accounts["campaign_id"])).select(["account_id"])
        self._engine.bind("acted_on", named)
        return conform(self._engine.table(_RECORDS), ACCOUNT_SKETCH, "app")

    def _decide(self, found: Found, now: datetime) -> None:
        exempt, store = self._rules.exempt(now), self._store()
        basis = found.basis
        records = self._reached(found.accounts, found.records)
        planned = plan_actions(
            self._rules.policy, basis.campaigns, found.accounts, records, basis.reasons, exempt
        )
        settle(store, self._audit, planned, now, exempt, found.judged_at, found.ancestors)

    def _reached(self, accounts: pa.Table, records: pa.Table) -> pa.Table:
        """Return records with what accounts of campaigns have proved since."""
        if self._levels is None:
            return records
        named = accounts.filter(pc.is_valid(accounts["campaign_id"]))["account_id"].to_pylist()
        return with_reached(records, self._levels(named))
