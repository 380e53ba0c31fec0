"""The scaffold that many accounts share, found in their requests: what differs between them is left out.

A run of words is kept only where all of it, word for word, stands in requests of at least twenty accounts,
and a text is shown only where at least twenty accounts sent all of its runs in that order. So a payload,
which is one account's or a few accounts' own, is never shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

SHARED_BY: Final = 20
"""Accounts that must have sent a wording before anybody is shown it."""

ELIDED: Final = "…"

_RUN: Final = 5  # words that a run has at least: shorter ones are figures of speech
_HEAD, _TAIL = 1200, 400  # words of a text that are compared: scaffolds begin or end a message
_PATTERNS: Final = 40  # requests of which the text is tried as the wording of all
_SCAFFOLDS: Final = 4  # wordings of one campaign, most used first

_WIDE: Final = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"  # written without spaces: each sign is a word
_WORD: Final = re.compile(rf"[{_WIDE}]|(?:(?![{_WIDE}])\w)+|[^\w\s]")

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Scaffold:
    """A wording, and how many of the accounts that were read sent it."""

    text: str
    accounts: int


@dataclass(frozen=True)
class CampaignWording:
    """What was found of one campaign: its scaffolds, most used first, and whose requests were read."""

    scaffolds: tuple[Scaffold, ...]
    accounts_read: int


@dataclass(frozen=True)
class Wordings:
    """The wording of a run's campaigns by id, as far as the inputs could be read again."""

    campaigns: Mapping[str, CampaignWording]
    unread: tuple[str, ...]  # inputs that cannot be read twice
    expires: str  # the day from which on it is not shown any more, ISO 8601


@dataclass(frozen=True)
class _Text:
    account: int
    words: tuple[str, ...]
    gaps: tuple[str, ...]  # before each word: nothing, a space, or line breaks


@dataclass(frozen=True)
class _Corpus:
    """All texts one behind the other, as numbers of words; between texts stands a number of its own."""

    texts: tuple[_Text, ...]
    starts: Ints  # of each text
    words: Ints
    accounts: Ints  # of each word
    runs: npt.NDArray[np.uint64]  # hash of the run that begins at each word
    order: Ints  # places by that hash


def shared_wording(requests: Sequence[tuple[str, str]]) -> CampaignWording:
    """Return the scaffolds that at least :data:`SHARED_BY` accounts share.

    Args:
        requests: account and text of each request of one campaign.
    """
    accounts = sorted({account for account, _ in requests})
    number = {account: at for at, account in enumerate(accounts)}
    texts = tuple(
        _text(place, number[account], text) for place, (account, text) in enumerate(sorted(set(requests)))
    )
    if len(accounts) < SHARED_BY:
        return CampaignWording((), len(accounts))
    corpus = _corpus(texts)
    found: list[Scaffold] = []
    free = set(range(len(accounts)))
    patterns = _patterns(corpus)
    while patterns and len(found) < _SCAFFOLDS:
        runs, pattern, users = max(patterns, key=lambda one: _worth(one, free))
        if _worth((runs, pattern, users), free) <= 0:
            break
        found.append(Scaffold(_written(pattern, runs), len(users)))
        free -= users
        patterns = [one for one in patterns if one[0] != runs]
    return CampaignWording(tuple(found), len(accounts))


_Runs = tuple[tuple[int, int], ...]
"""First word and end of each run of a text."""

_Pattern = tuple[_Runs, _Text, frozenset[int]]
"""The runs of a text, the text, and the accounts that sent all of the runs in that order."""


def _text(place: int, account: int, text: str) -> _Text:
    words: list[str] = []
    gaps: list[str] = []
    end = 0
    for match in _WORD.finditer(text):
        between = text[end : match.start()]
        gaps.append("\n" * min(between.count("\n"), 2) or (" " if between else ""))
        words.append(match.group())
        end = match.end()
    if len(words) > _HEAD + _TAIL:
        cut = f"\0{place}"  # a word that no other text has: no run reaches over the cut
        words, gaps = [*words[:_HEAD], cut, *words[-_TAIL:]], [*gaps[:_HEAD], " ", *gaps[-_TAIL:]]
    return _Text(account, tuple(words), tuple(gaps))


