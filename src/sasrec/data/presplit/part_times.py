"""Times of parts: refuses parts whose times cannot be compared with each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sasrec.data.date_splits import UNIT_NAMES, unit_seconds
from sasrec.errors import DataError
from sasrec.remarks import Remark


def check_units(times: Sequence[np.ndarray | None], names: Sequence[str]) -> None:
    """Raise an error if the times of the parts are in different units.

    Args:
        times: The times of each part, float64 [n], ascending; None for a part without times. The
            middle one decides, so that single wrong times do not.
        names: Names of the parts.

    Raises:
        DataError: Those of two parts are.
    """
    found = [
        (name, float(each[len(each) // 2]))
        for name, each in zip(names, times, strict=True)
        if each is not None and len(each)
    ]
    units = [unit_seconds(middle) for _, middle in found]
    if len(set(units)) > 1:
        shown = ", ".join(
            f"{_unit_in_words(unit)} in part {name!r}, such as {middle:.15g}"
            for (name, middle), unit in zip(found, units, strict=True)
        )
        raise DataError(
            f"the times of the parts are in different units, so events cannot be sorted: {shown}; "
            "convert all times to one unit"
        )


def _unit_in_words(unit: float | None) -> str:
    return "numbers that are no timestamps" if unit is None else f"{UNIT_NAMES[unit]} since 1970"


def check_same_order(remarks: Sequence[Remark], where: str) -> None:
    """Raise an error if dates of one part have the day first, and those of another the month.

    Args:
        remarks: The remarks on all parts.
        where: Name of the data, for the message.

    Raises:
        DataError: It is so.
    """
    found = [each for each in remarks if each.kind in ("dates_day_first", "dates_month_first")]
    other = next((each for each in found if each.kind != found[0].kind), None)
    if other is not None:
        raise DataError(
            f"{where}: the dates of the parts have different orders ({found[0].text}, but "
            f"{other.text}); write them in one form"
        )
