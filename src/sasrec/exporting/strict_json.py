"""NaN and infinity, which Python writes to JSON although JSON has neither."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from sasrec.remarks import Remark, log_remarks


def without_infinity(columns: dict[str, dict[str, Any]], where: str) -> dict[str, Any]:
    """Return item columns with missing values instead of infinite ones, which are told.

    Args:
        columns: Column name to its type and its values.
        where: What the columns belong to, for the remarks.

    Returns:
        The columns.
    """
    found, remarks = {}, []
    for name, column in columns.items():
        values = finite(column["values"])
        bad = [old for old, new in zip(column["values"], values, strict=True) if old is not new]
        if bad:
            text = (
                f"{len(bad):,} values of the item column {name!r} are {bad[0]}, which JSON does "
                "not have; they are missing in the export, so rules treat them as unknown"
            )
            remarks.append(Remark("infinite_values", len(bad), text))
        found[name] = column | {"values": values}
    log_remarks(remarks, where)
    return found


def finite(value: Any) -> Any:
    """Return a value of JSON with None instead of NaN and infinity.

    Args:
        value: Nested lists and mappings of texts, numbers, booleans and None.

    Returns:
        The same with None where a number is not finite.
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return value
