"""A YAML loader for the core schema of YAML 1.2, based on PyYAML's safe loader.

In YAML 1.1, which PyYAML implements, ``NO`` is false, ``010`` is 8, ``1:30`` is 90 and
``2024-05-31`` is a date. In the core schema of YAML 1.2, ``010`` is the number 10 and the others
are text.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from sasrec.settings.written import with_spelling

NULL = re.compile(r"^(?:~|null|Null|NULL|)$")
BOOLEAN = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
INTEGER = re.compile(r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$")
FLOAT = re.compile(
    r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)
MAX_DIGITS = 4300
"""Maximum digits of an integer; Python refuses to convert longer ones."""


@cache
def loader() -> Any:
    """Return a YAML loader class for safe types only, which follows the core schema.

    Returns:
        A subclass of ``yaml.SafeLoader``. Numbers with an unusual spelling remember it.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        """Loads safe types only, by the core schema."""

    Loader.yaml_implicit_resolvers = {}  # do not inherit the rules of YAML 1.1

    tag = "tag:yaml.org,2002:"
    Loader.add_implicit_resolver(tag + "null", NULL, ["~", "n", "N", ""])
    Loader.add_implicit_resolver(tag + "bool", BOOLEAN, list("tTfF"))
    Loader.add_implicit_resolver(tag + "int", INTEGER, list("-+0123456789"))
    Loader.add_implicit_resolver(tag + "float", FLOAT, list("-+.0123456789"))
    # Not part of the core schema, but settings files may use merge keys ('<<: *name').
    Loader.add_implicit_resolver(tag + "merge", re.compile(r"^<<$"), ["<"])
    Loader.add_constructor(tag + "int", _integer)
    Loader.add_constructor(tag + "float", _float)
    return Loader


def _integer(loader: Any, node: Any) -> int | float:
    text = loader.construct_scalar(node)
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a number with {len(text):,} digits, more than {MAX_DIGITS:,}")
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    return with_spelling(int(text[2:] if base != 10 else text, base), text)


def _float(loader: Any, node: Any) -> int | float:
    text = loader.construct_scalar(node)
    return with_spelling(float(text.lower().replace(".inf", "inf").replace(".nan", "nan")), text)
