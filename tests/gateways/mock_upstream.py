"""A model provider that answers at once: chat completions, streamed or not, with usage and reasoning."""

from __future__ import annotations

import hashlib
import json
import random
import re
import time
from typing import Any

from loopback_server import QuietHandler
from wording import sentences

REFUSED_MODEL = "assistant-busy"


class MockUpstream(QuietHandler):
    """The part of the OpenAI chat-completions interface that the proxy calls."""

    def do_POST(self) -> None:  # noqa: N802 - the name that http.server calls
        request = json.loads(self.body())
        if request["model"] == REFUSED_MODEL:
            refusal = {"error": {"message": "too many requests", "type": "rate_limit_error", "code": "429"}}
            self.reply(429, "application/json", json.dumps(refusal).encode())
        elif request.get("stream"):
            self.reply(200, "text/event-stream", _events(_completion(request)))
        else:
            self.reply(200, "application/json", json.dumps(_completion(request)).encode())


def _completion(request: dict[str, Any]) -> dict[str, Any]:
    asked = json.dumps(request["messages"], ensure_ascii=False)
    digest = hashlib.sha256(asked.encode()).digest()
    chance = random.Random(digest)  # the same question gets the same answer
    thought, answer = sentences(chance, 2), sentences(chance, chance.randint(2, 5))
    usage = {"prompt_tokens": len(asked) // 4, "completion_tokens": (len(thought) + len(answer)) // 4}
    return {
        "id": f"chatcmpl-{digest.hex()[:24]}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": request["model"],
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": answer, "reasoning_content": thought},
            }
        ],
        "usage": usage
        | {
            "total_tokens": sum(usage.values()),
            "completion_tokens_details": {"reasoning_tokens": len(thought) // 4},
        },
    }


def _events(completion: dict[str, Any]) -> bytes:
    message = completion["choices"][0]["message"]
    deltas: list[dict[str, str]] = [{"role": "assistant", "reasoning_content": message["reasoning_content"]}]
    deltas += [{"content": piece} for piece in re.findall(r"(?:\S+\s*){1,8}", message["content"])]
    chunks: list[dict[str, Any]] = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    chunks.append({"index": 0, "delta": {}, "finish_reason": "stop"})
    shell: dict[str, Any] = {key: completion[key] for key in ("id", "created", "model")} | {
        "object": "chat.completion.chunk"
    }
    events = [shell | {"choices": [chunk]} for chunk in chunks]
    events.append(shell | {"choices": [], "usage": completion["usage"]})
    return b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in events) + b"data: [DONE]\n\n"
