"""Nodes of an expression that Polars has parsed: which are allowed, and which may be undefined."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import polars as pl

NODES = frozenset({"Column", "Literal", "BinaryExpr", "Function", "Ternary", "Cast", "Alias"})
FUNCTIONS = frozenset(
    {
        *("Abs", "Coalesce", "Round", "Floor", "Ceil", "Log", "Exp", "Pow", "FillNull", "Negate"),
        *("MaxHorizontal", "MinHorizontal", "ListExpr.Contains", "ListExpr.Length"),
        *(
            "Boolean.Not",
            "Boolean.IsNull",
            "Boolean.IsNotNull",
            "Boolean.IsIn",
            "Boolean.IsBetween",
        ),
        *("Boolean.AnyHorizontal", "Boolean.AllHorizontal", "Boolean.IsNan", "Boolean.IsFinite"),
        *("StringExpr.Lowercase", "StringExpr.Uppercase", "StringExpr.StartsWith"),
        *("StringExpr.EndsWith", "StringExpr.Contains", "StringExpr.LenChars"),
        *("StringExpr.StripChars", "StringExpr.Slice", "StringExpr.Strptime", "StringExpr.Find"),
        *("TemporalExpr.Year", "TemporalExpr.Month", "TemporalExpr.Day", "TemporalExpr.WeekDay"),
        *("Sql.IsIn", "Sql.Binary", "Sql.Round", "Sql.ToFloat", "Pow.Generic", "Pow.Sqrt"),
    }
)
"""Functions that compute a value from values of the same row, by their names in Polars."""
UNDEFINED = ("Sql.Binary", "Log", "Pow.Generic", "Pow.Sqrt")
"""Functions that Polars answers with NaN or infinity where they have no value, as 0/0 and 1/0."""


def nodes_of(expression: pl.Expr) -> Iterator[tuple[str, Any]]:
    """Yield name and content of each node of an expression, except inside literals.

    Args:
        expression: The expression.

    Yields:
        Such as ``("Column", "price")``.
    """
    yield from _inside(json.loads(expression.meta.serialize(format="json")))


def function_name(content: Any) -> str:
    """Return the name of a function, such as ``StringExpr.Contains``.

    Args:
        content: Content of a node ``Function``.
    """
    names: list[str] = []
    function = content["function"]
    while isinstance(function, dict) and len(names) < 2:
        [(name, function)] = list(function.items())[:1]
        names.append(name)
    if isinstance(function, str) and len(names) < 2:
        names.append(function)
    return ".".join(names)


def without_undefined(expression: pl.Expr) -> pl.Expr:
    """Return an expression that is null where a quotient, a logarithm or a power has no value.

    Polars orders NaN after all numbers, so that 0/0 > 1 would be true.

    Args:
        expression: The expression.
    """
    nodes = json.loads(expression.meta.serialize(format="json"))
    text = json.dumps(_guarded(nodes))
    return pl.Expr.deserialize(io.StringIO(text), format="json")


def _guarded(content: Any) -> Any:
    """Return a serialised expression in which what may be undefined is null where it is."""
    if isinstance(content, list):
        return [_guarded(each) for each in content]
    if not isinstance(content, dict) or "Literal" in content or "Column" in content:
        return content
    found = {name: _guarded(inside) for name, inside in content.items()}
    if "Function" not in found or function_name(found["Function"]) not in UNDEFINED:
        return found
    if _operator(found["Function"]) not in (None, "Div", "Rem"):
        return found
    finite = {"Function": {"input": [found], "function": {"Boolean": "IsFinite"}}}
    nothing = {"Literal": {"Scalar": {"Null": "Null"}}}
    return {"Ternary": {"predicate": finite, "truthy": found, "falsy": nothing}}


def _operator(content: Any) -> str | None:
    """Return the operator of a function ``Sql.Binary``, such as ``Div``; None for another."""
    function = content["function"]
    return (
        function["Sql"].get("Binary") if isinstance(function, dict) and "Sql" in function else None
    )


def _inside(content: Any) -> Iterator[tuple[str, Any]]:
    """Yield name and content of each node of a serialised expression, except inside literals."""
    if isinstance(content, str):
        yield content, None
        return
    [(name, inside)] = content.items()
    yield name, inside
    if name in ("Column", "Literal"):
        return
    if name == "BinaryExpr":
        children = [inside["left"], inside["right"]]
    elif name == "Function":
        children = inside["input"]
    elif name == "Ternary":
        children = [inside["predicate"], inside["truthy"], inside["falsy"]]
    elif name == "Cast":
        children = [inside["expr"]]
    elif name == "Alias":
        children = inside[:1]
    else:
        children = []
    for child in children:
        yield from _inside(child)
