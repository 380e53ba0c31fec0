"""Spans of real instrumentations, written by OpenTelemetry's own OTLP file exporter.

    python telemetry.py genai|traceloop|openinference OTLP_OUT SPANS_OUT

Run by make_samples.py in an environment that holds openai and the instrumentations.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import openai
from opentelemetry import baggage, context, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.json.file.trace_exporter import FileSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    SimpleSpanProcessor,
    SpanExporter,
    SpanExportResult,
)
from upstream import MODEL, serving

TOOLS = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]


class Accounts(SpanProcessor):
    """Puts the account on each span, as a deployment does: no convention has a place for it."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        span.set_attribute("user.id", f"user-{baggage.get_baggage('number', parent_context)}")


class Lines(SpanExporter):
    """Writes each span as the JSON that the SDK gives it, one per line."""

    def __init__(self, path: str) -> None:
        self.path = path

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        with Path(self.path).open("a") as file:
            file.writelines(span.to_json(indent=None) + "\n" for span in spans)
        return SpanExportResult.SUCCESS


def instrument(kind: str) -> None:
    if kind == "genai":
        os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "gen_ai_latest_experimental"
        os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "SPAN_ONLY"
        from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor
    elif kind == "traceloop":
        from opentelemetry.instrumentation.openai import OpenAIInstrumentor
    else:
        from openinference.instrumentation.openai import OpenAIInstrumentor
    OpenAIInstrumentor().instrument()


def main() -> None:
    kind, otlp, lines = sys.argv[1:]
    resource = Resource({"service.name": "assistant", "service.version": "1.0"})
    provider = TracerProvider(resource=resource)
    if kind == "genai":
        provider.add_span_processor(Accounts())
    provider.add_span_processor(BatchSpanProcessor(FileSpanExporter(otlp), max_export_batch_size=3))
    provider.add_span_processor(SimpleSpanProcessor(Lines(lines)))
    trace.set_tracer_provider(provider)
    instrument(kind)
    tracer = trace.get_tracer("assistant")
    with serving() as base:
        client = openai.OpenAI(base_url=f"{base}/v1", api_key="none-needed", max_retries=0)
        for number in range(1, 6):
            token = context.attach(baggage.set_baggage("number", str(number % 2)))
            with tracer.start_as_current_span("handle request") as span:
                span.set_attribute("http.request.method", "POST")
                ask(client, kind, number)
            context.detach(token)
    provider.shutdown()


def ask(client: openai.OpenAI, kind: str, number: int) -> None:
    messages = [
        {"role": "system", "content": "Answer in one sentence."},
        {"role": "user", "content": f"Question {number}"},
    ]
    request = {"model": MODEL, "messages": messages, "temperature": 0.2, "max_tokens": 64, "seed": number}
    request["user"] = f"user-{number % 2}"
    if kind == "openinference":
        from openinference.instrumentation import using_attributes

        with using_attributes(session_id=f"session-{number % 2}", user_id=f"user-{number % 2}"):
            call(client, request, number)
    else:
        call(client, request, number)


def call(client: openai.OpenAI, request: dict[str, object], number: int) -> None:
    if number == 2:
        list(client.chat.completions.create(**request, stream=True, stream_options={"include_usage": True}))
    elif number == 4:
        with contextlib.suppress(openai.RateLimitError):
            client.chat.completions.create(**{**request, "model": "assistant-busy"})
    else:
        client.chat.completions.create(**request, tools=TOOLS if number == 3 else openai.omit)


if __name__ == "__main__":
    main()
