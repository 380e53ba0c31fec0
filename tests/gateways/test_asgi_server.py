"""A real uvicorn with the class that vLLM's ``--middleware`` takes, from the small wheel."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from deciding import MUCH, REFUSALS, STATUS, UNTOUCHED, ask, decide, events, key_file, outcomes_of, until
from loopback_server import free_port
from small_wheel import build_wheel, lay_out

_APP = """
import json
from starlette.applications import Starlette
from starlette.middleware import Middleware as Placed
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route
from stillwatch_enforce.vllm import Middleware

async def chat(request):
    asked = await request.json()
    part = {"role": "assistant", "content": json.dumps(asked), "reasoning_content": "thoughts"}
    if not asked.get("stream"):
        return JSONResponse({"choices": [{"message": part, "logprobs": {"content": []}}]})
    event = json.dumps({"choices": [{"delta": part}]}).encode()
    lines = [b"data: " + event + b"\\n\\n", b"data: [DONE]\\n\\n"]
    return StreamingResponse(iter(lines), media_type="text/event-stream")

async def health(request):
    return JSONResponse({})

routes = [Route("/v1/chat/completions", chat, methods=["POST"]), Route("/health", health)]
app = Starlette(routes=routes)
app.add_middleware(Middleware)  # as vLLM does it
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("asgi")
    decide(made / "snapshot")
    key_file(made / "keys")
    (made / "served.py").write_text(_APP)
    return made


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    wheel = lay_out(build_wheel(tmp_path_factory.mktemp("wheel")), folder / "wheel")
    variables = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": os.pathsep.join([str(wheel), str(folder)]),
        "STILLWATCH_SNAPSHOT": str(folder / "snapshot"),
        "STILLWATCH_OUTCOMES": str(folder / "outcomes"),
        "STILLWATCH_KEYS": str(folder / "keys"),
    }
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "served:app", "--port", str(port), "--log-level", "warning"]
    process = subprocess.Popen(command, cwd=folder, env=variables, stdin=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        until(lambda: _is_up(process, address), 30)
        yield address
    finally:
        process.terminate()
        process.wait(10)


def _is_up(process: subprocess.Popen[bytes], address: str) -> bool:
    assert process.poll() is None, "uvicorn ended"
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=5):
            return True
    except OSError:
        time.sleep(0.05)
        return False


@pytest.mark.parametrize("account", UNTOUCHED)
def test_who_is_not_acted_on_gets_what_the_model_said(server, account):
    answered = ask(server, account, **MUCH)
    assert answered.status == 200
    assert answered.json["choices"][0]["message"]["reasoning_content"] == "thoughts"


@pytest.mark.parametrize("account", ["blocked", "asked", "pooled-1"])
def test_who_is_refused_gets_the_refusal(server, account):
    if account == "pooled-1":
        assert [ask(server, "pooled-2").status for _ in range(2)] == [200, 200]
    answered = ask(server, account)
    assert (answered.status, answered.json) == (STATUS[account], {"error": REFUSALS[account]})


@pytest.mark.parametrize("stream", [False, True])
def test_who_is_to_get_less_gets_less(server, stream):
    answered = ask(server, "reduced", stream=stream, **MUCH)
    assert answered.headers["x-stillwatch-reduced"] == "reasoning, logprobs, choices, length"
    assert b"thoughts" not in answered.body
    assert b"logprobs\\" not in answered.body
    if stream:
        assert events(answered)[0]["choices"][0]["delta"]["content"]
        assert answered.body.endswith(b"data: [DONE]\n\n")
    else:
        assert '"max_tokens": 40' in answered.json["choices"][0]["message"]["content"]


def test_what_happened_is_told_and_what_is_undone_flows_within_two_seconds(server, folder):
    ask(server, "blocked", headers={"x-request-id": "call-1"})
    until(lambda: ("block", "enforced") in outcomes_of(folder / "outcomes", "blocked"), 3)
    decide(folder / "snapshot", {})
    assert until(lambda: ask(server, "blocked").status == 200, 2) < 2


def test_without_its_variables_it_does_not_start(folder):
    command = [sys.executable, "-m", "uvicorn", "served:app", "--port", str(free_port()), "--lifespan", "on"]
    variables = {"PYTHONPATH": os.pathsep.join([str(folder / "wheel"), str(folder)])}
    done = subprocess.run(
        command, cwd=folder, env=variables, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode != 0
    assert "STILLWATCH_SNAPSHOT is not set" in done.stderr
