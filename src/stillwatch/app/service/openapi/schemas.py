"""The objects that the API answers with."""

from __future__ import annotations

from typing import Final

from stillwatch.app.service.openapi.parts import (
    COUNT,
    COUNTS,
    NUMBER,
    SCORES,
    SHARE,
    TEXT,
    TEXTS,
    TIME,
    TRUTH,
    Part,
    listed,
    maybe,
    one_of,
    ref,
    row,
)
from stillwatch.contracts import AccountEvent
from stillwatch.decisions.decision import Status
from stillwatch.decisions.policy import Measure

_ERROR: Final = row(code=TEXT, message=TEXT, remedy=TEXT)
_ACTION: Final = one_of(*Measure)

SCHEMAS: Final[dict[str, Part]] = {
    "Error": row(error={**_ERROR, "properties": {**_ERROR["properties"], "field": TEXT}}),
    "Reason": row(reason=TEXT, times=COUNT),
    "Receipt": row(accepted=COUNT, rejected=COUNT, reasons=listed(ref("Reason"))),
    "Status": row(
        version=TEXT,
        now=TIME,
        traffic=row(
            hours=listed(row(hour=TIME, exchanges=COUNT)),
            received=maybe(
                row(
                    exchanges=COUNT,
                    accounts=COUNT,
                    events=COUNT,
                    rejected=COUNT,
                    refused=COUNTS,
                    reasons=listed(ref("Reason")),
                    inbox_bytes=COUNT,
                )
            ),
        ),
        sealing=maybe(
            row(seconds_since_seal=maybe(NUMBER), exchanges=COUNT, set_aside=COUNT, error=maybe(TEXT))
        ),
        judge=maybe(
            row(
                at=maybe(TIME),
                until=maybe(TIME),
                judged_at=maybe(TIME),
                seen=COUNT,
                judgements=COUNT,
                followed=COUNT,
                seconds=NUMBER,
                error=maybe(TEXT),
                policy_version=maybe(TEXT),
                policy_error=maybe(TEXT),
                refused_files=TEXTS,
                publishing_error=maybe(TEXT),
                late=TRUTH,
            )
        ),
        decisions=maybe(
            row(
                revision=COUNT,
                by_status=row(**{status.value: COUNT for status in Status}),
                in_force=row(**{measure.value: row(decisions=COUNT, accounts=COUNT) for measure in Measure}),
                dry_run_accounts=COUNT,
            )
        ),
        campaigns=row(campaign=COUNT, watch=COUNT, accounts=COUNT, exchanges=COUNT),
        gates=row(
            outcomes=listed(row(action=TEXT, outcome=TEXT, times=COUNT)),
            last_at=maybe(TIME),
            behind_bytes=COUNT,
            going_past=maybe(
                row(
                    since=TIME,
                    until=TIME,
                    logged=COUNT,
                    ruled=COUNT,
                    turned_away=COUNT,
                    unruled=COUNT,
                    accounts=COUNT,
                )
            ),
        ),
        troubles=listed(row(part=TEXT, message=TEXT)),
    ),
    "Campaign": row(
        campaign_id=TEXT,
        verdict=one_of("campaign", "watch"),
        score=NUMBER,
        q_value=SHARE,
        accounts=COUNT,
        exchanges=COUNT,
        input_tokens=COUNT,
        output_tokens=COUNT,
        first_seen=TIME,
        last_seen=TIME,
        capabilities=SCORES,
        facets=SCORES,
        summary=TEXT,
    ),
    "Evidence": row(
        facet=TEXT,
        signal=TEXT,
        side=one_of("linking", "extraction", "against"),
        llr=NUMBER,
        observed=maybe(NUMBER),
        expected=maybe(NUMBER),
        accounts=maybe(COUNT),
        exchanges=maybe(COUNT),
        statement=TEXT,
    ),
    "CampaignInFull": row(
        campaign=ref("Campaign"),
        reasons=listed(ref("Evidence")),
        days=listed(row(day=TIME, exchanges=COUNT, accounts=COUNT)),
        decisions=listed(ref("Decision")),
    ),
    "CampaignMember": row(account_id=TEXT, strength=SHARE, share=SHARE),
    "Account": row(
        account_id=TEXT,
        found=maybe(
            row(
                verdict=one_of("campaign", "watch", "clear"),
                campaign_id=maybe(TEXT),
                risk=SHARE,
                facets=SCORES,
                exchanges=COUNT,
                first_evidence_at=maybe(TIME),
            )
        ),
        campaigns=listed(row(campaign_id=TEXT, strength=SHARE, share=SHARE)),
        reasons=listed({"allOf": [ref("Evidence"), row(campaign_id=TEXT)]}),
        decisions=listed(ref("Decision")),
        events=listed(
            row(event=one_of(*AccountEvent), timestamp=TIME, other_account_id=maybe(TEXT), source=TEXT)
        ),
    ),
    "Decision": row(
        id=TEXT,
        campaign_id=TEXT,
        rule=TEXT,
        status=one_of(*Status),
        reason_codes=listed(TEXT),
        q_value=SHARE,
        judged_at=TIME,
        issued_at=TIME,
        expires_at=maybe(TIME),
        approved_by=TEXT,
        approved_at=maybe(TIME),
        approved_accounts=maybe(COUNT),
        ended_by=TEXT,
        ended_at=maybe(TIME),
        superseded_by=TEXT,
        accounts=COUNT,
        action=_ACTION,
        dry_run=TRUTH,
        policy_version=TEXT,
        seconds=COUNT,
        budget_per_hour=maybe(COUNT),
        verify_url=maybe(TEXT),
        max_tokens=maybe(COUNT),
        fail_closed=TRUTH,
        why=TEXT,
    ),
    "DecisionMember": row(account_id=TEXT, since=TIME, out_at=maybe(TIME), out_by=TEXT, out_why=TEXT),
    "Policy": row(
        in_use=maybe(TEXT),
        error=maybe(TEXT),
        version=maybe(TEXT),
        enforce=maybe(TRUTH),
        rules=listed(
            row(name=TEXT, when={"type": "object"}, action=_ACTION, seconds=COUNT)
            | {"additionalProperties": True}
        ),
    ),
    "Ruled": row(changed=TRUTH, revision=COUNT, decision=ref("Decision")),
    "Health": row(status=one_of("ok")),
    "Readiness": row(ready=TRUTH, parts={"type": "object", "additionalProperties": TEXT}),
}
"""Every schema, by its name."""
