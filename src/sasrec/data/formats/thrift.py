"""Thrift's compact protocol, as far as Parquet uses it: walked, and never trusted.

Nothing is made of what is read but numbers, bytes, lists and dictionaries, and those for one struct
at a time, however many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)
DEEPEST = 32
"""Structs and lists in one another."""
HIGHEST = 64
"""Field whose value is kept; Parquet has some twenty of a struct."""

Fields = dict[int, Any]
"""Values of a struct by the number of their field: int, bytes, lists and structs.

What is something else, a truth or a fraction, is None.
"""
Sought = Mapping[tuple[int, ...], Callable[[Fields], None]]


def walk_struct(raw: bytes, sought: Sought | None = None) -> tuple[Fields, int]:
    """Walk the struct that some bytes begin with.

    Args:
        raw: The bytes; there may be more.
        sought: Numbers of fields that lead to structs looked for, through lists of structs too; and
            what each of them is given to, which are kept no longer.

    Returns:
        The fields of the struct, and how many bytes it takes. Structs in it are kept if nothing is
        looked for, and are None otherwise.

    Raises:
        IndexError: It does not end.
        ValueError: It holds more than it has room for, or what Parquet does not use.
    """
    walk = _Walk(raw, sought or {})
    return walk.struct((), keeps=True), walk.place


class _Walk:
    """A place in bytes that are read from the front; its methods raise as ``walk_struct`` does."""

    def __init__(self, raw: bytes, sought: Sought) -> None:
        self.raw = raw
        self.place = 0
        self.sought = sought

    def struct(self, path: tuple[int, ...], *, keeps: bool) -> Fields:
        if len(path) > DEEPEST:
            raise ValueError("too deep")
        is_sought = path in self.sought
        fields: Fields = {}
        number = 0
        while head := self.byte():
            number = number + (head >> 4) if head >> 4 else self.integer()
            kind = head & 15
            # A field that is true or false says so by its kind and takes no byte.
            if kind not in (TRUE, FALSE):
                value = self.value(kind, (*path, number), keeps=keeps or is_sought)
                if (keeps or is_sought) and 0 < number < HIGHEST:
                    fields[number] = value
        if is_sought:
            self.sought[path](fields)
        return fields

    def value(self, kind: int, path: tuple[int, ...], *, keeps: bool) -> Any:
        if kind in (I16, I32, I64):
            return self.integer()
        if kind == BINARY:
            return self.bytes(self.varint())
        if kind in (LIST, SET):
            return self.list(path, keeps=keeps)
        if kind == STRUCT:
            keeps = keeps and not self.sought
            fields = self.struct(path, keeps=keeps)
            return fields if keeps else None
        if kind not in (TRUE, FALSE, BYTE, DOUBLE):
            raise ValueError("nothing of Parquet's")
        self.bytes(8 if kind == DOUBLE else 1)
        return None

    def list(self, path: tuple[int, ...], *, keeps: bool) -> list[Any] | None:
        if len(path) > DEEPEST:
            raise ValueError("too deep")
        head = self.byte()
        kind, count = head & 15, head >> 4
        if count == 15:
            count = self.varint()
        if count > len(self.raw) - self.place:  # each takes a byte at least
            raise ValueError("a list beyond the end")
        inner = (*path, 0) if kind in (LIST, SET) else path
        if keeps and kind == BINARY:
            return [self.value(kind, inner, keeps=True) for _ in range(count)]
        for _ in range(count):
            self.value(kind, inner, keeps=False)
        return None

    def integer(self) -> int:
        number = self.varint()
        return number >> 1 ^ -(number & 1)  # 0, -1, 1, -2 and so on

    def varint(self) -> int:
        number = shift = 0
        while shift < 64:
            byte = self.byte()
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return number
        raise ValueError("a number without end")

    def bytes(self, length: int) -> bytes:
        if length > len(self.raw) - self.place:
            raise ValueError("more than there is")
        self.place += length
        return self.raw[self.place - length : self.place]

    def byte(self) -> int:
        self.place += 1
        return self.raw[self.place - 1]
