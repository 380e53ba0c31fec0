"""Spans from OTLP exporters: protobuf and JSON over HTTP, and gRPC, all the same to the receiver."""

from __future__ import annotations

import gzip
import json
import time
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from receiving_desk import NOW, TOKEN, authorise, served, waiting

from stillwatch.app.service.otlp_grpc import serve_otlp_grpc
from stillwatch.contracts import EXCHANGE
from stillwatch.ingest.otlp_pushed import pushed_json, pushed_protobuf

PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json"}
SAMPLES = sorted((Path(__file__).parents[2] / "ingest" / "samples").glob("otlp-*.jsonl"))
MESSAGES = json.dumps([{"role": "user", "content": "Hello"}])


def len_digest(raw):
    return f"{len(raw):032x}"


def span(number, **attributes):
    held = {
        "gen_ai.operation.name": "chat",
        "user.id": "user-1",
        "gen_ai.input.messages": MESSAGES,
        **attributes,
    }
    return {
        "traceId": f"{number:032x}",
        "spanId": f"{number:016x}",
        "name": "chat large",
        "startTimeUnixNano": str((NOW + number) * 10**9),
        "attributes": [
            {"key": name, "value": {"stringValue": value}} for name, value in held.items() if value
        ],
    }


def request(*spans):
    return {"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}


def message(document):
    """The protobuf of an OTLP/JSON document, whose ids are hexadecimal there and base64 to protobuf."""
    found = ExportTraceServiceRequest()
    plain = json.loads(json.dumps(document))
    ids = []
    for holder in plain["resourceSpans"]:
        for scope in holder["scopeSpans"]:
            for each in scope["spans"]:
                ids.append((bytes.fromhex(each.pop("traceId")), bytes.fromhex(each.pop("spanId"))))
                each.pop("parentSpanId", None)
                each.pop("links", None)
    ParseDict(plain, found, ignore_unknown_fields=True)
    spans = [each for holder in found.resource_spans for scope in holder.scope_spans for each in scope.spans]
    for each, (trace, own) in zip(spans, ids, strict=True):
        each.trace_id, each.span_id = trace, own
    return found


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_protobuf_and_json_of_real_exporters_become_the_same(sample):
    for line in sample.read_bytes().splitlines():
        by_json = list(pushed_json(line, "x", digest=len_digest))
        by_protobuf = list(pushed_protobuf(message(json.loads(line)), "x", digest=len_digest))
        assert [batch.records.drop_columns(["line"]) for batch in by_json] == [
            batch.records.drop_columns(["line"]) for batch in by_protobuf
        ]
        assert all(batch.records.schema == EXCHANGE for batch in by_json)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_an_export_is_answered_in_its_own_encoding(client, receiver, encoding, packed):
    agent = span(3) | {
        "attributes": [{"key": "gen_ai.operation.name", "value": {"stringValue": "invoke_agent"}}]
    }
    document = request(span(1), span(2, **{"user.id": None}), agent)
    body = message(document).SerializeToString() if encoding == "protobuf" else json.dumps(document).encode()
    headers = dict(PROTOBUF if encoding == "protobuf" else JSON)
    if packed:
        body, headers["content-encoding"] = gzip.compress(body), "gzip"

    answer = client.post("/v1/traces", content=body, headers=headers)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == headers["content-type"]
    if encoding == "protobuf":
        told = MessageToDict(ExportTraceServiceResponse.FromString(answer.content))
    else:
        told = answer.json()
    assert told["partialSuccess"]["rejectedSpans"] == "1"
    assert "names no account" in told["partialSuccess"]["errorMessage"]
    assert waiting(receiver)["account_id"].to_pylist() == ["user-1"]


def test_a_whole_success_says_nothing_else(client):
    document = request(span(1))
    assert (
        client.post("/v1/traces", content=message(document).SerializeToString(), headers=PROTOBUF).content
        == b""
    )
    assert client.post("/v1/traces", json=document).json() == {}


def test_a_retried_export_has_the_same_ids(client, receiver):
    for _ in range(2):
        client.post("/v1/traces", json=request(span(1)))
        client.post("/v1/traces", content=message(request(span(1))).SerializeToString(), headers=PROTOBUF)
    assert len(set(waiting(receiver)["exchange_id"].to_pylist())) == 1


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"\xff\xff\xff", PROTOBUF, 400),
        (b"[1]", JSON, 400),
        (b"{", JSON, 400),
        (b"{}", {"content-type": "text/plain"}, 415),
        (b"\x1f\x8bno", PROTOBUF, 400),
    ],
)
def test_what_is_no_export_is_the_senders_fault(client, body, headers, status):
    answer = client.post("/v1/traces", content=body, headers=headers)
    assert answer.status_code == status
    if headers is PROTOBUF:
        assert Status.FromString(answer.content).message
    else:
        assert set(answer.json()["error"]) == {"code", "message", "remedy"}


