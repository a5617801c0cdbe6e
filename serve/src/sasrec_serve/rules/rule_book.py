"""All rules of a server, looked up once for its model, and those of requests, remembered."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

from sasrec_serve.rules.from_requests import rules_from_request
from sasrec_serve.rules.prepared import PreparedRules, Shop, prepare_rules
from sasrec_serve.rules.switches import RuleSwitches

MEMORY = 2**27
"""Bytes that the rules of requests may take together, about."""
BYTES_PER_ITEM = 40
"""Bytes that prepared rules take for each item, about: masks, boosts and groups."""
MOST = 256
"""Most rules of requests that are remembered."""


class RuleBook:
    """Looks rules up, and remembers the latest ones; thread-safe."""

    def __init__(self, switches: RuleSwitches, shop: Shop) -> None:
        """Look up all sets of rules, so that a mistake is found before the first request.

        Args:
            switches: The sets of rules.
            shop: The model's items and what is known about them.

        Raises:
            DataError: A table cannot be read, or rules leave no item.
            SettingsError: A rule is invalid.
        """  # raised by prepare_rules
        self.switches = switches
        self._shop = shop
        self._room = max(4, min(MOST, MEMORY // (BYTES_PER_ITEM * (len(shop.items) + 1))))
        self._found: OrderedDict[str, PreparedRules] = OrderedDict()
        self._lock = Lock()
        self._has_rules = bool(switches.default or switches.always.given)
        for name in switches.sets:
            prepare_rules(switches.rules_for([name]), shop)
        self._default = prepare_rules(switches.rules_for(None), shop)

    def rules_for(
        self, names: Sequence[str] | None = None, own: Mapping[str, Any] | None = None
    ) -> PreparedRules | None:
        """Return the rules for a request.

        Args:
            names: Names of the sets that it chooses; None for the default ones.
            own: Rules of its own, as read from JSON; None for none.

        Returns:
            The rules, to be given to ``recommend``; None if there are none.

        Raises:
            DataError: The rules leave no item.
            SettingsError: There is no such set, or a rule is invalid or not allowed in requests.
        """  # raised by the parts
        if names is None and not own:
            return self._default if self._has_rules else None
        key = json.dumps([names, own], sort_keys=True, default=repr)
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
                return self._found[key]
        request = rules_from_request(own) if own else None
        prepared = prepare_rules(self.switches.rules_for(names, request), self._shop)
        with self._lock:
            self._found[key] = prepared
            while len(self._found) > self._room:
                self._found.popitem(last=False)
        return prepared
