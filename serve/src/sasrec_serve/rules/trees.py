"""How the value of an expression is computed from the values of its parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from sasrec_serve.rules.choices import chosen, first_known, without_equal
from sasrec_serve.rules.comparing import (
    SIGNS,
    both,
    compared,
    either,
    one_of,
    opposite,
)
from sasrec_serve.rules.literals import flag, literal, moment, null
from sasrec_serve.rules.nodes import name_of, parts_of, shown, text_of, without_parentheses
from sasrec_serve.rules.numbers import OPERATORS, calculated, negated
from sasrec_serve.rules.parsing import Refused
from sasrec_serve.rules.texts import changed_texts, contains, matches
from sasrec_serve.rules.values import Values

if TYPE_CHECKING:
    from sqlglot import exp


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
        given.append(null())
    conditions, results = given[:-1:2], [*given[1:-1:2], given[-1]]
    for operand in subject:
        conditions = [compared("EQ", operand, each) for each in conditions]
    return chosen(conditions, results)


def _is(node: exp.Expression, values: Values) -> Values:
    """Return whether values are null, or equal true or false.

    Raises:
        Refused: They are compared with something else.
    """
    asked = without_parentheses(node.expression)
    if name_of(asked) == "Null":
        return Values("flag", ~values.mask)
    if name_of(asked) == "Boolean" and values.kind in ("flag", "null"):
        return compared("EQ", values, flag(asked))
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
    "Literal": literal,
    "Boolean": flag,
    "Null": null,
    "Cast": moment,
}
