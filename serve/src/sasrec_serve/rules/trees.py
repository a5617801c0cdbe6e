"""The nodes of an expression that are allowed, and how the value of each is computed.

Everything that is not named here is refused, so that an expression can read no file, no other table
and no other item, whatever the parser understands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from sasrec_serve.rules.choices import chosen, first_known, without_equal
from sasrec_serve.rules.comparing import (
    SIGNS,
    both,
    compared,
    either,
    is_distinct,
    one_of,
    opposite,
)
from sasrec_serve.rules.numbers import MOST_DIGITS, OPERATORS, TypeMismatch, calculated, negated
from sasrec_serve.rules.texts import changed_texts, contains, matches
from sasrec_serve.rules.values import Values, text_values

if TYPE_CHECKING:
    from sqlglot import exp

PARTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys((*SIGNS, *OPERATORS, "And", "Or"), ("this", "expression")),
    **dict.fromkeys(
        ("NullSafeEQ", "NullSafeNEQ", "Nullif", "ArrayContains"), ("this", "expression")
    ),
    **dict.fromkeys(("Not", "Neg", "Paren", "Lower", "Upper", "Is", "Like", "ILike"), ("this",)),
    **dict.fromkeys(("In", "Coalesce"), ("this", "expressions")),
    **dict.fromkeys(("Column", "Literal", "Boolean", "Null", "Cast"), ()),
    "Between": ("this", "low", "high"),
    "Case": ("this", "ifs", "default"),
}
"""Names of allowed nodes, to the arguments that are expressions."""
OTHERS: dict[str, tuple[str, ...]] = {
    "Column": ("this",),
    "Literal": ("this", "is_string"),
    "Boolean": ("this",),
    "Cast": ("this", "to"),
    "Is": ("expression",),
    "Like": ("expression", "negate"),
    "ILike": ("expression", "negate"),
}
"""Names of allowed nodes, to their other arguments that may be given."""
IGNORED = frozenset({"typed", "safe", "coalesce", "is_null"})
"""Arguments that say how a function is written in some databases."""
UNIT = {"DATE": "date", "TIMESTAMP": "time", "DATETIME": "time", "TIMESTAMPNTZ": "time"}
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
TIME = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?))?")
NUMBER = re.compile(r"(\d*)(?:\.(\d*))?([eE][-+]?\d+)?")
START = datetime(1970, 1, 1, tzinfo=UTC)


class Refused(ValueError):  # noqa: N818 - turned into a SettingsError, which names the rule
    """A node is not allowed; the text names it."""


def name_of(node: exp.Expression) -> str:
    """Return the name of a kind of node, such as ``Between``.

    Args:
        node: A node of a tree.
    """
    return type(node).__name__


def shown(node: exp.Expression) -> str:
    """Return what a node is called in a message, such as the name of its function.

    Args:
        node: A node of a tree.
    """
    if name_of(node) == "Anonymous":
        return str(node.args.get("this"))[:60]
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name_of(node)).lower()
    return "a name with a point" if name == "column" else name


def parts_of(node: exp.Expression) -> list[exp.Expression]:
    """Return the expressions inside a node.

    Args:
        node: A node of a tree.

    Returns:
        Its parts in order.

    Raises:
        Refused: The node, or one of its arguments, is not allowed.
    """
    name = name_of(node)
    if name not in PARTS:
        raise Refused(shown(node))
    allowed = (*PARTS[name], *OTHERS.get(name, ()))
    for key, value in node.args.items():
        if key not in allowed and key not in IGNORED and value not in (None, False, []):
            raise Refused(shown(node) if name == "Column" else f"{shown(node)} with {key}")
    parts: list[exp.Expression] = []
    for key in PARTS[name]:
        value = node.args.get(key)
        parts += value if isinstance(value, list) else [] if value is None else [value]
    if name == "Case":  # a branch is no node of its own: its condition and its result are
        parts = [inner for part in parts for inner in _branch(part)]
    return parts


def _branch(part: exp.Expression) -> list[exp.Expression]:
    """Return condition and result of a branch of ``case``; anything else as it is."""
    return [part.this, part.args["true"]] if name_of(part) == "If" else [part]


def column_name(node: exp.Expression) -> str | None:
    """Return the name of a column; None for anything else.

    Args:
        node: A node, perhaps in parentheses.
    """
    inner = without_parentheses(node)
    return str(inner.args["this"].this) if name_of(inner) == "Column" else None


def text_of(node: exp.Expression) -> str | None:
    """Return the text of a literal; None for anything else.

    Args:
        node: A node, perhaps in parentheses.
    """
    inner = without_parentheses(node)
    is_text = name_of(inner) == "Literal" and inner.args.get("is_string")
    return str(inner.this) if is_text else None


def without_parentheses(node: exp.Expression) -> exp.Expression:
    """Return what is inside parentheses.

    Args:
        node: A node, perhaps in parentheses.
    """
    while name_of(node) == "Paren":
        node = node.this
    return node


def value_of(root: exp.Expression, columns: Mapping[str, Values], *, guarded: bool) -> Values:
    """Return the value of a tree.

    Args:
        root: The tree.
        columns: The columns by name; all that the tree names are there.
        guarded: Whether a quotient without a value is missing.

    Returns:
        The values, one for each row, or one for all.

    Raises:
        Refused: A node is not allowed.
        TypeMismatch: The types of values do not fit.
    """  # raised by the parts
    results: list[Values] = []
    waiting: list[tuple[exp.Expression, int]] = [(root, -1)]
    while waiting:  # no recursion, as chains of "and" may be long
        node, count = waiting.pop()
        if count < 0:
            parts = parts_of(node)
            waiting.append((node, len(parts)))
            waiting += [(part, -1) for part in reversed(parts)]
            continue
        given = results[len(results) - count :]
        del results[len(results) - count :]
        results.append(_computed(node, given, columns, guarded=guarded))
    return results[0]


def _computed(
    node: exp.Expression, given: list[Values], columns: Mapping[str, Values], *, guarded: bool
) -> Values:
    """Return the value of a node from those of its parts."""
    name = name_of(node)
    if name in OPERATORS:
        return calculated(name, *given, guarded=guarded)
    if name in SIGNS:
        return compared(name, *given)
    if name in SIMPLE:
        return SIMPLE[name](*given)
    if name == "Column":
        return columns[str(node.args["this"].this)]
    if name == "Case":
        return _case(node, given)
    return SPECIAL[name](node, *given)


def _case(node: exp.Expression, given: list[Values]) -> Values:
    subject = [given.pop(0)] if node.args.get("this") is not None else []
    if node.args.get("default") is None:
        given.append(_null())
    conditions, results = given[:-1:2], [*given[1:-1:2], given[-1]]
    for operand in subject:
        conditions = [compared("EQ", operand, each) for each in conditions]
    return chosen(conditions, results)


def _null(_: Any = None) -> Values:
    return Values("null", np.zeros(1, dtype=bool), np.zeros(1, dtype=bool))


def _is(node: exp.Expression, values: Values) -> Values:
    """Return whether values are null, or equal true or false.

    Raises:
        Refused: They are compared with something else.
    """
    asked = without_parentheses(node.expression)
    if name_of(asked) == "Null":
        return Values("flag", ~values.mask)
    if name_of(asked) == "Boolean" and values.kind in ("flag", "null"):
        return compared("EQ", values, _flag(asked))
    raise Refused(f"is {shown(asked)}")


def _like(node: exp.Expression, values: Values) -> Values:
    """Return which texts match a pattern.

    Raises:
        Refused: The pattern is not a text.
    """
    pattern = text_of(node.expression)
    if pattern is None:
        raise Refused("like with a pattern that is not a 'text'")
    found = matches(values, pattern, any_case=name_of(node) == "ILike")
    return opposite(found) if node.args.get("negate") else found


def _flag(node: exp.Expression) -> Values:
    return Values("flag", np.array([bool(node.this)]))


def _literal(node: exp.Expression) -> Values:
    """Return a text or a number.

    Raises:
        TypeMismatch: A number has too many digits.
    """
    text = str(node.this)
    if node.args.get("is_string"):
        return text_values([text])
    found = NUMBER.fullmatch(text)
    if found is None or not (found[1] or found[2]):
        raise TypeMismatch(f"{text[:40]!r} is no number")
    if found[3]:
        return Values("number", np.array([float(text)]))
    digits, after = found[1] + (found[2] or ""), len(found[2] or "")
    if len(digits) > MOST_DIGITS:
        raise TypeMismatch(f"a number has more than {MOST_DIGITS} digits")
    number = int(digits)
    data = np.array([number], dtype=np.int64 if number < 2**63 else object)
    is_whole = found[2] is None and number < 2**63
    return Values("whole", data) if is_whole else Values("decimal", data, scale=after)


def _moment(node: exp.Expression) -> Values:
    """Return a date or time.

    Raises:
        Refused: Something else is converted.
        TypeMismatch: The text is no date or time.
    """
    text = text_of(node.this)
    target = node.args["to"]
    kind = UNIT.get(getattr(target.this, "name", ""))
    if text is None or kind is None:
        raise Refused("cast")
    try:
        if kind == "date" and DATE.fullmatch(text):
            return Values("date", np.array([date.fromisoformat(text).toordinal() - 719_163]))
        if kind == "time" and (found := TIME.fullmatch(text)):
            moment = datetime.fromisoformat(f"{found[1]}T{found[2] or '00:00'}")
            micros = (moment.replace(tzinfo=UTC) - START) // timedelta(microseconds=1)
            return Values("time", np.array([micros], dtype=np.int64))
    except ValueError:
        pass
    form = "2026-11-29" if kind == "date" else "2026-11-29 12:00:00"
    raise TypeMismatch(f"{text[:40]!r} is no {kind}; write such as '{form}'")


def _is_same(one: Values, other: Values) -> Values:
    return opposite(is_distinct(one, other))


def _in(values: Values, *choices: Values) -> Values:
    return one_of(values, choices)


def _coalesce(*values: Values) -> Values:
    return first_known(values)


def _same(values: Values) -> Values:
    return values


def _between(values: Values, low: Values, high: Values) -> Values:
    return both(compared("GTE", values, low), compared("LTE", values, high))


SIMPLE: dict[str, Callable[..., Values]] = {
    "And": both,
    "Or": either,
    "Not": opposite,
    "Neg": negated,
    "Paren": _same,
    "In": _in,
    "Between": _between,
    "NullSafeEQ": _is_same,
    "NullSafeNEQ": is_distinct,
    "Coalesce": _coalesce,
    "Nullif": without_equal,
    "ArrayContains": contains,
    "Lower": partial(changed_texts, change=str.lower, name="lower"),
    "Upper": partial(changed_texts, change=str.upper, name="upper"),
}
SPECIAL: dict[str, Callable[..., Values]] = {
    "Is": _is,
    "Like": _like,
    "ILike": _like,
    "Literal": _literal,
    "Boolean": _flag,
    "Null": _null,
    "Cast": _moment,
}


def comparisons_of(nodes: Sequence[exp.Expression]) -> list[tuple[str, list[str], bool]]:
    """Return column and texts of each comparison with texts, and whether it is one by size.

    Args:
        nodes: All nodes of a tree.
    """
    found: list[tuple[str, list[str], bool]] = []
    for node in nodes:
        name = name_of(node)
        if name in SIGNS or name == "Nullif":
            pairs = [(node.this, node.expression), (node.expression, node.this)]
            is_ordered = name not in ("EQ", "NEQ", "Nullif")
            found += _with_text(pairs, is_ordered=is_ordered)
        elif name == "Case" and node.args.get("this") is not None:
            found += _with_text([(node.this, each.this) for each in node.args["ifs"]])
        elif name == "In" and (column := column_name(node.this)) is not None:
            texts = [text_of(each) for each in node.expressions]
            found.append((column, [text for text in texts if text is not None], False))
    return found


def _with_text(
    pairs: Sequence[tuple[exp.Expression, exp.Expression]], *, is_ordered: bool = False
) -> list[tuple[str, list[str], bool]]:
    found = []
    for one, other in pairs:
        column, text = column_name(one), text_of(other)
        if column is not None and text is not None:
            found.append((column, [text], is_ordered))
    return found
