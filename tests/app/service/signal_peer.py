"""An identity provider as a process of its own: it receives, keeps and issues security events.

It shares no code with the product: tokens are verified with joserfc alone, against the key set that the
transmitter publishes. What it took is in a file before it acknowledges, so that it can be killed any time.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

HOME = Path(sys.argv[1]) if len(sys.argv) > 2 else Path()
TRANSMITTER = sys.argv[2] if len(sys.argv) > 2 else ""
AUDIENCE = "https://idp.example.com/ssf"


def taken() -> list[dict[str, Any]]:
    """Every claims set that was taken, in order; a last line that was cut off was never acknowledged."""
    path = HOME / "taken.jsonl"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def _verified(token: bytes) -> dict[str, Any]:
    told = httpx.get(f"{TRANSMITTER}/.well-known/ssf-configuration").json()
    keys = KeySet.import_key_set(httpx.get(f"{TRANSMITTER}/ssf/jwks.json").json())
    found = jwt.decode(token, keys, algorithms=["ES256"])
    assert found.header["typ"] == "secevent+jwt"
    assert found.claims["iss"] == told["issuer"]
    assert found.claims["aud"] == AUDIENCE
    assert not {"exp", "sub"} & found.claims.keys()
    return found.claims


async def receive(request: Request) -> Response:
    if (HOME / "away").exists():
        return Response(status_code=503, headers={"retry-after": "0"})
    if request.headers.get("authorization") != "Bearer of-the-peer":
        return JSONResponse({"err": "authentication_failed", "description": "who are you?"}, 400)
    try:
        claims = _verified(await request.body())
    except (JoseError, ValueError, AssertionError) as error:
        return JSONResponse({"err": "invalid_key", "description": str(error)}, 400)
    if (HOME / "picky").exists() and '"current_level": "HIGH"' in json.dumps(claims):
        return JSONResponse({"err": "invalid_request", "description": "not this one"}, 400)
    if claims["jti"] not in {each["jti"] for each in taken()}:
        with (HOME / "taken.jsonl").open("a") as file:
            file.write(json.dumps(claims) + "\n")
            file.flush()
            os.fsync(file.fileno())
    return Response(status_code=202)


def _waiting() -> dict[str, str]:
    path = HOME / "issued.json"
    return json.loads(path.read_text()) if path.exists() else {}


async def poll(request: Request) -> Response:
    asked, waiting = await request.json(), _waiting()
    with (HOME / "polls.jsonl").open("a") as file:
        file.write(json.dumps(asked) + "\n")
    for jti in [*asked.get("ack", []), *asked.get("setErrs", {})]:
        waiting.pop(jti, None)
    (HOME / "issued.json").write_text(json.dumps(waiting))
    part = dict(list(waiting.items())[: asked["maxEvents"]])
    return JSONResponse({"sets": part, "moreAvailable": len(part) < len(waiting)})


def key_of(home: Path) -> ECKey:
    """The key that the provider signs with; made with the first look."""
    path = home / "key.json"
    if not path.exists():
        key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)
        path.write_text(json.dumps(key.as_dict(private=True)))
    return ECKey.import_key(json.loads(path.read_text()))


async def jwks(request: Request) -> Response:
    return JSONResponse({"keys": [key_of(HOME).as_dict(private=False)]})


ROUTES = [
    Route("/events", receive, methods=["POST"]),
    Route("/poll", poll, methods=["POST"]),
    Route("/jwks", jwks),
]

if __name__ == "__main__":
    uvicorn.run(Starlette(routes=ROUTES), port=int(sys.argv[3]), log_level="warning")
