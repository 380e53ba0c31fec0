"""Decompresses gzip and zstd streams, told by their first bytes and not by their names.

Everything that can be read of a damaged or truncated stream is yielded before :class:`Cut` says why
there is no more.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Final

import zstandard

if TYPE_CHECKING:
    from zlib import _Decompress

_GZIP: Final = b"\x1f\x8b"
_GZIP_PIECE: Final = 1 << 16
_ZSTD_PIECE: Final = 1 << 12  # small: what a damaged piece would have given is lost
_OUTPUT: Final = 1 << 20  # a gzip step gives no more than this, whatever the ratio


class Cut(Exception):  # noqa: N818 - the stream ends here; what came before it is good
    """A stream stops before its end; the message says how."""


def compression(head: bytes) -> str | None:
    """``gzip``, ``zstd`` or None, by the first four bytes of a stream."""
    if head.startswith(_GZIP):
        return "gzip"
    skippable = head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50  # written first by parallel zstd
    return "zstd" if skippable or head.startswith(b"\x28\xb5\x2f\xfd") else None


def inflated(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The decompressed bytes of a stream, or the stream itself where it is not compressed.

    Raises:
        Cut: the compressed data ends early or is damaged.
    """
    head = next(chunks, b"")
    whole = chain((head,), chunks)
    step = _STEPS.get(compression(head) or "")
    return step(whole) if step else whole


def _gunzip(chunks: Iterator[bytes]) -> Iterator[bytes]:
    member = _new_member()
    for piece in _pieces(chunks, _GZIP_PIECE):
        rest = piece
        while rest:
            if member.eof:
                rest = rest.lstrip(b"\0")  # tapes and some writers pad
                if not _GZIP.startswith(rest[:2]):
                    raise Cut("after the gzip data comes something else")
                member = _new_member() if rest else member
                continue
            before = member.copy()
            try:
                data = member.decompress(rest, _OUTPUT)
            except zlib.error:
                yield from _until_damage(before, rest)
                raise Cut("the gzip data is damaged") from None
            yield data
            while len(data) == _OUTPUT and not member.unconsumed_tail and not member.eof:
                yield (data := member.decompress(b"", _OUTPUT))
            rest = member.unconsumed_tail or member.unused_data
    if not member.eof:
        raise Cut("the gzip data ends early")


def _until_damage(member: _Decompress, piece: bytes) -> Iterator[bytes]:
    """What a damaged piece gives byte by byte before the damage."""
    try:
        for index in range(len(piece)):
            yield member.decompress(piece[index : index + 1])
    except zlib.error:
        return


def _unzstd(chunks: Iterator[bytes]) -> Iterator[bytes]:
    reader = zstandard.ZstdDecompressor()
    frame = reader.decompressobj()
    for piece in _pieces(chunks, _ZSTD_PIECE):
        rest = piece
        while rest:
            if frame.eof:
                if compression(rest.ljust(4)) != "zstd" and len(rest) >= 4:
                    raise Cut("after the zstd data comes something else")
                frame = reader.decompressobj()
            try:
                yield frame.decompress(rest)
            except zstandard.ZstdError:
                raise Cut("the zstd data is damaged") from None
            rest = frame.unused_data if frame.eof else b""
    if not frame.eof:
        raise Cut("the zstd data ends early")


def _new_member() -> _Decompress:
    return zlib.decompressobj(wbits=31)


def _pieces(chunks: Iterator[bytes], size: int) -> Iterator[bytes]:
    for chunk in chunks:
        for start in range(0, len(chunk), size):
            yield chunk[start : start + size]


_STEPS: Final[dict[str, Callable[[Iterator[bytes]], Iterator[bytes]]]] = {"gzip": _gunzip, "zstd": _unzstd}
