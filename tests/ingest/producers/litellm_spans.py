"""Spans, spend-log rows and logged payloads of the real LiteLLM, in process, with mocked answers.

    python litellm_spans.py SPANS_OUT ROWS_OUT PAYLOADS_OUT

Run by make_samples.py in an environment that holds litellm[proxy] and the OpenTelemetry SDK.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
os.environ["LITELLM_OTEL_V2"] = "true"
os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "gen_ai_latest_experimental"
os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "SPAN_ONLY"

import litellm
from google.protobuf.json_format import MessageToDict
from litellm.integrations.custom_logger import CustomLogger
from litellm.proxy import proxy_server
from litellm.proxy.spend_tracking.spend_tracking_utils import get_logging_payload
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

MODEL = "openai/assistant-large"


def otlp_json(body: bytes) -> dict[str, object]:
    """A posted protobuf message in the JSON encoding of OTLP: ids in hexadecimal, enumerations as numbers."""
    request = ExportTraceServiceRequest.FromString(body)
    found = MessageToDict(request, use_integers_for_enums=True)
    for resource in found["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for name in ("traceId", "spanId", "parentSpanId"):
                    if name in span:
                        span[name] = base64.b64decode(span[name]).hex()
    return found


@contextmanager
def collecting(path: str) -> Iterator[str]:
    """Take posted OTLP/JSON and append each body as a line, as the collector's file exporter would."""

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.path.endswith("/v1/traces"):
                with Path(path).open("a") as file:
                    file.write(json.dumps(otlp_json(body), separators=(",", ":")) + "\n")
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


class Rows(CustomLogger):
    """Keeps what the proxy would write to LiteLLM_SpendLogs, and what it logs of the same call."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[dict[str, object]] = []
        self.payloads: list[dict[str, object]] = []

    async def async_log_success_event(self, kwargs, response_obj, start_time, end_time) -> None:
        self.rows.append(get_logging_payload(kwargs, response_obj, start_time, end_time))
        self.payloads.append(kwargs["standard_logging_object"])

    async def async_log_failure_event(self, kwargs, response_obj, start_time, end_time) -> None:
        metadata = kwargs["litellm_params"]["metadata"]
        error = kwargs["standard_logging_object"]["error_information"]
        metadata |= {"status": "failure", "error_information": error}
        now = datetime.now(UTC)
        kwargs["completion_start_time"] = kwargs.get("completion_start_time") or now
        self.rows.append(get_logging_payload(kwargs, response_obj, start_time or now, end_time or now))
        self.payloads.append(kwargs["standard_logging_object"])


async def ask(number: int) -> None:
    messages = [
        {"role": "system", "content": "Answer in one sentence."},
        {"role": "user", "content": f"Question {number}"},
    ]
    request = {"messages": messages, "temperature": 0.2, "max_tokens": 64, "stream": number == 2}
    body = {"model": "assistant-large", **request}
    metadata = {
        "user_api_key": "7f" * 31 + f"a{number % 2}",
        "user_api_key_hash": "7f" * 31 + f"a{number % 2}",
        "user_api_key_alias": f"key {number % 2}",
        "user_api_key_user_id": f"user-{number % 2}",
        "user_api_key_team_id": "team-1",
        "user_api_key_org_id": "org-1",
        "requester_ip_address": f"192.0.2.{number}",
        "user_agent": "openai-python/2.5",
        "model_group": "assistant-large",
    }
    answer: dict[str, object] = {"mock_response": f"Answer {number}."}
    if number == 4:
        answer = {"mock_response": "litellm.RateLimitError"}
    try:
        found = await litellm.acompletion(
            model=MODEL,
            **request,
            **answer,
            metadata=metadata,
            proxy_server_request={"url": "/v1/chat/completions", "method": "POST", "body": body},
            api_key="none-needed",
        )
        if number == 2:
            async for _ in found:
                pass
    except litellm.RateLimitError:
        pass
    await asyncio.sleep(0.5)


async def main() -> None:
    spans, rows_file, payloads = sys.argv[1:]
    proxy_server.general_settings["store_prompts_in_spend_logs"] = True
    rows = Rows()
    with collecting(spans) as address:
        os.environ |= {"OTEL_EXPORTER": "otlp_http", "OTEL_ENDPOINT": address}
        litellm.callbacks = [rows, "otel"]
        for number in range(1, 6):
            await ask(number)
        await asyncio.sleep(8)  # the exporter sends every five seconds
    for path, records in ((rows_file, rows.rows), (payloads, rows.payloads)):
        Path(path).write_text("".join(json.dumps(one, default=str) + "\n" for one in records))


if __name__ == "__main__":
    asyncio.run(main())
