"""Queries in DuckDB's dialect as Spark's: SQLGlot carries most of the text, and this the rest.

What SQLGlot would carry into another meaning is put right here, once for all queries; what it cannot carry
raises, since a result that differs in silence is worse than none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, cast

from sqlglot import ErrorLevel, exp, parse_one
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import SqlglotError
from sqlglot.parsers.duckdb import DuckDBParser

from stillwatch.contracts import ContractError

_REMEDY: Final = "Please report this as a defect: a query is to be carried to every engine"
_UNSIGNED: Final = {
    exp.DType.UTINYINT: "SMALLINT",
    exp.DType.USMALLINT: "INT",
    exp.DType.UINT: "BIGINT",
    exp.DType.UBIGINT: "DECIMAL(20, 0)",
}
"""Spark has no unsigned integers; the narrowest type that holds each, as it reads them from Parquet."""


class _Source(DuckDB):
    """DuckDB's dialect, in which ``len`` is of lists: for texts queries say ``length``."""

    class Parser(DuckDBParser):
        FUNCTIONS = DuckDBParser.FUNCTIONS | {"LEN": exp.ArraySize.from_arg_list}


def spark_sql(sql: str) -> str:
    """Return a query in DuckDB's dialect as one in Spark's that gives the same rows.

    Args:
        sql: the query.

    Raises:
        ContractError: a part of the query has no counterpart.
    """
    try:
        query = parse_one(sql, read=_Source)
        _refuse_strangers(query)
        for kind, rewrite in _REWRITES.items():
            for node in reversed(list(query.find_all(kind))):  # the innermost first
                new = rewrite(node)
                if node is query:
                    query = new
                elif new is not node:
                    node.replace(new)
        return query.sql(dialect="spark", unsupported_level=ErrorLevel.RAISE)
    except SqlglotError as error:
        raise ContractError(f"a query does not carry over ({error})", remedy=_REMEDY) from error


def _refuse_strangers(query: exp.Expr) -> None:
    """Refuse a function that SQLGlot does not know: Spark may have another one of its name."""
    for call in query.find_all(exp.Anonymous):
        raise ContractError(f"the function {call.name} does not carry over", remedy=_REMEDY)


def _call(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _epoch(node: exp.Expr) -> exp.Expr:
    """Seconds with their fraction, to the last bit: DuckDB adds what is below a millisecond by itself.

    SQLGlot's counterpart drops the fraction.
    """
    above = exp.Div(this=_double(_call("unix_millis", node.this.copy())), expression=_double(1_000))
    rest = _call("pmod", _call("unix_micros", node.this.copy()), exp.Literal.number(1_000))
    below = exp.Div(this=_double(rest), expression=_double(1_000_000))
    return exp.Paren(this=exp.Add(this=above, expression=below))


def _double(value: exp.Expr | int) -> exp.Expr:
    return exp.cast(exp.Literal.number(value) if isinstance(value, int) else value, "DOUBLE")


def _element(node: exp.Expr) -> exp.Expr:
    """An element that is not there is null, whatever Spark is set to; SQLGlot counts from 0 already."""
    (place,) = node.expressions
    return _call("get", node.this.copy(), place.copy())


def _collected(node: exp.Expr) -> exp.Expr:
    """A list in an order: SQLGlot forgets the order. Spark sorts by what is in it, without nulls."""
    order = node.this
    if not isinstance(order, exp.Order):
        raise ContractError("a list is collected in no order", remedy=_REMEDY)
    values, keys = order.this, order.expressions
    plain = values.expressions[0] if isinstance(values, exp.Distinct) else values
    if len(keys) != 1 or keys[0].this != plain or keys[0].args.get("desc"):
        raise ContractError("a list is collected in another order than its own", remedy=_REMEDY)
    return _call("array_sort", exp.ArrayAgg(this=values.copy()))


def _unnested(node: exp.Expr) -> exp.Expr:
    """Unnest after everything else in the list: Spark would number rows in a window after it had unnested."""
    lists = {each.alias_or_name: each.find(exp.Explode) for each in node.expressions}
    if not any(lists.values()) or not any(each.find(exp.Window) for each in node.expressions):
        return node
    inner = cast(exp.Select, node.copy())
    own = [exp.alias_(each.unalias().copy(), each.alias_or_name) for each in node.expressions]
    inner.set("expressions", [_list(each) for each in own])
    outer = exp.select(
        *(
            exp.alias_(exp.Explode(this=exp.column(name)), name) if found else name
            for name, found in lists.items()
        )
    ).from_(inner.subquery("before_unnesting"))
    for last in ("distinct", "order", "limit"):
        outer.set(last, inner.args.get(last))
        inner.set(last, None)
    return outer


def _list(node: exp.Expr) -> exp.Expr:
    """A column of the list that ``node`` unnests, under the same name; any other ``node`` as it is."""
    unnested = node.find(exp.Explode)
    return node if unnested is None else exp.alias_(unnested.this, node.alias_or_name)


def _numbers(node: exp.Expr) -> exp.Expr:
    """A table of numbers: Spark calls its column ``id``."""
    if not isinstance(node.this, exp.GenerateSeries):
        return node
    series = node.this
    numbers = exp.Table(this=_call("range", series.args["start"].copy(), series.args["end"].copy()))
    return exp.select(exp.alias_(exp.column("id"), "range")).from_(numbers).subquery("numbers")


def _type(node: exp.Expr) -> exp.Expr:
    name = _UNSIGNED.get(node.this)
    return node if name is None else exp.DataType.build(name)


_REWRITES: Final[Mapping[type[exp.Expr], Callable[[exp.Expr], exp.Expr]]] = {
    exp.TimeToUnix: _epoch,
    exp.Bracket: _element,
    exp.ArrayAgg: _collected,
    exp.Select: _unnested,
    exp.Table: _numbers,
    exp.DataType: _type,
}
