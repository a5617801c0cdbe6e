"""Texts of expressions as trees of sqlglot, within bounds that keep hostile ones harmless."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, cast

from sasrec_serve.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlglot import exp

DEEPEST = 20
"""Largest number of parentheses and operators inside each other; sqlglot calls itself a few dozen
times for each."""
IS_NOT = re.compile(r"\bis\s+not\s+(?:true|false)\b", re.IGNORECASE)
COMPARISONS = frozenset(
    {"EQ", "NEQ", "LT", "LTE", "GT", "GTE", "NULLSAFE_EQ", "IS", "IN", "BETWEEN", "LIKE", "ILIKE"}
)
SEPARATORS = frozenset({"AND", "OR", "COMMA", "WHEN", "THEN", "ELSE"})
OPENING, CLOSING = frozenset({"L_PAREN", "CASE"}), frozenset({"R_PAREN", "END"})
FUNCTIONS = ("coalesce", "ifnull", "nullif", "lower", "upper", "array_contains")
BEFORE_PARENTHESES = frozenset(
    {
        *FUNCTIONS,
        "and",
        "or",
        "not",
        "in",
        "between",
        "like",
        "ilike",
        "case",
        "when",
        "then",
        "else",
    }
)
SYMBOLS = frozenset({*"(),.=<>+-*/%", "==", "<=", ">=", "!=", "<>"})
"""Everything else is refused before it is parsed: ``sqlglot`` has readers for JSON paths and more,
which log what they cannot read."""
EXAMPLE = "write such as \"stock > 0 and category != 'gift cards'\""


class Refused(ValueError):  # noqa: N818 - turned into a SettingsError, which names the rule
    """Something is not allowed; the text names it."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How large an expression may be.

    Attributes:
        characters: Maximum number of characters.
        words: Maximum number of words, numbers and signs.
        known_texts: Among at most so many texts a similar one is looked for.
        absent_texts: For so many texts of a list that no item has, a similar one is looked for.
        is_foreign: Whether a request may have written it, whose author reads no log.
    """

    characters: int = 10_000
    words: int = 4_000
    known_texts: int = 10_000
    absent_texts: int = 20
    is_foreign: bool = False


OWN = Bounds()
"""Bounds of expressions that the operator of a server or the author of a program writes."""
FOREIGN = Bounds(characters=1_000, words=200, known_texts=200, absent_texts=5, is_foreign=True)
"""Bounds of expressions in requests."""


def parsed(text: str, what: str, bounds: Bounds = OWN) -> exp.Expression:
    """Return a text as a tree.

    Args:
        text: The text.
        what: Name of the rule, for error messages.
        bounds: How large it may be.

    Returns:
        The tree, of whatever SQL allows.

    Raises:
        Refused: It has a sign or a function that is not allowed.
        SettingsError: It is no expression, or too large.
    """  # Refused raised by _check_words
    from sqlglot import exp, parse_one
    from sqlglot.errors import SqlglotError

    if len(text) > bounds.characters:
        raise SettingsError(
            f"{what}: the expression has more than {bounds.characters:,} characters"
        )
    if found := IS_NOT.search(text):
        raise SettingsError(
            f"{what}: {text!r} has {found[0]!r}, which does not hold here where the value is "
            "missing; write coalesce(COLUMN, false) = false, or 'not COLUMN' to leave such out"
        )
    if ";" in _QUOTED.sub("", text):
        raise SettingsError(_misread(text, what, "unexpected ';'"))
    try:
        _check_words(text, what, bounds)
        tree = parse_one(text, into=exp.Condition)  # no statement is ever parsed
    except RecursionError as error:
        raise SettingsError(f"{what}: {text[:200]!r} {TOO_DEEP}") from error
    except SqlglotError as error:
        raise SettingsError(_misread(text, what, _reason(error))) from error
    return cast("exp.Expression", tree)


TOO_DEEP = f"has more than {DEEPEST} parentheses or operators inside each other; simplify it"
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")


def _misread(text: str, what: str, reason: str) -> str:
    return f"{what}: {text[:200]!r} is not an expression ({reason}); {EXAMPLE}"


def _reason(error: Exception) -> str:
    """Return what is wrong and where, from an error of sqlglot."""
    found: dict[str, Any] = next(iter(getattr(error, "errors", None) or []), {})
    description, column = str(found.get("description") or ""), found.get("col")
    if not description or "<class" in description or "Failed to parse" in description:
        description = "something is missing" if "Required" in description else "unreadable"
    place = f" at character {column}" if isinstance(column, int) else ""
    return f"{description[:200].rstrip('.').lower()}{place}"


def _check_words(text: str, what: str, bounds: Bounds) -> None:
    """Refuse expressions that are too long, too deep, or have other signs and functions.

    Raises:
        Refused: They have.
        SettingsError: They are too long or too deep.
    """
    from sqlglot import tokenize

    words = tokenize(text)
    if len(words) > bounds.words:
        raise SettingsError(
            f"{what}: the expression has more than {bounds.words:,} words and signs; simplify it"
        )
    if _depth(words) > DEEPEST:
        raise SettingsError(f"{what}: {text[:200]!r} {TOO_DEEP}")
    for word, following in zip_longest(words, words[1:]):
        kind, written = word.token_type.name, word.text
        if kind in ("STRING", "NUMBER", "NATIONAL_STRING"):
            continue
        is_name = kind in ("IDENTIFIER", "VAR") or written.replace("_", "a").isalnum()
        if not is_name and written not in SYMBOLS:
            raise Refused(repr(written[:40]))
        is_called = following is not None and following.token_type.name == "L_PAREN"
        if (
            is_name
            and is_called
            and (kind == "IDENTIFIER" or written.lower() not in BEFORE_PARENTHESES)
        ):
            raise Refused(written[:40])
    _check_comparisons(words, text, what)


def _check_comparisons(words: Sequence[Any], text: str, what: str) -> None:
    """Refuse to compare the result of a comparison without parentheses.

    Databases disagree about what comes first in ``a = b is null`` and ``a < b = c``.

    Raises:
        SettingsError: It is compared.
    """
    comparisons = [0]
    for word, kind in _kinds(words):
        if kind in OPENING:
            comparisons.append(0)
        elif kind in CLOSING:
            comparisons = comparisons[:-1] or [0]
        elif kind in SEPARATORS:
            comparisons[-1] = 0
        elif kind in COMPARISONS:
            comparisons[-1] += 1
            if comparisons[-1] > 1:
                raise SettingsError(
                    f"{what}: {text[:200]!r} compares the result of a comparison at {word!r}; "
                    "write parentheses around the first one"
                )


def _kinds(words: Sequence[Any]) -> list[tuple[str, str]]:
    """Return text and kind of each word; the ``and`` of ``between`` is left out."""
    found: list[tuple[str, str]] = []
    waiting = [0]
    for word in words:
        kind = word.token_type.name
        if kind in OPENING:
            waiting.append(0)
        elif kind in CLOSING:
            waiting = waiting[:-1] or [0]
        elif kind == "BETWEEN":
            waiting[-1] += 1
        elif kind == "AND" and waiting[-1]:
            waiting[-1] -= 1
            continue
        found.append((word.text, kind))
    return found


def _depth(words: Sequence[Any]) -> int:
    """Return an upper limit on how deep a tree of some words is, chains of operators aside."""
    deepest = depth = run = 0
    for word in words:
        kind = word.token_type.name
        if kind in ("L_PAREN", "L_BRACKET", "L_BRACE", "CASE", "INTERVAL", "SELECT"):
            depth += 1
        elif kind in ("R_PAREN", "R_BRACKET", "R_BRACE", "END"):
            depth -= 1
        run = run + 1 if kind in ("NOT", "DASH", "PLUS", "TILDE", "BETWEEN") else 0
        deepest = max(deepest, depth + run)
    return deepest