def test_a_full_inbox_tells_an_exporter_to_come_again(make_receiver):
    with served(make_receiver(inbox=10)) as client:
        answer = client.post(
            "/v1/traces", content=message(request(span(1))).SerializeToString(), headers=PROTOBUF
        )
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert Status.FromString(answer.content).code == grpc.StatusCode.UNAVAILABLE.value[0]


@contextmanager
def by_grpc(receiver, **options):
    server, port = serve_otlp_grpc(receiver, authorise, "127.0.0.1:0")
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}", **options) as channel:
            yield TraceServiceStub(channel)
    finally:
        server.stop(None).wait()


def export(stub, document, token=TOKEN):
    return stub.Export(message(document), metadata=[("authorization", f"Bearer {token}")], timeout=20)


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_spans_come_by_grpc_as_well(receiver, compression):
    with by_grpc(receiver, compression=compression) as stub:
        assert not export(stub, request(span(1))).HasField("partial_success")
        partial = export(stub, request(span(2), span(3, **{"user.id": None}))).partial_success
        assert (partial.rejected_spans, "names no account" in partial.error_message) == (1, True)
        with pytest.raises(grpc.RpcError) as refused:
            export(stub, request(span(4)), "wrong")
        assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert waiting(receiver).num_rows == receiver.figures().accepted == 2


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"inbox": 10}, grpc.StatusCode.UNAVAILABLE),
        ({"held": 10}, grpc.StatusCode.RESOURCE_EXHAUSTED),
    ],
)
def test_by_grpc_too_a_full_receiver_says_when_to_come_again(make_receiver, limits, code):
    with by_grpc(make_receiver(**limits)) as stub, pytest.raises(grpc.RpcError) as refused:
        export(stub, request(span(1)))
    assert refused.value.code() == code
    details = dict(refused.value.trailing_metadata())["grpc-status-details-bin"]
    retry = RetryInfo()
    assert Status.FromString(details).details[0].Unpack(retry)
    assert retry.retry_delay.seconds >= 1


def test_by_grpc_too_a_message_has_a_bound_even_if_it_is_packed(make_receiver):
    receiver = make_receiver(body=20_000)
    large = request(span(1, **{"gen_ai.input.messages": " " * 10_000_000}))
    with by_grpc(receiver, compression=grpc.Compression.Gzip) as stub:
        with pytest.raises(grpc.RpcError) as refused:
            export(stub, large)
        assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        began = time.monotonic()
        export(stub, request(span(2)))
        assert time.monotonic() - began < 5
    assert receiver.figures().accepted == 1


def test_by_grpc_too_everybody_beyond_the_limit_is_told_when_to_come_again(make_receiver, monkeypatch):
    receiver = make_receiver(requests=2, workers=2)
    take = receiver.exchanges

    def slowly(batches):
        time.sleep(0.5)
        return take(batches)

    monkeypatch.setattr(receiver, "exchanges", slowly)
    with by_grpc(receiver) as stub:
        token = [("authorization", f"Bearer {TOKEN}")]
        calls = [stub.Export.future(message(request(span(at))), metadata=token) for at in range(10)]
        errors = [error for call in calls if (error := call.exception()) is not None]
    assert len(errors) == 8
    assert {error.code() for error in errors} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert all("grpc-status-details-bin" in dict(error.trailing_metadata()) for error in errors)
    assert receiver.figures().refused == {"busy": 8}
