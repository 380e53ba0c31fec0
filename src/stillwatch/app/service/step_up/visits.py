"""Visits of people's browsers: who it is by the cookie, in which language, and every refusal as a page."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from stillwatch.access.step_up_sessions import LASTS, Session, find_session
from stillwatch.app.service.bodies import read_body
from stillwatch.app.service.errors import ApiError
from stillwatch.app.service.room import Room
from stillwatch.app.service.step_up.desk import StepUpDesk
from stillwatch.app.service.step_up.languages import LANGUAGES, Language, language, preferred
from stillwatch.app.service.step_up.rendering import POLICY, rendered
from stillwatch.contracts import StillwatchError

COOKIE: Final = "__Host-step-up"
"""Holds the token of the session; the prefix has browsers refuse it from other hosts and in the clear."""

_LANGUAGE: Final = "__Host-step-up-language"
_YEAR: Final = 365 * 24 * 3600
_THREADS: Final = 8
_UNDER_WAY: Final = 64
_BODY: Final = 2**18
_SECONDS: Final = 10.0
_FIELDS: Final = 20
_SAME: Final = "same-origin"
_UNSEEN: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")

_log = logging.getLogger(__name__)


class RefusedError(Exception):
    """A visit that does not get what it came for: ``reason`` names the texts of the page that says so."""

    def __init__(self, reason: str, status: int, *, link: str = "") -> None:
        """``link`` is a step-up link under which its person may appeal."""
        super().__init__(reason)
        self.reason, self.status, self.link = reason, status, link


@dataclass(frozen=True)
class Visit:
    """One request of a browser."""

    desk: StepUpDesk
    request: Request
    form: Mapping[str, str]
    language: Language
    session: Session | None
    now: datetime

    @property
    def own(self) -> Session:
        """The session, of a page that wants one.

        Raises:
            RefusedError: there is none, or a form that comes from none of its pages (OWASP, CSRF prevention).
        """
        if self.session is None:
            raise RefusedError("over", 403)
        if self.request.method == "POST" and not self.session.has_form(self.form.get("form", "")):
            raise RefusedError("form", 403)
        return self.session

    def field(self, name: str) -> str:
        """Return a field of the form, without what nobody can see or type; empty where it is missing."""
        return _UNSEEN.sub("", self.form.get(name, "")).replace("\r\n", "\n").strip()

    def query(self, name: str) -> str:
        """Return a parameter of the URL, empty where it is missing."""
        return self.request.query_params.get(name, "")

    def page(self, template: str, status: int = 200, /, **values: Any) -> Response:
        """Return a page."""
        kept = {name: each for name, each in self.request.query_params.items() if name == "link"}
        path = self.desk.base + self.request.url.path
        switch = [(each, f"{path}?{urlencode({**kept, 'lang': each.code})}") for each in _every()]
        html = rendered(template, self.desk, self.language, switch=switch, session=self.session, **values)
        headers = {
            "cache-control": "no-store",
            "content-language": self.language.tag,
            "content-security-policy": POLICY,
            "vary": "accept-language",
        }
        return Response(html, status, headers, "text/html")

    def go(self, path: str) -> Response:
        """Return the way to another page of these."""
        return RedirectResponse(f"{self.desk.base}{path}", 303, {"cache-control": "no-store"})


Handler = Callable[[Visit], Response]
Endpoint = Callable[[Request], Awaitable[Response]]


class Pages:
    """Makes endpoints of handlers, which work in threads of their own."""

    def __init__(self, desk: StepUpDesk) -> None:
        """Serve at a desk."""
        self._desk = desk
        self._pool = ThreadPoolExecutor(_THREADS, "step-up")
        self._room = Room(_UNDER_WAY, _UNDER_WAY * _BODY)

    def page(self, handler: Handler) -> Endpoint:
        """Return the endpoint of a page."""

        async def endpoint(request: Request) -> Response:
            loop = asyncio.get_running_loop()
            try:
                with self._room.place() as place:
                    body = (
                        b"" if request.method == "GET" else await read_body(request, place, _BODY, _SECONDS)
                    )
                    return await loop.run_in_executor(self._pool, self._answer, handler, request, body)
            except ApiError as error:  # too large, too slow, or too much under way
                visit = Visit(self._desk, request, {}, self._language(request), None, self._desk.now())
                return _refusal(visit, RefusedError("busy", error.status))

        return endpoint

    def _answer(self, handler: Handler, request: Request, body: bytes) -> Response:
        visit = Visit(self._desk, request, {}, self._language(request), None, self._desk.now())
        try:
            visit = self._visit(request, body)
            answer = handler(visit)
        except RefusedError as refused:
            answer = _refusal(visit, refused)
        except StillwatchError as error:
            _log.error("%s", error)
            answer = _refusal(visit, RefusedError("away", 503))
        if request.query_params.get("lang") in LANGUAGES:
            _keep(answer, _LANGUAGE, request.query_params["lang"], _YEAR)
        return answer

    def _visit(self, request: Request, body: bytes) -> Visit:
        now, token = self._desk.now(), request.cookies.get(COOKIE, "")
        session = None
        if token:
            with self._desk.database.reading() as connection:
                session = find_session(connection, token, now)
        if request.headers.get("sec-fetch-site", _SAME) != _SAME and request.method == "POST":
            raise RefusedError("form", 403)
        return Visit(self._desk, request, _form(body), self._language(request), session, now)

    def _language(self, request: Request) -> Language:
        told = request.query_params.get("lang") or request.cookies.get(_LANGUAGE, "")
        return language(told if told in LANGUAGES else preferred(request.headers.get("accept-language", "")))


def keep_session(answer: Response, token: str) -> None:
    """Have the browser hold a session's token."""
    _keep(answer, COOKIE, token, int(LASTS.total_seconds()))


def drop_session(answer: Response) -> None:
    """Have the browser hold no token any more."""
    _keep(answer, COOKIE, "", 0)


def _keep(answer: Response, name: str, value: str, seconds: int) -> None:
    answer.set_cookie(name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="lax")


def _refusal(visit: Visit, refused: RefusedError) -> Response:
    return visit.page("refused.html", refused.status, reason=refused.reason, link=refused.link)


def _form(body: bytes) -> Mapping[str, str]:
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS))
    except ValueError:
        raise RefusedError("form", 400) from None


def _every() -> list[Language]:
    return [language(code) for code in LANGUAGES]
