"""A few machine operations that Numba does not offer: wide loads, byte masks, 128-bit products.

Each function is one LLVM instruction or a handful of them, so that it runs on every target that
LLVM knows. A *mask* is an unsigned 64-bit integer whose bit ``i`` speaks of byte ``index + i``.
The caller sees to it that ``index + 8`` or ``index + 64`` bytes can be read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

BLOCK = 64
"""Bytes that one mask covers."""

LANES = 16
"""Numbers that one vector addition takes."""

SMALLEST = 8
"""Numbers that are kept of many."""

_I64 = ir.IntType(64)
_I128 = ir.IntType(128)
_BYTES = ir.VectorType(ir.IntType(8), BLOCK)
_PLACES = ir.VectorType(ir.IntType(32), SMALLEST)

_Codegen = Callable[[Any, Any, Any, Any], Any]


def _pointer(context: Any, builder: Any, kind: Any, array: Any, index: Any, target: Any) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), target.as_pointer())


def _block(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    return builder.load(_pointer(context, builder, kind, array, index, _BYTES), align=1)


def _splat(value: str) -> Any:
    return ir.Constant(_BYTES, [ord(value)] * BLOCK)


def _between(builder: Any, block: Any, first: str, last: str) -> Any:
    span = ir.Constant(_BYTES, [ord(last) - ord(first)] * BLOCK)
    return builder.icmp_unsigned("<=", builder.sub(block, _splat(first)), span)


def _above_ascii(builder: Any, block: Any) -> Any:
    return builder.icmp_signed("<", block, ir.Constant(_BYTES, [0] * BLOCK))


@intrinsic  # type: ignore[untyped-decorator]
def load64(_typing: Any, array: Any, index: Any) -> tuple[Any, _Codegen]:
    """Eight bytes of ``array`` from ``index`` as a little-endian number."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(_pointer(context, builder, signature.args[0], args[0], args[1], _I64), align=1)

    return types.uint64(array, types.intp), codegen


@intrinsic  # type: ignore[untyped-decorator]
def trailing_zeros(_typing: Any, mask: Any) -> tuple[Any, _Codegen]:
    """Number of the lowest set bit, 64 where none is set."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.intp(types.uint64), codegen


@intrinsic  # type: ignore[untyped-decorator]
def fold_product(_typing: Any, left: Any, right: Any) -> tuple[Any, _Codegen]:
    """Low half XOR high half of the 128-bit product: the mixing step of wyhash (Wang Yi, public domain)."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        product = builder.mul(builder.zext(args[0], _I128), builder.zext(args[1], _I128))
        high = builder.lshr(product, ir.Constant(_I128, 64))
        return builder.xor(builder.trunc(product, _I64), builder.trunc(high, _I64))

    return types.uint64(types.uint64, types.uint64), codegen


@intrinsic  # type: ignore[untyped-decorator]
def word_bytes(_typing: Any, array: Any, index: Any) -> tuple[Any, _Codegen]:
    """Mask of the bytes that belong to a word of folded text: ``0-9``, ``a-z`` and all above ASCII."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        block = _block(context, builder, signature.args[0], *args)
        digits = _between(builder, block, "0", "9")
        letters = _between(builder, block, "a", "z")
        words = builder.or_(builder.or_(digits, letters), _above_ascii(builder, block))
        return builder.bitcast(words, _I64)

    return types.uint64(array, types.intp), codegen


@intrinsic  # type: ignore[untyped-decorator]
def string_stops(_typing: Any, array: Any, index: Any) -> tuple[Any, _Codegen]:
    """Mask of the bytes at which a JSON string ends or escapes: quote and backslash."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        block = _block(context, builder, signature.args[0], *args)
        quotes = builder.icmp_unsigned("==", block, _splat('"'))
        escapes = builder.icmp_unsigned("==", block, _splat("\\"))
        return builder.bitcast(builder.or_(quotes, escapes), _I64)

    return types.uint64(array, types.intp), codegen


