"""An access door with step-up behind a real server, a clock that tests move, and browsers that visit it."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from receiving_desk import KEY
from starlette.requests import HTTPConnection

from stillwatch.access.verifications import Verifications
from stillwatch.app.access_file import AccessFile
from stillwatch.app.service.access_desk import AccessDesk
from stillwatch.app.service.control_plane import control_plane
from stillwatch.app.service.errors import ApiError
from stillwatch.app.service.step_up.desk import LINK_KEY
from stillwatch.app.service.step_up_routes import step_up_routes
from stillwatch.enforce.links import Links, load_or_create_link_key
from stillwatch.persistence.address import address_of
from stillwatch.persistence.database import Database

ACCOUNT = "acct-20419"
SECRET = "whsec_" + "c3RpbGx3YXRjaC1leGFtcGxlLXNlY3JldCE="


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

    def visitor(self, **options: Any) -> httpx.Client:
        """A browser without JavaScript."""
        return httpx.Client(base_url=self.url, trust_env=False, timeout=30, follow_redirects=True, **options)

    def api(self) -> httpx.Client:
        return self.visitor(headers={"authorization": "Bearer access"})

    def audit(self) -> str:
        return (self.desk.state / "audit.jsonl").read_text()


@contextmanager
def served(state: Path, **step_up: Any) -> Iterator[Door]:
    """An access door at a free port of localhost, as ``[step_up]`` of its access file says."""
    state.mkdir(parents=True, exist_ok=True)
    own = socket.create_server(("127.0.0.1", 0))
    told = {"public_url": f"http://localhost:{own.getsockname()[1]}", "step_up": step_up}
    database = Database(address_of(state / "decisions.db"))
    database.migrate()
    desk = AccessDesk(state, AccessFile.model_validate(told), database, KEY, authorise)
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
