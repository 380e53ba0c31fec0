"""Appeals as documents and as lines for people, each with what is known of the decision it is against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stillwatch.app import decision_texts
from stillwatch.contracts import UnknownSubjectError

if TYPE_CHECKING:
    from stillwatch.access.appeals import Appeal
    from stillwatch.app.service.judged_tables import JudgedTables
    from stillwatch.decisions.store import Store

_SHOWN = 5  # reasons of a campaign, and of an account


def appeal_document(appeal: Appeal) -> dict[str, Any]:
    """Return an appeal as one flat object."""
    told = vars(appeal) | {"kind": appeal.kind.value, "status": appeal.status.value}
    return {**told, "decision_id": appeal.decision_id or None}


def packet(appeal: Appeal, store: Store, judged: JudgedTables) -> dict[str, Any]:
    """Return an appeal with the decision that it is against, and what the judge holds of the account now.

    What is not known any more is null or empty: decisions stay, evidence is of the last judgement.
    """
    decision, member = _decided(appeal, store)
    campaign = None if decision is None else decision["campaign_id"]
    found = judged.account(appeal.account_id)
    return {
        "appeal": appeal_document(appeal),
        "decision": decision,
        "member": member,
        "found": found,
        "campaign": None if campaign is None else judged.campaign(campaign),
        "reasons": [] if campaign is None else judged.reasons(campaign),
        "account_reasons": judged.reasons_of(appeal.account_id),
    }


def _decided(appeal: Appeal, store: Store) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    if not appeal.decision_id:
        return None, None
    try:
        decision = store.get(appeal.decision_id)
    except UnknownSubjectError:
        return None, None
    own = [each for each in store.accounts(decision.id) if each.account_id == appeal.account_id]
    counts = store.counts([decision])
    member = decision_texts.member_document(own[0]) if own else None
    return decision_texts.decision_document(decision, counts[decision.id]), member


def line(appeal: Appeal) -> str:
    """Return an appeal in one line."""
    return (
        f"{appeal.number}  {appeal.status.value:<8}  {decision_texts.moment(appeal.made_at)}  "
        f"{appeal.kind.value:<11}  {decision_texts.plain(appeal.account_id)}  {appeal.decision_id or '-'}"
    )


def lines(told: dict[str, Any], appeal: Appeal) -> list[str]:
    """Return everything that who answers an appeal wants to know."""
    plain, moment = decision_texts.plain, decision_texts.moment
    facts = {
        "Account": plain(appeal.account_id),
        "About": appeal.kind.value,
        "Sent": f"{moment(appeal.made_at)}, in {appeal.language}",
        "Status": appeal.status.value,
    }
    if appeal.answered_at is not None:
        facts["Answered"] = (
            f"{moment(appeal.answered_at)} by {plain(appeal.answered_by)}: {plain(appeal.answer)}"
        )
    decision = told["decision"]
    if decision is not None:
        facts["Decision"] = (
            f"{decision['id']}, {decision['action'].value}, {decision['status'].value}, "
            f"{decision['accounts']:,} accounts"
        )
        facts["Campaign"] = f"{decision['campaign_id']}, q = {decision['q_value']:.2g}"
        facts["Reasons"] = ", ".join(decision["reason_codes"]) or "none"
    head = [appeal.number, *(f"    {name + ':':<10} {text}" for name, text in facts.items())]
    said = [f"    | {plain(each)}" for each in appeal.text.splitlines()]
    return [*head, "    They say:", *said, *_evidence(told)]


def _evidence(told: dict[str, Any]) -> list[str]:
    groups = {"Of the campaign:": told["reasons"], "Of the account:": told["account_reasons"]}
    shown = []
    for title, reasons in groups.items():
        if reasons:
            strongest = sorted(reasons, key=lambda each: -abs(each["llr"]))[:_SHOWN]
            shown += [f"    {title}"]
            shown += [
                f"    {each['llr']:+6.1f}  {decision_texts.plain(each['statement'])}" for each in strongest
            ]
    return shown
