"""Over gRPC as over HTTP a gateway needs a token that holds, where one is asked for."""

from __future__ import annotations

import socket

import grpc
import pytest
from deciding import decide, key_file, key_of
from envoy.service.auth.v3 import external_auth_pb2, external_auth_pb2_grpc
from envoy.service.ext_proc.v3 import external_processor_pb2, external_processor_pb2_grpc
from gate_process import running_gate


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokens")
    decide(folder / "snapshot")
    keys = key_file(folder / "keys")
    with running_gate(folder / "snapshot", keys=keys, token="sw-good") as running:
        yield running


@pytest.fixture(scope="module")
def channel(gate):
    with grpc.insecure_channel(f"127.0.0.1:{gate.grpc_port}") as opened:
        yield opened


def question(account: str) -> external_auth_pb2.CheckRequest:
    asked = external_auth_pb2.CheckRequest()
    asked.attributes.request.http.headers["authorization"] = f"Bearer {key_of(account)}"
    return asked


def test_with_it_a_question_is_answered(channel):
    check = external_auth_pb2_grpc.AuthorizationStub(channel).Check
    token = (("x-stillwatch-token", "sw-good"),)
    assert check(question("blocked"), metadata=token, timeout=5).denied_response.status.code == 403
    assert check(question("honest"), metadata=token, timeout=5).status.code == 0


@pytest.mark.parametrize("metadata", [(), (("x-stillwatch-token", "sw-revoked"),)])
def test_without_it_nothing_is(channel, metadata):
    check = external_auth_pb2_grpc.AuthorizationStub(channel).Check
    with pytest.raises(grpc.RpcError) as refused:
        check(question("honest"), metadata=metadata, timeout=5)
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    process = external_processor_pb2_grpc.ExternalProcessorStub(channel).Process
    with pytest.raises(grpc.RpcError) as refused:
        next(process(iter([external_processor_pb2.ProcessingRequest()]), metadata=metadata, timeout=5))
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_a_head_without_end_is_not_held_for_whoever_may_ask_nothing(gate):
    with socket.create_connection(("127.0.0.1", gate.port), timeout=20) as endless:
        endless.sendall(b"GET /v1/authorize HTTP/1.1\r\nhost: gate\r\nx-fill: " + b"a" * 2**15)
        endless.sendall(b"a" * (2**15 + 2**10))
        assert endless.recv(100).startswith(b"HTTP/1.1 431 ")