@intrinsic  # type: ignore[untyped-decorator]
def same_block(_typing: Any, array: Any, first: Any, second: Any) -> tuple[Any, _Codegen]:
    """Whether two blocks of one array are the same."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        blocks = [_block(context, builder, signature.args[0], args[0], at) for at in args[1:]]
        odd = builder.bitcast(builder.icmp_unsigned("!=", *blocks), _I64)
        return builder.icmp_unsigned("==", odd, ir.Constant(_I64, 0))

    return types.boolean(array, types.intp, types.intp), codegen


@intrinsic  # type: ignore[untyped-decorator]
def add_lanes(
    _typing: Any, sums: Any, place: Any, terms: Any, first: Any, second: Any
) -> tuple[Any, _Codegen]:
    """Add sixteen 16-bit numbers from two places of ``terms`` each to the 32-bit ones at ``sums[place]``."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        narrow = ir.VectorType(ir.IntType(16), LANES)
        wide = ir.VectorType(ir.IntType(32), LANES)
        target = _pointer(context, builder, signature.args[0], args[0], args[1], wide)
        sources = [_pointer(context, builder, signature.args[2], args[2], at, narrow) for at in args[3:]]
        pair = [builder.sext(builder.load(source, align=2), wide) for source in sources]
        total = builder.add(builder.load(target, align=4), builder.add(*pair))
        builder.store(total, target, align=4)
        return context.get_dummy_value()

    return types.void(sums, types.intp, terms, types.intp, types.intp), codegen


@intrinsic  # type: ignore[untyped-decorator]
def keep_smallest(_typing: Any, kept: Any, value: Any) -> tuple[Any, _Codegen]:
    """Put a number in its place among the first eight of ``kept``, which ascend, and drop the last of them.

    Where it is one of them already nothing changes. Returns a mask of those that it is.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        lanes = ir.VectorType(_I64, SMALLEST)
        start = ir.Constant(_I64, 0)
        pointer = _pointer(context, builder, signature.args[0], args[0], start, lanes)
        before = builder.load(pointer, align=8)
        first = builder.insert_element(ir.Constant(lanes, None), args[1], start)
        many = builder.shuffle_vector(first, first, ir.Constant(_PLACES, [0] * SMALLEST))
        # What stands one place lower, with zero below the lowest.
        places = ir.Constant(_PLACES, [SMALLEST, *range(SMALLEST - 1)])
        lower = builder.shuffle_vector(before, ir.Constant(lanes, [0] * SMALLEST), places)
        moved = builder.select(builder.icmp_unsigned("<", lower, many), many, lower)
        after = builder.select(builder.icmp_unsigned("<", before, moved), before, moved)
        same = builder.bitcast(builder.icmp_unsigned("==", before, many), ir.IntType(SMALLEST))
        is_new = builder.icmp_unsigned("==", same, ir.Constant(ir.IntType(SMALLEST), 0))
        builder.store(builder.select(is_new, after, before), pointer, align=8)
        return builder.zext(same, _I64)

    return types.uint64(kept, types.uint64), codegen


@intrinsic  # type: ignore[untyped-decorator]
def copy_lower(_typing: Any, source: Any, index: Any, target: Any, place: Any) -> tuple[Any, _Codegen]:
    """Copy 64 bytes with ASCII lower-cased; mask of those that need more: above ASCII, and backslash."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        block = _block(context, builder, signature.args[0], args[0], args[1])
        bit = ir.Constant(_BYTES, [0x20] * BLOCK)
        upper = _between(builder, block, "A", "Z")
        lowered = builder.select(upper, builder.or_(block, bit), block)
        pointer = _pointer(context, builder, signature.args[2], args[2], args[3], _BYTES)
        builder.store(lowered, pointer, align=1)
        escapes = builder.icmp_unsigned("==", block, _splat("\\"))
        return builder.bitcast(builder.or_(escapes, _above_ascii(builder, block)), _I64)

    return types.uint64(source, types.intp, target, types.intp), codegen
