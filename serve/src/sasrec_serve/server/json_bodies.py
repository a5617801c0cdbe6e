"""Reading JSON from strangers: what is ambiguous or no JSON is refused, with one message."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import Any, NoReturn

from sasrec_serve.server.refusals import Refused

SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
"""An escape that may be half of a pair."""


def parsed(raw: bytes) -> Any:
    """Return the value of a JSON text.

    Args:
        raw: The bytes; UTF-8.

    Returns:
        The value.

    Raises:
        Refused: With status 400: the bytes are not JSON; or a name occurs twice in an object, a
            number is not finite, or a text has half of a surrogate pair, about which JSON readers
            disagree.
    """
    try:
        value = _DECODER.decode(raw.decode())
        if SURROGATE.search(raw):
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except UnicodeEncodeError:
        raise Refused(400, "a text contains half of a surrogate pair", "body") from None
    except UnicodeDecodeError as error:
        raise Refused(
            400, f"the body is not UTF-8: byte {error.start} is invalid", "body"
        ) from None
    except json.JSONDecodeError as error:
        raise Refused(
            400,
            f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}",
            "body",
        ) from None
    except RecursionError:
        raise Refused(400, "the body is nested too deeply", "body") from None
    except ValueError:  # more digits than Python turns into a number
        raise Refused(400, "the body contains a number with too many digits", "body") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise Refused(400, f"the name {_shown(twice)} occurs twice in an object", "body")
    return found


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise Refused(400, f"the number {_shown(text)} is too large", "body")
    return value


def _constant(text: str) -> NoReturn:
    raise Refused(400, f"the body contains {text}, which is not JSON; use null", "body")


def _shown(text: str) -> str:
    shown = ascii(text)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=_finite, parse_constant=_constant
)
