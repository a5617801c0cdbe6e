"""Requests and answers as the endpoints see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

from sasrec_serve.server.refusals import Refused
from sasrec_serve.wording import did_you_mean

JSON = b"application/json"
HTML = b"text/html; charset=utf-8"
MOST_FIELDS = 20


@dataclass(frozen=True, slots=True)
class Request:
    """A request whose body was read.

    Attributes:
        body: The body; empty for GET.
        query: What follows ``?``.
        host: The header of this name, as text.
    """

    body: bytes
    query: bytes
    host: str = ""

    def parameters(self, known: Sequence[str]) -> dict[str, str]:
        """Return the parameters after ``?``.

        Args:
            known: Names that there may be.

        Returns:
            Name to value; each at most once.

        Raises:
            Refused: With status 422: a parameter is unknown, not UTF-8 or given twice.
        """
        try:
            pairs = parse_qsl(
                self.query.decode("ascii"),
                keep_blank_values=True,
                strict_parsing=False,
                errors="strict",
                max_num_fields=MOST_FIELDS,
            )
        except ValueError:
            raise Refused(422, "the text after '?' is not UTF-8 or too long", "query") from None
        found: dict[str, str] = {}
        for name, value in pairs:
            shown = ascii(name[:60])
            if name not in known:
                hint = did_you_mean(name[:60], known)
                raise Refused(422, f"{shown} is not a parameter here{hint}", "query")
            if name in found:
                raise Refused(422, f"{shown} is given twice", f"query.{name}")
            found[name] = value
        return found


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer.

    Attributes:
        body: Its bytes.
        status: The HTTP status.
        content_type: The content type.
        headers: More headers.
    """

    body: bytes
    status: int = 200
    content_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


def whole_number(parameters: dict[str, str], name: str, default: int, *, most: int) -> int:
    """Return a parameter that is a number from 1.

    Args:
        parameters: The parameters.
        name: Its name.
        default: Its value if it is missing.
        most: The largest value.

    Returns:
        The number.

    Raises:
        Refused: With status 422: it is no such number.
    """
    text = parameters.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdecimal() or len(text) > 9 or not 1 <= int(text) <= most:
        raise Refused(422, f"{name} must be a whole number from 1 to {most:,}", f"query.{name}")
    return int(text)
