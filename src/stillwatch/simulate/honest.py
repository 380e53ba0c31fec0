"""The honest families: everyday traffic that looks like a campaign in one way or another.

The numbers are shares of a world's honest accounts and exchanges.
"""

from __future__ import annotations

from typing import Final

from stillwatch.simulate.population import (
    Catalogue,
    Dialogue,
    Grouping,
    Identity,
    Mail,
    Network,
    Place,
    Pool,
    Population,
    Sharing,
    Traffic,
)
from stillwatch.simulate.tempo import Batch, Human, Lesson

_CHAT: Final = (
    ("chat", 52.0),
    ("international", 18.0),
    ("programming", 14.0),
    ("facts", 6.0),
    ("homework", 5.0),
    ("reading", 4.0),
    ("riddles", 1.0),
)
_TALK: Final = Dialogue(turns=2.2, longest=10, think=60.0)
_LIVE: Final = Network(places=((Place.HOME, 0.82), (Place.MOBILE, 0.14), (Place.VPN, 0.04)))
_COMPANY_CARD: Final = Pool(Sharing.GROUP)
_CLIENTS: Final = tuple(
    f"{name}/{major}.{minor}"
    for name, major, minor in (
        ("chatpane", 4, 3),
        ("chatpane", 3, 5),
        ("inkwell", 2, 1),
        ("termtalk", 0, 9),
        ("sidebar", 2, 7),
        ("notedeck", 1, 8),
        ("quillpad", 5, 0),
        ("opendesk", 3, 6),
        ("codelark", 1, 4),
        ("hushkey", 2, 0),
        ("studynook", 1, 1),
        ("parley", 6, 2),
    )
)

