"""What stands at the head of the report and of each of its chapters: sentences and numbers, in words.

Page and PDF both lay out these values and make none of their own, so that they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from stillwatch.evidence.account_graph import Hub
from stillwatch.evidence.case import Case, Member
from stillwatch.evidence.phrases import Phrases
from stillwatch.evidence.scanned import EXCHANGES_NEEDED, QUIETEST_PACE, Scanned
from stillwatch.evidence.wording import SHARED_BY, CampaignWording, Scaffold, Wordings

_TINY: Final = 0.01  # false alarms below which the number says nothing more


@dataclass(frozen=True)
class Fact:
    """One number with what it counts and, where that needs saying, what it is to be measured by."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Headline:
    """What all groups of the run come to together."""

    campaigns: int
    watched: int
    accounts: int  # distinct, in campaigns
    exchanges: int  # of the campaigns
    false_alarms: float  # expected among the campaigns called, at most


def finding(headline: Headline, phrases: Phrases) -> str:
    """The report's title: what was found, in one sentence."""
    number = "none" if not headline.campaigns else "one" if headline.campaigns == 1 else "many"
    return phrases.say(f"title.{number}", n=phrases.count(headline.campaigns))


def lede(headline: Headline, scanned: Scanned, phrases: Phrases) -> str:
    """The paragraph below the title: in what traffic, by whom."""
    seen = {
        "exchanges": phrases.counted(scanned.exchanges, "exchange"),
        "accounts": phrases.counted(scanned.accounts, "account"),
    }
    if not headline.campaigns:
        return phrases.say("lede.none" if scanned.exchanges else "lede.empty", **seen, range=scanned.when)
    return phrases.say(
        "lede.one" if headline.campaigns == 1 else "lede.many",
        **seen,
        range=phrases.say("lede.range", range=scanned.when) if scanned.when else "",
        involved=phrases.counted(headline.accounts, "account"),
        campaigns=phrases.counted(headline.campaigns, "campaign"),
    )


def headline_facts(headline: Headline, scanned: Scanned, phrases: Phrases) -> tuple[Fact, ...]:
    """The numbers below that paragraph: of the finding, or where there is none, of what was examined."""
    told = _found(headline, scanned, phrases) if headline.campaigns else _examined(scanned, phrases)
    groups = "figure.watch.one" if headline.watched == 1 else "figure.watch.other"
    watch = Fact(phrases.say("figure.watch"), phrases.count(headline.watched), phrases.say(groups))
    return (*told, watch)


def _found(headline: Headline, scanned: Scanned, phrases: Phrases) -> tuple[Fact, ...]:
    alarms = headline.false_alarms
    return (
        Fact(
            phrases.say("figure.involved"),
            phrases.count(headline.accounts),
            phrases.say("figure.of_accounts", share=_part(headline.accounts, scanned.accounts, phrases)),
        ),
        Fact(
            phrases.say("figure.taken"),
            phrases.short_count(headline.exchanges),
            phrases.say("figure.of_exchanges", share=_part(headline.exchanges, scanned.exchanges, phrases)),
        ),
        Fact(
            phrases.say("figure.alarms"),
            phrases.say("figure.under") if alarms < _TINY else phrases.decimal(alarms),
            phrases.say("figure.among", campaigns=phrases.counted(headline.campaigns, "campaign")),
        ),
    )


def _examined(scanned: Scanned, phrases: Phrases) -> tuple[Fact, ...]:
    pace = phrases.say("figure.pace", pace=phrases.decimal(scanned.pace)) if scanned.exchanges else ""
    return (
        Fact(phrases.say("figure.examined_accounts"), phrases.count(scanned.accounts)),
        Fact(phrases.say("figure.examined_exchanges"), phrases.short_count(scanned.exchanges), pace),
        Fact(phrases.say("figure.covered"), phrases.count(scanned.days), scanned.when),
    )


def _part(part: int, whole: int, phrases: Phrases) -> str:
    return phrases.percent(part / whole if whole else 0)


def case_facts(case: Case, phrases: Phrases) -> tuple[Fact, ...]:
    """The numbers at the head of a campaign's chapter."""
    sent = phrases.say("figure.tokens", input=phrases.short_count(case.input_tokens))
    return (
        Fact(phrases.say("figure.accounts"), phrases.count(case.accounts)),
        Fact(
            phrases.say("figure.exchanges"),
            phrases.short_count(case.exchanges),
            phrases.say("figure.pace", pace=phrases.decimal(case.pace)),
        ),
        Fact(phrases.say("figure.days"), phrases.count(case.days), days(case, phrases)),
        Fact(phrases.say("figure.output"), phrases.short_count(case.output_tokens), sent),
        Fact(
            phrases.say("figure.false"),
            phrases.false_alarms(case.q_value),
            f"{phrases.say('figure.expected')}, {phrases.q_text(case.q_value)}",
        ),
    )


