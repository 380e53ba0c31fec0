"""The API's description: every route is in it, and a real server does what it says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from control_desk import CHECKS_OF_A_SERVER, authorise, controlled, furnished, signal_desk_of, view_of
from receiving_desk import KEY

from stillwatch.app.service import openapi, receiving
from stillwatch.app.service.api import api_routes
from stillwatch.app.service.control import control_routes
from stillwatch.app.service.receiver import Receiver
from stillwatch.app.service.signal_routes import signal_routes


def test_every_route_is_described_and_everything_described_is_there(tmp_path):
    state = tmp_path / "state"
    store = furnished(state)
    view, receiver = view_of(state, store), Receiver(state, KEY)
    routes = [
        *receiving.routes(receiver, authorise),
        *api_routes(view, authorise),
        *control_routes(view, authorise),
        *signal_routes(signal_desk_of(state, receiver)),
    ]
    there = {
        (route.path.replace(":path}", "}"), method.lower())
        for route in routes
        for method in route.methods - {"HEAD"}
    }
    described = {(path, method) for path, item in openapi.document()["paths"].items() for method in item}
    assert described == there
    receiver.close()
    store.close()


def test_names_of_operations_are_told_apart_and_every_schema_is_used():
    document = openapi.document()
    names = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert len(names) == len(set(names))
    text = openapi.text().decode()
    assert [name for name in document["components"]["schemas"] if f'schemas/{name}"' not in text] == []


def test_a_server_does_what_is_described(tmp_path):
    program = shutil.which("schemathesis", path=str(Path(sys.executable).parent))
    if program is None:
        assert "CI" not in os.environ, "CI installs schemathesis"
        pytest.skip("schemathesis is not installed: the API was not held against its description")
    with controlled(tmp_path / "state") as client:
        done = subprocess.run(
            [
                program,
                "run",
                f"{client.base_url}/openapi.json".replace("//openapi", "/openapi"),
                "--header=Authorization: Bearer all",
                f"--checks={CHECKS_OF_A_SERVER}",
                "--exclude-path=/ssf/events",  # a kind of body that it cannot make
                "--phases=examples,coverage,fuzzing",
                "--max-examples=8",
                "--generation-deterministic",
                "--no-color",
                "--request-timeout=40",
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
