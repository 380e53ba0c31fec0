"""A state folder has one service; the lock goes with it, and addresses are tried before it starts."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from stillwatch.app.service.addresses import addresses, check_addresses
from stillwatch.app.service.sole_service import LOCK, sole_service
from stillwatch.contracts import UsageError
from stillwatch.settings import ServeSettings

HOLDS = """
import sys, time
from pathlib import Path
from stillwatch.app.service.sole_service import sole_service
with sole_service(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def test_another_service_is_named_and_a_killed_one_leaves_nothing_to_remove(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path)], stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(UsageError, match=rf"\(process {other.pid}\)") as caught, sole_service(tmp_path):
            pass
        assert caught.value.field == "--state"
        other.kill()
    with sole_service(tmp_path):
        assert (tmp_path / LOCK).read_text() == f"{os.getpid()}\n"
    with sole_service(tmp_path):
        pass


def test_whatever_the_lock_file_holds_it_can_be_taken(tmp_path):
    (tmp_path / LOCK).write_bytes(b"\xff" * 100)
    with sole_service(tmp_path):
        assert (tmp_path / LOCK).read_text() == f"{os.getpid()}\n"
        with pytest.raises(UsageError), sole_service(tmp_path):
            pass


def test_every_address_is_tried_and_let_go(tmp_path):
    names = ("port", "otlp_port", "gate_port", "gate_grpc_port")
    ports = dict(zip(names, free_ports(4), strict=True))
    settings = ServeSettings.read(state=tmp_path, gates=2, **ports)
    assert [address.port for address in addresses(settings)] == list(ports.values())
    check_addresses(settings)
    check_addresses(settings)
    for name, port in ports.items():
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # as another service's gates have it
            other.bind(("127.0.0.1", port))
            other.listen()
            with pytest.raises(UsageError) as caught:
                check_addresses(settings)
        assert caught.value.field == "--" + name.replace("_", "-")


def test_one_address_cannot_be_two_doors(tmp_path):
    port, other = free_ports(2)
    settings = ServeSettings.read(
        state=tmp_path, port=port, gate_port=port, otlp_port=0, gate_grpc_port=other
    )
    with pytest.raises(UsageError) as caught:
        check_addresses(settings)
    assert caught.value.field == "--gate-port"


def test_a_host_that_there_is_none_of_is_told(tmp_path):
    settings = ServeSettings.read(state=tmp_path, host="nowhere.invalid")
    with pytest.raises(UsageError, match=r"cannot listen at nowhere\.invalid"):
        check_addresses(settings)
