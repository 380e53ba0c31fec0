"""The body of a request: bounded in size and in time, and decompressed within the same bounds."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

from stillwatch.app.service.errors import ApiError
from stillwatch.app.service.room import Place
from stillwatch.ingest.pushed import TooLargeError, UndecodableError, decompressed

_ENCODINGS = ("", "identity", "gzip", "x-gzip")


async def read_body(request: Request, place: Place, most: int, seconds: float) -> bytes:
    """Return the bytes as they were sent, at most ``most`` of them, within ``seconds``.

    Raises:
        ApiError: too large (413), too slow (408), in an encoding that is not read (415), or no room (429).
    """
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in _ENCODINGS:
        raise ApiError(
            415, "encoding", f"content-encoding {encoding!r} is not read", remedy="Send gzip, or none."
        )
    told = request.headers.get("content-length", "")
    if told.isdecimal() and int(told) > most:
        raise too_large(f"more than {_size(most)}")
    try:
        async with asyncio.timeout(seconds):
            return await _gathered(request, place, most)
    except TimeoutError:
        raise ApiError(
            408,
            "slow",
            f"the body did not arrive within {seconds:g} s",
            remedy="Send smaller bodies.",
            retry_after=1,
        ) from None
    except ClientDisconnect:
        raise ApiError(400, "gone", "the sender closed the connection", remedy="Send it again.") from None


def unpacked(content: bytes, most: int) -> bytes:
    """Return a body without its gzip, which is told by its first bytes.

    Raises:
        ApiError: too large once it is unpacked (413), or damaged (400).
    """
    try:
        return decompressed(content, most)
    except TooLargeError as error:
        raise too_large(str(error)) from None
    except UndecodableError as error:
        raise undecodable(str(error)) from None


def _size(most: int) -> str:
    return f"{most >> 20} MiB" if most >= 2**20 else f"{most >> 10} KiB"


def too_large(what: str) -> ApiError:
    """A body that is more than is read at once."""
    return ApiError(413, "too_large", f"the body is {what}", remedy="Send fewer records at a time.")


def undecodable(what: str) -> ApiError:
    """A body that is not what it was said to be."""
    return ApiError(400, "undecodable", f"the body is not readable: {what}", remedy="Mend the sender.")


async def _gathered(request: Request, place: Place, most: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > most:
            raise too_large(f"more than {_size(most)}")
        place.hold(len(piece))
        pieces.append(piece)
    return b"".join(pieces)