def _corpus(texts: tuple[_Text, ...]) -> _Corpus:
    numbers: dict[str, int] = {}
    words: list[int] = []
    accounts: list[int] = []
    starts: list[int] = []
    for place, text in enumerate(texts):
        starts.append(len(words))
        words += [numbers.setdefault(word, len(numbers)) for word in text.words]
        words += [-1 - place] * _RUN  # no run goes on into the next text
        accounts += [text.account] * (len(text.words) + _RUN)
    sequence = np.array(words, np.int64)
    runs = _hashes(sequence)
    return _Corpus(
        texts, np.array(starts), sequence, np.array(accounts, np.int64), runs, np.argsort(runs, kind="stable")
    )


def _hashes(words: Ints) -> npt.NDArray[np.uint64]:
    """Hash the run that begins at each word but the last few; equal runs have equal hashes."""
    mixed = words.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(1)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    total = np.zeros(max(0, len(words) - _RUN + 1), np.uint64)
    for at in range(_RUN):
        total = total * np.uint64(0x100000001B3) + mixed[at : at + len(total)]
    return total


def _patterns(corpus: _Corpus) -> list[_Pattern]:
    """Return what evenly chosen texts hold in common with others, where enough accounts hold all of it."""
    step = max(1, len(corpus.texts) // _PATTERNS)
    found: dict[str, _Pattern] = {}
    for place in range(0, len(corpus.texts), step):
        text = corpus.texts[place]
        runs = tuple(_runs(corpus, place))
        users = _users(corpus, text, runs) if runs else frozenset()
        if len(users) >= SHARED_BY:
            found.setdefault(_written(text, runs), (runs, text, users))
    return list(found.values())


def _runs(corpus: _Corpus, place: int) -> Iterator[tuple[int, int]]:
    """Yield the longest runs of a text, from its front, that enough accounts sent word for word."""
    start, words = int(corpus.starts[place]), len(corpus.texts[place].words)
    at = 0
    while at + _RUN <= words:
        end = _shared_end(corpus, start + at, start + words) - start
        if end > at:
            yield at, end
        at = max(end, at + 1)


def _shared_end(corpus: _Corpus, at: int, end: int) -> int:
    """Return where the longest run from ``at`` ends that enough accounts sent; ``at`` where there is none."""
    first = corpus.runs[at]
    low = np.searchsorted(corpus.runs, first, side="left", sorter=corpus.order)
    high = np.searchsorted(corpus.runs, first, side="right", sorter=corpus.order)
    places, reached = corpus.order[low:high], at
    while reached < end:
        ahead = places + (reached - at)
        places = places[corpus.words[np.minimum(ahead, len(corpus.words) - 1)] == corpus.words[reached]]
        if len(np.unique(corpus.accounts[places])) < SHARED_BY:
            break
        reached += 1
    return reached if reached - at >= _RUN else at


def _users(corpus: _Corpus, pattern: _Text, runs: _Runs) -> frozenset[int]:
    """Return the accounts with a text that holds all runs of the pattern in order."""
    wanted = [_joined(pattern.words[start:end]) for start, end in runs]
    return frozenset(text.account for text in corpus.texts if _holds(_joined(text.words), wanted))


def _joined(words: Sequence[str]) -> str:
    return f" {' '.join(words)} "


def _holds(text: str, wanted: Sequence[str]) -> bool:
    at = 0
    for run in wanted:
        at = text.find(run, at)
        if at < 0:
            return False
        at += len(run) - 1
    return True


def _worth(pattern: _Pattern, free: set[int]) -> int:
    """Words that a pattern shows of accounts whose wording is not known yet; none for a few of them."""
    runs, _, users = pattern
    new = len(users & free)
    return new * sum(end - start for start, end in runs) if new >= SHARED_BY // 2 else 0


def _written(text: _Text, runs: _Runs) -> str:
    """Write the runs of a text as it has them, with what stands between them left out."""
    parts: list[str] = []
    done = 0
    for start, end in runs:
        gaps = list(text.gaps[start:end])
        if start > done or parts:  # runs that meet are not one run: nobody else may have sent them so
            parts.append(f" {ELIDED}")
            gaps[0] = gaps[0] or " "
        parts += [gap + word for gap, word in zip(gaps, text.words[start:end], strict=True)]
        done = end
    if done < len(text.words):
        parts.append(f" {ELIDED}")
    return "".join(parts).strip()
