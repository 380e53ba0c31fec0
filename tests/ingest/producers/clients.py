"""What OpenAI's and Anthropic's own client libraries send, and what they get, as a gateway logs it.

    python clients.py FOLDER

Run by make_samples.py in an environment that holds openai and anthropic. The gateway's envelope (time,
account, address) is the part that each operator chooses; the bodies and headers are the libraries' own.
"""

from __future__ import annotations

import contextlib
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anthropic
import openai
from upstream import CREATED, MODEL, serving

HIDDEN = ("authorization", "x-api-key", "host")  # no gateway logs keys
TOOLS = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]


class Gateway:
    """Writes one line for each exchange that the upstream hears."""

    def __init__(self, path: Path) -> None:
        self.path, self.lines = path, 0
        path.unlink(missing_ok=True)

    def heard(self, exchange: dict[str, Any]) -> None:
        self.lines += 1
        when = datetime.fromtimestamp(CREATED, UTC) + timedelta(seconds=self.lines, milliseconds=250)
        headers = {name: value for name, value in exchange["headers"].items() if name not in HIDDEN}
        record = {
            "timestamp": when.isoformat().replace("+00:00", "Z"),
            "request_id": f"req-{self.lines}",
            "account_id": f"acct-{self.lines % 2}",
            "client_ip": f"192.0.2.{self.lines}",
            **exchange,
            "headers": headers,
        }
        with self.path.open("a") as file:
            file.write(json.dumps(record) + "\n")


def chat_completions(base: str) -> None:
    client = openai.OpenAI(base_url=f"{base}/v1", api_key="none-needed", max_retries=0)
    for number in range(1, 6):
        request: dict[str, Any] = {"model": MODEL, "temperature": 0.2, "max_completion_tokens": 64}
        request["messages"] = [
            {"role": "system", "content": "Answer in one sentence."},
            {"role": "user", "content": f"Question {number}"},
        ]
        if number == 2:
            streamed = client.chat.completions.create(
                **request, stream=True, stream_options={"include_usage": True}
            )
            list(streamed)
        elif number == 4:
            with contextlib.suppress(openai.RateLimitError):
                client.chat.completions.create(**{**request, "model": "assistant-busy"})
        else:
            client.chat.completions.create(**request, tools=TOOLS if number == 3 else openai.omit)


def responses(base: str) -> None:
    client = openai.OpenAI(base_url=f"{base}/v1", api_key="none-needed", max_retries=0)
    for number in range(1, 6):
        request: dict[str, Any] = {"model": MODEL, "instructions": "Answer in one sentence."}
        request |= {"input": f"Question {number}", "max_output_tokens": 64, "temperature": 0.2}
        if number == 2:
            with client.responses.stream(**request) as streamed:
                streamed.get_final_response()
        elif number == 3:
            history = [
                {"role": "user", "content": "Question 1"},
                {"role": "assistant", "content": "Answer 1."},
                {"role": "user", "content": [{"type": "input_text", "text": "Question 3"}]},
            ]
            client.responses.create(**{**request, "input": history}, previous_response_id="resp_1")
        elif number == 4:
            with contextlib.suppress(openai.RateLimitError):
                client.responses.create(**{**request, "model": "assistant-busy"})
        else:
            client.responses.create(**request)


def messages(base: str) -> None:
    client = anthropic.Anthropic(base_url=base, api_key="none-needed", max_retries=0)
    for number in range(1, 6):
        request: dict[str, Any] = {"model": MODEL, "max_tokens": 2048, "system": "Answer in one sentence."}
        request["messages"] = [{"role": "user", "content": f"Question {number}"}]
        if number == 2:
            thinking = {"type": "enabled", "budget_tokens": 1024}
            with client.messages.stream(**request, thinking=thinking) as streamed:
                streamed.get_final_message()
        elif number == 3:
            parts = [{"type": "text", "text": "Question 3", "cache_control": {"type": "ephemeral"}}]
            request["messages"] = [
                {"role": "user", "content": "Question 1"},
                {"role": "assistant", "content": [{"type": "text", "text": "Answer 1."}]},
                {"role": "user", "content": parts},
            ]
            client.messages.create(**request, metadata={"user_id": "client-7"})
        elif number == 4:
            with contextlib.suppress(anthropic.RateLimitError):
                client.messages.create(**{**request, "model": "assistant-busy"})
        else:
            client.messages.create(**request)


def main() -> None:
    folder = Path(sys.argv[1])
    for name, drive in (
        ("openai", chat_completions),
        ("openai-responses", responses),
        ("anthropic", messages),
    ):
        gateway = Gateway(folder / f"{name}.jsonl")
        with serving(gateway.heard) as base:
            drive(base)


if __name__ == "__main__":
    main()
