"""Names of sources: several paths as one text, URLs, and the short name of a data set."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from sasrec.errors import DataError
from sasrec.settings.plugins import COMPRESSED
from sasrec.system.json_limits import json_within_limits

WEB, CLOUD = ("http", "https"), ("s3", "gs", "gcs", "az", "abfs", "abfss")
"""Schemes of URLs: of files that any program can download, and of object stores."""
PATTERN_SIGNS = "*?["


def as_one(sources: Sequence[str | Path]) -> str:
    """Return several sources as one text; ``sources_in`` returns them again.

    >>> as_one(["jan.csv", "feb.csv"])
    '["jan.csv", "feb.csv"]'

    Args:
        sources: Names or paths; none may be such a text itself.

    Returns:
        A JSON list, or the only source itself.

    Raises:
        DataError: There is none.
    """
    if not sources:
        raise DataError("the list of data is empty; give at least one file")
    texts = [str(source) for source in sources]
    return texts[0] if len(texts) == 1 else json.dumps(texts, ensure_ascii=False)


def text_of(source: object) -> str | None:
    """Return a source as text, several of them as one; None for a data frame.

    Args:
        source: A name or path, a list of these, or anything else.
    """
    if isinstance(source, str | Path):
        return str(source)
    if isinstance(source, Sequence) and all(isinstance(each, str | Path) for each in source):
        return as_one(source)
    return None


def sources_in(text: str) -> list[str]:
    """Return the sources in a text of ``as_one``.

    Args:
        text: A JSON list of sources, or one source.

    Returns:
        The sources, at least one.
    """
    if text.startswith("[") and text.endswith("]"):
        try:
            found = json_within_limits(text)
        except (ValueError, RecursionError):  # a pattern such as [ab]
            return [text]
        if isinstance(found, list) and found and all(isinstance(each, str) for each in found):
            return found
    return [text]


def scheme_of(source: str) -> str:
    """Return the scheme of a URL such as ``s3://bucket/key``; empty for a path or a name.

    Args:
        source: A source.
    """
    scheme, marks, _ = source.partition("://")
    return scheme.lower() if marks and scheme.lower() in (*WEB, *CLOUD) else ""


def is_pattern(source: str) -> bool:
    """Return whether a source may be a pattern such as ``months/*.csv``.

    Args:
        source: A source.
    """
    return any(sign in source for sign in PATTERN_SIGNS)


def fixed_folder(pattern: str) -> Path:
    """Return the folder before the first part of a pattern that has a ``*`` or the like.

    >>> str(fixed_folder("shop/date=*/part-*.parquet"))
    'shop'

    Args:
        pattern: A path, with or without such signs.
    """
    fixed: list[str] = []
    for part in Path(pattern).parts[:-1]:
        if is_pattern(part):
            break
        fixed.append(part)
    return Path(*fixed)


def file_name(url: str) -> str:
    """Return the name of the file that a URL names, without query; it has no folder.

    >>> file_name("https://example.org/data/events.csv.gz?key=1")
    'events.csv.gz'

    Args:
        url: The URL.
    """
    return PurePosixPath(unquote(urlsplit(url).path)).name.replace("\\", "_") or "data"


def short_name(source: str) -> str:
    """Return the short name of a source, after which results are named.

    Args:
        source: A source.

    Returns:
        The name of a file without its suffixes, or of the folder of a pattern; of several sources,
        that of the first and their number.
    """
    first, *others = sources_in(source)
    if others:
        return f"{short_name(first)}-and-{len(others)}-more"
    name = Path(first).expanduser().resolve().name
    if scheme_of(first):
        name = file_name(first)
    elif is_pattern(first) and not os.path.lexists(first):
        name = fixed_folder(first).resolve().name
    if Path(name).suffix.lower() in COMPRESSED:
        name = Path(name).stem
    return Path(name).stem or "data"


def lasting(source: str) -> str:
    """Return a source that means the same in another folder: with absolute paths.

    Args:
        source: A file, folder, pattern or URL.
    """
    if scheme_of(source):
        return source
    path = Path(source).expanduser()
    if not path.exists() and is_pattern(source):
        return os.path.abspath(path)
    return str(path.resolve())
