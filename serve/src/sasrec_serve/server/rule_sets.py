"""Rules for requests: the operator's sets, which requests name, and rules of a request itself."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sasrec_serve.errors import DataError, ServeError, SettingsError
from sasrec_serve.rules.rules import NAMES, Rules
from sasrec_serve.server.refusals import Refused

if TYPE_CHECKING:
    from sasrec_serve.recommender import Recommender
    from sasrec_serve.rules.prepared import PreparedRules

DEFAULT = "default"
"""The set for requests that say nothing about rules."""
MOST_KEPT = 16
"""Rules of requests that are kept looked up; each takes some bytes per item."""


def read_rule_sets(path: Path) -> dict[str, Rules]:
    """Return the sets of rules in a file.

    Args:
        path: A YAML file with the rules of each set under its name.

    Returns:
        Name of each set to its rules.

    Raises:
        SettingsError: The file cannot be read, or a rule is wrong.
    """
    from sasrec_serve.rules.written import rules_from_values
    from sasrec_serve.rules.yaml_files import yaml_mapping

    values = yaml_mapping(path).values
    sets = {}
    for name, rules in values.items():
        if name in NAMES or not isinstance(rules, Mapping):
            raise SettingsError(
                f"{path}: {name!r} is not a set of rules; write the name of a set, and its rules "
                f"below it: {DEFAULT}: {{only_where: stock > 0}}"
            )
        sets[str(name)] = rules_from_values(rules, f"{path}, {name}", folder=path.parent)
    return sets


class RuleSets:
    """All rules that requests can use, looked up for one model.

    Attributes:
        names: Names of the operator's sets.
    """

    def __init__(self, recommender: Recommender, sets: Mapping[str, Rules]) -> None:
        """Look up the operator's sets.

        Args:
            recommender: The model.
            sets: Name of each set to its rules.

        Raises:
            SettingsError: A rule does not fit the model.
        """
        from sasrec_serve.rules.prepared import prepare_rules

        self._recommender = recommender
        self._shop = recommender.shop()
        self._sets: dict[str, PreparedRules] = {}
        for name, rules in sets.items():
            try:
                self._sets[name] = prepare_rules(rules, self._shop)
            except ServeError as error:
                raise SettingsError(f"rules {name!r}: {error}") from error
        self.names = tuple(self._sets)
        self._own: OrderedDict[str, PreparedRules] = OrderedDict()
        self._lock = threading.Lock()

    def named(self, name: str | None) -> PreparedRules | None:
        """Return a set of the operator.

        Args:
            name: Its name; None takes the default set, if there is one.

        Returns:
            The rules; None for no rules.

        Raises:
            Refused: With status 404: there is no such set.
        """
        if name is None:
            return self._sets.get(DEFAULT)
        if name not in self._sets:
            known = ", ".join(self.names) or "this server has none"
            raise Refused(
                404, f"there is no set of rules {name[:60]!a} (sets: {known})", "body.rules"
            )
        return self._sets[name]

    def own(self, values: Mapping[str, Any]) -> PreparedRules:
        """Return the rules of a request.

        Args:
            values: Name of each rule to its value, as read from JSON.

        Returns:
            The rules.

        Raises:
            DataError: They leave no item.
            SettingsError: A rule is wrong.
        """  # raised by the parts
        from sasrec_serve.rules.from_requests import rules_from_request
        from sasrec_serve.rules.prepared import prepare_rules

        key = json.dumps(values, sort_keys=True)
        with self._lock:
            if key in self._own:
                self._own.move_to_end(key)
                return self._own[key]
        prepared = prepare_rules(rules_from_request(values), self._shop)
        with self._lock:
            self._own[key] = prepared
            while len(self._own) > MOST_KEPT:
                self._own.popitem(last=False)
        return prepared

    def without(self, prepared: PreparedRules, items: Sequence[str]) -> PreparedRules:
        """Return rules that exclude more items.

        Args:
            prepared: The rules.
            items: The items; unknown ones have no effect.

        Returns:
            The rules.

        Raises:
            DataError: No item is left.
        """
        allowed = prepared.allowed.copy()
        allowed[self._recommender.items.numbers(items)] = False
        if not allowed.any():
            raise DataError("the rules and exclude leave no item to recommend")
        order = prepared.fill_order
        kept = None if order is None else order[allowed[order]]
        return replace(prepared, allowed=np.ascontiguousarray(allowed), fill_order=kept)
