"""The routes of step-up at the access door: pages for people, and the API of the provider's own pages."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from stillwatch.app.service.access_desk import AccessDesk
from stillwatch.app.service.authorising import ACCESS
from stillwatch.app.service.doors import Doors
from stillwatch.app.service.slowing import Rate, slowed
from stillwatch.app.service.step_up import (
    api,
    appeal_pages,
    codes_page,
    identity_pages,
    opening,
    organization_pages,
    passkey_page,
)
from stillwatch.app.service.step_up.desk import CALLBACK, StepUpDesk
from stillwatch.app.service.step_up.rendering import FILES, POLICY, content
from stillwatch.app.service.step_up.visits import Pages

_FAILURES: Final = 30


def step_up_routes(desk: AccessDesk, clock: Callable[[], float] = time.time) -> list[BaseRoute]:
    """Return the routes of step-up; ``clock`` tells seconds since 1970.

    Raises:
        KeyFileError: the key of links or of secrets is open to others, damaged, or cannot be made.
        InputError: a file that the access file names cannot be read, or holds no secret.
    """
    own = StepUpDesk(desk, clock)
    return [*_pages(own), *_api(own), *_files()]


def _pages(desk: StepUpDesk) -> list[BaseRoute]:
    page, elsewhere = Pages(desk).page, Pages(desk).page  # who waits for an issuer holds nobody else up
    shown = {
        "/verify": opening.landing,
        "/verify/methods": opening.methods,
        "/verify/passed": opening.passed,
        "/verify/passkey": passkey_page.passkey_page,
        "/verify/passkey/another": passkey_page.passkey_again,
        "/verify/codes": codes_page.codes_page,
        "/verify/organization": organization_pages.organizations,
        "/verify/identity": identity_pages.identity_page,
        "/appeal": appeal_pages.appeal_form,
        "/appeal/{token}": appeal_pages.appeal_state,
    }
    signed_in = {
        "/verify/organization/to/{id}": organization_pages.away,
        CALLBACK: organization_pages.back,
    }
    sent = {
        "/verify": opening.open_link,
        "/verify/leave": opening.leave,
        "/verify/passkey": passkey_page.passkey_answer,
        "/verify/codes": codes_page.codes_answer,
        "/verify/identity": identity_pages.identity_begin,
        "/appeal": appeal_pages.appeal_send,
    }
    return [
        *(Route(path, page(handler), methods=["GET"]) for path, handler in shown.items()),
        *(Route(path, elsewhere(handler), methods=["GET"]) for path, handler in signed_in.items()),
        *(Route(path, page(handler), methods=["POST"]) for path, handler in sent.items()),
    ]


def _api(desk: StepUpDesk) -> list[BaseRoute]:
    doors = Doors(slowed(desk.desk.authorise, Rate(_FAILURES, 60)))
    signed = Doors(lambda connection, scope: None)  # its caller has no token: it signs
    results = signed.door("", partial(identity_pages.take_result, desk))
    account = "/v1/accounts/{id:path}/verification"
    return [
        Route("/v1/step-ups", doors.door(ACCESS, partial(api.ask, desk)), methods=["POST"]),
        Route(account, doors.door(ACCESS, partial(api.verification, desk)), methods=["GET", "DELETE"]),
        Route("/v1/identity-checks", results, methods=["POST"]),
    ]


def _files() -> list[BaseRoute]:
    return [Route(path, _file(*file), methods=["GET"]) for path, file in FILES.items()]


def _file(name: str, kind: str) -> Callable[[Request], Awaitable[Response]]:
    headers = {"content-type": kind, "cache-control": "no-cache", "content-security-policy": POLICY}

    async def endpoint(request: Request) -> Response:
        return Response(content(name), headers=headers)

    return endpoint
