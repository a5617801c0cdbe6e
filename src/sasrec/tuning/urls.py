"""URLs of storages: hides their passwords, and distinguishes them from file paths."""

from __future__ import annotations

import re
from pathlib import Path

from sasrec.errors import SettingsError, without_passwords


def shown_storage(where: str) -> str:
    """Return a storage as it may be printed, without passwords.

    Args:
        where: A file path, or a URL such as ``postgresql://me:secret@host/studies``.

    Returns:
        The path, or the URL without passwords, such as ``postgresql://me:***@host/studies``.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    if "://" not in where:
        return without_passwords(where)
    try:
        url = make_url(where)
    except (ArgumentError, ValueError):
        url = None
    if (
        url is None or where.partition("?")[0].count("@") > 1
    ):  # any text before the last @ may be secret
        return re.sub(r"://.*@", "://***@", without_passwords(where), flags=re.DOTALL)
    hidden = {key: "***" for key in url.query if without_passwords(f"?{key}=x") != f"?{key}=x"}
    shown = url.update_query_dict(hidden).render_as_string(hide_password=True)
    return shown.replace("%2A%2A%2A", "***")


def reject_mistyped_url(where: str) -> None:
    """Reject a mistyped URL; used as a path, it would create folders named after its password.

    Args:
        where: The storage, which is about to be used as a file path.

    Raises:
        SettingsError: It looks like a URL rather than a file path.
    """
    looks_like_a_url = re.match(r"[A-Za-z][\w+.-]+:[/\\]|[\w+.-]*//|[^/.~][^@]*:[^@]*@", where)
    if looks_like_a_url or without_passwords(where) != where:
        raise SettingsError(
            "the storage looks like a mistyped database URL; write a URL such as "
            "sqlite:///search.db, or begin the path of a file with './'"
        )


def sqlite_file(where: str | None) -> Path | None:
    """Return the file of an SQLite database.

    Args:
        where: The storage.

    Returns:
        The file; None for other storages, or if its folder does not exist.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(where or "")
    except (ArgumentError, ValueError):
        return None
    if url.get_backend_name() != "sqlite" or url.database in {None, "", ":memory:"}:
        return None
    path = Path(str(url.database))
    return path if path.parent.is_dir() else None
