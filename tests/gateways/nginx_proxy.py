"""A real nginx as a child process on loopback."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from loopback_server import free_port

START_SECONDS = 20

_CONFIG = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
{server}
}}
"""


def nginx_binary() -> str:
    """The program, of the system's package; without it its tests are skipped, and fail in CI."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if found is None:
        assert "CI" not in os.environ, "CI installs nginx"
        pytest.skip("there is no nginx")
    return found


@contextmanager
def nginx_proxy(folder: Path, server: str) -> Iterator[str]:
    """Run nginx with one ``server`` block that holds ``listen PORT;``, yield its address, and end it."""
    port = free_port()
    path = folder / "nginx.conf"
    path.write_text(_CONFIG.format(folder=folder, server=server.replace("PORT", f"127.0.0.1:{port}")))
    command = [nginx_binary(), "-c", str(path), "-p", str(folder), "-e", "stderr"]
    with (folder / "nginx.out").open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        _wait(process, folder)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _wait(process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if (folder / "nginx.pid").is_file():
            return
        time.sleep(0.05)
    raise RuntimeError(f"nginx did not become ready:\n{(folder / 'nginx.out').read_text()[-4000:]}")
