"""Places: what users write as paths, and the folders that commands write to."""

from __future__ import annotations

from pathlib import Path

from sasrec.errors import SettingsError


def expanded(path: Path) -> Path:
    """Return a path with ``~`` resolved; a shell leaves it in ``--out=~/model``.

    Args:
        path: As written.

    Returns:
        The path.

    Raises:
        SettingsError: There is no such user.
    """
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise SettingsError(f"{path}: {error}") from error


def folder_name(data: str) -> str:
    """Return the name of the folder that results of a data set go to by default.

    Args:
        data: Name or path of the data.

    Returns:
        Of letters, digits, ``-``, ``_`` and ``.``.
    """
    path = expanded(Path(data))
    name = path.resolve().stem if path.exists() else data
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name)


def model_folder_name(data: str, model: str) -> str:
    """Return the name of the folder that a model of a data set goes to by default.

    Args:
        data: Name or path of the data.
        model: Name of the model; all but SASRec have a folder of their own.

    Returns:
        As ``folder_name``, with the model behind it.
    """
    return folder_name(data) + ("" if model == "SASRec" else f"-{model}")
