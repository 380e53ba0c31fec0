"""Routes that tell what was found and decided."""

from __future__ import annotations

from typing import Final

from stillwatch.app.service.asked import ANY
from stillwatch.app.service.openapi.parts import (
    COUNT,
    PAGE,
    TEXT,
    Part,
    answers,
    in_path,
    in_query,
    listed,
    maybe,
    one_of,
    ref,
    row,
)
from stillwatch.decisions.decision import Status

_SCOPE: Final = "Wants a token with the scope `read`."


def _get(name: str, words: str, schema: Part, *parameters: Part, errors: tuple[int, ...] = (422,)) -> Part:
    return {
        "get": {
            "operationId": name,
            "summary": words,
            "description": _SCOPE,
            "tags": ["reading"],
            "parameters": list(parameters),
            "responses": answers(schema, *errors),
        }
    }


_FOLLOWING: Final = maybe(TEXT)
_CAMPAIGN: Final = in_path("id", "Campaign, such as cmp_7f3ac2d41e90.")
_DECISION: Final = in_path("id", "Decision, such as dec_4f1c0a9be2d7.")

READING: Final[dict[str, Part]] = {
    "/v1/status": _get("status", "How the service is, in numbers.", ref("Status")),
    "/v1/campaigns": _get(
        "campaigns",
        "Groups of accounts that were called, the strongest first.",
        row(campaigns=listed(ref("Campaign")), total=COUNT, next=_FOLLOWING),
        *PAGE,
        in_query("verdict", "Only those called so.", one_of("campaign", "watch")),
    ),
    "/v1/campaigns/{id}": _get(
        "campaign",
        "A campaign with its reasons, its days and what is decided of it.",
        ref("CampaignInFull"),
        _CAMPAIGN,
        errors=(404, 422),
    ),
    "/v1/campaigns/{id}/members": _get(
        "campaign_members",
        "The accounts of a campaign, in their own order.",
        row(members=listed(ref("CampaignMember")), total=COUNT, next=_FOLLOWING),
        _CAMPAIGN,
        *PAGE,
        errors=(404, 422),
    ),
    "/v1/accounts/{id}": _get(
        "account",
        "What is found and decided of an account; slashes of its id are written %2F or as they are.",
        ref("Account"),
        in_path("id", "Account."),
        errors=(404, 422),
    ),
    "/v1/decisions": _get(
        "decisions",
        "Decisions, oldest first: those that stand, or of the statuses that are asked for.",
        row(decisions=listed(ref("Decision")), total=COUNT, next=_FOLLOWING, revision=COUNT),
        *PAGE,
        in_query(
            "status",
            "Only those; may be given several times. `any` is all of them.",
            listed(one_of(*Status, ANY)),
            style="form",
            explode=True,
        ),
        in_query("campaign", "Only those for this campaign.", TEXT),
    ),
    "/v1/decisions/{id}": _get(
        "decision",
        "A decision with its accounts, those that a person took out among them.",
        {
            "allOf": [
                ref("Decision"),
                row(members=listed(ref("DecisionMember")), next=_FOLLOWING),
            ]
        },
        _DECISION,
        *PAGE,
        errors=(404, 422),
    ),
    "/v1/policy": _get(
        "policy", "The policy file as it is now, and the version that is in use.", ref("Policy")
    ),
}
