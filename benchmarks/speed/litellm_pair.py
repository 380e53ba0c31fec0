"""A LiteLLM proxy that serves one key with the hook and another without it, and its processor time."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from install_litellm import install_litellm
from litellm_proxy import CONFIG, litellm_proxy
from small_wheel import build_wheel, lay_out

_KEYS = ("sk-without", "sk-with")
_USERS = Path(__file__).with_name("hook_by_key.py")


class Proxy:
    """The proxy, asked by one client with one key."""

    def __init__(self, address: str, key: str) -> None:
        netloc = urlsplit(address).netloc
        self._client, self._pid, self._key = (
            HTTPConnection(netloc),
            _listening(netloc.rpartition(":")[2]),
            key,
        )

    def ask(self, kind: str, requests: int) -> float:
        """Send requests and return the milliseconds of processor time that the proxy spent on each."""
        body = {"model": "assistant-large", "messages": [{"role": "user", "content": "word " * 100}]}
        text = json.dumps(body | ({"stream": True} if kind == "streamed" else {}))
        headers = {"authorization": f"Bearer {self._key}", "content-type": "application/json"}
        before = _spent(self._pid)
        for _ in range(requests):
            self._client.request("POST", "/v1/chat/completions", text, headers)
            answer = self._client.getresponse()
            answer.read()
            if answer.status != 200:
                raise SystemExit(f"LiteLLM answered {answer.status}")
        return (_spent(self._pid) - before) / requests * 1e3


@contextmanager
def litellm_pair(snapshot: Path, folder: Path, upstream: str) -> Iterator[tuple[Proxy, Proxy]]:
    """Run the proxy, yield it as it is without the hook and with it."""
    executable = install_litellm()
    wheel = lay_out(build_wheel(folder / "dist"), folder / "wheel")
    variables = {"PYTHONPATH": str(wheel), "STILLWATCH_SNAPSHOT": str(snapshot)}
    variables["STILLWATCH_OUTCOMES"] = str(folder / "outcomes")
    config = _config(folder / "proxy")
    with litellm_proxy(
        executable, config.parent, keys={}, upstream=upstream, config=config, environment=variables
    ) as address:
        yield Proxy(address, _KEYS[0]), Proxy(address, _KEYS[1])


def _config(folder: Path) -> Path:
    folder.mkdir()
    config = yaml.safe_load(CONFIG.read_text())
    config["litellm_settings"]["callbacks"] = []
    config["general_settings"]["custom_auth"] = f"{_USERS.stem}.authenticate"
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    shutil.copy(_USERS, folder)
    return folder / "config.yaml"


def _listening(port: str) -> int:
    """Return the process that this one started with that port among its arguments."""
    children = [path.read_text() for path in Path("/proc/self/task").glob("*/children")]
    for child in " ".join(children).split():
        arguments = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
        if port.encode() in arguments:
            return int(child)
    raise SystemExit(f"no child listens on {port}")


def _spent(pid: int) -> float:
    """Return the seconds that a process' threads have been on a processor."""
    tasks = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    return sum(int(text.split()[0]) for text in tasks) / 1e9
