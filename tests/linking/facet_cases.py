"""For each signal of each facet a campaign that shows it, and honest traffic that shows it too.

A facet must speak of the first and keep silent of the second, which the rest of the log explains, or what
its accounts declare. Both are logs of their own, made of sketches and account records.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from stillwatch.contracts import Cue
from stillwatch.linking.facets.elicitation import CUE_SIGNALS

SCAFFOLD = 77
"""What the requests of the accounts that are weighed are wrapped in."""

SHEETS = range(1001, 1009)
"""What other accounts' requests are wrapped in, where there are such."""

SCAFFOLDS = {0: SCAFFOLD} | dict(enumerate(SHEETS, 1))
"""Family -> scaffold."""

START = datetime(2026, 4, 22, tzinfo=UTC)
MONDAY = datetime(2026, 4, 20, tzinfo=UTC)

Build = Callable[[Any, Callable[[str, int], list[str]]], list[str]]
"""Fills a ``Traffic``, given what makes account ids, and returns the accounts that are weighed."""


@dataclass(frozen=True)
class Case:
    facet: str
    signal: str
    campaign: Build
    twin: Build
    excused: bool = True  # the rest of the log, or a declaration, is all that tells the twin from a campaign

    def __str__(self) -> str:
        return self.signal


def crowd(traffic, names, count=300, scaffold=None, **columns):
    """Unrelated people; of each thing that a record names they have one of their own."""
    others = names("person", count)
    for number, account in enumerate(others):
        made = datetime(2025, 1 + number % 12, 1 + number % 28, number % 24, tzinfo=UTC)
        fields = ("payment_fp", "device_fp", "phone_fp", "email_domain_fp", "signup_network_fp")
        own = {field: traffic.fp() for field in fields} | {"email_kind": "own", "created_at": made}
        traffic.account(account, **(own | columns))
        traffic.people([account], scaffold, network_fp=traffic.fp())
    return others


def group(traffic, names, **columns):
    """Forty accounts behind one scaffold, with the same account record."""
    accounts = names("group", 40)
    for account in accounts:
        traffic.account(account, **columns)
    traffic.queue(accounts, 5, SCAFFOLD)
    return accounts


# -- values that accounts share


