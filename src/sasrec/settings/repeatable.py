"""Settings whose option may be given several times on a command line."""

from __future__ import annotations

from typing import Any

REPEATABLE = frozenset({"where"})


def is_collected(key: str, value: Any, values: dict[str, Any]) -> bool:
    """Return whether an option may be repeated; if so, add its value to those given before.

    Args:
        key: Name of the setting.
        value: Its value, or a list of values.
        values: The settings so far; changed if the option may be repeated.
    """
    if key in REPEATABLE:
        more = value if isinstance(value, list) else [value]
        values[key] = [*values.get(key, ()), *more]
    return key in REPEATABLE
