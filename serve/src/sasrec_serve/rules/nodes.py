"""The nodes of an expression: which are allowed, and what is inside them.

Everything that is not named here is refused, so that an expression can read no file, no other table
and no other item, whatever the parser understands.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sasrec_serve.rules.comparing import SIGNS
from sasrec_serve.rules.numbers import OPERATORS
from sasrec_serve.rules.parsing import Refused

if TYPE_CHECKING:
    from sqlglot import exp

PARTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys((*SIGNS, *OPERATORS, "And", "Or"), ("this", "expression")),
    **dict.fromkeys(("Nullif", "ArrayContains"), ("this", "expression")),
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
