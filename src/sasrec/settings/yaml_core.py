"""What a plain value of a YAML file means: YAML 1.2's core schema, on PyYAML's safe loader.

By YAML 1.1, PyYAML's own rules, ``NO`` is false, ``010`` is 8, ``1:30`` is 90 and ``2024-05-31`` a
date. By the core schema they are texts, or, as ``010``, the number one reads.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from sasrec.settings.written import written

NULL = re.compile(r"^(?:~|null|Null|NULL|)$")
BOOLEAN = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
INTEGER = re.compile(r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$")
FLOAT = re.compile(
    r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)
MOST_DIGITS = 4300
"""Digits of a whole number; Python converts no more."""


@cache
def loader() -> Any:
    """Return the class that loads YAML: safe types only, plain values by the core schema.

    Returns:
        A subclass of ``yaml.SafeLoader``. Numbers keep their spelling where it is an unusual one.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        """YAML's safe types, read by the core schema."""

    Loader.yaml_implicit_resolvers = {}  # those of YAML 1.1 are not inherited

    tag = "tag:yaml.org,2002:"
    Loader.add_implicit_resolver(tag + "null", NULL, ["~", "n", "N", ""])
    Loader.add_implicit_resolver(tag + "bool", BOOLEAN, list("tTfF"))
    Loader.add_implicit_resolver(tag + "int", INTEGER, list("-+0123456789"))
    Loader.add_implicit_resolver(tag + "float", FLOAT, list("-+.0123456789"))
    # Not of the core schema; settings files that share lines by '<<: *name' were always read.
    Loader.add_implicit_resolver(tag + "merge", re.compile(r"^<<$"), ["<"])
    Loader.add_constructor(tag + "int", _integer)
    Loader.add_constructor(tag + "float", _float)
    return Loader


def _integer(loader: Any, node: Any) -> int | float:
    text = loader.construct_scalar(node)
    if len(text) > MOST_DIGITS:
        raise ValueError(f"a number of {len(text):,} digits")
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    return written(int(text[2:] if base != 10 else text, base), text)


def _float(loader: Any, node: Any) -> int | float:
    text = loader.construct_scalar(node)
    return written(float(text.lower().replace(".inf", "inf").replace(".nan", "nan")), text)
