"""Cases and reasons as sentences of one language."""

from __future__ import annotations

import re
from typing import Final

from stillwatch.evidence.case import Case, Reason, Side
from stillwatch.evidence.phrases import ENGLISH, Phrases

_TITLE_TRAITS: Final = 3


def title(case: Case, phrases: Phrases = ENGLISH) -> str:
    """A group's name: as it is stored, which is English, or made anew from its numbers."""
    if phrases.language == ENGLISH.language:
        return case.summary
    parts = [phrases.counted(case.accounts, "account")]
    parts += [phrases.label(name) for name, _ in case.capabilities[:1]]
    signals = [reason.signal for side in (Side.LINKING, Side.EXTRACTION) for reason in case.reasons_on(side)]
    parts += [phrases.label(signal) for signal in dict.fromkeys(signals)][:_TITLE_TRAITS]
    return ", ".join(parts)


def aims(case: Case, phrases: Phrases = ENGLISH) -> str:
    """The abilities that make up most of the traffic, with their shares; empty where unknown."""
    main = [(name, share) for name, share in case.capabilities if share >= 0.1][:3]
    return phrases.listing(
        [
            phrases.say("share_with_name", name=phrases.ability(name), share=phrases.percent(share))
            for name, share in main
        ]
    )


def facets_of(case: Case, side: Side, phrases: Phrases = ENGLISH) -> tuple[str, ...]:
    """Names of the facets whose reasons speak on this side, strongest first."""
    names = [phrases.label(reason.facet).lower() for reason in case.reasons_on(side)]
    return tuple(dict.fromkeys(names))


def sentence(case: Case, phrases: Phrases = ENGLISH) -> str:
    """The accusation in one plain sentence: who, how much, when, at what, on what evidence."""
    told = _what(case, phrases)
    for side in (Side.LINKING, Side.EXTRACTION):
        facets = facets_of(case, side, phrases)
        if facets:
            told += phrases.say(f"sentence.{side.value}", facets=phrases.listing(facets))
    return told + phrases.say("sentence.end")


def doing(case: Case, phrases: Phrases = ENGLISH) -> str:
    """Who, how much, when and at what, without a word on evidence: of accounts that nobody accuses."""
    return _what(case, phrases) + phrases.say("sentence.end")


def kept_clear(case: Case, phrases: Phrases = ENGLISH) -> str:
    """Why a look-alike stayed clear, and what spoke against it most; empty for any other group."""
    if case.clearance is None:
        return ""
    told = phrases.say(
        f"clear.{case.clearance.why.value}",
        accounts=phrases.counted(case.accounts, "account"),
        exchanges=phrases.counted(case.exchanges, "exchange"),
        linking=phrases.ratio(case.clearance.linking),
        extraction=phrases.ratio(case.clearance.extraction),
        sureness=phrases.false_alarms(case.q_value),
    )
    against = case.reasons_on(Side.AGAINST)
    return f"{told} {phrases.honest(against[0].facet)}" if against else told


def _what(case: Case, phrases: Phrases) -> str:
    told = phrases.say(
        "sentence.what",
        accounts=phrases.counted(case.accounts, "account"),
        exchanges=phrases.counted(case.exchanges, "exchange"),
        days=phrases.counted(case.days, "day"),
        range=phrases.day_range(case.first_seen, case.last_seen),
    )
    aimed = aims(case, phrases)
    if aimed:
        told += phrases.say("sentence.aims", aims=aimed)
    return told


def measured(reason: Reason, phrases: Phrases = ENGLISH) -> str:
    """The numbers behind the statement, in words; empty where none is stored."""
    parts = []
    if reason.observed is not None:
        parts.append(phrases.say("measured.observed", n=phrases.decimal(reason.observed)))
    if reason.expected is not None:
        parts.append(phrases.say("measured.expected", n=phrases.decimal(reason.expected)))
    if reason.accounts is not None:
        parts.append(phrases.counted(reason.accounts, "account"))
    if reason.exchanges is not None:
        parts.append(phrases.counted(reason.exchanges, "exchange"))
    return ", ".join(parts)


def statement(reason: Reason, phrases: Phrases = ENGLISH) -> str:
    """The reason in words: by the language's text for its signal where the numbers that it names are
    stored, else as stored, which is English.
    """
    text, numbers = phrases.statements.get(reason.signal), _numbers(reason, phrases)
    if text is None or not set(re.findall(r"{(\w+)}", text)) <= numbers.keys():
        return reason.statement
    return text.format(**numbers)


def _numbers(reason: Reason, phrases: Phrases) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in (("observed", reason.observed), ("expected", reason.expected)):
        if value is not None:
            found |= {name: phrases.decimal(value), f"{name}_share": phrases.percent(value)}
    for name, number in (("accounts", reason.accounts), ("exchanges", reason.exchanges)):
        if number is not None:
            found[name] = phrases.count(number)
    return found
