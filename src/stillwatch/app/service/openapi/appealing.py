"""Routes by which the operator reads and answers appeals."""

from __future__ import annotations

from typing import Final

from stillwatch.access.appeals import LONGEST, Kind, Status
from stillwatch.app.service.asked import ANY
from stillwatch.app.service.openapi.parts import (
    COUNT,
    PAGE,
    TEXT,
    TIME,
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

_SCOPE: Final = "Wants a token with the scope `operate`."
_NUMBER: Final = in_path("number", "Appeal, such as AP-7K3FQ-9M2XB.")


def _operation(
    name: str, words: str, schema: Part, *errors: int, parameters: list[Part], **more: Part
) -> Part:
    return {
        "operationId": name,
        "summary": words,
        "description": _SCOPE,
        "tags": ["appeals"],
        "parameters": parameters,
        "responses": answers(schema, *errors),
        **more,
    }


def _text(most: int, words: str) -> Part:
    return {"type": "string", "pattern": r"\S", "maxLength": most, "description": words}


_ANSWER: Final[Part] = {
    "type": "object",
    "required": ["by", "status", "answer"],
    "properties": {
        "by": _text(200, "Who answers; its person does not see it."),
        "status": one_of(Status.ACCEPTED.value, Status.DECLINED.value),
        "answer": _text(LONGEST, "What its person reads."),
    },
    "additionalProperties": False,
    "examples": [{"by": "kim", "status": "accepted", "answer": "An ordinary class. Sorry."}],
}

APPEALING: Final[dict[str, Part]] = {
    "/v1/appeals": {
        "get": _operation(
            "appeals",
            "Appeals, the oldest first: those that are open, or of another status.",
            row(appeals=listed(ref("Appeal")), total=COUNT, next=maybe(TEXT)),
            422,
            parameters=[*PAGE, in_query("status", "Only those; `any` is all of them.", one_of(*Status, ANY))],
        )
    },
    "/v1/appeals/{number}": {
        "get": _operation(
            "appeal",
            "An appeal with the decision that it is against and the evidence of the last judgement.",
            ref("AppealInFull"),
            404,
            422,
            parameters=[_NUMBER],
        )
    },
    "/v1/appeals/{number}/answer": {
        "post": _operation(
            "answer_appeal",
            "Answer an appeal. It takes nothing back by itself: undo the decision for the account as well.",
            row(appeal=ref("Appeal")),
            404,
            409,
            422,
            parameters=[_NUMBER],
            requestBody={"required": True, "content": {"application/json": {"schema": _ANSWER}}},
        )
    },
}

APPEAL_SCHEMAS: Final[dict[str, Part]] = {
    "Appeal": row(
        number=TEXT,
        account_id=TEXT,
        decision_id=maybe(TEXT),
        kind=one_of(*Kind),
        language=TEXT,
        text=TEXT,
        made_at=TIME,
        status=one_of(*Status),
        answer=TEXT,
        answered_by=TEXT,
        answered_at=maybe(TIME),
    ),
    "AppealInFull": row(
        appeal=ref("Appeal"),
        decision=maybe(ref("Decision")),
        member=maybe(ref("DecisionMember")),
        found=maybe({"type": "object"}),
        campaign=maybe(ref("Campaign")),
        reasons=listed(ref("Evidence")),
        account_reasons=listed(ref("Evidence")),
    ),
}
"""What those routes answer with."""