INDIVIDUALS: Final = Population(
    "individuals", "individual", 0.620, 0.272, (Traffic(Human(), _CHAT, _TALK),), network=_LIVE
)
APP_USERS: Final = Population(
    "app-users",
    "app_user",
    0.180,
    0.308,
    (
        Traffic(
            Human(),
            (("client", 0.75), ("client-code", 0.25)),
            Dialogue(turns=2.9, longest=9, think=50.0),
            recipe_per=Sharing.GROUP,
        ),
    ),
    grouping=Grouping(count=24),
    network=_LIVE,
    clients=_CLIENTS,
    client_per=Sharing.GROUP,
    spread=0.9,
)
COMPANIES: Final = Population(
    "companies",
    "company_seat",
    0.085,
    0.035,
    (Traffic(Human("office"), (("company", 1.0),), Dialogue(turns=1.9, longest=8)),),
    grouping=Grouping(size=28.0),
    identity=Identity(mail=Mail.STAFF, card=_COMPANY_CARD, plan="team", organization=True),
    network=Network(places=((Place.OFFICE, 1.0),), sharing=Sharing.GROUP, size=2),
    client_per=Sharing.GROUP,
)
PIPELINES: Final = Population(
    "pipelines",
    "pipeline",
    0.005,
    0.11,
    (
        Traffic(
            Batch(hours=2.5, start=(0, 6), runs=0.9),
            (("tickets", 0.4), ("summaries", 0.25), ("translations", 0.2), ("log-lines", 0.15)),
            recipe_per=Sharing.ACCOUNT,
        ),
    ),
    grouping=Grouping(size=1.7),
    identity=Identity(mail=Mail.STAFF, card=_COMPANY_CARD, organization=True),
    network=Network(places=((Place.HOSTING, 0.8), (Place.OFFICE, 0.2)), sharing=Sharing.GROUP, size=2),
    spread=0.6,
)
ROUND_THE_CLOCK: Final = Population(
    "round-the-clock",
    "pipeline",
    0.002,
    0.065,
    (
        Traffic(
            Batch(hours=24.0, runs=1.0),
            (("tickets", 0.4), ("translations", 0.25), ("log-lines", 0.2), ("test-data", 0.15)),
            recipe_per=Sharing.ACCOUNT,
        ),
    ),
    grouping=Grouping(size=1.5),
    identity=Identity(mail=Mail.STAFF, card=_COMPANY_CARD, organization=True, plan="enterprise"),
    network=Network(places=((Place.HOSTING, 1.0),), sharing=Sharing.GROUP, size=3, turnover=Sharing.EXCHANGE),
    spread=0.6,
    keys=3,
)
STUDENTS: Final = Population(
    "students",
    "student",
    0.034,
    0.013,
    (Traffic(Lesson(), (("class", 1.0),), catalogue=Catalogue(20, Sharing.GROUP, weekly=True)),),
    grouping=Grouping(size=45.0),
    identity=Identity(
        mail=Mail.STUDENT, card=Pool(absent=1.0), plan="free", programme="education", device=Pool(absent=0.35)
    ),
    network=Network(places=((Place.CAMPUS, 1.0),), sharing=Sharing.GROUP, size=3),
    spread=0.5,
)
EVALUATORS: Final = Population(
    "evaluators",
    "evaluator",
    0.0012,
    0.034,
    (Traffic(Batch(hours=3.0, runs=0.12), (("benchmark", 1.0),), catalogue=Catalogue(2_000)),),
    identity=Identity(mail=Mail.STAFF, card=Pool(absent=0.35), organization=True),
    network=Network(places=((Place.HOSTING, 0.5), (Place.OFFICE, 0.5))),
    spread=0.5,
)
JUDGES: Final = Population(
    "judges",
    "judge",
    0.004,
    0.045,
    (Traffic(Batch(hours=5.0, start=(7, 21), runs=0.35), (("judge", 1.0),)),),
    identity=Identity(mail=Mail.STAFF, card=Pool(absent=0.1)),
    network=Network(places=((Place.HOSTING, 0.5), (Place.HOME, 0.5))),
    spread=0.5,
)
TEMPLATE_USERS: Final = Population(
    "template-users",
    "template_user",
    0.045,
    0.030,
    (
        Traffic(
            Human(chats=4.0, pause=90.0),
            (("template", 0.6), ("template-problem", 0.4)),
            recipe_per=Sharing.ACCOUNT,
        ),
    ),
    network=_LIVE,
)
HARNESS_USERS: Final = Population(
    "harness-users",
    "harness_user",
    0.020,
    0.024,
    (Traffic(Human(chats=1.3), (("harness", 1.0),), Dialogue(turns=5.0, longest=12, think=25.0)),),
    grouping=Grouping(count=4),
    network=_LIVE,
    clients=("agentloop/1.7", "patchwork/0.42", "shellmate/3.1"),
    client_per=Sharing.GROUP,
)
CI_AGENTS: Final = Population(
    "ci-agents",
    "ci_agent",
    0.0022,
    0.036,
    (
        Traffic(
            Human("office", chats=2.0, pause=120.0), (("ci", 1.0),), Dialogue(turns=3.2, longest=8, think=9.0)
        ),
    ),
    identity=Identity(mail=Mail.STAFF, card=Pool(absent=0.12), organization=True, plan="team"),
    network=Network(
        places=((Place.HOSTING, 1.0),), sharing=Sharing.EVERYONE, size=60.0, turnover=Sharing.CONVERSATION
    ),
    spread=0.4,
    keys=2,
)
AGGREGATORS: Final = Population(
    "aggregators",
    "aggregator",
    0.0003,
    0.0257,
    (Traffic(Human(chats=1.2), (*_CHAT, ("client", 20.0)), _TALK),),
    identity=Identity(mail=Mail.STAFF, card=Pool(), organization=True, plan="enterprise"),
    network=Network(places=((Place.HOSTING, 1.0),), size=5, turnover=Sharing.EXCHANGE),
    clients=("okhttp/4.12", "go-openai/1.30"),
    spread=0.4,
    keys=6,
)
RESALE: Final = Population(
    "resale",
    "resale",
    0.0013,
    0.0023,
    (Traffic(Human(), _CHAT, _TALK),),
    identity=Identity(mail=Mail.GENERATED, card=Pool(Sharing.EVERYONE, each=8.0), device=Pool(absent=0.4)),
    network=Network(places=((Place.HOME, 1.0),), size=40, turnover=Sharing.CONVERSATION),
    spread=0.4,
)

FAMILIES: Final = (
    INDIVIDUALS,
    APP_USERS,
    COMPANIES,
    PIPELINES,
    ROUND_THE_CLOCK,
    STUDENTS,
    EVALUATORS,
    JUDGES,
    TEMPLATE_USERS,
    HARNESS_USERS,
    CI_AGENTS,
    AGGREGATORS,
    RESALE,
)
"""Shares sum to 1 for accounts and for exchanges, see ``tests/simulate/test_presets.py``."""


def copycats(dialect: str, recipe: str) -> Population:
    """Return ordinary people who picked up an operator's prompt and use it now and then."""
    return Population(
        f"copycats-{dialect}",
        "copycat",
        12,
        400,
        (
            Traffic(Human(), _CHAT, _TALK, share=0.8),
            Traffic(Human(), ((recipe, 1.0),), share=0.2),
        ),
        network=_LIVE,
        dialect=dialect,
    )
