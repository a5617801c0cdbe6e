"""A parser for the part of Thrift's compact protocol that Parquet uses, safe for hostile input.

It creates only numbers, bytes, lists and dictionaries, and keeps those of only one struct at a
time, however many structs there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)
MAX_DEPTH = 32
"""Levels of nested structs and lists."""
HIGHEST_FIELD = 64
"""Only fields with smaller numbers are kept; Parquet's structs have some twenty fields."""

Fields = dict[int, Any]
"""Values of a struct by field number: int, bytes, lists and structs.

Values of other types, such as booleans and floats, are None.
"""
Callbacks = Mapping[tuple[int, ...], Callable[[Fields], None]]


def walk_struct(raw: bytes, callbacks: Callbacks | None = None) -> tuple[Fields, int]:
    """Parse the struct at the beginning of some bytes.

    Args:
        raw: The bytes; more may follow the struct.
        callbacks: Path of field numbers to a nested struct, also through lists of structs, to a
            function that is called with each struct at that path; these structs are not kept.

    Returns:
        The fields of the struct, and its length in bytes. Nested structs are included if there are
        no callbacks, and are None otherwise.

    Raises:
        IndexError: The struct does not end within the bytes.
        ValueError: A size is larger than the bytes that are left, or there is a type that Parquet
            does not use.
    """
    parser = _Parser(raw, callbacks or {})
    return parser.struct((), keep=True), parser.position


class _Parser:
    """Reads bytes from the front; its methods raise the errors of ``walk_struct``."""

    def __init__(self, raw: bytes, callbacks: Callbacks) -> None:
        self.raw = raw
        self.position = 0
        self.callbacks = callbacks

    def struct(self, path: tuple[int, ...], *, keep: bool) -> Fields:
        if len(path) > MAX_DEPTH:
            raise ValueError("nested too deeply")
        has_callback = path in self.callbacks
        fields: Fields = {}
        number = 0
        while head := self.byte():
            number = number + (head >> 4) if head >> 4 else self.integer()
            kind = head & 15
            # The type of a boolean field contains its value; no further byte follows.
            if kind not in (TRUE, FALSE):
                value = self.value(kind, (*path, number), keep=keep or has_callback)
                if (keep or has_callback) and 0 < number < HIGHEST_FIELD:
                    fields[number] = value
        if has_callback:
            self.callbacks[path](fields)
        return fields

    def value(self, kind: int, path: tuple[int, ...], *, keep: bool) -> Any:
        if kind in (I16, I32, I64):
            return self.integer()
        if kind == BINARY:
            return self.bytes(self.varint())
        if kind in (LIST, SET):
            return self.list(path, keep=keep)
        if kind == STRUCT:
            keep = keep and not self.callbacks
            fields = self.struct(path, keep=keep)
            return fields if keep else None
        if kind not in (TRUE, FALSE, BYTE, DOUBLE):
            raise ValueError("a type that Parquet does not use")
        self.bytes(8 if kind == DOUBLE else 1)
        return None

    def list(self, path: tuple[int, ...], *, keep: bool) -> list[Any] | None:
        if len(path) > MAX_DEPTH:
            raise ValueError("nested too deeply")
        head = self.byte()
        kind, count = head & 15, head >> 4
        if count == 15:
            count = self.varint()
        if count > len(self.raw) - self.position:  # each element takes at least one byte
            raise ValueError("a list longer than the bytes left")
        inner = (*path, 0) if kind in (LIST, SET) else path
        if keep and kind == BINARY:
            return [self.value(kind, inner, keep=True) for _ in range(count)]
        for _ in range(count):
            self.value(kind, inner, keep=False)
        return None

    def integer(self) -> int:
        number = self.varint()
        return number >> 1 ^ -(number & 1)  # zigzag: 0, 1, 2, 3 stand for 0, -1, 1, -2

    def varint(self) -> int:
        number = shift = 0
        while shift < 64:
            byte = self.byte()
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return number
        raise ValueError("a number of more than 64 bits")

    def bytes(self, length: int) -> bytes:
        if length > len(self.raw) - self.position:
            raise ValueError("a value longer than the bytes left")
        self.position += length
        return self.raw[self.position - length : self.position]

    def byte(self) -> int:
        self.position += 1
        return self.raw[self.position - 1]