def few_values(field: str, **columns: Any) -> Build:
    """A farm that has one card, device, number, domain or range for ten accounts, and nobody else has."""

    def build(traffic, names):
        crowd(traffic, names)
        farm = names("farm", 40)
        for number, account in enumerate(farm):
            traffic.account(account, **{field: 1 + number // 10}, **columns)
        traffic.queue(farm, 5, SCAFFOLD)
        return farm

    return build


def one_company(field: str, **columns: Any) -> Build:
    """Seats of a company that says so: one card, one switchboard, one mail domain."""

    def build(traffic, names):
        crowd(traffic, names)
        return group(traffic, names, **{field: 1}, organization_fp=9, **columns)

    return build


def families_with_one_device(traffic, names):
    """Households of three share a computer; five of a client's forty users live with another one."""
    people = names("person", 300)
    for number, account in enumerate(people):
        traffic.account(account, device_fp=1 + number // 3)
    users = sorted([*people[:105:3], *people[1:15:3]])
    traffic.people(users, SCAFFOLD)
    traffic.people(sorted(set(people) - set(users)))
    return users


def one_campus(traffic, names):
    """Sign-ups from a campus where most of the other accounts were made, too."""
    crowd(traffic, names, signup_network_fp=5)
    return group(traffic, names, signup_network_fp=5)


def burst_of_sign_ups(traffic, names):
    """Forty accounts made within forty minutes; all others over a year."""
    crowd(traffic, names)
    farm = names("farm", 40)
    for number, account in enumerate(farm):
        traffic.account(account, created_at=MONDAY + timedelta(minutes=number))
    traffic.queue(farm, 5, SCAFFOLD)
    return farm


def launch(traffic, names):
    """The hour in which the service opened and everybody signed up."""
    crowd(traffic, names, created_at=MONDAY)
    return group(traffic, names, created_at=MONDAY)


def few_ranges(traffic, names):
    """A farm behind three address ranges; everybody else is at home."""
    crowd(traffic, names)
    farm = names("farm", 40)
    for number, account in enumerate(farm):
        traffic.queue([account], 5, SCAFFOLD, network_fp=1 + number % 3)
    return farm


def vpn_exits(traffic, names):
    """Three exits of one VPN that most of the log comes through."""
    everyone = names("person", 340)
    for number, account in enumerate(everyone):
        scaffold = SCAFFOLD if number < 40 else None
        traffic.people([account], scaffold, network_fp=1 + number % 3)
    return everyone[:40]


# -- wording and scaffold


def rare_scaffold(traffic, names):
    """One scaffold that forty of 340 accounts ever used."""
    crowd(traffic, names)
    return group(traffic, names)


def popular_client(traffic, names):
    """The scaffold of a client that nearly everybody uses."""
    users = crowd(traffic, names, scaffold=SCAFFOLD)
    traffic.people(names("other", 20))
    return users[:40]


def own_wording(bit: int) -> Build:
    """A wording that the farm alone uses."""

    def build(traffic, names):
        crowd(traffic, names)
        farm = names("farm", 40)
        traffic.queue(farm, 5, SCAFFOLD, cues=1 << bit)
        return farm

    return build


def open_template(bit: int) -> Build:
    """A wording that a third of all accounts took from an open template, the group's among them."""

    def build(traffic, names):
        everyone = names("person", 360)
        for number, account in enumerate(everyone):
            scaffold = SCAFFOLD if number < 60 else None
            traffic.people([account], scaffold, cues=(1 << bit) * (number % 3 == 0))
        return everyone[:60]

    return build


# -- what is asked


def dealt_out_dataset(traffic, names):
    """No payload comes twice, where the users of other scaffolds send what others sent."""
    for scaffold in SHEETS:
        for account in names(f"student{scaffold}-", 10):
            for question in range(10):
                at = MONDAY + timedelta(hours=10, minutes=4 * question)
                traffic.exchange(account, at, scaffold, message_fp=100 * scaffold + question)
    farm = names("farm", 20)
    traffic.queue(farm, 10, SCAFFOLD)
    return farm


def exercise_sheet(traffic, names):
    """A class: twenty students and the same ten questions."""
    students = names("student", 20)
    for account in students:
        for question in range(10):
            at = MONDAY + timedelta(hours=10, minutes=4 * question)
            traffic.exchange(account, at, SCAFFOLD, message_fp=1000 + question)
    return students


def one_ability(traffic, names):
    """One ability of ten, which everybody else asks for as seldom as for the others."""
    farm = names("farm", 40)
    traffic.queue(farm, 5, SCAFFOLD, capability=3)
    for number, account in enumerate(names("person", 300)):
        traffic.people([account], capability=number % 10)
    return farm


def one_purpose(traffic, names):
    """An application with one purpose, at a provider that nearly everybody comes to for it."""
    users = names("user", 40)
    traffic.people(users, SCAFFOLD, capability=3)
    for number, account in enumerate(names("person", 300)):
        traffic.people([account], capability=5 if number % 20 == 0 else 3)
    return users


# -- when, and by whom


def one_queue(traffic, names):
    """Thirty accounts that work in the same forty hours of no pattern; others have waking hours."""
    farm = names("farm", 30)
    busy = traffic.random.choice(480, 40, replace=False)
    for account in farm:
        for hour in traffic.random.choice(busy, 20):
            traffic.exchange(account, MONDAY + timedelta(hours=int(hour), minutes=5), SCAFFOLD)
    daytime(traffic, names("other", 200))
    return farm


def lab_hour(traffic, names):
    """A class of thirty that comes together at ten on working days, and asks at other hours as people do."""
    students = names("student", 30)
    daytime(traffic, students, SCAFFOLD)
    for account in students:
        for day in range(20):
            if day % 7 < 5 and traffic.random.random() < 0.8:
                for minute in traffic.random.integers(0, 60, 3):
                    at = MONDAY + timedelta(days=day, hours=10, minutes=int(minute))
                    traffic.exchange(account, at, SCAFFOLD)
    daytime(traffic, names("other", 200))
    return students


def daytime(traffic, accounts: Sequence[str], scaffold: int | None = None) -> None:
    """People who ask on some days, around two in the afternoon."""
    for account in accounts:
        for day in traffic.random.choice(20, 6, replace=False):
            hour = min(max(int(traffic.random.normal(14, 3)), 0), 23)
            traffic.exchange(account, MONDAY + timedelta(days=int(day), hours=hour), scaffold)


def pool(traffic, names):
    """Dialogues that change their account halfway."""
    accounts = names("pool", 20)
    for number in range(30):
        dialogue(traffic, [accounts[number % 20], accounts[(number + 7) % 20]])
        dialogue(traffic, [f"person{number:04}"] * 2)
    return accounts


def one_team(traffic, names):
    """The same of colleagues, who belong together openly."""
    colleagues = names("colleague", 20)
    for account in colleagues:
        traffic.account(account, organization_fp=9)
    for number in range(30):
        dialogue(traffic, [colleagues[number % 20], colleagues[(number + 7) % 20]])
        dialogue(traffic, [f"person{number:04}"] * 2)
    return colleagues


def pooled_seals(traffic, names):
    """A pool that plays reasoning back on whichever account is free; ten strangers did so once."""
    people = crowd(traffic, names)
    for number in range(10):
        hand_back(traffic, people[2 * number], people[2 * number + 1], number)
    accounts = group(traffic, names)
    for number in range(30):
        hand_back(traffic, accounts[number], accounts[(number + 7) % 40], number)
    return accounts


def shared_transcripts(traffic, names):
    """The same of colleagues, who belong together openly."""
    crowd(traffic, names)
    colleagues = group(traffic, names, organization_fp=9)
    for number in range(30):
        hand_back(traffic, colleagues[number], colleagues[(number + 7) % 40], number)
    return colleagues


def hand_back(traffic, taker: str, giver: str, hour: int) -> None:
    traffic.event(taker, "seal-foreign", START + timedelta(days=2, hours=hour), giver)


def dialogue(traffic, accounts: Sequence[str]) -> None:
    """Four turns; the account changes halfway where the two given are not the same."""
    states, history = [traffic.fp() for _ in range(4)], []
    for turn, state in enumerate(states):
        history = [*history, state][-4:]
        at = MONDAY + timedelta(hours=10, minutes=10 * turn)
        traffic.exchange(accounts[turn // 2], at, SCAFFOLD, turns=2 * turn + 1, history_fps=history)
        history = [*history, traffic.fp()][-4:]


def standby(traffic, names):
    """Twenty accounts that are turned away one morning; twenty more take over in the hours after it."""
    everyday(traffic, names)
    return refused(traffic, names("banned", 20)) + begin(
        traffic, names("standby", 20), MONDAY + timedelta(days=8)
    )


def release_day(traffic, names):
    """A client whose users' trial keys expire on the day on which half of the world comes to try a model."""
    everyday(traffic, names)
    begin(traffic, names("curious", 300), MONDAY + timedelta(days=8), scaffold=None)
    return refused(traffic, names("trial", 20)) + begin(
        traffic, names("user", 20), MONDAY + timedelta(days=8)
    )


def everyday(traffic, names) -> None:
    """People of whom some begin on each day."""
    for number, account in enumerate(names("person", 200)):
        begin(traffic, [account], MONDAY + timedelta(days=number % 20), scaffold=None)


def refused(traffic, accounts: Sequence[str]) -> list[str]:
    """Accounts that work for a week, and of which everything is refused from the second Tuesday on."""
    begin(traffic, accounts, MONDAY)
    for number, account in enumerate(accounts):
        for hour in range(3):
            at = MONDAY + timedelta(days=8, hours=hour, minutes=number)
            traffic.exchange(account, at, SCAFFOLD, status=403)
    return list(accounts)


def begin(traffic, accounts: Sequence[str], day: datetime, scaffold: int | None = SCAFFOLD) -> list[str]:
    """Accounts that begin one after the other in the course of the day, and go on for some days."""
    for number, account in enumerate(accounts):
        for later in range(4):
            at = day + timedelta(days=later, hours=4 + number % 19, minutes=number % 60)
            traffic.exchange(account, at, scaffold)
    return list(accounts)


CASES = (
    Case("continuity", "continuity", pool, one_team),
    Case("continuity", "seal-foreign", pooled_seals, shared_transcripts),
    Case("coverage", "dataset-partition", dealt_out_dataset, exercise_sheet, excused=False),
    *(
        Case("elicitation", CUE_SIGNALS[cue][0], own_wording(bit), open_template(bit))
        for bit, cue in enumerate(Cue)
    ),
    Case("failover", "pool-failover", standby, release_day, excused=False),
    Case("focus", "narrow-focus", one_ability, one_purpose, excused=False),
    Case("identity", "payment-shared", few_values("payment_fp"), one_company("payment_fp")),
    Case("identity", "device-shared", few_values("device_fp"), families_with_one_device),
    Case("identity", "phone-shared", few_values("phone_fp"), one_company("phone_fp")),
    Case(
        "identity",
        "email-pattern",
        few_values("email_domain_fp", email_kind="own"),
        one_company("email_domain_fp", email_kind="own"),
    ),
    Case("identity", "signup-network", few_values("signup_network_fp"), one_campus),
    Case("identity", "signup-burst", burst_of_sign_ups, launch),
    Case("network", "network-shared", few_ranges, vpn_exits),
    Case("scaffold", "scaffold-shared", rare_scaffold, popular_client, excused=False),
    Case("tempo", "synchronised", one_queue, lab_hour, excused=False),
)
