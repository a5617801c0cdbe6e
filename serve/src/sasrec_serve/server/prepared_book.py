"""The rules of a server for one model; without rules of the operator, prepared while it answers."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sasrec_serve.recommender import Recommender
    from sasrec_serve.rules.prepared import PreparedRules
    from sasrec_serve.rules.rule_book import RuleBook
    from sasrec_serve.rules.switches import RuleSwitches


class PreparedBook:
    """A ``RuleBook`` that may still be made.

    Looking up the columns of a million items takes seconds. They are only needed by requests with
    rules of their own, so that a server without other rules answers before.

    Attributes:
        switches: The operator's sets of rules.
    """

    def __init__(
        self, recommender: Recommender, switches: RuleSwitches, items: Path | None = None
    ) -> None:
        """Look up the operator's rules now, or begin to look up columns for requests.

        Args:
            recommender: The model.
            switches: The operator's sets of rules.
            items: Table with a row for each item; None for that of the export.

        Raises:
            DataError: A table cannot be read, or rules leave no item.
            SettingsError: A rule does not fit the model.
        """  # raised by RuleBook
        self.switches = switches
        self._is_empty = not (switches.sets or switches.default or switches.always.given)
        self._book: Future[RuleBook] = Future()
        if self._is_empty and items is None:
            Thread(target=self._prepare, args=(recommender,), daemon=True).start()
        else:
            self._book.set_result(_book(recommender, switches, items))

    def rules_for(
        self, names: Sequence[str] | None = None, own: Mapping[str, Any] | None = None
    ) -> PreparedRules | None:
        """Return the rules for a request.

        Args:
            names: Names of the sets that it chooses; None for the default ones.
            own: Rules of its own; None for none.

        Returns:
            The rules; None if there are none.

        Raises:
            DataError: The rules leave no item.
            SettingsError: There is no such set, or a rule is wrong.
        """  # raised by RuleBook
        if self._is_empty and not names and not own:
            return None
        return self._book.result().rules_for(names, own)

    def wait(self) -> None:
        """Wait until the rules are looked up, so that no request has to."""
        concurrent.futures.wait([self._book])

    def _prepare(self, recommender: Recommender) -> None:
        try:
            self._book.set_result(_book(recommender, self.switches, None))
        except Exception as error:  # told to the requests that need it
            self._book.set_exception(error)


def _book(recommender: Recommender, switches: RuleSwitches, items: Path | None) -> RuleBook:
    from sasrec_serve.rules.rule_book import RuleBook

    return RuleBook(switches, recommender.shop(items))
