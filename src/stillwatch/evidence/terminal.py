"""Cases and accounts as plain text for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

from stillwatch.evidence import waterfall
from stillwatch.evidence.account import Account, Membership
from stillwatch.evidence.case import Case, Reason, Side
from stillwatch.evidence.declared import GivenLabel, declaration_text, label_text
from stillwatch.evidence.phrases import ENGLISH
from stillwatch.evidence.telling import aims, kept_clear, measured

_WIDTH: Final = 88
_KEY: Final = 16  # columns for the name of a number
_SIDES: Final = {
    Side.LINKING: "What links the accounts",
    Side.EXTRACTION: "What shows extraction",
    Side.AGAINST: "What speaks against it",
}


def case_text(case: Case) -> str:
    """A group: numbers, reasons, how they add up, firmest members."""
    return _joined([*_case_head(case), *_case_reasons(case), *_sum(case), *_members(case)])


def account_text(account: Account) -> str:
    """An account: numbers, then for each group it serves its own reasons and the group's."""
    lines = [f"{ENGLISH.visible(account.account_id)}   {_standing(account)}", ""]
    lines += _row("Risk", f"{ENGLISH.decimal(account.risk)} of 1")
    lines += _row("Exchanges", ENGLISH.count(account.exchanges))
    if account.first_evidence_at is not None:
        lines += _row("First evidence", ENGLISH.moment(account.first_evidence_at))
    lines += [line for label in account.labels for line in _label(label)]
    if account.declarations:
        lines += ["", *_declared(account)]
    if account.exempt:
        return _joined(lines)
    if not account.memberships:
        return _joined([*lines, "", *_clear(account)])
    for membership in account.memberships:
        lines += ["", *_membership(account, membership)]
    return _joined(lines)


def _standing(account: Account) -> str:
    return f"{account.verdict.value} (allowed)" if account.exempt else account.verdict.value


def _declared(account: Account) -> Iterator[str]:
    for declared in account.declarations:
        yield from _wrapped(declaration_text(declared, ENGLISH))
    if account.exempt:
        yield from _wrapped(ENGLISH.say("declared.not_weighed"))


def _label(label: GivenLabel) -> list[str]:
    return _row("Label", label_text(label, ENGLISH))


def _joined(lines: Sequence[str]) -> str:
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _case_head(case: Case) -> Iterator[str]:
    yield f"{ENGLISH.visible(case.campaign_id)}   {case.verdict.value}"
    yield from _wrapped(case.summary)
    yield ""
    yield from _row("Accounts", ENGLISH.count(case.accounts))
    yield from _row("Exchanges", _volume(case))
    yield from _row("Seen", f"{ENGLISH.day_range(case.first_seen, case.last_seen)} ({case.days} days)")
    aimed = aims(case)
    if aimed:
        yield from _row("Aimed at", aimed)
    yield from _row("How sure", f"{ENGLISH.sureness(case.q_value)} ({ENGLISH.q_text(case.q_value)})")
    yield from _row("Score", _score(case))
    if case.clearance is not None:
        yield from _row("Stayed clear", kept_clear(case))
    for label in case.labels:
        yield from _label(label)


def _volume(case: Case) -> str:
    tokens = (
        f"{ENGLISH.short_count(case.input_tokens)} tokens in, {ENGLISH.short_count(case.output_tokens)} out"
    )
    return f"{ENGLISH.count(case.exchanges)} ({ENGLISH.decimal(case.pace)} per account and day; {tokens})"


def _score(case: Case) -> str:
    parts = [f"{name} {ENGLISH.ratio(llr)}" for name, llr in waterfall.side_totals(case).items()]
    return f"{ENGLISH.decimal(case.score)} = {', '.join(parts)}" if parts else ENGLISH.decimal(case.score)


def _case_reasons(case: Case) -> Iterator[str]:
    for side, title in _SIDES.items():
        reasons = case.reasons_on(side)
        if reasons:
            yield from ("", title)
            yield from (line for reason in reasons for line in _reason(reason))
    if case.silent:
        yield from ("", "Looked at, without weight")
        yield from (line for reason in case.silent for line in _reason(reason))


def _reason(reason: Reason) -> Iterator[str]:
    name = ENGLISH.visible(f"{reason.facet} / {reason.signal}")
    yield f"  {ENGLISH.ratio(reason.llr):>6}  {name}"
    yield from _wrapped(reason.statement, indent=10)
    numbers = measured(reason)
    if numbers:
        yield from _wrapped(f"({numbers})", indent=10)


def _sum(case: Case) -> Iterator[str]:
    """Only what the reasons above do not show: what the limits per facet took away."""
    limits = [step for step in waterfall.steps(case) if step.side == waterfall.LIMIT]
    if limits:
        yield from ("", "Not counted in full")
        yield from (f"  {ENGLISH.ratio(step.llr):>6}  {step.label}" for step in limits)


def _members(case: Case) -> Iterator[str]:
    if not case.firmest:
        return
    yield from (
        "",
        f"Firmest members ({len(case.firmest)} of {ENGLISH.count(case.accounts)}; strength, share)",
    )
    for member in case.firmest:
        account_id = ENGLISH.visible(member.account_id)
        yield f"  {member.strength:4.2f}  {ENGLISH.percent(member.share):>8}  {account_id}"


def _membership(account: Account, membership: Membership) -> Iterator[str]:
    case, member = membership.case, membership.member
    yield from _wrapped(
        f"{ENGLISH.percent(member.share)} of its {ENGLISH.counted(account.exchanges, 'exchange')} belong to "
        f"{case.campaign_id} ({case.verdict.value}), to which it is tied with strength "
        f"{ENGLISH.decimal(member.strength)} of 1."
    )
    yield from ("", "This account's own reasons")
    if membership.reasons:
        yield from (line for reason in membership.reasons for line in _reason(reason))
    else:
        yield "  None of its own: it is tied by what its group shows as a whole."
    yield from ("", "The group", "")
    yield from _case_head(case)
    yield from _case_reasons(case)
    yield from _sum(case)


def _clear(account: Account) -> Iterator[str]:
    facets = ENGLISH.listing([ENGLISH.visible(facet) for facet in account.looked_at])
    where = f" on {facets}" if facets else ""
    yield from _wrapped(
        f"All {ENGLISH.counted(account.exchanges, 'exchange')} of this account were looked at. Compared with "
        f"every other account{where}, nothing links it to a group that behaves as a campaign."
    )
    yield from (f"  {ENGLISH.ratio(llr):>6}  {ENGLISH.visible(facet)}" for facet, llr in account.facets)


def _row(key: str, value: str) -> list[str]:
    margin = " " * (_KEY + 2)
    return _fill(value, first=f"  {key:<{_KEY}}", margin=margin)


def _wrapped(text: str, indent: int = 0) -> list[str]:
    margin = " " * indent
    return _fill(text, first=margin, margin=margin)


def _fill(text: str, *, first: str, margin: str) -> list[str]:
    """Lines of at most 88 columns; words and ids are never cut, so that they can be copied."""
    return textwrap.wrap(
        ENGLISH.visible(text),
        _WIDTH,
        initial_indent=first,
        subsequent_indent=margin,
        break_long_words=False,
        break_on_hyphens=False,
    )
