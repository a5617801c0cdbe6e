"""The first lines of a text file, from which its separator, columns or keys are told."""

from __future__ import annotations

from pathlib import Path

from sasrec.errors import DataError

SAMPLE_BYTES, SAMPLE_LINES = 2**18, 1000
"""The beginning of a file, from which separator and columns are told."""
NOT_UTF_8 = "{} is not UTF-8 text; set its encoding, such as encoding={}, or save the file as UTF-8"


def first_lines(path: Path) -> list[str]:
    """Return the first lines of a file, without their line ends.

    Args:
        path: The file.

    Returns:
        At most ``SAMPLE_LINES`` whole lines.

    Raises:
        DataError: They are not UTF-8, or the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            content = file.read(SAMPLE_BYTES)
            if len(content) == SAMPLE_BYTES:
                content += file.readline()
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(NOT_UTF_8.format(path, _likely_encoding(content))) from error
    return [line.rstrip("\r") for line in text.split("\n")[:SAMPLE_LINES]]


def _likely_encoding(content: bytes) -> str:
    """Return the name of an encoding that a text may have, given that it is not UTF-8."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content:
        return "utf-16"
    return "cp1252"