def days(case: Case, phrases: Phrases) -> str:
    """The days from the group's first exchange to its last, in words."""
    return phrases.day_range(case.first_seen, case.last_seen)


def power(headline: Headline, scanned: Scanned, phrases: Phrases) -> str:
    """How faint a campaign the log could have shown; empty where it covers no day."""
    if not scanned.days:
        return ""
    told = phrases.say(
        "power.told",
        pace=phrases.decimal(QUIETEST_PACE),
        days=phrases.counted(scanned.days, "day"),
        accounts=phrases.counted(scanned.accounts_needed, "account"),
        exchanges=phrases.count(scanned.faintest_trace * scanned.accounts_needed),
        needed=phrases.count(EXCHANGES_NEEDED),
    )
    return f"{told} {phrases.say('power.others' if headline.campaigns else 'power.any')}"


def members_told(accounts: int, phrases: Phrases) -> str:
    """How many accounts a group has, and where they are listed."""
    return phrases.say("members.all", accounts=phrases.counted(accounts, "account"))


def tie(member: Member, phrases: Phrases) -> str:
    """How firmly an account is tied to its group, and with how much of its traffic: ``0.97 · 100%``."""
    return f"{member.strength:.2f} · {phrases.percent(member.share)}"


def untied(members: int, phrases: Phrases) -> str:
    """How many members the account graph leaves out; empty where it has all."""
    if not members:
        return ""
    return phrases.say("ties.untied", accounts=phrases.counted(members, "account"))


def things_left(hubs: Sequence[Hub], phrases: Phrases) -> str:
    """How many shared things a table leaves out; empty where it has all."""
    if not hubs:
        return ""
    return phrases.say("ties.left", things=phrases.count(sum(hub.things for hub in hubs)))


def wording_notes(wordings: Wordings, phrases: Phrases) -> tuple[str, ...]:
    """What the wording shown is, which inputs it lacks, and how long it is kept."""
    notes = [phrases.say("wording.told", shared_by=SHARED_BY)]
    if wordings.unread:
        notes.append(phrases.say("wording.unread", inputs=phrases.listing(wordings.unread)))
    expires = datetime.fromisoformat(wordings.expires)
    return (*notes, phrases.say("wording.expires", day=phrases.day(expires)))


def wording_users(scaffold: Scaffold, wording: CampaignWording, phrases: Phrases) -> str:
    """How many of the accounts that were read sent a scaffold."""
    users = phrases.counted(scaffold.accounts, "account")
    return phrases.say("wording.accounts", users=users, read=phrases.count(wording.accounts_read))


def no_wording(wording: CampaignWording | None, phrases: Phrases) -> str:
    """Why no wording is shown of a campaign."""
    read = wording.accounts_read if wording else 0
    return phrases.say(
        "wording.none" if read >= SHARED_BY else "wording.few",
        read=phrases.counted(read, "account"),
        shared_by=SHARED_BY,
    )


def watched_told(headline: Headline, phrases: Phrases) -> str:
    """What the watch list is."""
    return phrases.say("watch.told", groups=phrases.counted(headline.watched, "group"))


def how_sure(case: Case, phrases: Phrases) -> str:
    """How sure the call of a watched group would be."""
    return phrases.say(
        "watch.sure",
        sureness=phrases.sureness(case.q_value),
        q=phrases.q_text(case.q_value),
        score=phrases.ratio(case.score),
    )


def lookalikes_told(cases: Sequence[Case], phrases: Phrases) -> str:
    """What the look-alikes are."""
    return phrases.say("clear.told", groups=phrases.counted(len(cases), "group"))


def clear_numbers(case: Case, phrases: Phrases) -> str:
    """How much spoke on each side for a look-alike; empty for any other group."""
    if case.clearance is None:
        return ""
    return phrases.say(
        "clear.numbers",
        linking=phrases.ratio(case.clearance.linking),
        extraction=phrases.ratio(case.clearance.extraction),
        score=phrases.ratio(case.score),
        q=phrases.q_text(case.q_value),
    )


def scanned_told(scanned: Scanned, phrases: Phrases) -> str:
    """The traffic that was looked at."""
    return phrases.say(
        "scanned.told.range" if scanned.when else "scanned.told",
        exchanges=phrases.counted(scanned.exchanges, "exchange"),
        accounts=phrases.counted(scanned.accounts, "account"),
        range=scanned.when,
    )
