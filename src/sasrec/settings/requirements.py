"""Says in plain words what the value of a setting must be; pydantic's own texts are technical.

The texts complete the sentence "it must …".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import ErrorDetails

from sasrec.errors import counted

REQUIREMENTS = {
    "bool_parsing": "be True or False",
    "bool_type": "be True or False",
    "dict_type": "be a dict, such as {'key': 'value'}",
    "finite_number": "be finite",
    "float_parsing": "be a number",
    "float_type": "be a number",
    "greater_than": "be above {gt}",
    "greater_than_equal": "be at least {ge}",
    "int_from_float": "be a whole number",
    "int_parsing": "be a whole number",
    "int_parsing_size": "be a whole number with fewer digits",
    "int_type": "be a whole number",
    "less_than": "be below {lt}",
    "less_than_equal": "be at most {le}",
    "list_type": "be a list, in square brackets",
    "mapping_type": "be a dict, such as {'key': 'value'}",
    "multiple_of": "be a multiple of {multiple_of}",
    "none_required": "be None",
    "set_type": "be a list, in square brackets",
    "frozen_set_type": "be a list, in square brackets",
    "string_pattern_mismatch": "have another form; see the description of this setting",
    "string_sub_type": "be text",
    "string_type": "be text",
    "string_unicode": "be valid Unicode text",
    "tuple_type": "be a list, in square brackets",
}
"""Type of a pydantic error to what the value must be."""
OTHER_TYPES = re.compile(r"^(?:[A-Z][a-z]+ )+should (?=\w)")
"""Beginning of pydantic's texts for all other types, as plug-ins may use them."""


def message_of(errors: Sequence[ErrorDetails]) -> str:
    """Return the error text for one wrong value.

    Args:
        errors: The error for this value; several if the setting accepts values of several types.

    Returns:
        Such as ``it must be a whole number``.
    """
    first = errors[0]
    if first["type"] in {"value_error", "missing"}:
        missing = first["type"] == "missing"
        return "a value is missing" if missing else first["msg"].removeprefix("Value error, ")
    wanted = dict.fromkeys(_requirement(each) for each in errors if each["type"] != "value_error")
    subject = "each value" if _is_inside_list(first) else "it"
    return f"{subject} must {' or '.join(wanted)}"


def _requirement(error: ErrorDetails) -> str:
    """Return what a value must be, such as ``be a whole number``."""
    context = error.get("ctx", {})
    if "max_length" in context or "min_length" in context:
        return _length(error, context)
    if error["type"] == "literal_error":
        expected = context["expected"]
        return f"be one of {expected}" if " or " in expected else f"be {expected}"
    if error["type"] in REQUIREMENTS:
        return _filled(REQUIREMENTS[error["type"]], context)
    return OTHER_TYPES.sub("", error["msg"])


def _length(error: ErrorDetails, context: Mapping[str, Any]) -> str:
    """Return how long a text or list must be, such as ``have at least 1 value, not 0``."""
    is_long = "max_length" in context
    bound = context["max_length" if is_long else "min_length"]
    is_text = isinstance(error["input"], str)  # pydantic may report it like a list
    if is_text and not is_long and bound == 1:
        return "not be empty"
    unit = "character" if is_text else "value"
    allowed = f"at {'most' if is_long else 'least'} {counted(bound, unit)}"
    return f"have {allowed}" if is_text else f"have {allowed}, not {context['actual_length']}"


def _filled(text: str, context: Mapping[str, Any]) -> str:
    """Return a text with the names in braces replaced; other braces are kept."""
    for name, value in context.items():
        is_whole = isinstance(value, float) and value.is_integer()
        text = text.replace(f"{{{name}}}", f"{value:g}" if is_whole else str(value))
    return text


def _is_inside_list(error: ErrorDetails) -> bool:
    return len(error["loc"]) > 1 and isinstance(error["loc"][-1], int)
