"""The rules of a request: sets of the operator, rules of its own, and items it excludes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sasrec_serve.errors import DataError
from sasrec_serve.server.asks import ListOptions

if TYPE_CHECKING:
    from sasrec_serve.rules.prepared import PreparedRules
    from sasrec_serve.server.prepared_book import PreparedBook
    from sasrec_serve.vocabulary import Vocabulary


def rules_of(options: ListOptions, book: PreparedBook, items: Vocabulary) -> PreparedRules | None:
    """Return the rules for the lists of a request.

    Args:
        options: What the request says.
        book: All rules of the server.
        items: The model's items.

    Returns:
        The rules; None if there are none, and then the items that the request excludes still have
        to be left out.

    Raises:
        DataError: The rules leave no item.
        SettingsError: There is no such set, or a rule is wrong.
    """  # raised by the parts
    rules = book.rules_for(options.sets, options.own_rules)
    if rules is None or not options.exclude:
        return rules
    return _without(rules, items, options.exclude)


def _without(prepared: PreparedRules, items: Vocabulary, tokens: Sequence[str]) -> PreparedRules:
    """Return rules that exclude more items; unknown ones have no effect.

    Raises:
        DataError: No item is left.
    """
    allowed = prepared.allowed.copy()
    allowed[items.numbers(tokens)] = False
    if not allowed.any():
        raise DataError("the rules and exclude leave no item to recommend")
    order = prepared.fill_order
    kept = None if order is None else order[allowed[order]]
    return replace(prepared, allowed=allowed, fill_order=kept)
