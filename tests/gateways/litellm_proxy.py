"""A real LiteLLM proxy as a child process on loopback."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from loopback_server import free_port

CONFIG = Path(__file__).with_name("litellm") / "config.yaml"
FLUSH_SECONDS = 2
START_SECONDS = 120
STOP_SECONDS = 15


@contextmanager
def litellm_proxy(
    executable: Path,
    folder: Path,
    *,
    keys: Mapping[str, Mapping[str, str]],
    upstream: str,
    collector: str = "",
    config: Path = CONFIG,
    environment: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """Run the proxy, yield its base address once it answers, and end it by its process id.

    Args:
        executable: the ``litellm`` of its own environment.
        folder: an empty folder for its home, key file and output.
        keys: API key -> ``user_id``, ``key_alias``, ``team_id``, ``org_id``.
        upstream: base address of the model provider.
        collector: address that takes the log.
        config: with the modules that it names beside it.
        environment: more of it.
    """
    key_file, port = folder / "keys.json", free_port()
    key_file.write_text(json.dumps(keys))
    variables = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "KEY_FILE": str(key_file),
        "UPSTREAM_BASE": f"{upstream}/v1",
        "UPSTREAM_KEY": "none-needed",
        "GENERIC_LOGGER_ENDPOINT": collector,
        "DEFAULT_FLUSH_INTERVAL_SECONDS": str(FLUSH_SECONDS),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # no price list from the network
        "LITELLM_MASTER_KEY": f"sk-{secrets.token_hex(24)}",
        **(environment or {}),
    }
    command = [str(executable), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "proxy.out").open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=variables, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_until_ready(process, address, folder / "proxy.out")
        yield address
    finally:
        _end(process)


def _wait_until_ready(process: subprocess.Popen[bytes], address: str, output: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/health/liveliness", timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"the LiteLLM proxy did not become ready:\n{output.read_text()[-4000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_SECONDS)
