"""The fifteen minutes of the page, step by step: a real service, a real LiteLLM proxy, and made traffic."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import forked_commands
import pytest
import yaml
from litellm_proxy import litellm_proxy
from live_service import free_port, until
from loopback_server import serving
from watched_gateways import Provider

PAGE = Path(__file__).parents[2] / "docs" / "live.md"
SECONDS = 120
MASTER = "sk-" + "0f" * 24


def step(name: str) -> str:
    """Return the block of the page that follows ``<!-- tried: NAME -->``."""
    found = re.search(rf"<!-- tried: {name} -->\n+```\w*\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert found, f"the page shows no {name}"
    return found[1]


class Reader:
    """Somebody who does what the page says, in a folder, on ports that are free here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {port: str(free_port()) for port in ("8790", "8787", "4000")}
        forked, own = forked_commands.program(folder / "bin"), Path(sys.executable).parent
        path = f"{forked}:{own}:/usr/local/bin:/usr/bin:/bin"
        self.environment = {"PATH": path, "HOME": str(folder), "LITELLM_MASTER_KEY": MASTER}
        self.environment |= {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
        self.said = ""

    def here(self, text: str) -> str:
        """Return a text with the ports that are free here."""
        for port, own in self.ports.items():
            text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{own}")
        return text.replace("sleep 90", "")  # the judge looks more often here

    def does(self, *names: str) -> str:
        """Run steps in one shell, and return what they print."""
        done = subprocess.run(
            ["/bin/bash", "-euc", self.here("\n".join(map(step, names)))],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{names}: {done.stderr}{done.stdout}"
        return done.stdout


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A reader who has done the first two steps: the service runs."""
    reader = Reader(tmp_path_factory.mktemp("reader"))
    reader.does("policy")
    command = step("serve").strip() + " --otlp-port 0 --gate-grpc-port 0 --tick 2"
    command += f" --port {reader.ports['8790']} --gate-port {reader.ports['8787']}"
    with (reader.folder / "service.log").open("wb") as log:
        process = subprocess.Popen(
            ["/bin/bash", "-c", f"exec {Path(sys.executable).parent}/{command}"],
            cwd=reader.folder,
            env=reader.environment,
            stdout=log,
            stderr=log,
        )
    try:
        until((reader.folder / "state" / "snapshot").exists, SECONDS, "service")
        reader.does("token")
        yield reader
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def test_first_traffic_of_a_proxy_that_is_told_so_is_in_the_ledger(reader: Reader, litellm: Path) -> None:
    (reader.folder / "config.yaml").write_text(reader.here(step("config.yaml")))
    assert yaml.safe_load(step("config.yaml"))["litellm_settings"] == {"callbacks": ["generic_api"]}
    exports = [line for line in step("litellm").splitlines() if line.startswith("export ")]
    told = subprocess.run(
        ["/bin/bash", "-euc", reader.here("\n".join([*exports, "env"]))],
        cwd=reader.folder,
        env=reader.environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    variables = dict(line.split("=", 1) for line in told.splitlines() if line.startswith("GENERIC_LOGGER_"))
    home = reader.folder / "litellm"
    home.mkdir()
    with (
        serving(Provider) as provider,
        litellm_proxy(
            litellm,
            home,
            keys={},
            upstream=provider,
            config=reader.folder / "config.yaml",
            environment=variables | {"LITELLM_MASTER_KEY": MASTER},
        ) as address,
    ):
        reader.ports["4000"] = address.rpartition(":")[2]
        assert "It is so." in reader.does("traffic")
        until(lambda: re.search(r"exchanges +1 of 1 account", reader.does("stat")), SECONDS, "exchange")


def test_a_rehearsed_campaign_is_decided_on_approved_and_undone(reader: Reader) -> None:
    reader.does("world")
    assert '"rejected":0' in reader.does("first")
    judged = reader.folder / "state" / "judge.json"
    until(lambda: '"judgements": 1' in judged.read_text() or "dec_" in listed(reader), SECONDS, "judgement")
    until(lambda: "observe" in listed(reader), SECONDS, "observed campaigns")
    assert '"rejected":0' in reader.does("rest")
    found = until(lambda: listed(reader).count("throttle") == 3 and listed(reader), SECONDS, "dry runs")
    assert found.count("(dry run)") == 3
    assert "throttle" in reader.does("scan")
    reader.does("enforce")
    until(lambda: "pending" in listed(reader).replace("(dry run)", ""), SECONDS, "pending")
    until(lambda: real(listed(reader)) >= 3, SECONDS, "decisions that are none of dry run")
    told = reader.does("approve", "ask", "undo")
    first, second = re.findall(r'\{"action":"NONE"\}(\{.*?\})', told)[:2]
    assert '"BLOCKED"' in first
    assert second == '{"action":"NONE"}'
    assert "none changed" in reader.does("audit")


def listed(reader: Reader) -> str:
    return reader.does("list")


def real(listed: str) -> int:
    return sum("throttle" in line and "(dry run)" not in line for line in listed.splitlines())


def test_a_key_file_as_the_page_makes_it_names_the_account(reader: Reader) -> None:
    from stillwatch.enforce.keys import KeyFile

    reader.environment["CUSTOMER_KEY"] = "sk-customer"
    reader.does("keys")
    keys = KeyFile(reader.folder / "keys")
    assert keys.account_of("sk-customer") == "customer-1"
    for name in ("ask-envoy", "ask-nginx"):
        assert reader.does(name).startswith("HTTP/1.1 200")


def test_the_unit_starts_what_there_is() -> None:
    from stillwatch.settings import ServeSettings, variable_name

    unit = step("stillwatch.service")
    named = set(re.findall(r"Environment=(\w+)=", unit))
    assert named <= {variable_name(ServeSettings, name) for name in ServeSettings.model_fields}
    assert re.search(r"^ExecStart=\S+/stillwatch serve$", unit, re.MULTILINE)
