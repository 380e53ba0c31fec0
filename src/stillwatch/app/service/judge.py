"""The judge: each tick, what the ledger holds by now is judged or followed, and decided on by the policy.

It is the detection that a scan and a replay run. A judgement of everything comes when the log has grown by a
part of itself; at every other tick the campaigns that stand are followed. A judge that starts anew judges
everything first: campaigns keep their names by the registry in the state folder. What it judges again is no
second judgement: that takes a log that has grown since the first.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
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
from stillwatch.app.service.rules import Rules
from stillwatch.app.stage_tables import InMemory
from stillwatch.app.standing import Standing, find_standing
from stillwatch.contracts import ACCOUNT_SKETCH, StillwatchError, conform
from stillwatch.decisions.audit import AuditLog
from stillwatch.decisions.planning import plan_actions
from stillwatch.decisions.settling import settle
from stillwatch.decisions.store import Store
from stillwatch.engines.engine import Engine, EngineError
from stillwatch.ledger.ledger import Ledger
from stillwatch.linking.facets import facets
from stillwatch.linking.growth import LOOK_BACK
from stillwatch.settings import ServeSettings
from stillwatch.sketch.key import SketchKey

_RECORDS: Final = """
    SELECT a.* FROM accounts a WHERE a.account_id IN (SELECT account_id FROM acted_on) ORDER BY a.account_id
"""


@dataclass(frozen=True)
class Found:
    """What decisions are made of: campaigns, and who is in them by now."""

    judged_at: datetime
    campaigns: pa.Table  # CAMPAIGNS
    accounts: pa.Table  # those in a campaign: account_id, campaign_id, risk
    reasons: pa.Table  # REASONS
    records: pa.Table  # ACCOUNT_SKETCH of the accounts


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
    ) -> None:
        """Judge ``ledger`` with an ``engine`` that nobody else uses.

        ``store`` opens the store where it is not open yet: it may be away when the service starts.
        """
        self._settings, self._key, self._ledger, self._engine = settings, key, ledger, engine
        self._rules, self._store, self._audit = rules, store, audit
        self._log = LiveLog(engine, ledger)
        self._kinds, self._signals = facets(), account_signals()
        self._basis: Basis | None = None
        self._newcomers: pa.Table | None = None
        self._judged = self._seen = 0
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
        self._tell(
            at=now,
            seconds=round(time.monotonic() - began, 3),
            error=error,
            broken_ledger=broken,
            policy_version=self._rules.policy.version,
            policy_error=self._rules.error,
        )
        return self.report

    def _tell(self, **told: Any) -> None:
        self.report = self.report.model_copy(update=told)

    def _look(self, moment: Moment, now: datetime) -> None:
        """Judge what was sent by this moment, or follow the campaigns that stand."""
        standing = self._standing(moment, now)
        if is_due(moment.seen, self._judged):
            self._judge(moment, standing, now)
        elif self._basis is not None and moment.seen > self._seen and self._basis.campaigns.num_rows:
            self._follow(moment, self._basis, standing)
        self._seen = moment.seen
        self._tell(until=moment.until, seen=moment.seen)

    def _standing(self, moment: Moment, now: datetime) -> Standing:
        self._log.bind(moment.until)
        standing = find_standing(self._engine, self._rules.known_at(now), self._key)
        self._rules.found = standing.exempt
        return standing

    def _judge(self, moment: Moment, standing: Standing, now: datetime) -> None:
        state, rate = self._settings.state, self._settings.fdr
        detection = detect(
            self._engine, state, standing, rate, InMemory(), Silent(), self._kinds, self._signals
        )
        results, judged_at = detection.results, self._judgement_of(moment, now)
        self._found = Found(
            judged_at, results.campaigns, results.accounts, results.reasons, self._records(results.accounts)
        )
        keep_judged(state, results)
        self._basis, self._newcomers = remember(self._engine, detection, moment.until), None
        self._judged = moment.seen
        if judged_at != self.report.judged_at:
            self._tell(judged_at=judged_at, judged=moment.seen)
        self._tell(judgements=self.report.judgements + 1)

    def _judgement_of(self, moment: Moment, now: datetime) -> datetime:
        """Return when what there is now was judged: two judgements of nearly the same confirm nothing."""
        before, judged = self.report.judged_at, self.report.judged
        again = before is not None and judged <= moment.seen and not is_due(moment.seen, judged)
        return before if again and before is not None else now

    def _follow(self, moment: Moment, basis: Basis, standing: Standing) -> None:
        self._log.bind(moment.until, basis.until - LOOK_BACK)
        followed = follow(self._engine, basis, standing, self._kinds, self._signals, self._newcomers)
        if followed is None or self._found is None:
            return
        self._newcomers = followed.newcomers
        records = self._records(followed.members)
        self._found = replace(self._found, accounts=followed.members, records=records)
        self._tell(followed=self.report.followed + 1)

    def _records(self, accounts: pa.Table) -> pa.Table:
        """Return the account records of those who are in a campaign."""
        named = accounts.filter(pc.is_valid(accounts["campaign_id"])).select(["account_id"])
        self._engine.bind("acted_on", named)
        return conform(self._engine.table(_RECORDS), ACCOUNT_SKETCH, "app")

    def _decide(self, found: Found, now: datetime) -> None:
        exempt = self._rules.exempt(now)
        planned = plan_actions(
            self._rules.policy, found.campaigns, found.accounts, found.records, found.reasons, exempt
        )
        settle(self._store(), self._audit, planned, now, exempt, found.judged_at)
