"""The life of decisions: what a judgement changes in those that stand.

A decision is for one campaign and one rule. It stands as long as its campaign is called, even where accounts
of it fell silent and are counted in no longer; accounts that come later join it. Nothing stronger than to
observe is asked until two judgements in a row call the group, and nothing of what a person refused.

A decision on more accounts than the rule lets pass waits for a person. So do those who come later once they
would make an approved decision more than twice what was approved: they wait in a decision of their own,
while the one that was approved goes on.

What a rule asks can change, with its policy. The decision that asked otherwise gives way when the new one is
in force, not while that waits for a person.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import inf
from secrets import token_hex
from typing import Final

from stillwatch.contracts import Verdict
from stillwatch.decisions.changes import Added, Change, Ended, Joined, Renewed
from stillwatch.decisions.decision import Decision, Status
from stillwatch.decisions.wanted import Wanted

REFUSED_FOR: Final = timedelta(days=30)
"""How long what a person undid or rejected is not decided again for the same campaign and rule."""

GROWTH: Final = 2
"""An approval is good for so many times the accounts that a person saw."""

Key = tuple[str, str]


@dataclass(frozen=True)
class Before:
    """What the store holds that the next step depends on."""

    decisions: tuple[Decision, ...]  # those that stand, in the order in which they were issued
    accounts: Mapping[str, frozenset[str]]  # by decision, without those that a person took out
    confirmed: frozenset[str]  # campaigns that the judgement before called as well
    refused: frozenset[Key] = frozenset()  # campaign and rule that a person said no to, not long ago
    taken_out: Mapping[Key, frozenset[str]] = field(default_factory=dict)  # accounts, not long ago
    refused_accounts: Mapping[Key, frozenset[str]] = field(default_factory=dict)  # of what was refused
    ancestors: Mapping[str, frozenset[str]] = field(default_factory=dict)  # of campaigns that split or merged

    def spared(self, key: Key) -> frozenset[str]:
        """Return the accounts that a person said no for, under whatever name their campaign had then."""
        campaign, rule = key
        earlier = [(name, rule) for name in self.ancestors.get(campaign, ())]
        told = [self.taken_out.get(each, frozenset()) for each in (key, *earlier)]
        return frozenset[str]().union(*told, *(self.refused_accounts.get(each, ()) for each in earlier))


def new_id() -> str:
    """Return the id of a decision that there was none of."""
    return f"dec_{token_hex(6)}"


def next_changes(
    before: Before,
    wanted: Sequence[Wanted],
    verdicts: Mapping[str, Verdict],
    now: datetime,
    name: Callable[[], str] = new_id,
) -> list[Change]:
    """Return what changes, in the order in which it does.

    Args:
        before: what stands.
        wanted: what the policy wants now, of all campaigns.
        verdicts: of all campaigns that are called now.
        now: the moment of the change.
        name: gives the id of a decision that is made.
    """
    step = _Step(before, now, name)
    asked = {each.key for each in wanted}
    live: dict[Key, list[Decision]] = defaultdict(list)
    for decision in before.decisions:
        key = decision.campaign_id, decision.rule
        if not step.ended(decision, stands=verdicts.get(key[0]) is Verdict.CAMPAIGN or key in asked):
            live[key].append(decision)
    policies = {each.campaign_id: (each.asked.policy_version, each.asked.dry_run) for each in wanted}
    for each in wanted:
        step.take(each, live.pop(each.key, []))
    for (campaign, _), rest in sorted(live.items()):
        step.keep(rest, policies.get(campaign))
    return step.changes


class _Step:
    """Collects what changes."""

    def __init__(self, before: Before, now: datetime, name: Callable[[], str]) -> None:
        self._before, self._now, self._name = before, now, name
        self.changes: list[Change] = []

    def ended(self, decision: Decision, *, stands: bool) -> bool:
        """Whether a decision is over, which is noted."""
        if decision.expires_at is not None and self._now >= decision.expires_at:
            self._end(decision, Status.EXPIRED, "its time was over before a judgement renewed it")
        elif not stands:
            self._end(decision, Status.RELEASED, "its campaign is no longer called")
        else:
            return False
        return True

    def keep(self, decisions: Sequence[Decision], policy: tuple[str, bool] | None) -> None:
        """Let decisions stand whose accounts are all silent, unless another policy holds by now.

        To be observed asks nothing, so that it lapses with the rule that it came from.
        """
        for decision in decisions:
            if not decision.asked.acts:
                self._end(decision, Status.RELEASED, "none of its accounts is observed by this rule now")
            elif policy in (None, (decision.asked.policy_version, decision.asked.dry_run)):
                self._renew([decision])
            else:
                self._end(decision, Status.SUPERSEDED, "the policy that holds now asks something else")

    def take(self, wanted: Wanted, own: Sequence[Decision]) -> None:
        """Bring the decisions of one campaign and rule to what is wanted of it."""
        wanted = self._sure(wanted, own)
        current = [decision for decision in own if decision.asked == wanted.asked]
        older = [decision for decision in own if decision.asked != wanted.asked]
        if wanted.key not in self._before.refused:
            current = self._joined(wanted, current, older)
        in_force = [decision for decision in current if decision.status is Status.IN_FORCE]
        self._renew(in_force)
        self._give_way(older, in_force, current)

    def _sure(self, wanted: Wanted, own: Iterable[Decision]) -> Wanted:
        acting = any(decision.asked.acts for decision in own)
        if not wanted.asked.acts or acting or wanted.campaign_id in self._before.confirmed:
            return wanted
        return wanted.observed()

    def _joined(
        self, wanted: Wanted, current: Sequence[Decision], older: Sequence[Decision]
    ) -> list[Decision]:
        """Find a place for every account; return the decisions that ask what is wanted."""
        carried = self._of(decision for decision in older if decision.asked.acts and wanted.asked.acts)
        coming = (wanted.accounts | carried) - self._before.spared(wanted.key) - self._of(current)
        place = self._place(wanted, current, len(coming))
        if not coming:
            return list(current)
        if isinstance(place, Decision):
            self.changes.append(Joined(place.id, coming))
            return list(current)
        made = self._made(wanted, place)
        self.changes.append(Added(made, coming))
        return [*current, made]

    def _place(self, wanted: Wanted, current: Sequence[Decision], coming: int) -> Decision | Status:
        """Return the decision that so many accounts join, or the status of the one to be made for them."""
        waiting = [decision for decision in current if decision.status is Status.PENDING]
        if waiting:
            return waiting[-1]
        room = [one for one in current if coming <= self._room(one, wanted.approval_above)]
        if room:
            return room[-1]
        enough = not current and (wanted.approval_above is None or coming <= wanted.approval_above)
        return Status.IN_FORCE if enough else Status.PENDING

    def _room(self, decision: Decision, above: int | None) -> float:
        """Return how many accounts may join a decision that is in force without asking a person."""
        if above is None:
            return inf
        approved = GROWTH * (decision.approved_accounts or 0)
        return max(above, approved) - len(self._before.accounts[decision.id])

    def _made(self, wanted: Wanted, status: Status) -> Decision:
        waits = status is Status.PENDING
        return Decision(
            id=self._name(),
            campaign_id=wanted.campaign_id,
            rule=wanted.rule,
            asked=wanted.asked,
            status=status,
            reason_codes=wanted.reason_codes,
            q_value=wanted.q_value,
            judged_at=wanted.judged_at,
            issued_at=self._now,
            expires_at=None if waits else self._now + wanted.asked.lasts,
            why=f"more than {wanted.approval_above} accounts: a person must approve" if waits else "",
        )

    def _renew(self, decisions: Iterable[Decision]) -> None:
        """Let them stand longer once half their time is over; more often would change nothing."""
        for decision in decisions:
            left = None if decision.expires_at is None else decision.expires_at - self._now
            if left is not None and left < decision.asked.lasts / 2:
                self.changes.append(Renewed(decision.id, self._now + decision.asked.lasts))

    def _give_way(
        self, older: Iterable[Decision], in_force: Sequence[Decision], current: Sequence[Decision]
    ) -> None:
        for decision in older:
            after = in_force if decision.status is Status.IN_FORCE else current
            if after:
                self._end(decision, Status.SUPERSEDED, "the policy asks something else", after[-1].id)

    def _of(self, decisions: Iterable[Decision]) -> frozenset[str]:
        return frozenset[str]().union(*(self._before.accounts[decision.id] for decision in decisions))

    def _end(self, decision: Decision, status: Status, why: str, by: str = "") -> None:
        self.changes.append(Ended(decision.id, status, why, by))
