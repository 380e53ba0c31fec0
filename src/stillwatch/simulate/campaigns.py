"""The campaign families that detection is measured on, as data; letters as in the threat catalogue.

They describe what such traffic looks like from the provider's side of the log, at the level of published
reports: how many accounts, what they share, how load moves over them. Texts are made up.
"""

from __future__ import annotations

from dataclasses import replace

from stillwatch.simulate.population import (
    Dialogue,
    Enrolment,
    Identity,
    Mail,
    Network,
    Place,
    Pool,
    Population,
    Sharing,
    Traffic,
)
from stillwatch.simulate.tempo import Human, Queue

_SCRIPTS = ("python-requests/2.32", "openai-python/1.99.3", "go-openai/1.30", "axios/1.7", "okhttp/4.12")
_PROXIES = Network(places=((Place.PROXY, 1.0),))
_VIRTUAL_CARDS = Pool(Sharing.EVERYONE, each=8.0)


def _population(campaign: str, accounts: float, exchanges: float, *traffic: Traffic) -> Population:
    return Population(
        campaign,
        "attack",
        accounts,
        exchanges,
        traffic,
        identity=Identity(card=_VIRTUAL_CARDS, device=Pool(Sharing.ACCOUNT, absent=0.25)),
        network=_PROXIES,
        enrolment=Enrolment(bursts=4),
        clients=_SCRIPTS,
        spread=0.2,
        campaign=campaign,
        dialect=campaign,
    )


def elicitation(campaign: str, accounts: float, exchanges: float) -> Population:
    """A: one fixed elicitation prompt, residential addresses, reused virtual cards."""
    traffic = Traffic(Queue(), (("elicit-mathematics", 0.6), ("elicit-puzzles", 0.4)), attack=True)
    return _population(campaign, accounts, exchanges, traffic)


def farm(campaign: str, accounts: float, exchanges: float) -> Population:
    """B: instruction generation by a crude farm, one device, a dozen hosting addresses."""
    base = _population(campaign, accounts, exchanges, Traffic(Queue(), (("generate", 1.0),), attack=True))
    return replace(
        base,
        identity=Identity(
            mail=Mail.DISPOSABLE,
            card=Pool(Sharing.EVERYONE, each=40.0),
            device=Pool(Sharing.EVERYONE, each=1e9),
        ),
        network=Network(
            places=((Place.HOSTING, 1.0),), sharing=Sharing.EVERYONE, size=0.1, turnover=Sharing.EXCHANGE
        ),
        enrolment=Enrolment(bursts=2, burst_hours=12.0),
        clients=_SCRIPTS[:2],
    )


def slow(campaign: str, accounts: float, exchanges: float) -> Population:
    """C: low and slow, one proxy per credential, nothing shared but the scaffold."""
    traffic = Traffic(Queue(noise=0.3), (("elicit-mathematics", 0.5), ("elicit-code", 0.5)), attack=True)
    base = _population(campaign, accounts, exchanges, traffic)
    return replace(base, identity=Identity(), enrolment=Enrolment(during=0.3), clients=())


def mixed(campaign: str, accounts: float, exchanges: float) -> Population:
    """D: most of each account's traffic is resold ordinary use."""
    people = Network(places=((Place.HOME, 1.0),), size=20, turnover=Sharing.CONVERSATION)
    resold = Traffic(
        Human(),
        (("chat", 0.8), ("international", 0.2)),
        Dialogue(turns=2.2, longest=10, think=60.0),
        share=0.8,
        network=people,
    )
    own = Traffic(Queue(), (("elicit-mathematics", 0.7), ("elicit-puzzles", 0.3)), share=0.2, attack=True)
    return replace(
        _population(campaign, accounts, exchanges, resold, own),
        identity=Identity(mail=Mail.SUBDOMAIN, card=_VIRTUAL_CARDS),
    )


