"""An access door with step-up behind a real server, a clock that tests move, and browsers that visit it."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from receiving_desk import KEY
from starlette.requests import HTTPConnection

from stillwatch.access.signals.outbox import Outbox
from stillwatch.access.signals.signals_file import SignalsFile
from stillwatch.access.verifications import Verifications
from stillwatch.app.access_file import AccessFile
from stillwatch.app.service.access_desk import AccessDesk
from stillwatch.app.service.control_plane import control_plane
from stillwatch.app.service.errors import ApiError
from stillwatch.app.service.places import LINK_KEY
from stillwatch.app.service.step_up_routes import step_up_routes
from stillwatch.enforce.links import Links, load_or_create_link_key
from stillwatch.persistence.address import address_of
from stillwatch.persistence.database import Database

ACCOUNT = "acct-20419"
SECRET = "whsec_" + "c3RpbGx3YXRjaC1leGFtcGxlLXNlY3JldCE="


def write_secret(path: Path, text: str = SECRET) -> None:
    """Write a file that its owner alone may read."""
    path.touch(0o600)
    path.write_text(text)


def authorise(connection: HTTPConnection, scope: str) -> None:
    if connection.headers.get("authorization") != "Bearer access" or scope != "access":
        raise ApiError(401, "unauthorized", "no token that holds", remedy="Send a bearer token.")


@dataclass
class Clock:
    """Tells the time, and may be moved."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclass
class Door:
    """An access door that is served."""

    desk: AccessDesk
    clock: Clock
    links: Links = field(init=False)

    def __post_init__(self) -> None:
        self.links = Links(load_or_create_link_key(self.desk.state / LINK_KEY), self.clock)

    @property
    def url(self) -> str:
        return self.desk.file.origin

    @property
    def verifications(self) -> Verifications:
        return Verifications(self.desk.database)

    def link(self, account: str = ACCOUNT, **more: Any) -> str:
        return f"{self.url}/verify?link={self.links.make(account, **more)}"

    def api(self) -> httpx.Client:
        """The provider's own backend."""
        headers = {"authorization": "Bearer access"}
        return httpx.Client(base_url=self.url, trust_env=False, timeout=30, headers=headers)

    def audit(self) -> str:
        return (self.desk.state / "audit.jsonl").read_text()


class Visitor:
    """A browser without JavaScript: follows links, fills forms in, keeps cookies."""

    def __init__(self, door: Door, language: str = "en") -> None:
        self.cookies: dict[str, str] = {}
        self.http = httpx.Client(
            base_url=door.url,
            trust_env=False,
            timeout=30,
            follow_redirects=True,
            headers={"accept-language": language},
            event_hooks={"request": [self._show], "response": [self._take]},
        )

    def _show(self, request: httpx.Request) -> None:
        """Show cookies, secure ones too: to a browser localhost is as good as TLS."""
        request.headers["cookie"] = "; ".join(f"{name}={each}" for name, each in self.cookies.items())

    def _take(self, answer: httpx.Response) -> None:
        for told in answer.headers.get_list("set-cookie"):
            name, _, value = told.partition(";")[0].partition("=")
            self.cookies[name] = value.strip('"')

    def open(self, url: str) -> Visitor:
        self.page = self.http.get(url)
        return self

    def send(self, action: str, **fields: str) -> Visitor:
        """Send the form of the page that goes to ``action``, with its hidden fields."""
        forms = re.findall(r"<form(.*?)</form>", self.page.text, re.DOTALL)
        form = next(each for each in forms if f'action="{action}"' in each)
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form))
        self.page = self.http.post(
            action, data={name: unescape(each) for name, each in hidden.items()} | fields
        )
        return self

    def begin(self, link: str, method: str) -> Visitor:
        """Open a link and choose a method."""
        return self.open(link).send("/verify", method=method)

    @property
    def status(self) -> int:
        return self.page.status_code

    @property
    def title(self) -> str:
        found = re.search(r"<h1>(?:<span.*?</span>)?(.*?)</h1>", self.page.text, re.DOTALL)
        assert found is not None, self.page.text
        return unescape(found.group(1))


@contextmanager
def served(state: Path, path: str = "", signals: SignalsFile | None = None, **step_up: Any) -> Iterator[Door]:
    """An access door at a free port of localhost, as ``[step_up]`` of its access file says."""
    state.mkdir(parents=True, exist_ok=True)
    own = socket.create_server(("127.0.0.1", 0))
    told = {"public_url": f"http://localhost:{own.getsockname()[1]}{path}", "step_up": step_up}
    database = Database(address_of(state / "decisions.db"))
    database.migrate()
    outbox = None if signals is None else Outbox(database, signals)
    file = AccessFile.model_validate(told)
    desk = AccessDesk(state, file, database, KEY, authorise, state / "key.pepper", outbox)
    clock = Clock()
    app = control_plane(step_up_routes(desk, clock))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[own])))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield Door(desk, clock)
    finally:
        server.should_exit = True
        thread.join()
        database.close()
