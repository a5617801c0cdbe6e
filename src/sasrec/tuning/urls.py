"""URLs of storages: shown without their secrets, and told from the paths of files."""

from __future__ import annotations

import re
from pathlib import Path

from sasrec.errors import SettingsError, without_passwords


def shown_storage(where: str) -> str:
    """Return a storage as it may be printed.

    Args:
        where: A file, or a URL such as ``postgresql://me:secret@host/studies``.

    Returns:
        The file, or the URL without passwords, such as ``postgresql://me:***@host/studies``.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    if "://" not in where:
        return without_passwords(where)
    try:
        url = make_url(where)
    except (ArgumentError, ValueError):
        url = None
    if url is None or where.partition("?")[0].count("@") > 1:  # all before the last @ may be secret
        return re.sub(r"://.*@", "://***@", without_passwords(where), flags=re.DOTALL)
    hidden = {key: "***" for key in url.query if without_passwords(f"?{key}=x") != f"?{key}=x"}
    shown = url.update_query_dict(hidden).render_as_string(hide_password=True)
    return shown.replace("%2A%2A%2A", "***")


def refuse_mistyped(where: str) -> None:
    """Refuse a URL with a mistake in it, which would become folders named with its password.

    Args:
        where: What the user gave as a file.

    Raises:
        SettingsError: It is no path that somebody would give a file.
    """
    looks_like_a_url = re.match(r"[A-Za-z][\w+.-]+:[/\\]|[\w+.-]*//|[^/.~][^@]*:[^@]*@", where)
    if looks_like_a_url or without_passwords(where) != where:
        raise SettingsError(
            "the storage looks like the URL of a database with a mistake in it; a URL begins with "
            "a name and '://', such as sqlite:///search.db, and a file of such a name with './'"
        )


def sqlite_file(where: str | None) -> Path | None:
    """Return the file of an SQLite database.

    Args:
        where: A storage.

    Returns:
        The file; None for other storages, or if its folder is not there.
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