def paraphrased(campaign: str, accounts: float, exchanges: float) -> Population:
    """E: paraphrased scaffolds, one focus, one queue."""
    traffic = Traffic(Queue(), (("elicit-paraphrased", 1.0),), attack=True)
    base = _population(campaign, accounts, exchanges, traffic)
    return replace(base, identity=Identity(card=Pool(Sharing.EVERYONE, each=3.0)))


def grading(campaign: str, accounts: float, exchanges: float) -> Population:
    """F: the model as a reward model, one rubric."""
    base = _population(campaign, accounts, exchanges, Traffic(Queue(), (("grade", 1.0),), attack=True))
    return replace(base, identity=Identity(mail=Mail.ALIASED, card=Pool(Sharing.EVERYONE, each=10.0)))


def trajectories(campaign: str, accounts: float, exchanges: float) -> Population:
    """G: agent trajectories; conversations move between accounts."""
    dialogue = Dialogue(turns=4.5, longest=8, think=14.0, handover=0.35)
    traffic = Traffic(Queue(), (("trajectories", 1.0),), dialogue, attack=True)
    return _population(campaign, accounts, exchanges, traffic)


def failover(campaign: str, accounts: float, exchanges: float) -> Population:
    """H: a pool on standby takes over within hours of a ban."""
    base = elicitation(campaign, accounts, exchanges)
    return replace(base, enrolment=Enrolment(bursts=3, ban=0.5, standby=0.5))


def pivot(campaign: str, accounts: float, exchanges: float) -> Population:
    """I: half of the workload moves to a new model within a day of its release."""
    return replace(elicitation(campaign, accounts, exchanges), pivot=0.61)


def replay(campaign: str, accounts: float, exchanges: float) -> Population:
    """J: organic prompts replayed through one harness."""
    return _population(campaign, accounts, exchanges, Traffic(Queue(), (("replay", 1.0),), attack=True))


def programme_abuse(campaign: str, accounts: float, exchanges: float) -> Population:
    """L: the accounts come in through a research programme and pay nothing."""
    identity = Identity(mail=Mail.STUDENT, card=Pool(absent=1.0), plan="free", programme="research")
    return replace(elicitation(campaign, accounts, exchanges), identity=identity)


def trace_cleaning(campaign: str, accounts: float, exchanges: float) -> Population:
    """Captured traces fed back to be normalised: few accounts, heavy use."""
    traffic = Traffic(Queue(), (("clean-traces", 0.8), ("restate", 0.2)), attack=True)
    return _population(campaign, accounts, exchanges, traffic)


def load_balanced(campaign: str, accounts: float, exchanges: float) -> Population:
    """The largest published case: reasoning, agentic work and software engineering from one queue.

    Accounts are enrolled in bursts over the first half of the window and leave through one proxy network.
    """
    dialogue = Dialogue(turns=3.0, longest=5, think=14.0, handover=0.3)
    return replace(
        _population(
            campaign,
            accounts,
            exchanges,
            Traffic(
                Queue(),
                (("elicit-mathematics", 0.55), ("elicit-puzzles", 0.3), ("restate", 0.15)),
                share=0.4,
                attack=True,
            ),
            Traffic(Queue(), (("elicit-code", 1.0),), share=0.3, attack=True),
            Traffic(Queue(), (("trajectories", 1.0),), dialogue, share=0.3, attack=True),
        ),
        identity=Identity(mail=Mail.GENERATED, card=Pool(Sharing.EVERYONE, each=20.0)),
        network=Network(
            places=((Place.PROXY, 1.0),), sharing=Sharing.EVERYONE, size=1.5, turnover=Sharing.CONVERSATION
        ),
        enrolment=Enrolment(bursts=12, burst_hours=8.0, waves=0.4),
    )


def two_pools(campaign: str, accounts: float, exchanges: float) -> Population:
    """The same operator later: about 3,500 accounts at work, a pool of 5,000 on standby for the ban."""
    base = load_balanced(campaign, accounts, exchanges)
    return replace(base, enrolment=Enrolment(bursts=6, ban=0.45, standby=5_000 / 8_500))
